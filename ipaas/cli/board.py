"""The steps of one run as a tree of rows, while it runs and after.

Owns which step hangs under which, what is folded away, and the words of a row. Pure but for what it remembers; knows words only. `live`
draws it on a terminal.

    orders            succeeded   1.2s
    tell              running     12 done of 40 begun
      [3]             failed      3 tries   `slack` answered 500
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ipaas.cli.output import show_duration

if TYPE_CHECKING:
    from datetime import datetime

    from ipaas.run import StepResult

MAX_CHILDREN: Final = 8
"""Items of a loop that are shown; those that run or failed come first, the others are counted."""

_PART: Final = re.compile(r"/?[^/\[\]#]+|\[\d+\]|#\d+")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree; `status` is empty for a part that has no result of its own (an iteration, a branch)."""

    depth: int
    label: str
    status: str = ""
    action: str = ""
    took: str = ""
    attempts: int = 0
    note: str = ""


class Board:
    """What is known of a run's steps. One task updates it."""

    def __init__(self) -> None:
        self._results: dict[str, StepResult] = {}
        self._children: dict[str, list[str]] = {"": []}

    def update(self, result: StepResult) -> None:
        """Take a step's newest result."""
        self._results[result.path] = result
        path = ""
        for part in split_path(result.path):
            parent, path = path, path + part
            if path not in self._children:
                self._children[path] = []
                self._children[parent].append(path)

    def list_rows(self, now: datetime) -> list[Row]:
        """Return the tree, folded.

        Args:
            now: until when steps that run have been running.
        """
        rows: list[Row] = []
        self._add_rows("", 0, now, rows)
        return rows

    def _add_rows(self, parent: str, depth: int, now: datetime, rows: list[Row]) -> None:
        children = self._children[parent]
        shown = self._select(children)
        for path in children:
            if path in shown:
                rows.append(self._make_row(path, path.removeprefix(parent).removeprefix("/"), depth, now))
                self._add_rows(path, depth + 1, now, rows)
        if len(shown) < len(children):
            counts: dict[str, int] = {}
            for path in children:
                if path not in shown:
                    status = self._status(path) or "other"
                    counts[status] = counts.get(status, 0) + 1
            folded = ", ".join(f"{count} {status}" for status, count in counts.items())
            rows.append(Row(depth, "…", note=f"and {folded}"))

    def _select(self, children: list[str]) -> set[str]:
        """Return which children are shown: all when they are few, else the most telling, the newest of each kind first."""
        if len(children) <= MAX_CHILDREN:
            return set(children)
        order = {"running": 0, "failed": 1, "": 2}
        age = {path: -index for index, path in enumerate(children)}
        ranked = sorted(children, key=lambda path: (order.get(self._status(path), 3), age[path]))
        return set(ranked[:MAX_CHILDREN])

    def _status(self, path: str) -> str:
        result = self._results.get(path)
        return result.status if result is not None else ""

    def _make_row(self, path: str, label: str, depth: int, now: datetime) -> Row:
        result = self._results.get(path)
        if result is None:
            return Row(depth, label)
        took = (result.finished_at or now) - result.started_at
        note = ""
        if result.error is not None:
            note = result.error.message
        elif result.status == "running":
            items = [child for child in self._children[path] if child.removeprefix(path).startswith("[")]
            done = sum(self._status(child) not in ("", "running") for child in items)
            note = f"{done} done of {len(items)} begun" if items else ""
        return Row(
            depth,
            label,
            result.status,
            result.action,
            show_duration(took) if result.status != "skipped" else "",
            result.attempts,
            note,
        )


def split_path(path: str) -> list[str]:
    """Return the parts of a step's path, so that their sums are the paths of its parents: `a`, `[3]`, `/b`, `#2`."""
    return _PART.findall(path)
