"""A request, ready to be sent, and the interface of what sends it.

Owns `OutgoingRequest`, its body's encoding and the checks of headers. Pure. Made by `http_client`, changed by `redirects`, sent by
`http_pool` or recorded by `dry_requests`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json import dumps
from typing import TYPE_CHECKING, Any, Final, Protocol, final
from urllib.parse import quote, quote_plus

from ipaas.errors import StepError
from ipaas.plugin.web_address import encode_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ipaas.plugin.http_response import Response
    from ipaas.plugin.web_address import QueryValue, WebAddress

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"}
)
"""Fields that frame a message or choose who reads it: a value of somebody else's would let one request hide another."""
_SECRET: Final = re.compile(
    r"auth|cookie|token|secret|password|api-?key|apikey|session|signature|credential|idempotency-key", re.IGNORECASE
)
"""Names of header fields that are meant for one origin only, and that are never shown."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRequest:
    """One request.

    Attributes:
        headers: by name as written; framing is added by whoever sends it.
        body: encoded; empty is none.
        secret_headers: names, lower case, that carry the credential.
        secrets: values that must not be shown.
        timeout_s: for the whole exchange, redirects and body included; None is the pool's.
        max_bytes: of the answer's body, decompressed; None is the pool's.
        follow_redirects: whether a redirect is followed or is the answer.
    """

    method: str
    url: WebAddress
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    secret_headers: frozenset[str] = frozenset()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    timeout_s: float | None = None
    max_bytes: int | None = None
    follow_redirects: bool = True

    def is_secret(self, name: str) -> bool:
        """Tell whether the header is for this origin only and must not be shown."""
        return name.lower() in self.secret_headers or bool(_SECRET.search(name))


class Exchange(Protocol):
    """Turns a request into an answer: the network, or something in its place."""

    async def send(self, request: OutgoingRequest) -> Response:
        """Return the answer, whatever its status.

        Raises:
            StepError: there was no answer, or it could not be read.
        """
        ...


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers.

    Raises:
        StepError: of type `validation`: a field that cannot be sent, or that is not the action's to set.
    """
    for name, value in headers.items():
        if not isinstance(value, str):
            raise _bad(f"the header `{name}` is not text", "write numbers in quotes")
        if not _TOKEN.fullmatch(name):
            raise _bad(f"`{name[:80]}` is not a header name", "letters, digits and `-`")
        if name.lower() in _OURS:
            raise _bad(f"the header `{name}` cannot be set", "it follows from the URL and the body")
        if not value.isascii() or not value.replace("\t", " ").isprintable():
            raise _bad(
                f"the header `{name}` has a line break, a control character or a letter outside ASCII",
                "encode the value",
            )
    return {name: value.strip() for name, value in headers.items()}


def encode_body(
    *, json: Any, form: Mapping[str, QueryValue] | None, text: str | None, content: bytes | None
) -> tuple[bytes, str | None]:
    """Return the body and its content type, None when there is nothing to say.

    `json` is the sentinel `NO_JSON` when it is not given, since null is JSON.

    Raises:
        StepError: of type `validation`: more than one body, or no JSON.
    """
    given = [
        name
        for name, is_given in (
            ("json", json is not NO_JSON),
            ("form", form is not None),
            ("text", text is not None),
            ("content", content is not None),
        )
        if is_given
    ]
    if len(given) > 1:
        raise _bad(
            f"the request has more than one body: {', '.join(f'`{name}`' for name in given)}", "give one of them"
        )
    if json is not NO_JSON:
        return _encode_json(json), "application/json"
    if form is not None:
        return encode_query(form).encode("ascii"), "application/x-www-form-urlencoded"
    if text is not None:
        return text.encode("utf-8", errors="replace"), "text/plain; charset=utf-8"
    return (content, None) if content is not None else (b"", None)


@final
class NoJson:
    """The type of `NO_JSON`."""

    def __repr__(self) -> str:
        return "NO_JSON"


NO_JSON: Final = NoJson()
"""No JSON body was given: unlike None, which is the JSON null."""


def _encode_json(value: Any) -> bytes:
    try:
        # Stricter than pydantic's: sets, bytes and NaN are refused instead of guessed at.
        return dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _bad(f"the request's body is not JSON: {error}", "send plain JSON") from None


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with each secret, also percent-encoded, replaced by `***`; longer ones first."""
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret)) if form}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _bad(message: str, hint: str) -> StepError:
    return StepError(message, type="validation", hint=hint)
