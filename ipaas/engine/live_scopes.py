"""Deadlines, shields and groups of a live or dry run, over trio.

Owns the three scopes that `Host` promises. Knows trio and `StepFailed`. They are classes with `__aenter__` and not generators, because
each step enters one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import trio

from ipaas.engine.host import StepFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType


class Deadline:
    """Ends its body after that many seconds and then raises `TimeoutError`; None is no limit."""

    __slots__ = ("_scope", "_seconds")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._scope: trio.CancelScope | None = None

    async def __aenter__(self) -> None:
        if self._seconds is not None:  # a scope costs 20 µs, and most blocks have no limit
            self._scope = trio.CancelScope(deadline=trio.current_time() + self._seconds)
            self._scope.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._scope is None:
            return False
        swallowed = self._scope.__exit__(kind, error, trace)
        if self._scope.cancelled_caught:
            raise TimeoutError
        return bool(swallowed)


class Shields:
    """The shields of one run: a cancel from outside reaches what is in them late, giving up reaches it at once.

    Used by the tasks of one run and by whoever cancels it.
    """

    def __init__(self) -> None:
        self._open: dict[Shield, None] = {}
        self._given_up = False

    def make(self, seconds: float) -> Shield:
        """Return a scope whose body a cancel reaches only that many seconds after it came."""
        return Shield(self, seconds)

    def note_cancel(self) -> None:
        """A cancel came just now: from here on each open shield has its seconds left."""
        for shield in self._open:
            shield.shorten()

    def give_up(self) -> None:
        """End all that is in shields, now and later, at once."""
        self._given_up = True
        for shield in self._open:
            shield.scope.cancel()

    def enter(self, shield: Shield) -> None:
        """Know of a shield that is entered."""
        self._open[shield] = None
        if self._given_up:
            shield.scope.cancel()

    def leave(self, shield: Shield) -> None:
        """Forget a shield that is left."""
        self._open.pop(shield, None)


class Shield:
    """One scope out of a cancel's reach; raises `TimeoutError` when its time after a cancel is over."""

    __slots__ = ("_owner", "_seconds", "scope")

    def __init__(self, owner: Shields, seconds: float) -> None:
        self._owner = owner
        self._seconds = seconds

    def shorten(self) -> None:
        """Leave the body its seconds, counted from now."""
        self.scope.deadline = min(self.scope.deadline, trio.current_time() + self._seconds)

    async def __aenter__(self) -> None:
        # A timeout around this is a cancel to come: what it leaves is counted from then; -inf is a cancel that has come.
        coming = max(trio.current_effective_deadline(), trio.current_time())
        self.scope = trio.CancelScope(shield=True, deadline=coming + self._seconds)
        self.scope.__enter__()
        self._owner.enter(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._owner.leave(self)
        swallowed = self.scope.__exit__(kind, error, trace)
        if self.scope.cancelled_caught:
            raise TimeoutError
        return bool(swallowed)


class TaskGroup:
    """A nursery of at most `limit` tasks at a time. The first `StepFailed` cancels the rest and leaves the block as itself."""

    __slots__ = ("_failure", "_free", "_manager", "_nursery")

    def __init__(self, limit: int | None) -> None:
        self._free = None if limit is None else trio.Semaphore(limit)
        self._failure: StepFailed | None = None

    async def start(self, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Start a task; waits while `limit` tasks are under way."""
        if self._free is not None:
            await self._free.acquire()
        self._nursery.start_soon(self._run, function, args)

    async def _run(self, function: Callable[..., Awaitable[None]], args: tuple[Any, ...]) -> None:
        try:
            await function(*args)
        except StepFailed as failure:
            self._fail(failure)
        finally:
            if self._free is not None:
                self._free.release()

    def _fail(self, failure: StepFailed) -> None:
        if self._failure is None:
            self._failure = failure
        self._nursery.cancel_scope.cancel()

    async def __aenter__(self) -> Self:
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, StepFailed):
            self._fail(error)
            kind = error = trace = None
        swallowed = await self._manager.__aexit__(kind, error, trace)
        if self._failure is not None:
            raise self._failure
        return bool(swallowed)
