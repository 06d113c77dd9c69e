"""A real HTTP server on loopback that answers as it is told, also in ways that no decent server would.

Owns `FakeServer`, what it received, and its answers. For tests of connectors, of the HTTP client, and of whole pipelines; plain sockets,
so that faults are the bytes on the wire. Listens on port 0 of 127.0.0.1; all waiting is trio's, so a mock clock drives it.

    async with FakeServer() as server:
        server.on("GET", "/orders", reply(json=[{"id": "a"}]))
        server.on("POST", "/orders", reply(status=503, headers={"Retry-After": "2"}), reply(status=201))
        ...
        assert server.requests[0].path == "/orders"

Answers of one route are used one after the other; the last one stays.
"""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from json import dumps, loads
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, final
from urllib.parse import parse_qsl

import h11
import trio

if TYPE_CHECKING:
    import ssl
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from ipaas.model import Json

Ending = Literal["keep", "close", "reset", "hang"]
"""What follows the bytes: the next request, the end of the connection, its violent end, or nothing at all."""

NO_JSON: Final = object()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came in.

    Attributes:
        headers: by name in lower case; the last of several wins.
        connection: counts the connections from 1: two requests with the same number shared one.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        """Return the body as JSON."""
        return loads(self.body)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The bytes of an answer, in pieces.

    Attributes:
        pause_s: trio time before each piece.
        ending: what follows the last piece.
    """

    pieces: Iterable[bytes] = field(repr=False)
    pause_s: float = 0.0
    ending: Ending = "keep"


Answering: TypeAlias = Answer | Callable[[Received], Answer]


def reply(
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    json: Json | object = NO_JSON,
    text: str | None = None,
    body: bytes = b"",
    pause_s: float = 0.0,
    ending: Ending = "keep",
) -> Answer:
    """Return a decent answer with one of `json`, `text` and `body`; `headers` may contradict it."""
    content_type = ""
    if json is not NO_JSON:
        body, content_type = dumps(json).encode(), "application/json"
    elif text is not None:
        body, content_type = text.encode(), "text/plain; charset=utf-8"
    fields = {
        "Content-Length": str(len(body)),
        **({"Content-Type": content_type} if content_type else {}),
        **(headers or {}),
    }
    return Answer(pieces=[_head(status, fields) + body], pause_s=pause_s, ending=ending)


def redirect(to: str, *, status: int = 302) -> Answer:
    """Return a redirect."""
    return reply(status=status, headers={"Location": to})


def hang() -> Answer:
    """Take the request and never answer."""
    return Answer(pieces=(), ending="hang")


def hang_in_body() -> Answer:
    """Send the head, promise a body, and never send its end."""
    return Answer(pieces=[_head(200, {"Content-Length": "100"}) + b"some"], ending="hang")


def trickle(*, pieces: int, pause_s: float) -> Answer:
    """Send one byte of the body at a time: each read succeeds, the whole takes `pieces * pause_s`."""
    return Answer(pieces=[_head(200, {"Content-Length": str(pieces)}), *[b"."] * pieces], pause_s=pause_s)


def reset() -> Answer:
    """Tear the connection down instead of answering."""
    return Answer(pieces=(), ending="reset")


def reset_in_body() -> Answer:
    """Tear the connection down in the middle of the body."""
    return Answer(pieces=[_head(200, {"Content-Length": "100"}) + b"some"], ending="reset")


def lie_about_length(body: bytes, *, length: int) -> Answer:
    """Send a body of another length than promised, and close."""
    return Answer(pieces=[_head(200, {"Content-Length": str(length)}) + body], ending="close")


def gzip_bomb(size_bytes: int) -> Answer:
    """Send zeros that unpack to that size and travel as a thousandth of it."""
    body = gzip.compress(bytes(size_bytes), compresslevel=9)
    return reply(body=body, headers={"Content-Encoding": "gzip"})


def send_raw(*pieces: bytes, ending: Ending = "close") -> Answer:
    """Send just these bytes."""
    return Answer(pieces=pieces, ending=ending)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Because", *[f"{name}: {value}" for name, value in headers.items()], "", ""]
    return "\r\n".join(lines).encode("latin-1")


@final
class FakeServer:
    """The server; an async context manager that owns its tasks. A test's task may script it and read from it at any time.

    Args:
        ssl_context: serve https with it.

    Attributes:
        requests: all that came in, in order.
        connections: how many were opened.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self._ssl_context = ssl_context
        self._routes: dict[tuple[str, str], list[Answering]] = {}
        self._changed = trio.Event()
        self._lost = 0
        self._nursery_manager: AbstractAsyncContextManager[trio.Nursery] = trio.open_nursery()
        self._nursery: trio.Nursery | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        self._nursery = await self._nursery_manager.__aenter__()
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self._port = listeners[0].socket.getsockname()[1]
        self._nursery.start_soon(trio.serve_listeners, self._serve, listeners)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._nursery is not None
        self._nursery.cancel_scope.cancel()
        return await self._nursery_manager.__aexit__(kind, error, trace)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`, without a slash at the end."""
        return f"http{'s' if self._ssl_context else ''}://127.0.0.1:{self._port}"

    def on(self, method: str, path: str, *answers: Answering) -> None:
        """Script a route anew: its answers in order, the last one for ever. A function is called with each request.

        Args:
            method: or `*` for any.
            path: without the query; or `*` for any.
        """
        self._routes[method, path] = list(answers)

    async def wait_requests(self, count: int) -> None:
        """Wait until that many requests have come in."""
        while len(self.requests) < count:
            await self._changed.wait()

    async def wait_disconnects(self, count: int) -> None:
        """Wait until that many clients have closed a connection that had no answer yet."""
        while self._lost < count:
            await self._changed.wait()

    def _note_change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _choose(self, received: Received) -> Answer:
        for key in ((received.method, received.path), ("*", received.path), (received.method, "*"), ("*", "*")):
            answers = self._routes.get(key)
            if answers:
                chosen = answers.pop(0) if len(answers) > 1 else answers[0]
                return chosen if isinstance(chosen, Answer) else chosen(received)
        return reply(status=404, text=f"no answer was scripted for {received.method} {received.path}")

    async def _serve(self, raw: trio.SocketStream) -> None:
        """Serve one connection until it ends. What the client does to it never ends the server."""
        self.connections += 1
        stream: trio.abc.Stream = raw
        if self._ssl_context is not None:
            stream = trio.SSLStream(raw, self._ssl_context, server_side=True, https_compatible=True)
        number, rest = self.connections, b""
        try:
            while True:
                found = await _read_request(stream, rest, number)
                if found is None:
                    return
                received, rest = found
                self.requests.append(received)
                self._note_change()
                goes_on = await self._answer(stream, raw, self._choose(received))
                if not goes_on or received.headers.get("connection", "").lower() == "close":
                    return
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            return
        finally:
            await trio.aclose_forcefully(raw)

    async def _answer(self, stream: trio.abc.Stream, raw: trio.SocketStream, answer: Answer) -> bool:
        """Send the answer; tell whether the connection goes on."""
        for piece in answer.pieces:
            if answer.pause_s:
                await trio.sleep(answer.pause_s)
            await stream.send_all(piece)
        if answer.ending == "hang":
            while await stream.receive_some():
                pass
            self._lost += 1
            self._note_change()
        elif answer.ending == "reset":
            # Lingering for zero seconds makes the kernel answer with RST.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return answer.ending == "keep"


async def _read_request(stream: trio.abc.Stream, rest: bytes, connection: int) -> tuple[Received, bytes] | None:
    """Return the next request and what came after it, or None at the connection's end."""
    parser = h11.Connection(h11.SERVER)
    if rest:
        parser.receive_data(rest)
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            data = bytes(await stream.receive_some(65536))
            if not data and request is None:
                return None
            parser.receive_data(data)
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            path, _, query = request.target.decode("ascii").partition("?")
            received = Received(
                method=request.method.decode("ascii"),
                path=path,
                query=dict(parse_qsl(query, keep_blank_values=True)),
                headers={name.decode("ascii"): value.decode("latin-1") for name, value in request.headers},
                body=bytes(body),
                connection=connection,
            )
            return received, parser.trailing_data[0]
        else:
            return None
