"""Bring a database file to the schema that this program knows.

Owns the numbered migrations (`ipaas/store/migrations/NNNN_<noun>.sql`) and the table that says which were applied. All run in one
transaction under the write lock: of two programs that open a file at once, one migrates and the other finds it done. Runs in the
connection's thread.
"""

from __future__ import annotations

import sqlite3
from importlib import resources
from typing import TYPE_CHECKING, Final

from ipaas.errors import SchemaMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_APPLIED: Final = "SELECT max(number) FROM migrations"
_CREATE: Final = "CREATE TABLE migrations (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL) STRICT"
_TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^'"


def list_migrations() -> list[tuple[int, str, str]]:
    """Return number, name and text of every migration, in order."""
    folder = resources.files("ipaas.store") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), name.removesuffix(".sql"), (folder / name).read_text("utf-8")) for name in names]


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply what is missing.

    Raises:
        SchemaMismatch: the file is newer than this program, or another program's database. It is left as it was.
    """
    migrations = list_migrations()
    newest = migrations[-1][0]
    # Look before taking the write lock: a file that is up to date can be opened while somebody else writes.
    if _find_number(connection, path, newest) == newest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        number = _find_number(connection, path, newest)
        if number == 0:
            connection.execute(_CREATE)
        for next_number, name, text in migrations:
            if next_number > number:
                for statement in _split(text):
                    connection.execute(statement)
                connection.execute("INSERT INTO migrations (number, name) VALUES (?, ?)", (next_number, name))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _find_number(connection: sqlite3.Connection, path: Path, newest: int) -> int:
    """Return the number of the last migration applied, 0 for an empty file."""
    tables = {name for (name,) in connection.execute(_TABLES)}
    if not tables:
        return 0
    if "migrations" not in tables or "runs" not in tables:
        raise SchemaMismatch(
            f"database `{path}` belongs to another program: it has the table `{min(tables)}`",
            hint="name another file; one that does not exist yet is made",
        )
    number = int(connection.execute(_APPLIED).fetchone()[0])
    if number > newest:
        raise SchemaMismatch(
            f"database `{path}` has schema {number}, this program knows up to {newest}",
            hint="install the version of ipaas that wrote it, or a newer one; going back needs a backup from before",
        )
    return number


def _split(text: str) -> Iterator[str]:
    """Yield the statements of a script: `executescript` would commit under our feet."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
