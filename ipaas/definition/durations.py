"""Durations as people write them: `500ms`, `2s`, `5m`, `1h30m`, `2d`.

Owns the notation. Knows nothing of pipelines; the compiler and the command line call it.
"""

from __future__ import annotations

import re

from ipaas.definition.nodes import shorten
from ipaas.errors import InputError

UNITS_S = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
"""Seconds of each unit, largest first: the order in which they must be written."""

MAX_DURATION_S = 3_650 * UNITS_S["d"]
"""Ten years. Longer is a slip, and far from where adding to a date overflows."""

_SHAPE = re.compile(
    r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?(?:([0-9]{1,9})ms)?", re.ASCII
)
_EXAMPLES = "`500ms`, `2s`, `5m`, `1h30m`, `2d`"


def parse_duration(text: str) -> float:
    """Return the seconds of a duration; `0s` is one, negative ones are not.

    Raises:
        InputError: it is not a duration, or longer than ten years.
    """
    match = _SHAPE.fullmatch(text)
    if match is None or not text:
        raise InputError(f"`{shorten(text)}` is not a duration", hint=_hint(text))
    total_s = 0.0
    for amount, unit_s in zip(match.groups(), UNITS_S.values(), strict=True):
        if amount is not None:
            # Milliseconds are divided, not multiplied by 0.001: `300ms` is 0.3 exactly as a reader would write it.
            total_s += int(amount) / 1000 if unit_s == UNITS_S["ms"] else int(amount) * unit_s
    if total_s > MAX_DURATION_S:
        raise InputError(f"`{shorten(text)}` is longer than ten years", hint="write at most `3650d`")
    return total_s


def format_duration(seconds: float) -> str:
    """Return the shortest notation of a duration, to the millisecond: `5400.0` is `1h30m`."""
    left_ms = round(max(0.0, seconds) * 1000)
    parts: list[str] = []
    for unit, unit_s in UNITS_S.items():
        amount, left_ms = divmod(left_ms, round(unit_s * 1000))
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def _hint(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return f"write the unit: `{text}s` for seconds, `{text}m` for minutes"
    if re.fullmatch(r"[0-9]{0,9}\.[0-9]{1,9} ?(d|h|m|s|ms)", text, re.ASCII):
        return "use whole numbers and smaller units: `1h30m`, `1500ms`"
    if _SHAPE.fullmatch(text.replace(" ", "").lower()) and text.strip():
        return f"write `{text.replace(' ', '').lower()}`"
    return f"write it like {_EXAMPLES}, largest unit first"
