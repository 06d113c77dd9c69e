"""What an answer's status means to a pipeline.

Owns the mapping from HTTP status to error type, and `Retry-After`. Pure. Called by `http_client`.
"""

from __future__ import annotations

import contextlib
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from ipaas.errors import AuthFailed, NotFound, StepError
from ipaas.plugin.http_request import redact

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from datetime import datetime

    from ipaas.errors import ErrorType
    from ipaas.plugin.http_response import Headers, Response

MAX_EXCERPT: Final = 300
"""Characters of a body in a message: enough for the reason that most services give."""

_TYPES: Final[dict[int, ErrorType]] = {408: "timeout", 425: "server_error", 429: "rate_limited", 504: "timeout"}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def error_type_of(status: int) -> ErrorType:
    """Return the error type of a status: 401 and 403 `auth`, 404 and 410 `not_found`, 408 and 504 `timeout`, 429 `rate_limited`,
    425 and other 5xx `server_error`, everything else `client_error`."""
    if status in {401, 403}:
        return "auth"
    if status in {404, 410}:
        return "not_found"
    return _TYPES.get(status, "server_error" if 500 <= status <= 599 else "client_error")


def check_status(
    response: Response, method: str, expect: Container[int] | None, *, secrets: Iterable[str], has_credential: bool
) -> None:
    """Raise when the status is not one that the caller can use.

    Args:
        expect: statuses that are answers; None is 200 to 399.
        secrets: values that must not be shown.

    Raises:
        StepError: of the type that the status means, with what the other side said, and how long it wants to be left alone.
    """
    status = response.status
    if status in expect if expect is not None else 200 <= status <= 399:
        return
    said = redact(read_excerpt(response), secrets)
    where = redact(f"{method} {response.url.partition('?')[0]}", secrets)
    message = f"`{where}` answered {status}{f': {said}' if said else ''}"
    wait = read_retry_after(response.headers)
    kind = error_type_of(status)
    if kind == "auth":
        hint = "check what the credential may do" if has_credential else "does the step need a `credential:`?"
        raise AuthFailed(message, retry_after_s=wait, hint=hint)
    if kind == "not_found":
        raise NotFound(message, retry_after_s=wait, hint="check the URL")
    if status < 400:
        expected = "the statuses that the step expects leave it out"
        raise StepError(message, type=kind, retry_after_s=wait, hint=expected)
    raise StepError(message, type=kind, retry_after_s=wait)


def read_retry_after(headers: Headers) -> float | None:
    """Return the seconds to wait, or None. A date counts from the answer's own `Date`, so that clocks need not agree.

    Source: RFC 9110, section 10.2.3.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", text):
        return float(text)
    until, since = _read_date(text), _read_date(headers.get("date", ""))
    if until is None or since is None:
        return None
    return max(0.0, (until - since).total_seconds())


def _read_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def read_excerpt(response: Response) -> str:
    """Return the body's beginning on one line: of JSON the message that it holds, of HTML the title."""
    text = response.text[: MAX_EXCERPT * 20]
    if response.is_json:
        with contextlib.suppress(StepError):  # not the JSON that it says it is: shown as text
            text = _find_message(response.json()) or text
    elif response.media_type == "text/html" and (title := re.search(r"<title[^>]*>([^<]*)", text, re.IGNORECASE)):
        text = title[1]
    text = " ".join(_CONTROL.sub(" ", text).split())
    return text if len(text) <= MAX_EXCERPT else f"{text[:MAX_EXCERPT]}…"


def _find_message(body: object) -> str:
    """Return what people are meant to read, from the usual places (RFC 9457 and what large services do)."""
    if isinstance(body, dict):
        for name in ("detail", "message", "error_description", "error", "title", "errors"):
            found = _find_message(body.get(name))
            if found:
                return found
    if isinstance(body, list) and body:
        return _find_message(body[0])
    return body if isinstance(body, str) else ""
