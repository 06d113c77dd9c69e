"""aiosqlite's connection, waiting on trio.

Owns `TrioConnection`. aiosqlite keeps a thread per connection and answers through an asyncio future; of that future its thread uses
three methods only, so an object with these methods that wakes a trio task stands in for it. Knows nothing of the Store. The dependency
is pinned below the next minor version because this is not its public interface (docs/decisions/0002-sqlite-on-trio.md).
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiosqlite
import outcome
import trio
from aiosqlite.core import _STOP_RUNNING_SENTINEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

T = TypeVar("T")

# Steps of SQLite's machine, some 50 million a second: a cancel is noticed within milliseconds, at no cost that can be measured.
_STEPS_BETWEEN_LOOKS: Final = 50_000


class _Reply:
    """Where aiosqlite's thread puts its answer: `get_loop().call_soon_threadsafe(set_result | set_exception, reply, answer)`."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._task = trio.lowlevel.current_task()

    def get_loop(self) -> Self:
        return self

    def call_soon_threadsafe(self, callback: Callable[..., None], *args: Any) -> None:
        self._token.run_sync_soon(callback, *args)

    def done(self) -> bool:
        return False

    def set_result(self, result: Any) -> None:
        trio.lowlevel.reschedule(self._task, outcome.Value(result))

    def set_exception(self, error: BaseException) -> None:
        trio.lowlevel.reschedule(self._task, outcome.Error(error))


class TrioConnection(aiosqlite.Connection):
    """One SQLite connection with its thread. One task at a time may use it.

    A cancel interrupts the statement that runs, waits until the thread has let go, and only then leaves: whoever uses the connection
    next finds it idle. What had succeeded by then is returned instead, and the cancel comes at the next checkpoint.
    """

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._interrupted = False
        # A process that is told to stop at once must not wait for a statement; an open transaction is undone by SQLite.
        self._thread.daemon = True

    async def open(self) -> None:
        """Start the thread and connect. Raises what the connector raises."""
        self._thread.start()
        try:
            self._connection = await self._ask(self._connect_raw)
        except BaseException:
            self.stop()
            raise

    def _connect_raw(self) -> sqlite3.Connection:
        connection = self._connector()
        # `interrupt` ends the statement that runs, and is forgotten when none does: the flag catches the one that begins next.
        connection.set_progress_handler(lambda: self._interrupted, _STEPS_BETWEEN_LOOKS)
        return connection

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function with the raw connection in the thread: one hop, whatever it does there."""
        connection = self._conn
        answer: T = await self._execute(lambda: function(connection))
        return answer

    async def close(self) -> None:
        """Close the connection and end the thread, also in a cancelled scope. Closing twice is allowed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with trio.CancelScope(shield=True):
                try:
                    await self._ask(connection.close)
                finally:
                    self.stop()

    def stop(self) -> None:
        """End the thread once it has done what was asked of it."""
        self._running = False
        self._tx.put_nowait((None, lambda: _STOP_RUNNING_SENTINEL))

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._running or self._connection is None:
            raise sqlite3.ProgrammingError("the connection is closed")
        await trio.lowlevel.checkpoint_if_cancelled()
        return await self._ask(lambda: fn(*args, **kwargs))

    async def _ask(self, function: Callable[[], Any]) -> Any:
        """Let the thread call a function and wait for its answer."""
        raise_cancel: trio.lowlevel.RaiseCancelT | None = None

        def abort(raiser: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            nonlocal raise_cancel
            raise_cancel = raiser
            self._interrupted = True
            if self._connection is not None:
                self._connection.interrupt()
            return trio.lowlevel.Abort.FAILED

        self._interrupted = False
        # Not a future, but all that its thread uses of one.
        self._tx.put_nowait((_Reply(), function))  # type: ignore[arg-type]  # see above
        try:
            return await trio.lowlevel.wait_task_rescheduled(abort)
        except sqlite3.OperationalError as error:
            if raise_cancel is not None and error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise_cancel()
            raise
