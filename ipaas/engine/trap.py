"""Whatever a connector raised, as an error that a person can act on.

Owns the translation of any exception, of any kind, into a `StepFailed`. Pure but for one log record. Knows the error tree and how
tracebacks look; not how actions are run. Called by the hosts that run actions.
"""

from __future__ import annotations

import contextlib
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from ipaas.controls import escape_controls
from ipaas.engine.host import StepFailed
from ipaas.errors import ERROR_TYPES, Fatal, StepError
from ipaas.run import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipaas.engine.host import Call
    from ipaas.errors import ErrorType
    from ipaas.model import Json
    from ipaas.plugin.action import Action

MAX_MESSAGE_CHARS: Final = 2_000
"""An error's message is read by people; some libraries put whole responses into theirs."""

_log = logging.getLogger("ipaas.engine")


def explain(
    error: BaseException, call: Call, action: Action, redact: Callable[[Json], Json], facts: dict[str, object]
) -> StepFailed:
    """Return the failure that an exception means; what is the connector's own fault is logged with its traceback.

    Args:
        facts: tenant, workflow and run, for the log record.
    """
    if (told := _find_told(error)) is not None:
        return _told(told, call, redact)
    leaves = list(_leaves(error))
    if len(leaves) == 1:
        error = leaves[0]  # nurseries put a group around a single exception too
    if isinstance(error, TimeoutError | trio.TooSlowError):
        message = f"`{call.action}` gave up waiting: {describe_exception(error)}"
        hint = "give the step a `retry:`, or look at why the other side is slow"
        return StepFailed(_make_error(call, redact, "timeout", message, hint))
    message = f"`{call.action}` raised {describe_exception(error)} (at {find_place(error, action)})"
    hint = f"this is a fault of the plugin `{action.plugin or action.connector}`: the server's log has the traceback"
    facts = {**facts, "step": call.path, "attempt": call.attempt, "action": call.action}
    _log.error("a connector failed by its own fault", exc_info=error, extra={"facts": facts})
    return StepFailed(_make_error(call, redact, "connector_bug", message, hint))


def explain_missing(call: Call) -> RunError:
    """Return the error of a call to an action that is not there."""
    return RunError(
        type="validation",
        message=f"no plugin provides the action `{call.action}` any more",
        step=call.path,
        attempt=call.attempt,
        place=call.step.place,
        hint="`ipaas plugins list` shows the plugins that were loaded, and those that could not be",
    )


def describe_exception(error: BaseException) -> str:
    """Return `` `KeyError`: 'name' ``; also for exceptions whose text cannot be had."""
    name, text = type(error).__name__, describe_text(error)
    return f"`{name}`: {text}" if text else f"`{name}`"


def describe_text(value: object) -> str:
    """Return `str(value)`, whatever its `__str__` does."""
    try:
        return str(value)
    except BaseException:  # noqa: BLE001  # a hostile `__str__` may raise anything
        return "its text cannot be shown, for its `__str__` raises"


def find_place(error: BaseException, action: Action) -> str:
    """Return `file:line` of the innermost frame in the plugin's own files, or of the action when there is none."""
    for each in _leaves(error):
        if (place := _innermost(each, action)) is not None:
            return place
    path, _, line = action.place.rpartition(":")
    return f"{_shorten(path)}:{line}"


def _innermost(error: BaseException, action: Action) -> str | None:
    file = action.place.rpartition(":")[0]
    folder = str(Path(file).parent)
    found = None
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name == file or Path(name).parent == Path(folder):
            found = f"{_shorten(name)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _shorten(path: str) -> str:
    """Return the path as seen from here, if it is below."""
    with contextlib.suppress(ValueError, OSError):
        return str(Path(path).relative_to(Path.cwd()))
    return path


def _find_told(error: BaseException) -> StepError | None:
    """Return what the connector meant to say, also from inside exception groups."""
    return next((each for each in _leaves(error) if isinstance(each, StepError)), None)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions of a group, or the exception itself; bounded, for groups can be made to nest without end."""
    waiting, seen = [error], 0
    while waiting and seen < 1000:
        each = waiting.pop()
        seen += 1
        if isinstance(each, BaseExceptionGroup):
            waiting += reversed(each.exceptions)
        else:
            yield each


def _told(told: StepError, call: Call, redact: Callable[[Json], Json]) -> StepFailed:
    """Return the failure that the connector named itself; a subclass may have made its attributes anything."""
    kind: ErrorType = told.type if told.type in ERROR_TYPES else "connector_bug"
    wait_s = told.retry_after_s
    wait_s = float(wait_s) if isinstance(wait_s, int | float) and 0 <= wait_s < math.inf else None
    error = _make_error(call, redact, kind, describe_text(told.message), describe_text(told.hint), retry_after_s=wait_s)
    return StepFailed(error, fatal=isinstance(told, Fatal))


def _make_error(  # told from the error's own words in this order
    call: Call,
    redact: Callable[[Json], Json],
    type: ErrorType,
    message: str,
    hint: str,
    *,
    retry_after_s: float | None = None,
) -> RunError:
    return RunError(
        type=type,
        message=escape_controls(str(redact(message)))[:MAX_MESSAGE_CHARS],
        step=call.path,
        attempt=call.attempt,
        place=call.step.place,
        hint=escape_controls(str(redact(hint)))[:MAX_MESSAGE_CHARS],
        retry_after_s=retry_after_s,
    )
