import gzip
import ssl
from collections.abc import AsyncIterator

import httpx2
import pytest
import trio
from trio.testing import MockClock

from ipaas.errors import StepError
from ipaas.plugin import Connector, Context, HttpPool, make_context
from ipaas.plugin.http_request import OutgoingRequest
from ipaas.plugin.http_transport import GivenTransport, make_client, make_request
from ipaas.plugin.web_address import parse_address

shop = Connector("shop", credential=["token"], base_url="https://shop.example.com/api/", description="a shop")


@shop.action(effect="read")
async def nothing(ctx: Context) -> None:
    """Do nothing."""


def answering(*answers: httpx2.Response | Exception) -> tuple[httpx2.MockTransport, list[httpx2.Request]]:
    """Return a transport that gives these answers in order, and what it will have been asked."""
    left, asked = list(answers), list[httpx2.Request]()

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx2.MockTransport(handle), asked


async def test_given_transport_sees_the_whole_request() -> None:
    """A transport in place of the network is asked for the whole address, with the header fields and the body as sent."""
    transport, asked = answering(httpx2.Response(201, json={"id": 7}, headers={"X-Page": "2"}))
    async with HttpPool(transport=transport) as pool:
        http = make_context(shop.actions[0], pool=pool, credential={"token": "t"}).http
        response = await http.post("orders", query={"dry": True}, json={"name": "ä"})
    assert (response.status, response.json(), response.headers["x-page"]) == (201, {"id": 7}, "2")
    (request,) = asked
    assert (request.method, str(request.url)) == ("POST", "https://shop.example.com/api/orders?dry=true")
    assert request.content == '{"name":"ä"}'.encode()
    assert [request.headers[name] for name in ("host", "authorization", "content-length")] == [
        "shop.example.com",
        "Bearer t",
        "13",
    ]


async def test_redirects_of_a_given_transport_are_followed_by_our_rules() -> None:
    """A redirect elsewhere is followed, without the credential."""
    transport, asked = answering(
        httpx2.Response(302, headers={"Location": "https://files.example.net/1?sig=x"}),
        httpx2.Response(200, text="file"),
    )
    async with HttpPool(transport=transport) as pool:
        response = await make_context(shop.actions[0], pool=pool, credential={"token": "t"}).http.get("export")
    assert (response.text, response.url) == ("file", "https://files.example.net/1?sig=x")
    assert ["authorization" in request.headers for request in asked] == [True, False]


@pytest.mark.parametrize("is_stream", [False, True], ids=["content", "stream"])
async def test_body_of_a_given_transport_is_decoded_and_capped_once(*, is_stream: bool) -> None:
    """A compressed body is unpacked by us, within our limit, whether it is given whole or in pieces."""
    packed = gzip.compress(b"x" * 1000)

    async def pieces() -> AsyncIterator[bytes]:
        yield packed[:10]
        yield packed[10:]

    def answer() -> httpx2.Response:
        return httpx2.Response(200, headers={"Content-Encoding": "gzip"}, content=pieces() if is_stream else packed)

    transport, _ = answering(answer(), answer())
    async with HttpPool(transport=transport) as pool:
        http = make_context(shop.actions[0], pool=pool).http
        assert (await http.get("big")).content == b"x" * 1000
        with pytest.raises(StepError, match="is larger than 999 bytes after decompression"):
            await http.get("big", max_bytes=999)


def untrusted() -> Exception:
    """Return a failing connection as a TLS library leaves it: the reason is down the chain of causes."""
    reason = ssl.SSLCertVerificationError(1, "certificate verify failed")
    reason.verify_message = "certificate has expired"
    error = httpx2.ConnectError("failed")
    error.__cause__ = reason
    return error


@pytest.mark.parametrize(
    ("failure", "type", "message"),
    [
        (httpx2.ConnectError("refused"), "server_error", "the connection to `shop.example.com` failed: refused"),
        (httpx2.ReadTimeout("slow"), "timeout", "`shop.example.com` did not answer in time: slow"),
        (httpx2.RemoteProtocolError("odd"), "server_error", "`shop.example.com` did not answer in HTTP: odd"),
        (httpx2.LocalProtocolError("odd"), "validation", "the request to `shop.example.com` cannot be sent: odd"),
        (
            httpx2.ReadError("gone"),
            "server_error",
            "the connection to `shop.example.com` was lost in the middle of the exchange",
        ),
        (
            untrusted(),
            "client_error",
            "the certificate of `shop.example.com` is not trusted: certificate has expired",
        ),
    ],
    ids=lambda value: value.__class__.__name__ if isinstance(value, Exception) else None,
)
async def test_failure_of_a_given_transport_is_told_as_the_network_s(
    failure: Exception, type: str, message: str
) -> None:
    """What httpx2 raises becomes a typed error that names the host and not the address."""
    transport, _ = answering(failure)
    async with HttpPool(transport=transport) as pool:
        with pytest.raises(StepError) as caught:
            await make_context(shop.actions[0], pool=pool).http.get("orders?key=s3cret")
    assert (caught.value.type, caught.value.message) == (type, message)


async def test_failure_in_a_given_body_is_told_as_the_network_s() -> None:
    """A body that breaks off is a lost connection."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"some"
        raise httpx2.ReadError("gone")

    transport, _ = answering(httpx2.Response(200, content=pieces()))
    async with HttpPool(transport=transport) as pool:
        with pytest.raises(StepError, match="was lost in the middle of the exchange"):
            await make_context(shop.actions[0], pool=pool).http.get("orders")


async def test_deadline_covers_a_given_transport(fast_clock: MockClock) -> None:
    """A transport that never answers costs the deadline."""

    async def hang(request: httpx2.Request) -> httpx2.Response:
        await trio.sleep_forever()
        raise AssertionError

    async with HttpPool(transport=httpx2.MockTransport(hang), timeout_s=5) as pool:
        with pytest.raises(StepError) as caught:
            await make_context(shop.actions[0], pool=pool).http.get("orders")
    assert (caught.value.type, caught.value.message) == ("timeout", "`shop.example.com` did not answer within 5 s")


async def test_client_gathers_no_cookies() -> None:
    """However many cookies answers set, the client that serves all runs holds none of them."""
    transport, _ = answering(httpx2.Response(200, headers={"Set-Cookie": "session=of-somebody; Path=/"}))
    request = OutgoingRequest(method="GET", url=parse_address("https://shop.example.com/"))
    async with make_client(GivenTransport(transport)) as client:
        response = await client.send(make_request(request))
        assert (response.headers["set-cookie"], list(client.cookies.jar)) == ("session=of-somebody; Path=/", [])


@pytest.mark.parametrize("requests", [0, 1])
async def test_given_transport_is_closed_with_the_pool(requests: int) -> None:
    """The pool closes the transport that it was given, whether it used it or not, and sends nothing afterwards."""

    class Counting(httpx2.AsyncBaseTransport):
        closed = 0

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            return httpx2.Response(204)

        async def aclose(self) -> None:
            self.closed += 1

    transport = Counting()
    request = OutgoingRequest(method="GET", url=parse_address("https://shop.example.com/"))
    async with HttpPool(transport=transport) as pool:
        for _ in range(requests):
            await pool.send(request)
        assert transport.closed == 0
    assert transport.closed == 1
    with pytest.raises(StepError, match="the HTTP pool is closed"):
        await pool.send(request)
