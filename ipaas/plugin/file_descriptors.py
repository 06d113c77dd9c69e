"""File descriptors: opening one name within an open folder, never through a link, and what is said when that fails.

Owns the flags, the check that a file is a regular one, and the translation of system errors. Knows nothing of roots and actions. Called by `file_tree`.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ipaas.errors import Fatal, NotFound, StepError
from ipaas.plugin.file_paths import Parts, join_path

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | FLAGS
# Without O_NONBLOCK, opening a named pipe waits until somebody opens its other end.
NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | FLAGS


def open_folder(name: str, parent: int, path: Parts, *, create: bool) -> int:
    """Open one folder within another, never through a symbolic link."""
    if create:
        try:
            os.mkdir(name, dir_fd=parent)
        except FileExistsError:
            pass
        else:
            os.fsync(parent)
    try:
        return os.open(name, FOLDER, dir_fd=parent)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        kind = name_kind(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        raise Fatal(
            f"`{join_path(path)}` is {kind}, not a folder", type="validation", hint=_LINK_HINT if "link" in kind else ""
        ) from None


@contextmanager
def opened(name: str, flags: int, folder: int) -> Iterator[int]:
    """Open a file within a folder, and close it at the end."""
    file = os.open(name, flags, 0o666, dir_fd=folder)
    try:
        yield file
    finally:
        os.close(file)


def read_up_to(file: int, limit: int) -> bytes:
    """Return what the file has, at most `limit` bytes."""
    pieces: list[bytes] = []
    while limit > 0 and (piece := os.read(file, min(limit, 1 << 20))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def write_all(file: int, content: bytes, *, undo_to: int | None = None) -> None:
    """Write everything.

    Args:
        undo_to: the size that a file appended to had before. A full disk leaves a part of the content behind, which is then taken away,
            unless somebody else has added to the file since.
    """
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
    except OSError:
        if undo_to is not None and os.fstat(file).st_size == undo_to + len(content) - len(rest):
            os.ftruncate(file, undo_to)
        raise


_LINK_HINT: Final = "links are not followed, as they could lead out of the files root: put the file itself there"


def check_regular(found: os.stat_result, path: Parts) -> None:
    """Raise `Fatal` of type `validation` for a folder, a link, a named pipe, a socket or a device."""
    if not stat.S_ISREG(found.st_mode):
        kind = name_kind(found.st_mode)
        raise Fatal(
            f"`{join_path(path)}` is {kind}, not a file", type="validation", hint=_LINK_HINT if "link" in kind else ""
        )


def name_kind(mode: int) -> str:
    """Return what a mode says a thing is, with its article."""
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def reason(error: OSError) -> str:
    """Return the system's own words."""
    return (error.strerror or str(error)).lower()


@contextmanager
def explained(path: Parts) -> Iterator[None]:
    """Turn what the system says about a path into a step's error."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"`{join_path(path)}` is not there", hint="`files.list` shows what is") from None
    except OSError as error:
        where = f"`{join_path(path)}`" if path else "the files root"
        message = f"{where}: {reason(error)}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StepError(message, type="limit_exceeded", hint="make room on the disk") from error
        if error.errno in (errno.EIO, errno.EAGAIN, errno.ESTALE, errno.ETIMEDOUT):
            raise StepError(message, type="server_error") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise Fatal(message, hint="let the user that runs ipaas read and write there") from error
        raise Fatal(message) from error
