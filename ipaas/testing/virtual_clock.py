"""A clock for tests: wall time that follows trio's time, and that can be set forward and back.

Owns `VirtualClock`. Knows trio only. Under pytest-trio's `autojump_clock` (trio's `MockClock`) a wait of a year costs no time at all:
trio jumps when every task waits, and the wall time shown here jumps with it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import trio

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
# A Thursday at midnight: far from every zone's daylight saving change, so that only tests about changes meet one.


class VirtualClock:
    """`Clock` whose wall time begins at `start` and advances with trio's clock.

    Any task of one trio run may use it. Outside of trio the wall time stands still, and the first use inside binds it to that run.

    Args:
        start: aware; what `now` returns first.
    """

    def __init__(self, start: datetime = START) -> None:
        self._wall = start.astimezone(UTC)
        self._bound_at: float | None = None
        self._jumped = trio.Event()

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        return self._wall + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return seconds of trio's clock since the first use inside trio; `jump` does not move it."""
        try:
            current = trio.current_time()
        except RuntimeError:  # not inside trio: time stands still
            return 0.0
        if self._bound_at is None:
            self._bound_at = current
        return current - self._bound_at

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds of trio's clock; zero or less is one checkpoint."""
        self.monotonic()  # a first use, too
        await trio.sleep(max(0.0, seconds))

    async def sleep_until(self, when: datetime) -> None:
        """Wait until `now` shows `when`; a `jump` is noticed at once."""
        await trio.lowlevel.checkpoint()
        while (left_s := (when - self.now()).total_seconds()) > 0:
            with trio.move_on_after(left_s):
                await self._jumped.wait()

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward (or back, when negative) and leave elapsed time alone, as a person or NTP does."""
        self._wall += timedelta(seconds=seconds)
        self._jumped.set()
        self._jumped = trio.Event()
