"""The files below one root, walked so that no path leaves it.

Owns what is done to files. Each folder on the way is opened within the one before it, and symbolic links are never followed, so that a
link put in place between a check and its use leads nowhere (as `openat2` with `RESOLVE_NO_SYMLINKS`). Blocking: call it in a thread.
A `FileTree` has no state; any number of threads may use one.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ipaas.errors import Fatal, StepError
from ipaas.plugin.file_descriptors import (
    FLAGS,
    FOLDER,
    NO_WAIT,
    check_regular,
    explained,
    open_folder,
    opened,
    read_up_to,
    reason,
    write_all,
)
from ipaas.plugin.file_paths import Parts, Pattern, join_path, split_path

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 10 * 1024 * 1024
"""Of one file, unless the caller says otherwise: as much as of an HTTP response. What is read becomes a step's output, which is kept."""
MAX_LISTED: Final = 10_000
"""Files in one list: a step's output is kept in the Store, and a larger one is a wrong pattern more often than not."""
MAX_VISITED: Final = 200_000
"""Entries looked at for one list, so that a pattern over a huge tree ends in seconds."""
MAX_FOLDERS: Final = 64
"""Folders within each other that a list goes down; each holds a file descriptor."""

SETTING: Final = "IPAAS_FILES_ROOT"
TEMPORARY: Final = ".ipaas-"
"""Begins the names of files that are being written; a leading dot keeps them out of lists."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file: its path below the root, its size, and when it was changed (RFC 3339, UTC)."""

    path: str
    name: str
    size_bytes: int
    modified_at: str


@dataclass(frozen=True, slots=True)
class FileTree:
    """The files below `root`. Only regular files are read and written.

    Paths are text as pipelines write it: relative to the root, folders parted by `/`. Every method raises `NotFound` for a file or folder that is not there, `Fatal` of type `validation` for what is no regular file, and
    `StepError` by the kind of trouble for what the system refuses; `Fatal` of type `validation` for a path that could leave the root.

    Attributes:
        root: the folder; empty is none, which every method refuses.
    """

    root: str

    def read(self, path: str, max_bytes: int = MAX_BYTES) -> tuple[bytes, FileInfo]:
        """Return the file's bytes.

        Raises:
            StepError: of type `limit_exceeded` when there are more than `max_bytes`.
        """
        return self._read(split_path(path), max_bytes)

    def _read(self, path: Parts, max_bytes: int) -> tuple[bytes, FileInfo]:
        with explained(path), self._folder(path[:-1]) as folder:
            check_regular(os.stat(path[-1], dir_fd=folder, follow_symlinks=False), path)
            with opened(path[-1], os.O_RDONLY | NO_WAIT, folder) as file:
                found = os.fstat(file)
                check_regular(found, path)  # it may have been replaced since
                content = read_up_to(file, max_bytes + 1)
        if len(content) > max_bytes:
            raise StepError(
                f"`{join_path(path)}` has {max(found.st_size, len(content))} bytes, the limit is {max_bytes}",
                type="limit_exceeded",
                hint="split the file, or raise `IPAAS_FILES_MAX_BYTES`",
            )
        return content, _describe(path, found)

    def write(self, path: str, content: bytes, *, overwrite: bool = True) -> FileInfo:
        """Put a file in place, wholly or not at all; missing folders are made. What is there is durable when this returns.

        Raises:
            Fatal: of type `client_error` when the file is there with other content and `overwrite` is false.
        """
        return self._write(split_path(path), content, overwrite=overwrite)

    def _write(self, path: Parts, content: bytes, *, overwrite: bool) -> FileInfo:
        with explained(path), self._folder(path[:-1], create=True) as folder:
            mode = _find_mode(path, folder)
            temporary = f"{TEMPORARY}{secrets.token_hex(8)}.tmp"
            try:
                with opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, folder) as file:
                    write_all(file, content)
                    if mode is not None:
                        os.fchmod(file, mode)
                    os.fsync(file)
                    found = os.fstat(file)
                if overwrite:
                    os.rename(temporary, path[-1], src_dir_fd=folder, dst_dir_fd=folder)
                elif not self._place(temporary, path, folder, content):
                    # The same content is what a repeated attempt finds; anything else is somebody's file.
                    return self._read(path, len(content))[1]
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folder)
            os.fsync(folder)
        return _describe(path, found)

    def _place(self, temporary: str, path: Parts, folder: int, content: bytes) -> bool:
        """Give the new file its name unless there is one; false when the one that is there has the same content."""
        try:
            _link(temporary, folder, path, folder)
        except FileExistsError:
            try:
                if self._read(path, len(content))[0] == content:
                    return False
            except StepError:
                pass  # longer than ours, or gone again: in both cases not ours
            raise _taken(path) from None
        return True

    def append(self, path: str, content: bytes) -> FileInfo:
        """Add to the end of a file, which is made when it is not there. What was added is durable when this returns."""
        parts = split_path(path)
        with explained(parts), self._folder(parts[:-1], create=True) as folder:
            _find_mode(parts, folder)
            with opened(parts[-1], os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_WAIT, folder) as file:
                before = os.fstat(file)
                check_regular(before, parts)
                write_all(file, content, undo_to=before.st_size)
                os.fsync(file)
                found = os.fstat(file)
            os.fsync(folder)
        return _describe(parts, found)

    def list(self, pattern: str = "**/*") -> list[FileInfo]:
        """Return the regular files that match, sorted by path. Symbolic links and names that are not UTF-8 are left out.

        Raises:
            StepError: of type `limit_exceeded` when too many files match or had to be looked at.
        """
        wanted = Pattern.read(pattern)
        found: list[FileInfo] = []
        with explained(()), self._folder(()) as folder:
            for visited, (path, entry) in enumerate(_walk(folder, (), wanted, wanted.start), 1):
                if visited > MAX_VISITED or len(found) > MAX_LISTED:
                    raise StepError(
                        f"more than {MAX_LISTED} files match"
                        if len(found) > MAX_LISTED
                        else f"more than {MAX_VISITED} files had to be looked at",
                        type="limit_exceeded",
                        hint="narrow `pattern`, as in `2026/03/*.csv`",
                    )
                if entry is not None:
                    with suppress(FileNotFoundError):  # gone since its name was read
                        found.append(_describe(path, entry.stat(follow_symlinks=False)))
        return sorted(found, key=lambda info: info.path)

    def move(self, source: str, target: str, *, overwrite: bool = False) -> FileInfo:
        """Give a file another path; missing folders are made.

        Raises:
            Fatal: of type `client_error` when the target is there and `overwrite` is false.
        """
        old_path, new_path = split_path(source, "source"), split_path(target, "target")
        with explained(old_path), self._folder(old_path[:-1]) as old:
            found = os.stat(old_path[-1], dir_fd=old, follow_symlinks=False)
            check_regular(found, old_path)
            with explained(new_path), self._folder(new_path[:-1], create=True) as new:
                _find_mode(new_path, new)
                if overwrite:
                    os.rename(old_path[-1], new_path[-1], src_dir_fd=old, dst_dir_fd=new)
                else:
                    try:
                        _link(old_path[-1], old, new_path, new)
                    except FileExistsError:
                        raise _taken(new_path) from None
                    os.unlink(old_path[-1], dir_fd=old)
                os.fsync(new)
            os.fsync(old)
        return _describe(new_path, found)

    def delete(self, path: str) -> None:
        """Remove a file."""
        parts = split_path(path)
        with explained(parts), self._folder(parts[:-1]) as folder:
            check_regular(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False), parts)
            os.unlink(parts[-1], dir_fd=folder)
            os.fsync(folder)

    @contextmanager
    def _folder(self, parts: Parts, *, create: bool = False) -> Iterator[int]:
        """Open the folder, one part within the other, and yield its descriptor."""
        if not self.root:
            raise Fatal("there is no files root", hint=f"set `{SETTING}` to a folder")
        if os.open not in os.supports_dir_fd:
            raise Fatal("files cannot be used on this system", hint="it needs `openat`, as on Linux and macOS")
        try:
            folder = os.open(self.root, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            raise Fatal(
                f"the files root `{self.root}` cannot be used: {reason(error)}",
                hint=f"create the folder, or set `{SETTING}` to another one",
            ) from error
        try:
            for index, part in enumerate(parts):
                inner = open_folder(part, folder, parts[: index + 1], create=create)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)


