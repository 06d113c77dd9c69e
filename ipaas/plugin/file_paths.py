"""Paths and patterns as pipelines write them, checked before any file is touched.

Owns what a path may look like and how patterns match. Pure; knows nothing of disks. Called by `file_tree`.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Final

from ipaas.errors import Fatal

Parts = tuple[str, ...]
"""A path's folder names and, last, its file name."""

ANY_DEPTH: Final = "**"


def split_path(path: str, label: str = "path") -> Parts:
    """Return the parts of a path relative to the root; `.` and doubled slashes are dropped.

    Args:
        label: the input's name in messages.

    Raises:
        Fatal: of type `validation` when the path is empty, absolute, has `..` or NUL in it: it could leave the root.
    """
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if "\0" in path:
        raise Fatal(f"`{label}` has a NUL character", type="validation", hint="remove it")
    if path.startswith("/"):
        raise Fatal(
            f"`{label}` is `{path}`, and must not begin with `/`",
            type="validation",
            hint="paths are relative to the files root: `reports/today.csv`",
        )
    if ".." in parts:
        raise Fatal(
            f"`{label}` is `{path}`, and must not have `..` in it",
            type="validation",
            hint="no path leaves the files root; write it without `..`",
        )
    if not parts:
        raise Fatal(f"`{label}` names no file", type="validation", hint="as in `reports/today.csv`")
    return parts


def join_path(parts: Parts) -> str:
    """Return the path as pipelines write it."""
    return "/".join(parts)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A file pattern: `*`, `?` and `[…]` within one name, `**` for any number of folders.

    A name that begins with a dot is matched only by a part that begins with one. A walk carries the positions within the pattern at which
    it may be; it begins with `start`.
    """

    parts: tuple[re.Pattern[str] | None, ...]
    """One matcher for each part; None is `**`."""
    dotted: tuple[bool, ...]

    @classmethod
    def read(cls, text: str) -> Pattern:
        """Return the pattern that the text is.

        Raises:
            Fatal: as `split_path`.
        """
        parts = split_path(text, "pattern")
        if parts[-1] == ANY_DEPTH:  # every file below
            parts = (*parts, "*")
        matchers = tuple(None if part == ANY_DEPTH else re.compile(fnmatch.translate(part)) for part in parts)
        return cls(matchers, tuple(part.startswith(".") for part in parts))

    @property
    def start(self) -> frozenset[int]:
        """Where a walk begins."""
        return self._close({0})

    def enter(self, positions: frozenset[int], folder: str) -> frozenset[int]:
        """Return where a walk is within the folder; empty when nothing in it can match."""
        after: set[int] = set()
        for position in positions:
            if self.parts[position] is None:
                if not folder.startswith("."):
                    after.add(position)
            elif position + 1 < len(self.parts) and self._matches(position, folder):
                after.add(position + 1)
        return self._close(after)

    def accepts(self, positions: frozenset[int], file: str) -> bool:
        """Tell whether a file of this name, where the walk is, matches the whole pattern."""
        last = len(self.parts) - 1
        return last in positions and self._matches(last, file)

    def _matches(self, position: int, name: str) -> bool:
        matcher = self.parts[position]
        return (
            matcher is not None
            and matcher.match(name) is not None
            and (self.dotted[position] or not name.startswith("."))
        )

    def _close(self, positions: set[int]) -> frozenset[int]:
        """Return the positions, and those behind a `**`, which may stand for no folder at all."""
        found = set(positions)
        for position in sorted(positions):
            following = position
            while self.parts[following] is None:
                following += 1
                found.add(following)
        return frozenset(found)
