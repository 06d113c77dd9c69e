"""Between our requests and the httpx2 client: what it is given, and what carries it out.

Owns the client's making, the two transports and the header fields as sent. Imports httpx2 and httpcore2, so it is itself imported with the
first request only. Knows nothing of deadlines, redirects and bodies. Called by `http_pool`.

    OutgoingRequest ──► make_request ──► httpx2.AsyncClient ──► GuardedTransport ──► httpcore2's pool, AddressGuard
                                                           └──► GivenTransport   ──► a transport of the host's or the test's

The client knows an address without its query, which it logs; the request line travels as httpx2's extension `target`, byte for byte.
"""

from __future__ import annotations

from contextlib import aclosing, contextmanager
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Final, final

import httpcore2
import httpx2

from ipaas import __version__
from ipaas.plugin.response_body import ACCEPT_ENCODING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from http.client import HTTPResponse
    from urllib.request import Request as UrllibRequest

    from ipaas.plugin.http_request import OutgoingRequest

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_FAILURES: Final[tuple[tuple[type[Exception], type[httpx2.TransportError]], ...]] = (
    (httpcore2.LocalProtocolError, httpx2.LocalProtocolError),
    (httpcore2.ProtocolError, httpx2.RemoteProtocolError),
    (httpcore2.ConnectError, httpx2.ConnectError),
    (httpcore2.WriteError, httpx2.WriteError),
    (httpcore2.NetworkError, httpx2.ReadError),
)
"""The first that fits counts. Time-outs are not among them: the deadline is the pool's, and httpcore2 is given none."""


def make_client(transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncClient:
    """Return a client that adds nothing of its own: no proxy, no cookies, no redirects, no time-outs. It closes the transport."""
    return httpx2.AsyncClient(
        transport=transport, trust_env=False, follow_redirects=False, timeout=None, cookies=_NoCookies()
    )


def make_request(request: OutgoingRequest) -> httpx2.Request:
    """Return the request as the client is given it.

    Raises:
        httpx2.InvalidURL: it has a host that httpx2 does not take for one, such as `0177.0.0.1`.
    """
    return httpx2.Request(
        request.method,
        request.url.without_query,
        headers=_frame(request),
        # As a stream, for httpx2 adds header fields to what it is given as content.
        stream=httpx2.ByteStream(request.body),
        extensions={"target": request.url.target.encode("ascii")},
    )


def _frame(request: OutgoingRequest) -> list[tuple[bytes, bytes]]:
    """Return the header fields as sent, framing and defaults added."""
    fields = {
        "Host": request.url.authority,
        "User-Agent": f"ipaas/{__version__}",
        "Accept": "*/*",
    }
    if request.body or request.method in _WITH_BODY:
        fields["Content-Length"] = str(len(request.body))
    given = {name.lower() for name in request.headers}
    fields = {name: value for name, value in fields.items() if name.lower() not in given}
    own = {name: value for name, value in request.headers.items() if name.lower() != "accept-encoding"}
    fields |= {"Accept-Encoding": ACCEPT_ENCODING, **own}
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in fields.items()]


@final
class GuardedTransport(httpx2.AsyncBaseTransport):
    """Carries requests over a pool of connections whose network backend is ours.

    httpx2's own `AsyncHTTPTransport` takes no network backend; replacing its pool would lean on a private attribute.

    Args:
        pool: owned from now on.
    """

    def __init__(self, pool: httpcore2.AsyncConnectionPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request; return the answer's head, the body to be read and closed.

        Raises:
            httpx2.TransportError: no connection, or no HTTP.
            StepError: what the address guard says.
        """
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        outgoing = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,  # `target` takes the place of the URL's
        )
        with _as_httpx2():
            incoming = await self._pool.handle_async_request(outgoing)
        return _Answer(
            incoming.status, headers=incoming.headers, stream=_Body(incoming), extensions=incoming.extensions
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


@final
class GivenTransport(httpx2.AsyncBaseTransport):
    """Makes somebody else's transport see whole addresses, and its answers readable as they came.

    Args:
        inner: owned from now on.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass the request on."""
        whole = httpx2.Request(
            request.method,
            request.url.copy_with(raw_path=request.extensions["target"]),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        response = await self._inner.handle_async_request(whole)
        # A response made of content has been read and decoded by its constructor; its stream still has the bytes as given.
        return _Answer(
            response.status_code, headers=response.headers, stream=response.stream, extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._inner.aclose()


@final
class _Answer(httpx2.Response):
    """A response of which the client does not read the `Location`: it would prepare a request that nobody sends, and stumble over
    odd addresses. `redirects` does that.
    """

    @property
    def has_redirect_location(self) -> bool:
        return False


@final
class _Body(httpx2.AsyncByteStream):
    """An answer's body, its failures in httpx2's words."""

    def __init__(self, incoming: httpcore2.Response) -> None:
        self._incoming = incoming

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx2():
            async with aclosing(self._incoming.aiter_stream()) as pieces:
                async for piece in pieces:
                    yield piece

    async def aclose(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        with _as_httpx2():
            await self._incoming.aclose()


@final
class _NoCookies(CookieJar):
    """Keeps nothing: the tasks of all tenants share the client."""

    def extract_cookies(self, response: HTTPResponse, request: UrllibRequest) -> None:
        """Leave the answer's cookies alone."""


@contextmanager
def _as_httpx2() -> Iterator[None]:
    """Raise httpcore2's failures as httpx2's, so that those of a given transport are told the same."""
    try:
        yield
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        kind = next(ours for theirs, ours in _FAILURES if isinstance(error, theirs))
        raise kind(str(error)) from error
