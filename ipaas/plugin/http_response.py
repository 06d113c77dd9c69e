"""What `ctx.http` answers with.

Owns `Headers` and `Response`. Pure values; knows nothing of how they came. Made by `http_pool` and `dry_requests`, read by actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING, final

from ipaas.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipaas.plugin.parameters import Json


@final
class Headers(Mapping[str, str]):
    """Header fields by name, whatever its case; several of one name are joined by `, ` (RFC 9110, section 5.3)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._fields[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def list_values(self, name: str) -> list[str]:
        """Return each value of the name apart: `Set-Cookie` cannot be joined."""
        return list(self._fields.get(name.lower(), ()))

    def __repr__(self) -> str:
        return f"Headers({', '.join(self._fields)})"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer, wholly read.

    Attributes:
        status: the status code.
        url: the address that answered, after redirects.
        content: the body, decompressed.
    """

    status: int
    url: str = field(repr=False)
    headers: Headers = field(default_factory=Headers)
    content: bytes = field(default=b"", repr=False)

    @property
    def media_type(self) -> str:
        """The content type without parameters, lower case; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether the answer says that its body is JSON (`application/json`, `application/problem+json`, …)."""
        return self.media_type in {"application/json", "text/json"} or self.media_type.endswith("+json")

    @property
    def text(self) -> str:
        """The body as text, in the charset that the answer names, else UTF-8; what cannot be decoded becomes U+FFFD."""
        return decode_text(self.content, self.headers.get("content-type", ""))

    def json(self) -> Json:
        """Return the body as JSON.

        Raises:
            StepError: of type `server_error`: the body is not JSON.
        """
        from pydantic_core import from_json

        try:
            value: Json = from_json(self.content, allow_inf_nan=False)
        except ValueError as error:
            kind = f"`{self.media_type}`" if self.media_type else "an answer without content type"
            raise StepError(
                f"`{self.url.partition('?')[0]}` answered {self.status} with {kind} where JSON was expected: {error}",
                type="server_error",
                hint="check the URL: pages for people and sign-in pages answer 200 with HTML",
            ) from None
        return value


def decode_text(content: bytes, content_type: str) -> str:
    """Return bytes as text in the charset of a `Content-Type` value, else UTF-8; a byte order mark is left out."""
    header = Message()
    header["content-type"] = content_type or "text/plain"
    charset = header.get_content_charset("utf-8")
    try:
        text = content.decode(charset, errors="replace")
    except (LookupError, ValueError):  # an unknown charset, or a codec that is not for text
        text = content.decode("utf-8", errors="replace")
    # Codecs such as UTF-7 can make half characters out of hostile bytes.
    return text.removeprefix("\ufeff").encode("utf-8", errors="replace").decode("utf-8")
