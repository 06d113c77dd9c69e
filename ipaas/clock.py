"""What time it is, and how to wait, behind one seam.

Owns the `Clock` protocol. Every room that needs time takes a `Clock`; nothing else may call `datetime.now` or `trio.sleep`.
The real one is `ipaas.engine.system_clock.SystemClock`, the one for tests `ipaas.testing.VirtualClock`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """Wall time and waiting. Waits are cancellable; wall time may jump, the monotonic clock never does."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean something."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds; zero or less is one checkpoint."""
        ...

    async def sleep_until(self, when: datetime) -> None:
        """Wait until the wall clock shows `when`, also when it is set forward or back meanwhile."""
        ...
