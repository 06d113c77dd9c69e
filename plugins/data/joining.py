"""Which items of two lists belong together.

Owns the join by key. Pure: works on keys and indexes, knows nothing of expressions and actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from ipaas.plugin import StepError

from .keys import identity

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ipaas.plugin import Json, JsonObject

Kind = Literal["inner", "left", "right", "full"]

MAX_PAIRS: Final = 1_000_000
"""Two lists of 10 000 items with one key in common are 100 million pairs: more memory than a server has to give to one step."""

Pair = tuple[int | None, int | None]


def pair_up(left_keys: Sequence[Json], right_keys: Sequence[Json], kind: Kind) -> list[Pair]:
    """Return the pairs of indexes whose keys are equal, and by `kind` the lonely ones with None on the other side.

    Raises:
        StepError: of type `limit_exceeded` when there are more than `MAX_PAIRS`.
    """
    by_key: dict[Hashable, list[int]] = {}
    for index, key in enumerate(right_keys):
        if key is not None:
            by_key.setdefault(identity(key), []).append(index)
    pairs: list[Pair] = []
    used: set[int] = set()
    for index, key in enumerate(left_keys):
        partners = by_key.get(identity(key), []) if key is not None else []
        if len(pairs) + len(partners) > MAX_PAIRS:
            raise StepError(
                f"the join makes more than {MAX_PAIRS} pairs, as many items have the same key",
                type="limit_exceeded",
                hint="make one side unique first, with `data.unique` or `data.group`",
            )
        pairs.extend((index, partner) for partner in partners)
        used.update(partners)
        if not partners and kind in ("left", "full"):
            pairs.append((index, None))
    if kind in ("right", "full"):
        pairs.extend((None, index) for index in range(len(right_keys)) if index not in used)
    return pairs


def list_pairs(pairs: Sequence[Pair], left: Sequence[Json], right: Sequence[Json]) -> list[JsonObject]:
    """Return `{left, right}` for each pair, null on the side that has none."""
    return [{"left": None if a is None else left[a], "right": None if b is None else right[b]} for a, b in pairs]


def merge_pairs(pairs: Sequence[Pair], left: Sequence[Any], right: Sequence[Any]) -> list[JsonObject]:
    """Return one object for each pair of objects; the right side's fields win."""
    return [{**(left[a] if a is not None else {}), **(right[b] if b is not None else {})} for a, b in pairs]
