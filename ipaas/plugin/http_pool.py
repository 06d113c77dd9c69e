"""The process's one door to other people's servers.

Owns `HttpPool`: connections, the total deadline, redirects, the translation of transport failures. Knows nothing of connectors,
credentials or statuses. Opened by the composition root (or a test), used by every action's `HttpClient`.

    send ──► deadline ──► hop ──► guard judges and connects ──► head ──► body, capped
                           ▲                                      │
                           └────────── redirect, at most 5 ◄──────┘

Nothing is taken from the environment but the certificates that the machine trusts (`SSL_CERT_FILE`, `SSL_CERT_DIR`): no proxy, no .netrc.
"""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Self, final

import trio

from ipaas import __version__
from ipaas.errors import Fatal, StepError
from ipaas.plugin.http_response import Headers, Response
from ipaas.plugin.redirects import MAX_REDIRECTS, find_next_request
from ipaas.plugin.response_body import ACCEPT_ENCODING, read_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType

    import httpcore2

    from ipaas.plugin.address_guard import Resolver
    from ipaas.plugin.http_request import OutgoingRequest

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

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


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
    ) -> None:
        self._allow_networks = tuple(allow_networks)
        self._max_connections = max_connections
        self._lanes = _Lanes(min(max_per_host, max_connections))
        self._timeout_s = timeout_s
        self._max_response_bytes = max_response_bytes
        self._resolve = resolve
        self._ssl_context = ssl_context
        self._pool: httpcore2.AsyncConnectionPool | None = None
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
        pool, self._pool = self._pool, None
        if pool is not None:
            with trio.CancelScope(shield=True):
                await pool.aclose()

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
        import httpcore2

        url = request.url
        outgoing = httpcore2.Request(
            method=request.method.encode("ascii"),
            url=httpcore2.URL(
                scheme=url.scheme.encode("ascii"),
                host=url.host.encode("ascii"),
                port=url.port,
                target=url.target.encode("ascii"),
            ),
            headers=_frame(request),
            content=request.body,
        )
        progress.has_head = False
        try:
            incoming = await self._open().handle_async_request(outgoing)
            try:
                progress.has_head = True
                headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in incoming.headers)
                redirect = find_next_request(request, incoming.status, headers) if request.follow_redirects else None
                limit = min(request.max_bytes or self._max_response_bytes, self._max_response_bytes)
                try:
                    content = await read_body(
                        incoming.aiter_stream(),
                        headers,
                        max_bytes=limit if redirect is None else MAX_REDIRECT_BODY,
                        where=url.without_query,
                    )
                except StepError:
                    if redirect is None:
                        raise
                    return redirect  # nobody reads a redirect's body; closing its connection is the price
                return redirect or Response(status=incoming.status, url=str(url), headers=headers, content=content)
            finally:
                with trio.CancelScope(shield=True):
                    await incoming.aclose()
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError, OSError) as error:
            raise _translate(error, request) from error

    def _open(self) -> httpcore2.AsyncConnectionPool:
        """Return the pool of connections, made for the first request: its libraries cost 120 ms, certificates 25 ms."""
        if self._pool is None:
            if self._is_closed:
                raise StepError("the HTTP pool is closed", type="cancelled")
            import httpcore2

            from ipaas.plugin.address_guard import AddressGuard

            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=self._ssl_context or httpcore2.default_ssl_context(),
                max_connections=self._max_connections,
                max_keepalive_connections=MAX_IDLE,
                keepalive_expiry=KEEPALIVE_S,
                network_backend=AddressGuard(self._allow_networks, resolve=self._resolve),
            )
        return self._pool


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


def _translate(error: Exception, request: OutgoingRequest) -> StepError:
    """Return a transport failure in the words of a pipeline."""
    import httpcore2

    host = request.url.authority
    tls = _find_tls_error(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return Fatal(
            f"the certificate of `{host}` is not trusted: {tls.verify_message}",
            hint="for a private authority set `SSL_CERT_FILE` to its certificates",
        )
    if tls is not None:
        return StepError(
            f"no secure connection to `{host}`: {tls.reason or tls}", type="server_error", hint="is it `http://`?"
        )
    if isinstance(error, httpcore2.LocalProtocolError):
        return StepError(f"the request to `{host}` cannot be sent: {error}", type="validation")
    if isinstance(error, httpcore2.ProtocolError):
        return StepError(f"`{host}` did not answer in HTTP: {error}", type="server_error")
    if isinstance(error, httpcore2.ConnectError):
        return StepError(f"the connection to `{host}` failed: {error}", type="server_error")
    return StepError(f"the connection to `{host}` was lost in the middle of the exchange", type="server_error")


def _find_tls_error(error: BaseException) -> ssl.SSLError | None:
    """Return the TLS failure that stands somewhere down the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
