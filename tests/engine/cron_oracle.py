"""A second, slow opinion on when a cron expression is due: look at every minute of a window. For tests of schedules."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def list_due(expression: str, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """Return the instants later than `begin` and at or before `end`, by the words of docs/schedules.md."""
    margin = timedelta(days=2)
    instants = [begin - margin + number * MINUTE for number in range((end - begin + 2 * margin) // MINUTE)]
    rules = ZoneInfo(zone)
    walls = [each.astimezone(rules).replace(tzinfo=None) for each in instants]
    hour = expression.split()[1]
    if hour == "*" or hour.startswith("*/"):
        due = {instant for instant, wall in zip(instants, walls, strict=True) if matches(expression, wall)}
    else:
        first: dict[datetime, datetime] = {}
        for instant, wall in zip(instants, walls, strict=True):
            first.setdefault(wall, instant)
        due = {instant for wall, instant in first.items() if matches(expression, wall)}
        for index, (before, after) in enumerate(pairwise(walls)):
            skipped = list_between(before + MINUTE, after)
            if any(matches(expression, wall) for wall in skipped if wall not in first):
                due.add(instants[index + 1])
    return sorted(each for each in due if begin < each <= end)


def list_between(begin: datetime, end: datetime) -> Iterator[datetime]:
    """Yield each minute from `begin` to before `end`."""
    while begin < end:
        yield begin
        begin += MINUTE


@cache
def read_fields(expression: str) -> list[set[int]]:
    """Return the values of each field, Sunday as 0."""
    fields = [read_field(text, *bounds) for text, bounds in zip(expression.split(), RANGES, strict=True)]
    fields[4] = {value % 7 for value in fields[4]}
    return fields


def read_field(text: str, low: int, high: int) -> set[int]:
    """Return the values of a field of numbers, `*`, ranges, steps and lists."""
    values: set[int] = set()
    for part in text.split(","):
        base, _, step = part.partition("/")
        first, _, last = base.partition("-")
        begin = low if first == "*" else int(first)
        end = high if first == "*" else int(last or (high if step else first))
        values |= set(range(begin, end + 1, int(step or 1)))
    return values


def matches(expression: str, wall: datetime) -> bool:
    """Whether a wall time matches, with the usual rule for two day fields."""
    minutes, hours, days, months, weekdays = read_fields(expression)
    if wall.minute not in minutes or wall.hour not in hours or wall.month not in months:
        return False
    is_day, is_weekday = wall.day in days, wall.isoweekday() % 7 in weekdays
    _, _, day, _, weekday = expression.split()
    return (is_day or is_weekday) if day != "*" and weekday != "*" else (is_day and is_weekday)


def first_minute(instant: datetime) -> datetime:
    """Return the whole minute in UTC at or before an instant."""
    return instant.astimezone(UTC).replace(second=0, microsecond=0)
