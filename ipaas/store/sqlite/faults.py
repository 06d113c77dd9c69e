"""What SQLite's errors mean to the person who must act.

Owns the translation at the edge: whatever `sqlite3` raises leaves as a `StoreError` with the file's path and a cure. Pure.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from ipaas.errors import IpaasError, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

# Primary result code → what happened, how to mend it. Source: https://www.sqlite.org/rescode.html
_FAULTS: Final[dict[int, tuple[str, str]]] = {
    sqlite3.SQLITE_BUSY: (
        "is locked by another program",
        "end the program that holds it (an open `sqlite3` shell, a backup), or try again later",
    ),
    sqlite3.SQLITE_LOCKED: (
        "is locked by another program",
        "end the program that holds it (an open `sqlite3` shell, a backup), or try again later",
    ),
    sqlite3.SQLITE_FULL: ("has no room to grow", "free space on its disk; nothing needs a restart"),
    sqlite3.SQLITE_READONLY: (
        "cannot be written",
        "let this user write the file and its folder, and check that the disk is not mounted read-only",
    ),
    sqlite3.SQLITE_PERM: ("cannot be opened", "let this user read and write the file and its folder"),
    sqlite3.SQLITE_AUTH: ("cannot be opened", "let this user read and write the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "let this user read and write the file and its folder"),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "stop every server on it, keep a copy, and restore a backup or try `sqlite3 FILE .recover`",
    ),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite database", "name another file, or restore a backup"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "check its disk and the system's log"),
    sqlite3.SQLITE_NOMEM: ("needs more memory than there is", "free memory and try again"),
}
_MOVED: Final = ("was moved or deleted while in use", "stop this server, put the file back, and start again")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection held the lock for longer than we waited."""
    return isinstance(error, sqlite3.OperationalError) and (error.sqlite_errorcode & 0xFF) in _BUSY


def moved(path: Path) -> StoreUnavailable:
    """Make the refusal for a file that is no longer the one that was opened."""
    what, cure = _MOVED
    return StoreUnavailable(f"database `{path}` {what}", hint=cure)


def translate(error: Exception, path: Path) -> Exception:
    """Return the error to raise for one that came out of SQLite's thread; ours pass unchanged."""
    if isinstance(error, IpaasError):
        return error
    if isinstance(error, (UnicodeError, OverflowError)):
        return StoreError(f"value cannot be kept: {error}", hint="leave out lone surrogates and integers over 64 bits")
    if not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # The module's own objections, without a result code: the connection is closed.
        return StoreUnavailable(f"database `{path}` is closed: {error}")
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return moved(path)
    if (code & 0xFF) in _FAULTS:
        what, cure = _FAULTS[code & 0xFF]
    else:
        return StoreError(f"database `{path}` refused a statement: {error}")
    return StoreUnavailable(f"database `{path}` {what} ({error})", hint=cure.replace("FILE", str(path)))
