"""Open one connection to the database file, and run transactions on it.

Owns the connection's settings, the file's permission and how a transaction's statements meet `sqlite3`. Everything here runs in a
connection's thread. Called by the writer and the readers.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Final, TypeVar

from ipaas.errors import StoreUnavailable
from ipaas.store.sqlite.migrate import migrate

if TYPE_CHECKING:
    from pathlib import Path

    from ipaas.store.sql.transaction import Transaction

T = TypeVar("T")

LOCK_WAIT_S: Final = 0.2
"""How long one attempt waits for another program's lock. Short: a caller who is cancelled meanwhile waits as long."""

_OLDEST_SQLITE: Final = (3, 37, 0)
"""The first with STRICT tables; RETURNING came in 3.35."""

# 64 MiB: what the write-ahead file may keep on disk after a burst.
_LOG_LIMIT_BYTES: Final = 64 * 1024 * 1024


def open_writer(path: Path) -> sqlite3.Connection:
    """Create the file if need be, readable by its owner only, migrate it, and return the connection that writes.

    Raises:
        StoreUnavailable: folder missing, no permission, SQLite too old.
        SchemaMismatch: not a schema this program can work with.
        sqlite3.Error: anything SQLite says.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreUnavailable(
            f"SQLite {sqlite3.sqlite_version} is too old for database `{path}`",
            hint="use a Python with SQLite 3.37 or newer",
        )
    _create(path)
    connection = _connect(path)
    try:
        # Before anything else: a file that is not ours must not even change its journal mode.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        migrate(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        # In WAL mode only FULL syncs at every commit: without it a power cut could take back what was acknowledged.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write, to a file that the writer has opened."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def locate(path: Path) -> Path:
    """Return the whole path: messages name it, and a later change of folder does not matter."""
    return path.absolute()


def identify(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the file at a path, or None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def run(cursor: sqlite3.Cursor, transaction: Transaction[T]) -> T:
    """Run a transaction's statements and return its answer. Begins and ends nothing."""
    try:
        statement = next(transaction)
        while True:
            statement = transaction.send(cursor.execute(*statement).fetchall())
    except StopIteration as stop:
        answer: T = stop.value
        return answer


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the transaction, unless SQLite has undone it already (a full disk does that)."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=LOCK_WAIT_S,
        isolation_level=None,  # transactions are begun and ended in so many words
        check_same_thread=False,  # a cancel calls `interrupt` from trio's thread
        cached_statements=256,
    )
    # 16 MiB of pages: the indexes of unfinished runs stay in memory beside a large history.
    connection.execute("PRAGMA cache_size = -16384")
    return connection


def _create(path: Path) -> None:
    """Create the file for its owner only; SQLite gives its side files the same permission."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except FileNotFoundError as error:
        raise StoreUnavailable(
            f"folder `{path.parent}` of database `{path}` does not exist",
            hint=f"create it with `mkdir -p {path.parent}`",
        ) from error
    except OSError as error:
        raise StoreUnavailable(
            f"database `{path}` cannot be opened ({error.strerror})",
            hint="let this user read and write the file and its folder",
        ) from error
