"""When a zone's wall clock is changed: stretches of time with one offset from UTC.

Owns `Span` and `list_spans`. `zoneinfo` answers what the offset is at an instant and not when it changes, so changes are searched for.
Pure, and knows nothing of schedules; `schedule` calls it. Instants in this module are naive datetimes in UTC, wall times are naive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import tzinfo

PROBE: Final = timedelta(days=1)
"""Two changes within a day that undo each other would be missed; the zone database has none since 1970 (a test looks)."""

MARGIN: Final = timedelta(days=3)
"""How far before a year to look: no change sets a wall clock back by more than a day and a bit."""

SECOND: Final = timedelta(seconds=1)
TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which a zone's offset does not change.

    Attributes:
        begin: first instant of the stretch.
        end: first instant after it.
        offset: wall time minus UTC.
        shown: the latest wall time that the zone's clocks had shown before `begin`. Later than `begin + offset` when they were set
            back, earlier by more than a microsecond when they were set forward.
    """

    begin: datetime
    end: datetime
    offset: timedelta
    shown: datetime


@lru_cache(maxsize=4096)  # a span is some 300 bytes, and 1 000 schedules in every zone there is use 1 200 entries
def list_spans(zone: str, year: int) -> tuple[Span, ...]:
    """Return the spans that make up a year (in UTC), in order, cut at its ends.

    Args:
        zone: IANA name.
        year: 1970 to 9000.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: no such zone.
    """
    rules = ZoneInfo(zone)
    begin, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)  # noqa: DTZ001  # naive in UTC, as all of this module
    borders = [begin - MARGIN, *_find_changes(rules, begin - MARGIN, end), end]
    if begin not in borders:
        borders = sorted([*borders, begin])
    spans: list[Span] = []
    shown = datetime.min  # noqa: DTZ901  # as above
    for left, right in pairwise(borders):
        offset = _offset_at(rules, left)
        if left >= begin:
            spans.append(Span(left, right, offset, shown))
        shown = max(shown, right + offset - TICK)
    return tuple(spans)


def _find_changes(rules: tzinfo, begin: datetime, end: datetime) -> list[datetime]:
    """Return the instants after `begin` and before `end` at which a new offset begins."""
    found = []
    left, left_offset = begin, _offset_at(rules, begin)
    while left < end:
        right = min(left + PROBE, end)
        right_offset = _offset_at(rules, right)
        if right_offset != left_offset:
            change = _bisect(rules, left, right)
            if change < end:
                found.append(change)
            right, right_offset = change, _offset_at(rules, change)
        left, left_offset = right, right_offset
    return found


def _bisect(rules: tzinfo, left: datetime, right: datetime) -> datetime:
    """Return the first second in `(left, right]` that has another offset than `left`; `right` has one."""
    offset = _offset_at(rules, left)
    while right - left > SECOND:
        middle = left + (right - left) // SECOND // 2 * SECOND
        if _offset_at(rules, middle) == offset:
            left = middle
        else:
            right = middle
    return right


def _offset_at(rules: tzinfo, instant: datetime) -> timedelta:
    offset = instant.replace(tzinfo=UTC).astimezone(rules).utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return offset
