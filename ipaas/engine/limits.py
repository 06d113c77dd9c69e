"""How many runs one process executes at once.

Owns `Slots`, the count behind the runner's global limit, and `Seat`, one run's place in it. What is over the limit waits in the Store, not here. The limit of a single
workflow (`concurrency`) is the Store's: `claim` enforces it for all processes together.
"""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Slots:
    """A number of places for runs. Owned by one runner; its tasks call it.

    A run that waits for a child gives its place back, and has the first right to one when the child has ended, before any run that is
    still in the Store. No one who holds a place waits for one, so this cannot lock up.

    Args:
        limit: how many there are, at least 1.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._returning: deque[trio.Event] = deque()

    @property
    def free(self) -> int:
        """How many runs may be claimed now."""
        return max(0, self.limit - self.held - len(self._returning))

    def take(self) -> None:
        """Hold one more place, also over the limit: a cancelled run that must clean up does not queue."""
        self.held += 1

    def give(self) -> None:
        """Give a place back: to the first that returns, if there is one."""
        self.held -= 1
        if self._returning and self.held < self.limit:
            self.held += 1
            self._returning.popleft().set()

    async def retake(self) -> None:
        """Wait for a place and hold it. A cancel leaves the caller holding one too, so that every `give` has its take."""
        if self.held < self.limit and not self._returning:
            self.held += 1
            return
        turn = trio.Event()
        self._returning.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if not turn.is_set():
                self._returning.remove(turn)
                self.held += 1
            raise


class Seat:
    """One run's place. Taken when it is made, left while all that the run does is wait for children, given back at its end.

    Used by the tasks of one run.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._waiting = 0
        self.is_held = True
        slots.take()

    @asynccontextmanager
    async def left(self) -> AsyncIterator[None]:
        """Leave the place while the body waits for a child, and wait for one afterwards. Branches may do so at the same time: the
        place is left with the first and taken with the last."""
        self._waiting += 1
        self.give()
        try:
            yield
        finally:
            self._waiting -= 1
            await self._return()

    def give(self) -> None:
        """Give the place back, if it is held."""
        if self.is_held:
            self.is_held = False
            self._slots.give()

    async def _return(self) -> None:
        if not self._waiting and not self.is_held:
            try:
                await self._slots.retake()
            finally:
                self._sit()

    def _sit(self) -> None:
        """Keep the place just taken, unless another branch has come back, or has begun to wait, meanwhile."""
        if self.is_held:
            self._slots.give()
            return
        self.is_held = True
        if self._waiting:
            self.give()
