import gzip
import itertools
import ssl
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from ipaas.errors import InputError, StepError
from ipaas.plugin import HttpPool, make_context
from ipaas.plugin.http_request import OutgoingRequest
from ipaas.plugin.response_body import BodyDecoder
from ipaas.plugin.web_address import parse_address
from ipaas.testing.fake_server import (
    Answer,
    FakeServer,
    gzip_bomb,
    hang,
    hang_in_body,
    lie_about_length,
    redirect,
    reply,
    reset,
    reset_in_body,
    send_raw,
    trickle,
)
from tests.plugin.conftest import MakeHttp, probe

TLS = Path(__file__).parent / "tls"


async def fail(make_http: MakeHttp, url: str, **options: Any) -> StepError:
    """Return the error that a GET of the address ends in."""
    with pytest.raises(StepError) as caught:
        await make_http().get(url, **options)
    return caught.value


async def test_answer_is_read_whole(server: FakeServer, make_http: MakeHttp) -> None:
    """Status, headers, text and JSON of an answer reach the action."""
    server.on("GET", "/orders", reply(status=201, json={"id": "ä"}, headers={"X-Page": "2"}))
    response = await make_http().get(f"{server.url}/orders")
    assert (response.status, response.json(), response.headers["x-page"]) == (201, {"id": "ä"}, "2")
    assert response.url == f"{server.url}/orders"


async def test_connection_is_used_again(server: FakeServer, make_http: MakeHttp) -> None:
    """Requests after each other share one connection, across the attempts of different steps."""
    server.on("*", "*", reply(text="ok"))
    for _ in range(5):
        await make_http().get(server.url)
    assert (len(server.requests), server.connections) == (5, 1)


async def test_many_requests_share_few_connections(server: FakeServer) -> None:
    """A pool opens no more connections than it is allowed, and every request is answered."""
    server.on("*", "*", reply(text="ok"))
    async with HttpPool(["127.0.0.1"], max_connections=3) as narrow, trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(narrow.send, _request(server.url))
    assert (len(server.requests), server.connections) == (30, 3)


def _request(url: str) -> OutgoingRequest:
    return OutgoingRequest(method="GET", url=parse_address(url))


async def test_hanging_host_does_not_take_every_connection(server: FakeServer, fast_clock: MockClock) -> None:
    """While one host hangs on as many requests as it may have, others are answered; its further requests wait their time out."""
    server.on("GET", "/", hang())
    async with (
        FakeServer() as other,
        HttpPool(["127.0.0.1"], max_connections=4, max_per_host=2, timeout_s=5) as small,
        trio.open_nursery() as nursery,
    ):
        other.on("*", "*", reply(text="ok"))
        failures: list[str] = []

        async def send_to_the_hanging_one() -> None:
            with pytest.raises(StepError) as caught:
                await small.send(_request(server.url))
            failures.append(caught.value.type)

        for _ in range(6):
            nursery.start_soon(send_to_the_hanging_one)
        await server.wait_requests(2)
        assert (await small.send(_request(other.url))).text == "ok"
        assert failures == []
    assert (failures, len(server.requests)) == (["timeout"] * 6, 2)


async def test_silence_is_a_timeout(server: FakeServer, make_http: MakeHttp, fast_clock: MockClock) -> None:
    """A server that takes the request and never answers costs the default of 30 seconds, and says so."""
    server.on("GET", "/", hang())
    error = await fail(make_http, server.url)
    assert (error.type, error.message) == ("timeout", f"`127.0.0.1:{server.port}` did not answer within 30 s")
    assert trio.current_time() == pytest.approx(30, abs=0.5)


async def test_deadline_counts_the_body(server: FakeServer, make_http: MakeHttp, fast_clock: MockClock) -> None:
    """A body that never ends is a time-out of the exchange, though the head came at once."""
    server.on("GET", "/", hang_in_body())
    error = await fail(make_http, server.url, timeout_s=2)
    assert (error.type, error.message) == ("timeout", f"`127.0.0.1:{server.port}` did not finish its answer within 2 s")


