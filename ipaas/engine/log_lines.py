"""Lines and errors as people may read them: without secrets, on one line, of bounded length.

Owns what is taken out of them. Pure. Called by the hosts, for the engine's own lines and errors and the connectors'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ipaas.controls import escape_controls
from ipaas.errors import StepError
from ipaas.plugin.plain_json import to_plain_json
from ipaas.run import LogLine, RunError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ipaas.model import Json, JsonObject
    from ipaas.run import LogLevel

MAX_MESSAGE_CHARS: Final = 8_000
"""Longer messages are cut: a log line tells what happened, data belong into outputs."""
MAX_FIELD_CHARS: Final = 8_000
"""The same for all texts among the fields, each."""


def make_line(
    at: datetime,
    level: LogLevel,
    message: str,
    redact: Callable[[Json], Json],
    *,
    step: str = "",
    attempt: int = 0,
    fields: JsonObject | None = None,
) -> LogLine:
    r"""Return a line with secrets taken out, control characters written out (`\x1b`), and everything of bounded length.

    Never raises: fields that are not JSON are left out, and the line says so.
    """
    shown: Any = {}
    if fields:
        try:
            shown = {name: _bound(value) for name, value in _as_object(redact(to_plain_json(fields))).items()}
        except StepError as error:
            shown = {"fields": f"left out: {error.message}"}
    return LogLine(
        at=at,
        level=level,
        message=escape_controls(str(redact(message)))[:MAX_MESSAGE_CHARS],
        step=step,
        attempt=attempt,
        fields=shown,
    )


def redact_error(error: RunError, redact: Callable[[Json], Json]) -> RunError:
    """Return the error without secrets and control characters in what a person reads."""
    return RunError(
        type=error.type,
        message=escape_controls(str(redact(error.message))),
        step=error.step,
        attempt=error.attempt,
        place=error.place,
        hint=escape_controls(str(redact(error.hint))),
        retry_after_s=error.retry_after_s,
    )


def _as_object(value: Json) -> JsonObject:
    assert isinstance(value, dict)
    return value


def _bound(value: Json) -> Json:
    if isinstance(value, str):
        return escape_controls(value)[:MAX_FIELD_CHARS]
    if isinstance(value, dict):
        return {name: _bound(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_bound(each) for each in value]
    return value
