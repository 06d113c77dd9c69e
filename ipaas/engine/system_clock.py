"""The machine's own clock behind the `Clock` seam.

Owns `SystemClock`. Knows trio and the operating system's clocks, and nothing of what the time is for. Made once by the composition root.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

import trio

RECHECK_S: Final = 5.0
# How late a change of the wall clock (a person, NTP, a laptop that slept) may be noticed. A waiting task wakes this often to look, so
# a shorter bound costs every waiting task; 5 s costs nothing that can be measured.


class SystemClock:
    """`Clock` over the operating system's wall clock and trio's waits.

    Stateless: any task may use it, `now` and `monotonic` any thread too. A cancel leaves nothing behind.
    """

    __slots__ = ()

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean something."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds of elapsed time; zero or less is one checkpoint."""
        await trio.sleep(max(0.0, seconds))

    async def sleep_until(self, when: datetime) -> None:
        """Wait until the wall clock shows `when`; a clock set forward or back meanwhile is noticed within `RECHECK_S`."""
        await trio.lowlevel.checkpoint()
        while (left_s := (when - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - the wall clock sends no event when it is set
            await trio.sleep(min(left_s, RECHECK_S))
