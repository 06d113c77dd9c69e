"""Functions on instants and lengths of time: CEL's own, and formats.

Instants have microseconds (CEL has nanoseconds; finer digits are cut). Zones are IANA names or offsets. Source: cel-spec,
doc/langdef.md (time functions: months and days of the month count from 0, `getDate` from 1). Called through `functions`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ipaas.definition.functions import describe
from ipaas.definition.values import Budget, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

_OFFSET: Final = re.compile(r"([+-]?)(\d\d):(\d\d)")
_UNITS_S: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION: Final = re.compile(r"([+-]?)((?:\d{1,18}(?:\.\d{1,18})?(?:d|h|ms|us|µs|ns|m|s))+)")
_PART: Final = re.compile(r"([\d.]+)(d|h|ms|us|µs|ns|m|s)")
_DIRECTIVES: Final = frozenset("YmdHMSfjaAbBpIyzZVGu%")
"""Those that mean the same on every system, in English."""
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.(\d{1,6})\d*)?(?:[Zz]|[+-]\d\d:\d\d)")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


def read_timestamp(text: str) -> datetime:
    """Return an instant from RFC 3339 text."""
    match = _RFC3339.fullmatch(text)
    if match is not None:
        digits = match.end(1)
        plain = text if match[1] is None else text[:digits] + re.sub(r"^\d+", "", text[digits:])
        try:
            return datetime.fromisoformat(plain.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise Failure(
        "the text is not a timestamp such as `2026-03-29T01:30:00Z`",
        'give its format: `parse_time(x, "%d.%m.%Y %H:%M", "Europe/Berlin")`',
    )


def read_duration(text: str) -> timedelta:
    """Return a length of time from `1h30m`, `1.5s`, `-2d`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Failure(
            "the text is not a duration such as `1h30m` or `90s`", "write numbers with `d`, `h`, `m`, `s` or `ms`"
        )
    seconds = timedelta()
    try:
        for number, unit in _PART.findall(match[2]):
            seconds += timedelta(seconds=float(number) * _UNITS_S[unit])
    except OverflowError:
        raise Failure("the duration is too long", "stay below a thousand million days") from None
    return -seconds if match[1] == "-" else seconds


def from_epoch(seconds: float) -> datetime:
    """Return the instant that many seconds after 1970 began in UTC."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        raise Failure("the number is no instant between the years 1 and 9999", "divide milliseconds by 1000") from None


@lru_cache(maxsize=256)
def _find_zone(name: str) -> tzinfo | None:
    from zoneinfo import ZoneInfo

    match = _OFFSET.fullmatch(name)
    if match is not None:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset) if offset < timedelta(days=1) else None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone, no such name, no such file
        return None


def get_zone(name: str) -> tzinfo:
    """Return a time zone, or fail."""
    zone = _find_zone(name) if len(name) <= 64 else None
    if zone is None:
        raise Failure(
            "there is no such time zone", "write an IANA name such as `Europe/Berlin`, or an offset such as `+02:00`"
        )
    return zone


def as_timestamp(value: datetime | str | float) -> datetime:
    """Return an instant from what fields and triggers hold: a timestamp, RFC 3339 text, or seconds since 1970."""
    if isinstance(value, str):
        return read_timestamp(value)
    return value if isinstance(value, datetime) else from_epoch(value)


def _check_format(pattern: str) -> None:
    for directive in re.findall(r"%(.?)", pattern.replace("%%", ""), re.DOTALL):
        if directive not in _DIRECTIVES:
            raise Failure(
                f"`%{directive}` is not known in a time format",
                "use `%Y %m %d %H %M %S %f %z %j %a %A %b %B %p %I %y %V %G %u %%`",
            )


def _move(when: datetime, zone: str) -> datetime:
    try:
        return when.astimezone(get_zone(zone))
    except OverflowError:
        raise Failure("the time is outside the years 1 to 9999 there", "take another zone") from None


def _format_time(budget: Budget, value: datetime | str | float, pattern: str, zone: str = "UTC") -> str:
    _check_format(pattern)
    budget.spend_text(len(pattern) * 16)
    return _move(as_timestamp(value), zone).strftime(pattern)


def _parse_time(budget: Budget, text: str, pattern: str = "", zone: str = "UTC") -> datetime:
    budget.spend_text(len(text) + len(pattern))
    if not pattern:
        return read_timestamp(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    _check_format(pattern)
    try:
        found = datetime.strptime(text, pattern)  # noqa: DTZ007  # the zone is set below, unless the text has one
        return (found if found.tzinfo else found.replace(tzinfo=get_zone(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Failure("the text does not have this time format", "compare the format with the step's output") from None


def _field(read: Callable[[datetime], int]) -> Callable[..., int]:
    return lambda _budget, when, zone="UTC": read(_move(when, zone))


def _part_of_duration(unit_s: float) -> Callable[..., int]:
    return lambda _budget, length: int(length.total_seconds() / unit_s)


_FIELDS: Final[dict[str, Callable[[datetime], int]]] = {
    "getFullYear": lambda when: when.year,
    "getMonth": lambda when: when.month - 1,
    "getDate": lambda when: when.day,
    "getDayOfMonth": lambda when: when.day - 1,
    "getDayOfWeek": lambda when: when.isoweekday() % 7,
    "getDayOfYear": lambda when: when.timetuple().tm_yday - 1,
    "getHours": lambda when: when.hour,
    "getMinutes": lambda when: when.minute,
    "getSeconds": lambda when: when.second,
    "getMilliseconds": lambda when: when.microsecond // 1000,
}

FUNCTIONS: Final = (
    *(describe(name, "method", "timestamp string? -> int", _field(read)) for name, read in _FIELDS.items()),
    describe("getHours", "method", "duration -> int", _part_of_duration(3600)),
    describe("getMinutes", "method", "duration -> int", _part_of_duration(60)),
    describe("getSeconds", "method", "duration -> int", _part_of_duration(1)),
    describe(
        "getMilliseconds",
        "method",
        "duration -> int",
        lambda _, length: length % timedelta(seconds=1) // timedelta(milliseconds=1),
    ),
    describe("format_time", "both", "timestamp|string|number string string? -> string", _format_time),
    describe("parse_time", "both", "string string? string? -> timestamp", _parse_time),
)