async def test_deadline_is_total(server: FakeServer, make_http: MakeHttp, fast_clock: MockClock) -> None:
    """Bytes that trickle in do not extend the deadline: each read succeeds, the exchange does not."""
    server.on("GET", "/", trickle(pieces=1000, pause_s=1))
    error = await fail(make_http, server.url, timeout_s=10)
    assert error.type == "timeout"
    assert trio.current_time() == pytest.approx(10, abs=0.5)


async def test_deadline_counts_redirects(server: FakeServer, make_http: MakeHttp, fast_clock: MockClock) -> None:
    """Slow redirects share one deadline."""
    server.on("GET", "*", reply(status=302, headers={"Location": "/on"}, pause_s=4))
    error = await fail(make_http, server.url, timeout_s=10)
    assert (error.type, len(server.requests)) == ("timeout", 3)


async def test_trickle_within_the_deadline_succeeds(
    server: FakeServer, make_http: MakeHttp, fast_clock: MockClock
) -> None:
    """A slow answer that is done in time is an answer."""
    server.on("GET", "/", trickle(pieces=5, pause_s=1))
    assert (await make_http().get(server.url, timeout_s=10)).content == b"....."


async def test_cancel_closes_the_connection(server: FakeServer, make_http: MakeHttp) -> None:
    """A cancelled request closes its connection at once, so that the other side can stop as well."""
    server.on("GET", "/", hang())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(make_http().get, server.url)
        await server.wait_requests(1)
        nursery.cancel_scope.cancel()
    with trio.fail_after(5):
        await server.wait_disconnects(1)


async def test_timeout_leaves_the_pool_usable(server: FakeServer, make_http: MakeHttp, fast_clock: MockClock) -> None:
    """After a time-out the next request is answered, on another connection."""
    server.on("GET", "/", hang(), reply(text="ok"))
    await fail(make_http, server.url, timeout_s=1)
    assert (await make_http().get(server.url)).text == "ok"
    assert [request.connection for request in server.requests] == [1, 2]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reset(), "the connection to `{host}` was lost in the middle of the exchange"),
        (reset_in_body(), "the connection to `{host}` was lost in the middle of the exchange"),
        (
            lie_about_length(b"abc", length=10),
            "`{host}` did not answer in HTTP: peer closed connection without sending complete message body (received 3",
        ),
        (send_raw(b""), "`{host}` did not answer in HTTP: Server disconnected without sending a response."),
        (send_raw(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "`{host}` did not answer in HTTP: illegal status line: "),
        (
            send_raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000),
            "`{host}` did not answer in HTTP: Receive buffer too long",
        ),
        (
            send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
            "`{host}` did not answer in HTTP: conflicting Content-Length headers",
        ),
    ],
    ids=["reset", "reset in body", "too short", "nothing", "not http", "huge head", "two lengths"],
)
async def test_broken_answer_is_a_server_error(
    server: FakeServer, make_http: MakeHttp, answer: Answer, message: str
) -> None:
    """What breaks off or is no HTTP is the server's fault, names the host, and may be tried again."""
    server.on("GET", "/", answer)
    error = await fail(make_http, server.url)
    assert error.type == "server_error"
    assert error.message.startswith(message.format(host=f"127.0.0.1:{server.port}"))


async def test_more_bytes_than_promised_are_not_read(server: FakeServer, make_http: MakeHttp) -> None:
    """A body ends where its length says, and what follows is nobody's answer."""
    server.on("GET", "/", lie_about_length(b"abcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", length=3))
    server.on("GET", "/next", reply(text="good"))
    assert (await make_http().get(server.url)).content == b"abc"
    assert (await make_http().get(f"{server.url}/next")).content == b"good"


