"""When a trigger is due: instants of a timing, forwards and backwards, as pure functions.

Owns the rule for daylight saving (docs/schedules.md): a fixed wall time is due at the first instant at which the zone's clocks show it
or a later time, so that one that a gap skips runs at the gap's end and one that comes twice runs the first time; a cron whose hour
field is `*` or `*/n` is due whenever the clocks show a match, so that it follows elapsed time. Knows words, zones and cron
expressions; neither the ledger nor a clock. Called by `tick_plan`, the scheduler and `ipaas schedule next`.

All instants are aware and in UTC. Iterators are lazy and end; a step costs at most some 10 ms (a search over ten years), usually 50 µs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final, assert_never

from ipaas.engine.cron import SEARCH_YEARS, parse_cron
from ipaas.engine.zones import TICK, list_spans
from ipaas.model import After, At, Cron, Every

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipaas.engine.zones import Span
    from ipaas.model import Timing

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_YEAR: Final = 9000
"""Nothing is expected after it; it keeps sums of dates away from the end of `datetime`."""


def next_instants(timing: Timing, after: datetime, count: int) -> list[datetime]:
    """Return at most `count` instants later than `after`, in order; fewer when the timing ends or pauses for ten years."""
    return list(islice(instants_after(timing, after), count))


def find_next(timing: Timing, after: datetime) -> datetime | None:
    """Return the first instant later than `after`, or None."""
    return next(instants_after(timing, after), None)


def instants_after(timing: Timing, after: datetime) -> Iterator[datetime]:
    """Yield the instants later than `after`, in order.

    Raises:
        InputError: the cron expression is not one.
        zoneinfo.ZoneInfoNotFoundError: no such zone.
    """
    after = _bound(after)
    match timing:
        case Cron():
            yield from _cron_after(timing, after)
        case Every():
            step = _step(timing)
            number = (after - EPOCH) // step + 1
            while (instant := EPOCH + number * step).year <= LAST_YEAR:
                yield instant
                number += 1
        case At():
            if timing.when > after:
                yield timing.when.astimezone(UTC)
        case After():
            return
        case _:
            assert_never(timing)


def instants_until(timing: Timing, until: datetime, since: datetime) -> Iterator[datetime]:
    """Yield the instants at or before `until` and later than `since`, the latest first. Raises as `instants_after`."""
    until, since = _bound(until), _bound(since)
    match timing:
        case Cron():
            yield from _cron_until(timing, until, since)
        case Every():
            step = _step(timing)
            number = (until - EPOCH) // step
            while (instant := EPOCH + number * step) > since:
                yield instant
                number -= 1
        case At():
            if since < timing.when <= until:
                yield timing.when.astimezone(UTC)
        case After():
            return
        case _:
            assert_never(timing)


def _cron_after(cron: Cron, after: datetime) -> Iterator[datetime]:
    walls = parse_cron(cron.expression)
    start = after.replace(tzinfo=None)
    for year in range(start.year, min(start.year + SEARCH_YEARS, LAST_YEAR) + 1):
        for span in list_spans(cron.timezone, year):
            if span.end <= start:
                continue
            low, high = _wall_range(span, follows_elapsed=walls.follows_elapsed)
            if span.begin <= start:
                low = max(low, start + span.offset)
            wall = walls.find_next(low)
            while wall is not None and wall <= high:
                yield _to_instant(span, wall)
                wall = walls.find_next(max(wall, span.begin + span.offset))  # all that a gap skips are one instant
            if wall is None:
                return


def _cron_until(cron: Cron, until: datetime, since: datetime) -> Iterator[datetime]:
    walls = parse_cron(cron.expression)
    end, start = until.replace(tzinfo=None), since.replace(tzinfo=None)
    for year in range(end.year, start.year - 1, -1):
        for span in reversed(list_spans(cron.timezone, year)):
            if span.begin > end:
                continue
            if span.end <= start:
                return
            low, high = _wall_range(span, follows_elapsed=walls.follows_elapsed)
            wall = walls.find_last(min(high, end + span.offset))
            while wall is not None and wall > low:
                instant = _to_instant(span, wall)
                if instant <= since:
                    return
                yield instant
                if wall <= span.begin + span.offset:
                    break  # all that a gap skips are one instant
                wall = walls.find_last(wall - TICK)
            if wall is None:
                return


def _wall_range(span: Span, *, follows_elapsed: bool) -> tuple[datetime, datetime]:
    """Return which wall times are due within a span: later than the first, at or before the second.

    A fixed wall time is due where the clocks reach it: what they had shown before was due then. A schedule that follows
    elapsed time is due at what they show within the span, no more and no less.
    """
    high = span.end + span.offset - TICK
    return (span.begin + span.offset - TICK if follows_elapsed else span.shown), high


def _to_instant(span: Span, wall: datetime) -> datetime:
    """Return when a span reaches a wall time: at its beginning, when that was skipped."""
    return max(span.begin, wall - span.offset).replace(tzinfo=UTC)


def _step(every: Every) -> timedelta:
    return max(TICK, timedelta(seconds=every.interval_s))


def _bound(instant: datetime) -> datetime:
    """Return the instant in UTC, and in the years that schedules know."""
    return min(max(instant.astimezone(UTC), EPOCH), EPOCH.replace(year=LAST_YEAR))
