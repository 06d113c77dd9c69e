import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import trio

from ipaas import __version__
from ipaas.errors import StepError
from ipaas.plugin import HttpPool
from ipaas.plugin.http_request import OutgoingRequest
from ipaas.plugin.web_address import parse_address
from ipaas.testing.fake_server import FakeServer, redirect, reply
from tests.plugin.conftest import MakeHttp


class Listener:
    """Answers every request with 204, and keeps the very bytes of each."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.received: list[str] = []

    async def answer(self, stream: trio.SocketStream) -> None:
        buffered = b""
        async for piece in stream:
            buffered += piece
            head, end, body = buffered.partition(b"\r\n\r\n")
            length = re.search(rb"\r\nContent-Length: (\d+)", head)
            if end and len(body) == (int(length[1]) if length else 0):
                self.received.append(buffered.decode("ascii"))
                buffered = b""
                await stream.send_all(b"HTTP/1.1 204 No Content\r\n\r\n")


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with trio.open_nursery() as nursery:
        (door,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        listening = Listener(door.socket.getsockname()[1])
        nursery.start_soon(trio.serve_listeners, listening.answer, [door])
        yield listening
        nursery.cancel_scope.cancel()


async def test_get_is_these_bytes(listener: Listener, make_http: MakeHttp) -> None:
    """A GET has our five fields in this order and spelling, and nothing that a library adds."""
    await make_http().get(f"{listener.url}/a", headers={"X-One": "1", "x-two": "2"})
    assert listener.received == [
        (
            f"GET /a HTTP/1.1\r\nHost: 127.0.0.1:{listener.port}\r\nUser-Agent: ipaas/{__version__}\r\n"
            "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nX-One: 1\r\nx-two: 2\r\n\r\n"
        )
    ]


async def test_post_is_these_bytes(listener: Listener, pool: HttpPool) -> None:
    """A body comes with its length; a POST without a body says so; other methods say nothing."""
    url = parse_address(f"{listener.url}/")
    for method, body in (("POST", b""), ("PATCH", b"{}"), ("DELETE", b""), ("DELETE", b"x")):
        await pool.send(OutgoingRequest(method=method, url=url, body=body, headers={"Accept": "text/html"}))
    host = f"Host: 127.0.0.1:{listener.port}\r\nUser-Agent: ipaas/{__version__}\r\n"
    rest = "Accept-Encoding: gzip, deflate\r\nAccept: text/html\r\n\r\n"
    assert listener.received == [
        f"POST / HTTP/1.1\r\n{host}Content-Length: 0\r\n{rest}",
        f"PATCH / HTTP/1.1\r\n{host}Content-Length: 2\r\n{rest}{{}}",
        f"DELETE / HTTP/1.1\r\n{host}{rest}",
        f"DELETE / HTTP/1.1\r\n{host}Content-Length: 1\r\n{rest}x",
    ]


@pytest.mark.parametrize(
    "target",
    [
        "/a/../b/./c",
        "//double//slash/",
        "/%7Euser/%2e%2E/%zz/%",
        "/a;b=1,2/(c)'*!$&+:@~",
        "/x?a=%20+b&c=[d]|e&q=/../?",
        "/caf%C3%A9?n%C3%A4me=%FF",
        "/long?q=" + "x" * 70_000,
    ],
    ids=lambda target: str(target)[:20],
)
async def test_target_is_sent_as_it_was_parsed(listener: Listener, pool: HttpPool, target: str) -> None:
    """No library tidies, re-encodes or limits the path and the query: signatures and odd servers depend on each byte."""
    path, _, query = target.partition("?")
    url = replace(parse_address(listener.url), path=path, query=query)
    await pool.send(OutgoingRequest(method="GET", url=url))
    assert listener.received[0].split(" ")[1] == target


async def test_cookies_are_not_kept(server: FakeServer, make_http: MakeHttp) -> None:
    """A cookie that an answer or a redirect sets is sent to nobody: the pool serves all runs."""
    cookie = {"Set-Cookie": "session=of-somebody-else; Path=/"}
    server.on("GET", "/", reply(text="ok", headers=cookie))
    server.on("GET", "/on", reply(status=302, headers={"Location": "/", **cookie}))
    for path in ("/", "/on", "/"):
        await make_http().get(server.url + path)
    assert [request.headers.get("cookie") for request in server.requests] == [None] * 4


async def test_library_logs_no_query(server: FakeServer, make_http: MakeHttp, caplog: pytest.LogCaptureFixture) -> None:
    """Where a host hears what libraries tell about each request, keys in queries are not part of it."""
    caplog.set_level(logging.INFO)
    server.on("GET", "/orders", redirect("/sent?key=s3cret-2"))
    server.on("GET", "/sent", reply(text="ok"))
    await make_http({"token": "s3cret-3"}).get(f"{server.url}/orders", query={"key": "s3cret-1"})
    assert f"GET {server.url}/sent " in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("location", ["//-xn--80", "//..xn--a/", "://-xn--80"])
async def test_location_that_the_library_cannot_read_is_ours_to_judge(
    server: FakeServer, make_http: MakeHttp, location: str
) -> None:
    """A redirect is an answer like any other where it is not followed, however odd its address."""
    server.on("GET", "/", redirect(location))
    response = await make_http().get(server.url, follow_redirects=False)
    assert (response.status, response.headers["location"]) == (302, location)


async def test_host_that_is_almost_an_address_is_refused(make_http: MakeHttp) -> None:
    """Four numbers that are no IPv4 address are refused with the host's name, and not retried."""
    with pytest.raises(StepError) as caught:
        await make_http().get("http://10.0.0.256/key?of=mine")
    assert (caught.value.type, caught.value.message) == (
        "client_error",
        "`10.0.0.256` cannot be connected to: Invalid IPv4 address: '10.0.0.256'",
    )


def test_libraries_are_loaded_with_the_first_request() -> None:
    """A pool that sends nothing costs no import of an HTTP library."""
    code = (
        "import sys, trio\n"
        "from ipaas.plugin import HttpPool\n"
        "async def main():\n"
        "    async with HttpPool(): pass\n"
        "trio.run(main)\n"
        "print(sorted({'httpx2', 'httpcore2', 'ssrfguard'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


async def test_request_that_breaks_the_protocol_is_not_sent(server: FakeServer, pool: HttpPool) -> None:
    """A header field that got past every check is refused before it reaches the wire, as the request's fault."""
    request = OutgoingRequest(method="GET", url=parse_address(server.url), headers={"X": "1\r\nEvil: 2"})
    with pytest.raises(StepError, match="cannot be sent: Illegal header value") as caught:
        await pool.send(request)
    assert (caught.value.type, server.requests) == ("validation", [])
