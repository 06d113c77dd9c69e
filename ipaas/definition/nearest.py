"""The nearest known name to a mistyped one, and the hint that offers it.

Owns the notion of "near". Knows nothing of pipelines; every check that refuses a name calls it, also outside this room.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_EDITS = 3
"""More edits make another name of any."""

MAX_LENGTH = 64
"""Longer names are no typing mistakes, and comparing costs length times length."""

MAX_NAMES = 1000
"""More candidates are not looked at: the cost of a hint stays bounded."""

MAX_LISTED = 12
"""A list of known names that is longer than this does not help."""


def find_nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that `name` was probably meant to be, or None when none is near enough.

    Near is at most one edit for every three characters and three in all, where an edit is an insertion, a deletion, a
    replacement or a swap of neighbours; case, `-` and `_` do not count. The first of equally near names wins.
    """
    if not name or len(name) > MAX_LENGTH:
        return None
    wanted, letters = _plain(name)
    best: str | None = None
    best_distance = min(MAX_EDITS, max(1, (len(wanted) + 1) // 3)) + 1
    for candidate in islice(names, MAX_NAMES):
        if candidate == name or len(candidate) > MAX_LENGTH:
            continue
        plain, others = _plain(candidate)
        # Each edit brings or takes at most two letters: this spares nine comparisons of ten.
        if abs(len(plain) - len(wanted)) >= best_distance or (letters ^ others).bit_count() > 2 * best_distance - 2:
            continue
        # One letter has nothing in common with another: replacing all of a name is no typing mistake.
        distance = _count_edits(wanted, plain, best_distance)
        if distance < best_distance and distance < max(len(wanted), len(plain)):
            best, best_distance = candidate, distance
    return best


def hint_nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint for an unknown name: the nearest one, else the known ones when they are few, else nothing."""
    known = list(dict.fromkeys(islice(names, MAX_NAMES)))
    nearest = find_nearest(name, known)
    if nearest is not None:
        return f"did you mean `{nearest}`?"
    if 0 < len(known) <= MAX_LISTED:
        return f"known: {', '.join(f'`{each}`' for each in known)}"
    return ""


@lru_cache(maxsize=4096)
def _plain(name: str) -> tuple[str, int]:
    """Return the name as it is compared, and the set of its letters as bits."""
    plain = name.casefold().replace("-", "_")
    letters = 0
    for letter in plain:
        letters |= 1 << (ord(letter) & 63)
    return plain, letters


def _count_edits(left: str, right: str, limit: int) -> int:
    """Return the optimal string alignment distance, or `limit` when it is not below it."""
    before_last: list[int] = []
    last = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        current = [row]
        for column, other in enumerate(right, 1):
            cost = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other:
                cost = min(cost, before_last[column - 2] + 1)
            current.append(cost)
        if min(current) >= limit:
            return limit
        before_last, last = last, current
    return last[-1]