def _walk(
    folder: int, path: Parts, pattern: Pattern, positions: frozenset[int]
) -> Iterator[tuple[Parts, os.DirEntry[str] | None]]:
    """Yield each entry that was looked at: with itself when it matches, else with None."""
    with os.scandir(folder) as entries:
        for entry in entries:
            here = (*path, entry.name)
            if not _is_text(entry.name):
                yield here, None
            elif entry.is_file(follow_symlinks=False):
                is_ours = entry.name.startswith(TEMPORARY)
                yield here, entry if not is_ours and pattern.accepts(positions, entry.name) else None
            elif (
                entry.is_dir(follow_symlinks=False)
                and (inside := pattern.enter(positions, entry.name))
                and len(here) < MAX_FOLDERS
            ):
                yield here, None
                try:
                    inner = os.open(entry.name, FOLDER, dir_fd=folder)
                except (FileNotFoundError, NotADirectoryError):
                    continue  # gone or replaced since its name was read
                try:
                    yield from _walk(inner, here, pattern, inside)
                finally:
                    os.close(inner)
            else:
                yield here, None


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _find_mode(path: Parts, folder: int) -> int | None:
    """Return the permissions of the file that is there, or None; raise when something else is there."""
    try:
        found = os.stat(path[-1], dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    check_regular(found, path)
    return stat.S_IMODE(found.st_mode)


def _link(name: str, folder: int, target: Parts, target_folder: int) -> None:
    """Give a file a second name, which must be free: the one way to create a file that cannot overwrite another."""
    try:
        os.link(name, target[-1], src_dir_fd=folder, dst_dir_fd=target_folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
        raise Fatal(
            f"`{join_path(target)}`: this file system has no way to create a file without the risk to overwrite one",
            hint="set `overwrite: true`, or put the files root on another file system",
        ) from error


def _describe(path: Parts, found: os.stat_result) -> FileInfo:
    changed = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return FileInfo(join_path(path), path[-1], found.st_size, changed)


def _taken(path: Parts) -> Fatal:
    return Fatal(
        f"`{join_path(path)}` is there already", hint="set `overwrite: true` to replace it, or choose another name"
    )
