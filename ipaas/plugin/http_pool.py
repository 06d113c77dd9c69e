"""The process's one door to other people's servers.

Owns `HttpPool`: the httpx2 client, the total deadline, limits, redirects. Knows nothing of connectors, credentials or statuses. Opened
by the composition root (or a test), used by every action's `HttpClient`.

    send ──► deadline ──► hop ──► httpx2 ──► guard judges and connects ──► head ──► body, capped
                           ▲                                                 │
                           └──────────────── redirect, at most 5 ◄───────────┘

Nothing is taken from the environment but the certificates that the machine trusts (`SSL_CERT_FILE`, `SSL_CERT_DIR`): no proxy, no .netrc.
"""

from __future__ import annotations

import ssl
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final, Self, final

import trio

from ipaas.errors import Fatal, StepError
from ipaas.plugin.http_response import Headers, Response
from ipaas.plugin.redirects import MAX_REDIRECTS, find_next_request
from ipaas.plugin.response_body import read_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType

    import httpx2

    from ipaas.plugin.address_guard import Resolver
    from ipaas.plugin.http_request import OutgoingRequest
    from ipaas.plugin.http_transport import GuardedTransport

DEFAULT_TIMEOUT_S: Final = 30.0
MAX_RESPONSE_BYTES: Final = 10 * 1024 * 1024
MAX_CONNECTIONS: Final = 200
"""Twice the runs that the engine has in flight by default."""
MAX_PER_HOST: Final = 100
"""Half of them: a host that hangs must not take the connections of all others."""
MAX_IDLE: Final = 50
KEEPALIVE_S: Final = 4.0
"""Below the five seconds after which common servers close an idle connection: a request must not meet the closing."""
MAX_REDIRECT_BODY: Final = 64 * 1024
"""A redirect's body is read up to here, so that its connection can be used again."""


