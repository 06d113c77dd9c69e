"""The one task that writes: what has queued up becomes one transaction.

Owns the queue of writes and the group commit. One sync of the disk then serves everybody who waited for it: that is what makes many
small durable writes fast. Knows transactions as generators, not what they do. Owned by the driver.

    write() ──► queue ──► BEGIN IMMEDIATE, each write in turn, COMMIT ──► every caller is answered
                  ▲                 │ locked
                  └─────────────────┘
"""

from __future__ import annotations

import sqlite3
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import outcome
import trio

from ipaas.errors import StoreUnavailable
from ipaas.store.codec import to_us
from ipaas.store.run_ids import RunIds
from ipaas.store.sql.transaction import Stamp
from ipaas.store.sqlite.connect import identify, roll_back, run
from ipaas.store.sqlite.faults import is_busy, moved, translate

if TYPE_CHECKING:
    from pathlib import Path

    from ipaas.clock import Clock
    from ipaas.store.sql.transaction import Write
    from ipaas.store.sqlite.trio_sqlite import TrioConnection

T = TypeVar("T")

_GROUP: Final = 256
"""Writes in one transaction: some 15 ms of lock at the most, so that other programs on the file get their turn."""

_ATTEMPTS: Final = 25
"""Times that a group waits for another program's lock before its callers are told: 25 times 0.2 s."""


@dataclass(slots=True, eq=False)
class _Entry:
    """One queued write and the task that waits for it.

    Attributes:
        taken: the thread has it; a cancel must wait for the answer.
        raise_cancel: a cancel that came meanwhile.
        answer: what the caller gets, once the transaction has ended.
        attempts: how often the database was locked.
    """

    operation: Write[Any]
    task: trio.lowlevel.Task
    taken: bool = False
    raise_cancel: trio.lowlevel.RaiseCancelT | None = None
    answer: outcome.Outcome[Any] | None = None
    attempts: int = 0


class Writer:
    """Queues writes and commits them in groups. Any task of its trio run may call `write`; `run` is the one that writes.

    A cancel that finds a write queued takes it out: it is not done. One that finds it under way lets it be done or undone and
    answers with that; the cancel then comes at the caller's next checkpoint. So a call that raises `Cancelled` has written nothing.
    """

    def __init__(self, connection: TrioConnection, path: Path, clock: Clock) -> None:
        self._connection = connection
        self._path = path
        self._clock = clock
        self._ids = RunIds()
        self._file = identify(path)
        self._queue: deque[_Entry] = deque()
        self._filled = trio.Event()
        self._scope = trio.CancelScope(shield=True)
        self._closed = False

    async def write(self, operation: Write[T]) -> T:
        """Run a write transaction and return its answer once it is durable. Raises what it raises, or why the database cannot."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closed:
            raise self._refusal()
        entry = _Entry(operation, trio.lowlevel.current_task())
        self._queue.append(entry)
        self._filled.set()

        def abort(raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            if entry.taken:
                entry.raise_cancel = raise_cancel
                return trio.lowlevel.Abort.FAILED
            self._queue.remove(entry)
            return trio.lowlevel.Abort.SUCCEEDED

        answer: T = await trio.lowlevel.wait_task_rescheduled(abort)
        return answer

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Commit what queues up until `close`. A cancel from outside does not end it: shielded callers may still be writing."""
        with self._scope:
            task_status.started()
            while True:
                await self._filled.wait()
                # Everybody who is ready to write at this moment joins the group.
                await trio.lowlevel.checkpoint()
                await self._commit()
                if not self._queue:
                    self._filled = trio.Event()

    def close(self) -> None:
        """End `run`; writes that still wait are refused."""
        self._closed = True
        self._scope.cancel()
        while self._queue:
            self._answer(self._queue.popleft(), outcome.Error(self._refusal()))

    def _refusal(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"database `{self._path}` is closed", hint="keep the Store open for as long as anything uses it"
        )

    async def _commit(self) -> None:
        """Write one group and answer its callers; those whose turn never came, because of a lock, wait again."""
        group = [self._queue.popleft() for _ in range(min(_GROUP, len(self._queue)))]
        if not group:
            return
        for entry in group:
            entry.taken = True
        stamp = Stamp(to_us(self._clock.now()), self._ids)
        try:
            with trio.CancelScope(shield=True):
                await self._connection.run(lambda connection: self._write_group(connection, group, stamp))
        except Exception as error:  # noqa: BLE001  # whatever it was: callers must hear of it, and the writer must go on
            for entry in group:
                entry.answer = entry.answer or outcome.Error(error)
        for entry in reversed(group):
            if entry.answer is None:
                self._wait_again(entry)
        for entry in group:
            if entry.answer is not None:
                self._answer(entry, entry.answer)

    def _write_group(self, connection: sqlite3.Connection, group: list[_Entry], stamp: Stamp) -> None:
        """Write a group and fill in the answers; none means that the database was locked. Runs in the thread.

        A write that fails before it has changed anything, as refusals do, costs its neighbours nothing. After one that fails
        half-way all is undone and each write gets a transaction of its own.
        """
        if identify(self._path) != self._file:
            # In WAL mode SQLite does not look: it would go on into a file that has no name any more, and is gone with us.
            raise moved(self._path)
        try:
            if not _try_group(connection, group, stamp) and len(group) > 1:
                for entry in group:
                    entry.answer = None
                for entry in group:
                    _try_group(connection, [entry], stamp)
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise

    def _wait_again(self, entry: _Entry) -> None:
        """Put a write back whose database was locked, unless its caller has left or has waited long enough."""
        entry.taken = False
        entry.attempts += 1
        if entry.raise_cancel is not None:
            entry.answer = outcome.capture(entry.raise_cancel)
        elif self._closed:
            entry.answer = outcome.Error(self._refusal())
        elif entry.attempts >= _ATTEMPTS:
            entry.answer = outcome.Error(_locked())
        else:
            self._queue.appendleft(entry)

    def _answer(self, entry: _Entry, answer: outcome.Outcome[Any]) -> None:
        if isinstance(answer, outcome.Error) and isinstance(answer.error, Exception):
            error = translate(answer.error, self._path)
            if error is not answer.error:
                error.__cause__ = answer.error
                answer = outcome.Error(error)
        trio.lowlevel.reschedule(entry.task, answer)


def _locked() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


def _try_group(connection: sqlite3.Connection, group: list[_Entry], stamp: Stamp) -> bool:
    """Run a group as one transaction; False when nothing of it was written. Raises what stops it from beginning."""
    cursor = connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    try:
        for entry in group:
            before = connection.total_changes
            try:
                entry.answer = outcome.Value(run(cursor, entry.operation(stamp)))
            except Exception as error:  # noqa: BLE001  # whatever goes wrong in one write must not fail its neighbours
                entry.answer = outcome.Error(error)
                if connection.total_changes != before or isinstance(error, sqlite3.Error):
                    roll_back(connection)
                    return False
        cursor.execute("COMMIT")
    except sqlite3.Error as error:
        for entry in group:
            entry.answer = outcome.Error(error)
        roll_back(connection)
        return False
    return True
