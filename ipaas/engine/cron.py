"""Cron expressions as wall times: which minutes of a calendar match, without zones and instants.

Owns `parse_cron` and `WallTimes`. The only module that knows `croniter`, and it asks it about naive wall times only: what daylight
saving does to them is decided in `schedule`, which calls this; what is an expression at all, in `ipaas.definition.cron`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ipaas.definition.cron import normalize_cron

if TYPE_CHECKING:
    from collections.abc import Sequence

    from croniter import croniter

SEARCH_YEARS: Final = 10
"""The longest pause of an expression that fires at all is eight years: 29 February, across 2100."""

MINUTE: Final = timedelta(minutes=1)

_EVERY_HOUR = re.compile(r"\*(/\d+)?", re.ASCII)


class WallTimes:
    """The wall times that an expression matches, all at whole minutes. Used by one thread at a time.

    Args:
        crons: each alternative; a wall time matches when it matches one of them.
        follows_elapsed: whether the hour field is `*` or `*/n`, so that the schedule follows elapsed time and not the wall.
    """

    def __init__(self, crons: Sequence[croniter[datetime]], *, follows_elapsed: bool) -> None:
        self._crons = crons
        self.follows_elapsed = follows_elapsed

    def find_next(self, after: datetime) -> datetime | None:
        """Return the first match later than `after` (naive), or None when there is none for years."""
        start = _floor(after)
        return min((found for cron in self._crons if (found := _step(cron, start, forward=True))), default=None)

    def find_last(self, until: datetime) -> datetime | None:
        """Return the last match at or before `until` (naive), or None when there is none for years."""
        start = _floor(until) + MINUTE
        return max((found for cron in self._crons if (found := _step(cron, start, forward=False))), default=None)


@lru_cache(maxsize=4096)
def parse_cron(expression: str) -> WallTimes:
    """Read an expression. With both day of month and day of week given (other than `*`), a day matches when either does.

    Raises:
        InputError: it is not one, or never fires.
    """
    minute, hour, day, month, weekday = normalize_cron(expression).split()
    days = [(day, weekday)]
    if day != "*" and weekday != "*":
        days = [(day, "*"), ("*", weekday)]  # croniter itself takes `15 * fri#2` for days that are both
    crons = [_make(f"{minute} {hour} {day} {month} {weekday}") for day, weekday in days]
    return WallTimes(crons, follows_elapsed=_EVERY_HOUR.fullmatch(hour) is not None)


def _make(fields: str) -> croniter[datetime]:
    from croniter import croniter  # brings dateutil: 100 ms that only schedules need

    start = datetime(2000, 1, 1)  # noqa: DTZ001  # wall times are naive
    return croniter(fields, start, ret_type=datetime, max_years_between_matches=SEARCH_YEARS)


def _step(cron: croniter[datetime], start: datetime, *, forward: bool) -> datetime | None:
    from croniter import CroniterBadDateError

    try:
        return cron.get_next(start_time=start) if forward else cron.get_prev(start_time=start)
    except CroniterBadDateError:
        return None


def _floor(wall: datetime) -> datetime:
    return wall.replace(second=0, microsecond=0)