@final
class HttpPool:
    """Sends requests. One for each process, entered before use; any task may send; a cancelled send closes its connection only.

    Args:
        allow_networks: CIDRs that may be connected to though they are not global (`127.0.0.0/8`).
        max_connections: at once, to all hosts; who finds none waits, and its deadline runs.
        max_per_host: at once, to one host and port.
        timeout_s: for a whole exchange, when the request does not say.
        max_response_bytes: of a body, decompressed; a request can only lower it.
        resolve: looks names up; default: the machine's resolver.
        ssl_context: default: the certificates that the machine trusts.
        transport: carries the requests in place of the network, for tests (`httpx2.MockTransport`); closed with the pool. Then no
            address is looked up or judged; deadline, limits, redirects and errors are the same.

    Raises:
        InputError: an entry of `allow_networks` is no network.
    """

    def __init__(
        self,
        allow_networks: Sequence[str] = (),
        *,
        max_connections: int = MAX_CONNECTIONS,
        max_per_host: int = MAX_PER_HOST,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        resolve: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._allow_networks = tuple(allow_networks)
        self._max_connections = max_connections
        self._lanes = _Lanes(min(max_per_host, max_connections))
        self._timeout_s = timeout_s
        self._max_response_bytes = max_response_bytes
        self._resolve = resolve
        self._ssl_context = ssl_context
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None
        self._is_closed = False
        if allow_networks:
            # A mistake in a setting is told at start-up; without entries the libraries are loaded with the first request.
            from ipaas.plugin.address_guard import AddressGuard

            AddressGuard(self._allow_networks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection; requests under way fail."""
        self._is_closed = True
        opened = self._transport if self._client is None else self._client
        self._client = self._transport = None
        if opened is not None:
            with trio.CancelScope(shield=True):
                await opened.aclose()

    async def send(self, request: OutgoingRequest) -> Response:
        """Send, follow redirects, read the body.

        Raises:
            StepError: `timeout`: not done in time; `server_error`: no connection, or a broken answer; `client_error`: an address
                that may not be reached, a host that does not exist, a certificate that is not trusted, too many redirects;
                `limit_exceeded`: a body that is too large.
        """
        timeout_s = self._timeout_s if request.timeout_s is None else request.timeout_s
        progress = _Progress()
        with trio.move_on_after(timeout_s):
            return await self._follow(request, progress)
        raise StepError(
            f"`{request.url.authority}` {progress.missing} within {timeout_s:g} s",
            type="timeout",
            hint="give the step a longer `timeout_s`, or ask for less" if progress.has_head else "",
        )

    async def _follow(self, request: OutgoingRequest, progress: _Progress) -> Response:
        for _ in range(MAX_REDIRECTS + 1):
            async with self._lanes.enter(request.url.origin):
                answer = await self._send_once(request, progress)
            if isinstance(answer, Response):
                return answer
            request = answer
        raise Fatal(f"`{request.url.without_query}` is the end of {MAX_REDIRECTS} redirects, and redirects again")

    async def _send_once(self, request: OutgoingRequest, progress: _Progress) -> Response | OutgoingRequest:
        """Return the answer, or the request that a redirect asks for."""
        client = self._open()
        import httpx2

        from ipaas.plugin.http_transport import make_request

        progress.has_head = False
        try:
            incoming = await client.send(make_request(request), stream=True, auth=None)
            try:
                progress.has_head = True
                return await self._read(incoming, request)
            finally:
                with trio.CancelScope(shield=True):
                    await incoming.aclose()
        except (httpx2.TransportError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
            from ipaas.plugin.http_failures import translate

            raise translate(error, request.url) from error

    async def _read(self, incoming: httpx2.Response, request: OutgoingRequest) -> Response | OutgoingRequest:
        status, url = incoming.status_code, request.url
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in incoming.headers.raw)
        redirect = find_next_request(request, status, headers) if request.follow_redirects else None
        limit = min(request.max_bytes or self._max_response_bytes, self._max_response_bytes)
        try:
            async with aclosing(incoming.aiter_raw()) as pieces:
                content = await read_body(
                    pieces,
                    headers,
                    max_bytes=limit if redirect is None else MAX_REDIRECT_BODY,
                    where=url.without_query,
                )
        except StepError:
            if redirect is None:
                raise
            return redirect  # nobody reads a redirect's body; closing its connection is the price
        return redirect or Response(status=status, url=str(url), headers=headers, content=content)

    def _open(self) -> httpx2.AsyncClient:
        """Return the client, made for the first request: its libraries cost 200 ms, certificates 25 ms."""
        if self._client is None:
            if self._is_closed:
                raise StepError("the HTTP pool is closed", type="cancelled")
            from ipaas.plugin.http_transport import GivenTransport, make_client

            self._client = make_client(
                GivenTransport(self._transport) if self._transport is not None else self._make_transport()
            )
        return self._client

    def _make_transport(self) -> GuardedTransport:
        import httpcore2

        from ipaas.plugin.address_guard import AddressGuard
        from ipaas.plugin.http_transport import GuardedTransport

        return GuardedTransport(
            httpcore2.AsyncConnectionPool(
                ssl_context=self._ssl_context or httpcore2.default_ssl_context(),
                max_connections=self._max_connections,
                max_keepalive_connections=MAX_IDLE,
                keepalive_expiry=KEEPALIVE_S,
                network_backend=AddressGuard(self._allow_networks, resolve=self._resolve),
            )
        )


@final
class _Lanes:
    """A limit for each origin; an origin that nobody uses is forgotten."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lanes: dict[tuple[str, str, int], trio.CapacityLimiter] = {}

    @asynccontextmanager
    async def enter(self, origin: tuple[str, str, int]) -> AsyncIterator[None]:
        """Hold one place in the origin's lane, waiting for it in order."""
        lane = self._lanes.setdefault(origin, trio.CapacityLimiter(self._size))
        holder = object()
        try:
            await lane.acquire_on_behalf_of(holder)
            try:
                yield
            finally:
                lane.release_on_behalf_of(holder)
        finally:
            if lane.borrowed_tokens == 0 and lane.statistics().tasks_waiting == 0:
                self._lanes.pop(origin, None)


@final
class _Progress:
    """How far an exchange has come, for the message of a time-out."""

    __slots__ = ("has_head",)

    def __init__(self) -> None:
        self.has_head = False

    @property
    def missing(self) -> str:
        return "did not finish its answer" if self.has_head else "did not answer"
