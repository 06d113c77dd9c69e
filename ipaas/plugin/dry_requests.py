"""A stand-in for the network that keeps what would have been sent.

Owns `RequestRecorder` and `RecordedRequest`. Given to `make_context` by the dry host, and by tests of actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

from ipaas.plugin.http_request import redact
from ipaas.plugin.http_response import Headers, Response, decode_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipaas.plugin.http_request import OutgoingRequest
    from ipaas.plugin.parameters import Json

MAX_SHOWN: Final = 64 * 1024
"""Bytes of a body that is no JSON which are kept."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """A request as it may be shown: credentials are `***` in the URL, the headers and the body.

    Attributes:
        body: JSON as it is, everything else as text; None when there is none.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None


@final
class RequestRecorder:
    """Answers every request without sending it, and keeps it.

    Args:
        answer: makes the answer; default: 200 with the JSON object `{}`.

    Attributes:
        requests: what would have been sent, in order.
    """

    def __init__(self, answer: Callable[[RecordedRequest], Response] | None = None) -> None:
        self.requests: list[RecordedRequest] = []
        self._answer = answer or _answer_ok

    async def send(self, request: OutgoingRequest) -> Response:
        """Keep the request and answer it."""
        recorded = show_request(request)
        self.requests.append(recorded)
        return self._answer(recorded)


def show_request(request: OutgoingRequest) -> RecordedRequest:
    """Return the request without its secrets."""
    headers = {
        name: "***" if request.is_secret(name) else redact(value, request.secrets)
        for name, value in request.headers.items()
    }
    return RecordedRequest(
        method=request.method,
        url=redact(str(request.url), request.secrets),
        headers=headers,
        body=_show_body(request),
    )


def _answer_ok(request: RecordedRequest) -> Response:
    return Response(status=200, url=request.url, headers=Headers([("Content-Type", "application/json")]), content=b"{}")


def _show_body(request: OutgoingRequest) -> Json:
    if not request.body:
        return None
    content_type = next((value for name, value in request.headers.items() if name.lower() == "content-type"), "")
    seen = Response(status=0, url="", headers=Headers([("content-type", content_type)]), content=request.body)
    if seen.is_json:
        return _redact_json(seen.json(), request.secrets)
    if content_type and (seen.media_type.startswith("text/") or seen.media_type == "application/x-www-form-urlencoded"):
        return redact(decode_text(request.body[:MAX_SHOWN], content_type), request.secrets)
    return f"{len(request.body)} bytes{f' of {seen.media_type}' if seen.media_type else ''}"


def _redact_json(value: Json, secrets: tuple[str, ...]) -> Json:
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, dict):
        return {name: _redact_json(item, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [_redact_json(item, secrets) for item in value]
    return value