async def test_refused_connection_says_so(make_http: MakeHttp) -> None:
    """A port where nobody listens is a server error that names host, port and reason."""
    with trio.socket.socket() as free:
        await free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        error = await fail(make_http, f"http://127.0.0.1:{port}/")
    assert (error.type, error.message) == (
        "server_error",
        f"could not connect to `127.0.0.1` port {port}: connection refused",
    )


async def test_bomb_costs_no_more_than_the_limit(server: FakeServer, make_http: MakeHttp) -> None:
    """An answer that would unpack to 300 MB is refused at the limit, however small it travels."""
    server.on("GET", "/", gzip_bomb(300_000_000))
    error = await fail(make_http, server.url)
    assert (error.type, error.message) == (
        "limit_exceeded",
        f"the answer of `{server.url}/` is larger than 10485760 bytes after decompression",
    )


async def test_endless_nothing_is_stopped(server: FakeServer, make_http: MakeHttp) -> None:
    """Compressed blocks that unpack to nothing, for ever, count by what came in."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    nothing = gzip.compress(b"") * 1000
    server.on("GET", "/", Answer(pieces=itertools.chain([head], itertools.repeat(nothing, 1000)), ending="close"))
    assert (await fail(make_http, server.url, max_bytes=50_000)).type == "limit_exceeded"


def test_bomb_is_never_unpacked_beyond_the_limit() -> None:
    """Refusing 300 MB costs memory of the limit's size and not of the bomb's."""
    bomb = gzip.compress(bytes(300_000_000))
    tracemalloc.start()
    try:
        decoder = BodyDecoder("gzip", max_bytes=1_000_000, where="here")
        with pytest.raises(StepError, match="is larger than 1000000 bytes"):
            decoder.feed(bomb)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


async def test_large_body_is_refused_by_its_length(server: FakeServer, make_http: MakeHttp) -> None:
    """A body that says it is too large is not waited for."""
    server.on("GET", "/", Answer(pieces=[b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n"], ending="hang"))
    assert (await fail(make_http, server.url)).type == "limit_exceeded"


async def test_action_can_lower_the_limit_only(server: FakeServer) -> None:
    """`max_bytes` lowers the pool's limit, and does not raise it."""
    server.on("GET", "/", reply(body=b"x" * 150))
    async with HttpPool(["127.0.0.1"], max_response_bytes=100) as small, HttpPool(["127.0.0.1"]) as usual:
        for pool, limit in ((small, 1000), (usual, 149)):
            http = make_context(probe.actions[0], pool=pool).http
            with pytest.raises(StepError, match="is larger than"):
                await http.get(server.url, max_bytes=limit)
        response = await make_context(probe.actions[0], pool=usual).http.get(server.url, max_bytes=150)
        assert len(response.content) == 150


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello")),
        ("gzip", gzip.compress(b"hel") + gzip.compress(b"lo")),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")[2:-4]),
        ("deflate, gzip", gzip.compress(zlib.compress(b"hello"))),
        ("identity", b"hello"),
    ],
    ids=["gzip", "members", "deflate", "bare deflate", "twice", "identity"],
)
async def test_compressed_body_is_unpacked(server: FakeServer, make_http: MakeHttp, coding: str, body: bytes) -> None:
    """Every coding that we ask for is unpacked, also byte by byte."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server.on("GET", "/", Answer(pieces=[head, *(bytes([byte]) for byte in body)]))
    assert (await make_http().get(server.url)).text == "hello"


@pytest.mark.parametrize(
    ("coding", "body", "message"),
    [
        ("gzip", b"not gzip at all", "the compressed body of `{url}/` is broken"),
        ("gzip", gzip.compress(b"hello")[:-6], "the compressed body of `{url}/` ends in the middle"),
        ("br", b"hello", "`{url}/` answered in the encoding `br`, which was not asked for"),
        ("gzip, gzip, gzip", b"hello", "`{url}/` answered in the encoding `gzip, gzip, gzip`"),
    ],
    ids=["garbage", "cut", "not asked for", "onion"],
)
async def test_undecodable_body_is_a_server_error(
    server: FakeServer, make_http: MakeHttp, coding: str, body: bytes, message: str
) -> None:
    """A body that is not what its coding says is the server's fault."""
    server.on("GET", "/", reply(body=body, headers={"Content-Encoding": coding}))
    error = await fail(make_http, server.url)
    assert error.type == "server_error"
    assert error.message.startswith(message.format(url=server.url))


