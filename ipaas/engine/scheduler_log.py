"""What the scheduler tells whoever watches it: one function for each kind of log line.

Owns the words and facts of the logger `ipaas.scheduler`. Called by `scheduler` only.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from ipaas.definition.durations import format_duration
from ipaas.engine.scope import time_as_json
from ipaas.errors import IpaasError, StoreUnavailable

if TYPE_CHECKING:
    from datetime import timedelta

    from ipaas.engine.agenda import Entry
    from ipaas.run import Tick

_log = logging.getLogger("ipaas.scheduler")


def tell_failure(error: Exception, failures: int) -> None:
    """Log a round that failed: an outage once, what should not be each time the number of failures has doubled."""
    facts = {"action": "schedules_held_up", "failures": failures}
    if isinstance(error, StoreUnavailable):
        if failures == 1:
            _log.warning("schedules wait for the store: %s", error.message, extra={"facts": facts})
    elif failures & (failures - 1) == 0:
        _log.error("the scheduler failed and tries again", exc_info=error, extra={"facts": facts})


def tell_fault(entry: Entry, fault: Exception | None) -> None:
    """Log that a trigger's instants cannot be computed; a stack is shown only for what nobody foresaw."""
    facts = {
        "action": "schedule_broken",
        "tenant": entry.tenant,
        "workflow": entry.workflow.id,
        "trigger": entry.trigger.id,
    }
    known = isinstance(fault, IpaasError)
    message = "a schedule cannot be computed and does not run until it is changed: %s"
    _log.error(message, fault, exc_info=None if known else fault, extra={"facts": facts})


def tell_late(entry: Entry, ticks: list[Tick]) -> None:
    """Log how many of a trigger's instants were not handled in time, if any."""
    counts = Counter(tick.outcome for tick in ticks)
    if not counts["missed"] and not counts["caught_up"]:
        return
    facts = {
        "action": "instants_missed",
        "tenant": entry.tenant,
        "workflow": entry.workflow.id,
        "trigger": entry.trigger.id,
        "caught_up": counts["caught_up"],
        "missed": counts["missed"],
    }
    _log.info("instants passed while nothing ran", extra={"facts": facts})


def tell_skip(tenant: str, tick: Tick, error: Exception) -> None:
    """Log that an instant starts no run because of an error."""
    facts = {
        "action": "instant_skipped",
        "tenant": tenant,
        "workflow": tick.workflow,
        "trigger": tick.trigger,
        "due_at": time_as_json(tick.due_at),
    }
    known = isinstance(error, IpaasError)
    _log.warning("an instant starts no run: %s", error, exc_info=None if known else error, extra={"facts": facts})


def tell_resumed(failures: int) -> None:
    """Log that rounds succeed again."""
    _log.info("schedules go on", extra={"facts": {"action": "schedules_resumed", "failures": failures}})


def tell_clock_set(shift: timedelta) -> None:
    """Log that the wall clock and elapsed time went apart."""
    facts = {"action": "clock_set", "shift_s": shift.total_seconds()}
    shown = format_duration(round(abs(shift.total_seconds())))
    if shift.total_seconds() < 0:
        _log.warning("the clock was set back by %s", shown, extra={"facts": facts})
    else:
        _log.warning("the clock moved forward by %s: it was set, or the machine slept", shown, extra={"facts": facts})
