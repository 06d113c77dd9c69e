"""Run ids: `run_` and 26 lower-case characters, sorted by time of creation.

Owns their form: a ULID (48 bits of milliseconds, 80 random bits) in Crockford's alphabet. Knows neither rows nor clocks. One maker
belongs to one Store handle; its ids always rise, also within a millisecond and when the clock is set back.

Source: https://github.com/ulid/spec
"""

from __future__ import annotations

import os
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
"""Two characters at a time halve the cost: ids are made once a run, in the writer's thread."""


class RunIds:
    """Makes ids. Not shared between threads: the writer calls it."""

    def __init__(self) -> None:
        self._last = 0

    def make(self, now_us: int) -> str:
        """Return a new id for an instant in microseconds since 1970, greater than every id made before."""
        value = ((now_us // 1000) & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(os.urandom(10), "big")
        if value <= self._last:
            value = self._last + 1
        self._last = value
        return "run_" + "".join([_PAIRS[(value >> shift) & 0x3FF] for shift in range(120, -1, -10)])
