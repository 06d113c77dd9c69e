"""Cron expressions: five fields, read strictly.

Owns the notation and what is refused in it. `croniter`, which finds the instants later, takes far more than it should: seconds as a sixth
field, random `R`, `15W` as plain 15, `1-1` as every day, days that never come. What passes here has one meaning, the same on every server.
Called by `triggers` and the command line. Source of the notation: crontab(5), plus `L` (last day) and `mon#2` (second Monday).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ipaas.definition.nearest import hint_nearest
from ipaas.definition.nodes import shorten
from ipaas.errors import InputError

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_LONGEST_MONTH_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MAX_LENGTH: Final = 256


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first_name: int = 0


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, MONTHS, 1),
    _Field("day of week", 0, 7, DAYS, 0),
)
_DAY, _MONTH, _WEEKDAY = _FIELDS[2], _FIELDS[3], _FIELDS[4]


def normalize_cron(text: str) -> str:
    """Return the expression with single spaces, lower case, aliases written out and ranges of one as that one.

    Raises:
        InputError: it is not an expression of five fields, or never fires.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(
            f"the cron expression is longer than {MAX_LENGTH} characters", hint="make several triggers of it"
        )
    words = text.lower().split()
    if len(words) == 1 and words[0].startswith("@"):
        if words[0] not in ALIASES:
            raise InputError(f"`{shorten(text)}` is not known", hint=hint_nearest(words[0], ALIASES))
        return ALIASES[words[0]]
    if len(words) != 5:
        hint = "write minute, hour, day of month, month, day of week: `0 7 * * mon-fri`"
        if len(words) in (6, 7):
            hint += "; for seconds use `every: 10s`"
        raise InputError(f"a cron expression has five fields, not {len(words)}", hint=hint)
    fields = [_read_field(field, word) for field, word in zip(_FIELDS, words, strict=True)]
    _check_fires(words, [values for _, values in fields])
    return " ".join(word for word, _ in fields)


def _read_field(field: _Field, word: str) -> tuple[str, set[int]]:
    """Return the field in its plain form and the values it stands for; `L` and `mon#2` stand for days that always come."""
    parts, values = [], set[int]()
    for part in word.split(","):
        plain, more = _read_part(field, part, word)
        parts.append(plain)
        values |= more
    if field is _WEEKDAY and "#" in word and not all("#" in part for part in parts):
        raise InputError(f"`{shorten(word)}` mixes days with and without `#`", hint="make a trigger of each")
    return ",".join(parts), values


def _read_part(field: _Field, part: str, word: str) -> tuple[str, set[int]]:
    if field is _DAY and part == "l":
        return part, {1}
    nth = re.fullmatch(r"([a-z]+|[0-9]+)#([0-9]+)", part, re.ASCII)
    if field is _WEEKDAY and nth:
        day = _read_value(field, nth[1])
        if not 1 <= int(nth[2][:3]) <= 5:
            raise InputError(
                f"`{shorten(part)}`: a month has a first to a fifth {DAYS[day % 7]}", hint="write 1 to 5 behind `#`"
            )
        return part, {day % 7}
    match = re.fullmatch(r"(\*|[a-z]+|[0-9]+)(?:-([a-z]+|[0-9]+))?(?:/([0-9]+))?", part, re.ASCII)
    if match is None or (match[1] == "*" and match[2]):
        raise InputError(f"`{shorten(part or word)}` cannot be the {field.name}", hint=_hint_part(field, part))
    first, last, step_text = match.groups()
    low, high, text = field.low, field.high - (field is _WEEKDAY), first
    if first != "*":
        low = _read_value(field, first)
        if last is not None:
            high = _read_value(field, last)
            text = first if low == high else f"{first}-{last}"
        elif step_text is None:
            high = low
    if low > high and field is not _WEEKDAY:
        lowest, highest = field.low, field.high
        raise InputError(
            f"the range `{first}-{last}` runs backwards", hint=f"write `{first}-{highest},{lowest}-{last}`"
        )
    if low > high:
        high += 7
    step = int(step_text[:6]) if step_text else 1
    if step == 0 or (step_text and step > high - low):
        raise InputError(
            f"the step of `{shorten(part)}` is {'0' if step == 0 else 'wider than its range'}",
            hint=_hint_step(field, low, high),
        )
    if step_text:
        text += f"/{step_text}"
    return text, {value % 7 if field is _WEEKDAY else value for value in range(low, high + 1, step)}


def _read_value(field: _Field, text: str) -> int:
    if text.isdecimal():
        value = int(text[:6])
        if field.low <= value <= field.high:
            return value
        raise InputError(f"`{shorten(text)}` is no {field.name}", hint=f"write {field.low} to {field.high}")
    if text in field.names:
        return field.names.index(text) + field.first_name
    if field.names and text[:3] in field.names:
        raise InputError(f"`{shorten(text)}` is no {field.name}", hint=f"did you mean `{text[:3]}`?")
    hint = _hint_part(field, text)
    raise InputError(f"`{shorten(text)}` is no {field.name}", hint=hint)


def _hint_part(field: _Field, part: str) -> str:
    if part == "?":
        return "write `*`"
    if re.fullmatch(r"[rh](\(.*\))?(/[0-9]+)?", part):
        return "write the time itself: a schedule is the same on every server"
    if "w" in part and field is _DAY:
        return "nearest weekdays are not possible: choose a day, and ask for the weekday with `if:`"
    if "l" in part and field is _WEEKDAY and part.replace("l", "").isdecimal():
        return "last weekdays are not possible: run on each, and ask for the date with `if:`"
    if field.names:
        return hint_nearest(part, field.names)
    return f"write {field.low} to {field.high}, `*`, `a-b`, `*/n`, or several with `,` between them"


def _hint_step(field: _Field, low: int, high: int) -> str:
    if field.name in ("minute", "hour"):
        return "for longer intervals write the time itself, or use `every:`"
    return f"the step may be 1 to {max(1, high - low)}"


def _check_fires(words: list[str], values: list[set[int]]) -> None:
    """Refuse days that no month of the list has. With both kinds of day given, either is enough, so that only `*` leaves it to the date."""
    _, _, days, months, weekdays = values
    if (
        len(weekdays) == 7
        and "#" not in words[4]
        and not any(day <= _LONGEST_MONTH_DAYS[month - 1] for day in days for month in months)
    ):
        raise InputError(
            f"`{' '.join(words)}` never fires: the month has no such day", hint="`L` is the last day of any month"
        )
    nths = {part.split("#")[1] for part in words[4].split(",") if "#" in part}
    if nths == {"5"} and months == {2} and words[2] == "*":
        raise InputError(
            f"`{' '.join(words)}` does not fire within five years: few Februaries have a fifth one",
            hint="write `#4`, or `L` as the day",
        )
