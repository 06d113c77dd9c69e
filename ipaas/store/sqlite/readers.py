"""A few connections that only read, beside the one that writes.

Owns their pool. In WAL mode a reader neither waits for the writer nor makes it wait, and sees one snapshot. Owned by the driver.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from ipaas.errors import StoreUnavailable
from ipaas.store.sqlite.connect import open_reader, roll_back, run
from ipaas.store.sqlite.faults import translate
from ipaas.store.sqlite.trio_sqlite import TrioConnection

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from ipaas.store.sql.transaction import Read

T = TypeVar("T")

_READERS: Final = 3
"""Connections, each with its thread: pages and logs are read beside the engine, not by hundreds at once."""


class Readers:
    """Lends connections to reads. Any task of its trio run may call `read`; a cancelled one leaves an idle connection behind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[TrioConnection] = []
        self._places = trio.Semaphore(_READERS)
        self._closed = False

    async def read(self, operation: Read[T]) -> T:
        """Run a transaction on one snapshot and return its answer."""
        async with self._places:
            if self._closed:
                raise StoreUnavailable(
                    f"database `{self._path}` is closed", hint="keep the Store open for as long as anything uses it"
                )
            try:
                connection = self._idle.pop() if self._idle else await self._open()
                try:
                    return await connection.run(lambda raw: _read(raw, operation))
                finally:
                    self._idle.append(connection)
            except Exception as error:
                translated = translate(error, self._path)
                if translated is error:
                    raise
                raise translated from error

    async def close(self) -> None:
        """Close all connections; none may be in use."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _open(self) -> TrioConnection:
        connection = TrioConnection(partial(open_reader, self._path))
        await connection.open()
        return connection


def _read(connection: sqlite3.Connection, operation: Read[T]) -> T:
    """Run in the connection's thread."""
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    try:
        return run(cursor, operation())
    finally:
        # Nothing was written: to roll back is to let go of the snapshot.
        roll_back(connection)
