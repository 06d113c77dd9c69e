"""The Store in a SQLite file.

Owns `open_sqlite`, which puts the parts together: one connection that writes in groups, a few that read, and the statements of
`ipaas.store.sql`. Called by `ipaas.store.open_store`.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from sqlite3 import Error
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from ipaas.store.sql import SqlStore
from ipaas.store.sqlite.connect import locate, open_writer
from ipaas.store.sqlite.faults import is_busy, translate
from ipaas.store.sqlite.readers import Readers
from ipaas.store.sqlite.trio_sqlite import TrioConnection
from ipaas.store.sqlite.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ipaas.clock import Clock
    from ipaas.store.sql.transaction import Read, Write

T = TypeVar("T")

_OPEN_ATTEMPTS: Final = 25
"""Times that opening meets another program's lock (it may be migrating) before it gives up: 25 times 0.2 s."""


class SqliteDriver:
    """Runs transactions on one database file: writes in groups on one connection, reads on others."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def write(self, operation: Write[T]) -> T:
        """See `Driver.write`."""
        return await self._writer.write(operation)

    async def read(self, operation: Read[T]) -> T:
        """See `Driver.read`."""
        return await self._readers.read(operation)


@asynccontextmanager
async def open_sqlite(path: Path, clock: Clock) -> AsyncIterator[SqlStore]:
    """Open the Store in a file, made if it does not exist, and close it at the end of the block.

    Raises:
        StoreUnavailable: it cannot be opened; names the path and the cure.
        SchemaMismatch: it is newer than this program, or another program's.
    """
    path = locate(path)
    connection = await _open(path)
    readers = Readers(path)
    writer = Writer(connection, path, clock)
    raised: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            # The block's exception goes around the nursery: inside, it would leave in an exception group.
            try:
                yield SqlStore(SqliteDriver(writer, readers))
            except BaseException as error:  # noqa: BLE001  # raised again below
                raised = error
            # The writer ends at once and by itself: a cancel has no business in here, and would hide what was raised.
            nursery.cancel_scope.shield = True
            writer.close()
    finally:
        await readers.close()
        await connection.close()
    if raised is not None:
        raise raised


async def _open(path: Path) -> TrioConnection:
    for attempt in range(1, _OPEN_ATTEMPTS + 1):
        connection = TrioConnection(partial(open_writer, path))
        try:
            await connection.open()
        except Exception as error:
            if isinstance(error, Error) and is_busy(error) and attempt < _OPEN_ATTEMPTS:
                continue
            translated = translate(error, path)
            if translated is error:
                raise
            raise translated from error
        return connection
    raise AssertionError("unreachable: the last attempt returns or raises")
