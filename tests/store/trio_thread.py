"""A trio run in a thread of its own, so that a synchronous Hypothesis machine can drive async code step by step."""

from __future__ import annotations

from contextlib import AsyncExitStack
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")
R = TypeVar("R")


class TrioThread(Generic[R]):
    """Enters context managers, calls async functions one after the other, and leaves the context managers at `close`."""

    def __init__(self, *managers: AbstractAsyncContextManager[R]) -> None:
        self.entered: list[R] = []
        self._managers = managers
        self._stop = trio.Event()
        self._ready: SimpleQueue[trio.lowlevel.TrioToken | BaseException] = SimpleQueue()
        self._thread = Thread(target=self._run)
        self._thread.start()
        token = self._ready.get()
        if isinstance(token, BaseException):
            raise token
        self._token = token

    def call(self, function: Callable[[], Awaitable[T]]) -> T:
        return trio.from_thread.run(function, trio_token=self._token)

    def close(self) -> None:
        trio.from_thread.run_sync(self._stop.set, trio_token=self._token)
        self._thread.join()

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:  # noqa: BLE001  # it belongs to the thread that waits
            self._ready.put(error)

    async def _main(self) -> None:
        async with AsyncExitStack() as stack:
            self.entered = [await stack.enter_async_context(manager) for manager in self._managers]
            self._ready.put(trio.lowlevel.current_trio_token())
            await self._stop.wait()
