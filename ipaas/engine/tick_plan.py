"""What becomes of the instants that have passed: fired, caught up or missed. Pure.

Owns the rules of `missed` and the bounds of catching up (docs/schedules.md), and the sentences of the tick ledger about them. Knows
words and schedules; neither Store nor clock. The scheduler calls `plan_ticks` with a trigger's watermark, records the ticks and
starts a run for each that fires.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from ipaas.definition.durations import format_duration
from ipaas.engine.schedule import find_next, instants_until
from ipaas.run import Tick

if TYPE_CHECKING:
    from datetime import datetime

    from ipaas.model import Trigger

GRACE_S: Final = 10.0
"""An instant handled within that time was on time: a busy database or a quick restart is not a miss."""

CATCH_UP_WINDOW_S: Final = 86_400.0
"""How far back `missed: all` looks when the file does not say."""

MAX_CAUGHT_UP: Final = 1440
"""Runs that one trigger may start at once, on time or late: a day of minutes."""

MAX_MISSED_ROWS: Final = 100
"""Missed instants that get a ledger row of their own; one more row stands for all before them, however many years those are."""

FIRES: Final = frozenset({"fired", "caught_up"})
"""Outcomes that start a run."""


def plan_ticks(workflow: str, trigger: Trigger, since: datetime, now: datetime, grace_s: float = GRACE_S) -> list[Tick]:
    """Return a tick for each instant later than `since` and not later than `now`, oldest first.

    At most `MAX_CAUGHT_UP` of them fire and at most `MAX_MISSED_ROWS + 1` are missed: the oldest of these then stands for all before
    it, as its reason says. The cost is bounded by that too, not by how long ago `since` is.

    Args:
        workflow: its id.
        trigger: what is due.
        since: the watermark, exclusive.
        now: the wall time.
        grace_s: how late an instant may be and still be on time.
    """
    ticks: list[Tick] = []
    started = missed = 0
    for instant in instants_until(trigger.timing, now, since):
        late = now - instant
        if late <= timedelta(seconds=grace_s) and started < MAX_CAUGHT_UP:
            started += 1
            ticks.append(_make(workflow, trigger, instant, "fired", ""))
        elif not (reason := _find_reason(trigger, late, started)):
            started += 1
            ticks.append(_make(workflow, trigger, instant, "caught_up", f"{_format(late)} late"))
        elif missed < MAX_MISSED_ROWS:
            missed += 1
            ticks.append(_make(workflow, trigger, instant, "missed", reason))
        else:
            ticks.append(_make(workflow, trigger, instant, "missed", reason + _stand_for(trigger, since, instant)))
            break
    return ticks[::-1]


def overlap_of(trigger: Trigger, tick: Tick) -> Literal["allow", "skip", "queue", "cancel_running"]:
    """Return what the run of a tick does about unfinished ones: those that `missed: all` catches up wait for each other, for with
    `skip` all but the first would be for nothing."""
    if tick.outcome == "caught_up" and trigger.missed == "all" and trigger.overlap == "skip":
        return "queue"
    return trigger.overlap


def _find_reason(trigger: Trigger, late: timedelta, started: int) -> str:
    """Return why an instant that was not handled in time is not caught up, or nothing when it is.

    Args:
        trigger: what was due.
        late: how long ago it was.
        started: how many later instants start a run.
    """
    window_s = trigger.missed_window_s
    if window_s is None and trigger.missed == "all":
        window_s = CATCH_UP_WINDOW_S
    if trigger.missed == "none":
        return "nothing ran at the time, and the trigger catches up none"
    if window_s is not None and late > timedelta(seconds=window_s):
        return f"nothing ran at the time, and it is more than {format_duration(window_s)} ago"
    if trigger.missed == "latest" and started:
        return "nothing ran at the time, and a later instant runs in its place"
    if started >= MAX_CAUGHT_UP:
        return f"nothing ran at the time, and {MAX_CAUGHT_UP} later instants run"
    return ""


def _stand_for(trigger: Trigger, since: datetime, last: datetime) -> str:
    first = find_next(trigger.timing, since)
    if first is None or first >= last:
        return ""
    return f"; stands for every instant from {first.isoformat().replace('+00:00', 'Z')} on"


def _make(
    workflow: str, trigger: Trigger, due_at: datetime, outcome: Literal["fired", "caught_up", "missed"], reason: str
) -> Tick:
    return Tick(workflow=workflow, trigger=trigger.id, due_at=due_at, outcome=outcome, reason=reason)


def _format(late: timedelta) -> str:
    """Return a time that has passed, to the second."""
    return format_duration(late // timedelta(seconds=1))
