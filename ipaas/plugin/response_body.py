"""The body of an answer: decompressed as it comes in, and never more than is allowed.

Owns `BodyDecoder` (pure: bytes in, bytes out) and `read_body`, the loop around it. Knows nothing of requests. Called by `http_pool`.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, Protocol, final

from ipaas.errors import Fatal, StepError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from ipaas.plugin.http_response import Headers

MAX_CODINGS: Final = 2
"""Compressions on top of each other: more than one is already rare."""
ACCEPT_ENCODING: Final = "gzip, deflate"
"""What we can decode with the standard library, and so what we ask for."""


class _TooLarge(Exception):
    """More came out than may."""


def _check_room(size: int, room: int) -> None:
    if size > room:
        raise _TooLarge


class _Coding(Protocol):
    def feed(self, data: bytes, room: int) -> bytes:
        """Return what the data means; raises `_TooLarge` when that is more than `room` bytes."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether the data may end here."""
        ...


@final
class _Gzip:
    """RFC 1952: one or more members, each a deflate stream with its checksum."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._begun = False

    def feed(self, data: bytes, room: int) -> bytes:
        output = b""
        while data:
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            self._begun = True
            output += self._inflate.decompress(data, room + 1 - len(output))
            _check_room(len(output), room)
            # What `max_length` held back would be in `unconsumed_tail`, and then the limit is passed; what is left is the next member.
            data = self._inflate.unused_data
        return output

    @property
    def is_complete(self) -> bool:
        return self._inflate.eof or not self._begun


@final
class _Deflate:
    """RFC 9110, section 8.4.1.2: a zlib stream, though some servers send it without its frame."""

    def __init__(self) -> None:
        self._inflate: zlib._Decompress | None = None
        self._head = b""

    def feed(self, data: bytes, room: int) -> bytes:
        if self._inflate is None:
            self._head += data
            if len(self._head) < 2:
                return b""
            data, first, second = self._head, self._head[0], self._head[1]
            has_frame = first & 0x0F == 8 and (first * 256 + second) % 31 == 0
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if has_frame else -zlib.MAX_WBITS)
        output = self._inflate.decompress(data, room + 1)
        _check_room(len(output), room)
        return output

    @property
    def is_complete(self) -> bool:
        return not self._head if self._inflate is None else self._inflate.eof


@final
class BodyDecoder:
    """Decodes a body piece by piece; keeps count of what went in and what came out.

    Args:
        coding: the answer's `Content-Encoding`, empty for none.
        max_bytes: of the body, decompressed.
        where: the address, for messages.

    Raises:
        StepError: of type `server_error`, for a coding that we did not ask for.
    """

    def __init__(self, coding: str, *, max_bytes: int, where: str) -> None:
        names = [name.strip().lower() for name in coding.split(",")]
        names = [name for name in names if name not in {"", "identity"}]
        self._codings: list[_Coding] = []
        self._max_bytes = max_bytes
        self._where = where
        self._received = 0
        self._content = bytearray()
        for name in reversed(names):
            if name not in {"gzip", "x-gzip", "deflate"} or len(names) > MAX_CODINGS:
                raise StepError(
                    f"`{where}` answered in the encoding `{coding[:80]}`, which was not asked for",
                    type="server_error",
                    hint=f"we accept `{ACCEPT_ENCODING}`",
                )
            self._codings.append(_Deflate() if name == "deflate" else _Gzip())

    def feed(self, data: bytes) -> None:
        """Take the next piece.

        Raises:
            Fatal: the body is larger than allowed.
            StepError: of type `server_error`: it is not what its encoding says.
        """
        self._received += len(data)
        room = self._max_bytes - len(self._content)
        try:
            # A stream of empty blocks decompresses to nothing for ever, so what comes in counts as well.
            _check_room(self._received, self._max_bytes)
            for coding in self._codings:
                data = coding.feed(data, room)
        except _TooLarge:
            raise too_large(self._where, self._max_bytes) from None
        except zlib.error as error:
            raise self._broken(f"is broken: {error}") from error
        self._content += data

    def finish(self) -> bytes:
        """Return the whole body.

        Raises:
            StepError: of type `server_error`: it ended in the middle.
        """
        if not all(coding.is_complete for coding in self._codings):
            raise self._broken("ends in the middle")
        return bytes(self._content)

    def _broken(self, what: str) -> StepError:
        return StepError(f"the compressed body of `{self._where}` {what}", type="server_error")


async def read_body(pieces: AsyncIterable[bytes], headers: Headers, *, max_bytes: int, where: str) -> bytes:
    """Return the body, decompressed. The caller closes the stream.

    Raises:
        Fatal: it is, or says that it will be, larger than `max_bytes`.
        StepError: of type `server_error`: it cannot be decoded.
    """
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large(where, max_bytes)
    decoder = BodyDecoder(headers.get("content-encoding", ""), max_bytes=max_bytes, where=where)
    async for piece in pieces:
        decoder.feed(piece)
    return decoder.finish()


def too_large(where: str, max_bytes: int) -> Fatal:
    """Return the complaint about a body over the limit."""
    return Fatal(
        f"the answer of `{where}` is larger than {max_bytes} bytes after decompression",
        type="limit_exceeded",
        hint="ask for less at a time: a page, a range, a filter",
    )