async def test_endless_redirects_end(server: FakeServer, make_http: MakeHttp) -> None:
    """Five redirects are followed, the sixth is refused."""
    server.on("GET", "/", redirect("/"))
    error = await fail(make_http, server.url)
    assert (error.type, len(server.requests)) == ("client_error", 6)


async def test_five_redirects_are_followed(server: FakeServer, make_http: MakeHttp) -> None:
    """A chain of five redirects is followed on one connection, and the address says where it ended."""
    for step in range(5):
        server.on("GET", f"/{step}", redirect(f"{step + 1}?from={step}"))
    server.on("GET", "/5", reply(text="there"))
    response = await make_http().get(f"{server.url}/0")
    assert (response.text, response.url, server.connections) == ("there", f"{server.url}/5?from=4", 1)


async def test_redirect_can_be_the_answer(server: FakeServer, make_http: MakeHttp) -> None:
    """With `follow_redirects=False` the redirect itself is the answer."""
    server.on("GET", "/", redirect("/elsewhere"))
    response = await make_http().get(server.url, follow_redirects=False)
    assert (response.status, response.headers["location"]) == (302, "/elsewhere")


async def test_untrusted_certificate_says_how_to_trust_it(make_http: MakeHttp) -> None:
    """A certificate that nobody vouches for is refused, with the way to vouch for it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    async with FakeServer(ssl_context=context) as server:
        server.on("*", "*", reply(text="ok"))
        error = await fail(make_http, server.url)
        assert (error.type, error.hint) == (
            "client_error",
            "for a private authority set `SSL_CERT_FILE` to its certificates",
        )
        assert error.message.startswith(f"the certificate of `127.0.0.1:{server.port}` is not trusted: self")
        assert server.requests == []


async def test_trusted_certificate_is_accepted() -> None:
    """Https works with a certificate that the pool's context trusts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    trusting = ssl.create_default_context(cafile=TLS / "certificate.pem")
    async with FakeServer(ssl_context=context) as server, HttpPool(["127.0.0.1"], ssl_context=trusting) as pool:
        server.on("*", "*", reply(text="ok"))
        assert (await make_context(probe.actions[0], pool=pool).http.get(server.url)).text == "ok"


async def test_https_to_a_plain_port_says_so(server: FakeServer, make_http: MakeHttp) -> None:
    """Speaking https to a server that does not is a server error that asks for the likely cause."""
    error = await fail(make_http, server.url.replace("http:", "https:"))
    assert (error.type, error.hint) == ("server_error", "is it `http://`?")


async def test_environment_is_not_asked(
    server: FakeServer, make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxies and .netrc of the environment make no difference."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.on("*", "*", reply(text="ok"))
    await make_http().get(server.url)
    assert "authorization" not in server.requests[0].headers


async def test_closed_pool_refuses() -> None:
    """A pool that was left sends nothing any more."""
    async with HttpPool() as pool:
        pass
    with pytest.raises(StepError, match="the HTTP pool is closed"):
        await pool.send(_request("http://127.0.0.1/"))


def test_mistake_in_allow_networks_is_told_at_once() -> None:
    """A network that is none is an input error before anything is sent."""
    with pytest.raises(InputError) as caught:
        HttpPool(["10.0.0/8", "rubbish"])
    assert caught.value.message == "`10.0.0/8` is not a network"


def test_prefix_that_hides_addresses_cannot_be_allowed() -> None:
    """Allowing a NAT64 prefix would allow every address inside it, and is refused."""
    with pytest.raises(InputError, match="64:ff9b::/96"):
        HttpPool(["64:ff9b::/96"])
