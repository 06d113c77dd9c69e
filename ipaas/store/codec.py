"""How words become columns, and columns words again.

Owns JSON text, instants as integer microseconds since 1970 (they sort, and lose nothing), and the shapes of the JSON columns. Every
backend keeps values in this form, `memory` too: what was put in cannot be changed from outside, and reads are equal everywhere.
Knows no SQL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json, to_json

from ipaas.errors import StoreError
from ipaas.model import Place
from ipaas.run import LogLine, RunError, StepResult, TriggerInfo

if TYPE_CHECKING:
    from ipaas.model import Json
    from ipaas.run import RunRequest

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_us(when: datetime) -> int:
    """Return microseconds since 1970, exactly."""
    return (when - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Return the aware UTC instant."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_us_or_none(when: datetime | None) -> int | None:
    """Do `to_us`, letting None through."""
    return None if when is None else (when - _EPOCH) // _MICROSECOND


def from_us_or_none(microseconds: int | None) -> datetime | None:
    """Do `from_us`, letting None through."""
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def encode(value: Json) -> str:
    """Return JSON text. Raises `StoreError` for what JSON cannot say (lone surrogates, over 250 levels, foreign objects)."""
    try:
        return to_json(value, fallback=_plain).decode()
    except ValueError as error:
        raise StoreError(f"value cannot be kept as JSON: {error}") from error


def decode(text: str) -> Any:
    """Return the value of JSON text that `encode` made."""
    try:
        return from_json(text)
    except ValueError:
        # The fast parser stops at 200 levels and the writer at 250: what was accepted must stay readable.
        return json.loads(text)


def encode_or_none(value: Json) -> str | None:
    """Do `encode`; None is kept as no value."""
    return None if value is None else encode(value)


def decode_or_none(text: str | None) -> Any:
    """Do `decode`; no value is None."""
    return None if text is None else decode(text)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise ValueError(f"`{type(value).__name__}` is not JSON")


def encode_trigger(trigger: TriggerInfo) -> str:
    """Return the JSON text of a trigger."""
    return encode([trigger.type, trigger.id, to_us_or_none(trigger.scheduled_at), trigger.data])


def decode_trigger(text: str) -> TriggerInfo:
    """Return the trigger of its JSON text."""
    type_, id_, scheduled_at, data = decode(text)
    return TriggerInfo(type=type_, id=id_, scheduled_at=from_us_or_none(scheduled_at), data=data)


def encode_error(error: RunError | None) -> str | None:
    """Return the JSON text of an error, or None."""
    if error is None:
        return None
    place = error.place
    return encode(
        {
            "type": error.type,
            "message": error.message,
            "step": error.step,
            "attempt": error.attempt,
            "place": None if place is None else [place.file, place.line, place.column],
            "hint": error.hint,
            "retry_after_s": error.retry_after_s,
        }
    )


def decode_error(text: str | None) -> RunError | None:
    """Return the error of its JSON text."""
    if text is None:
        return None
    fields = decode(text)
    place = fields.pop("place")
    return RunError(**fields, place=None if place is None else Place(*place))


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request with its JSON made, so that nothing can go wrong with it once a transaction has begun."""

    request: RunRequest
    inputs: str
    trigger: str
    slot: str
    parent_run: str | None
    parent_step: str | None


def encode_request(request: RunRequest) -> Encoded:
    """Make a request's JSON; a slot without a limit is no slot."""
    parent_run, parent_step = request.parent or (None, None)
    return Encoded(
        request,
        encode(request.inputs),
        encode_trigger(request.trigger),
        request.slot if request.slot_limit > 0 else "",
        parent_run,
        parent_step,
    )


STEP_COLUMNS: Final = "path, step, status, action, inputs, output, error, attempts, started_at, finished_at"


def encode_step(result: StepResult) -> tuple[Any, ...]:
    """Return a step's columns, in the order of `STEP_COLUMNS`."""
    return (
        result.path,
        result.step,
        result.status,
        result.action,
        encode_or_none(result.inputs),
        encode_or_none(result.output),
        encode_error(result.error),
        result.attempts,
        to_us(result.started_at),
        to_us_or_none(result.finished_at),
    )


def decode_step(row: Sequence[Any]) -> StepResult:
    """Return the step of its columns."""
    path, step, status, action, inputs, output, error, attempts, started_at, finished_at = row
    return StepResult(
        path=path,
        step=step,
        status=status,
        action=action,
        inputs=decode_or_none(inputs),
        output=decode_or_none(output),
        error=decode_error(error),
        attempts=attempts,
        started_at=from_us(started_at),
        finished_at=from_us_or_none(finished_at),
    )


LINE_COLUMNS: Final = "at, level, message, step, attempt, fields"


def encode_line(line: LogLine) -> tuple[Any, ...]:
    """Return a log line's columns, in the order of `LINE_COLUMNS`."""
    fields = encode(line.fields) if line.fields else None
    return (to_us(line.at), line.level, line.message, line.step, line.attempt, fields)


MAX_LINES: Final = 10_000
"""Lines kept for one run, the notice that more came included."""


def fit_lines(kept: int, lines: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
    """Return what may be added to a run that has `kept` lines, all as columns; the last place is for the notice that more came."""
    room = MAX_LINES - 1 - kept
    if len(lines) <= room:
        return lines
    if room < 0:
        return ()
    message = f"the log is full: lines after the first {MAX_LINES - 1} are not kept"
    return (*lines[:room], (lines[room][0], "warning", message, "", 0, None))


def decode_line(row: Sequence[Any]) -> LogLine:
    """Return the log line of its columns."""
    at, level, message, step, attempt, fields = row
    return LogLine(
        at=from_us(at),
        level=level,
        message=message,
        step=step,
        attempt=attempt,
        fields={} if fields is None else decode(fields),
    )
