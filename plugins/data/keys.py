"""What makes two JSON values the same, and which of two comes first.

Owns identity (group, unique, join) and order (sort, minimum, maximum). Pure; knows nothing of expressions and actions.
JSON has one kind of number: `1` and `1.0` are the same, `true` and `1` are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ipaas.plugin import Fatal

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ipaas.plugin import Json

_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def name_type(value: Json) -> str:
    """Return the JSON type's name with its article: `a number`, `text`, `null`."""
    return _NAMES.get(type(value), type(value).__name__)


def identity(value: Json) -> Hashable:
    """Return a hashable stand-in: two values are the same JSON exactly when their stand-ins are equal. Order of keys does not count."""
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, dict):
        return (dict, frozenset((key, identity(item)) for key, item in value.items()))
    if isinstance(value, list):
        return (list, *map(identity, value))
    return value  # null, text and numbers are hashable and all that is left


def order_by(keys: Sequence[Json], descending: bool | Sequence[bool], label: str) -> list[int]:
    """Return the indexes of `keys` in sorted order.

    A key is null, boolean, number or text, or a list of those: the first decides, then the second. Stable. Null comes last, whatever the direction.

    Args:
        keys: one for each item.
        descending: largest first; one answer, or one for each part of the keys.
        label: what the items are called in messages (`items`).

    Raises:
        Fatal: of type `validation` when the keys cannot be compared with each other.
    """
    rows = _key_parts(keys, label)
    width = len(rows[0]) if rows else 0
    directions = [descending] * width if isinstance(descending, bool) else list(descending)
    if rows and len(directions) != width:
        raise Fatal(
            f"`descending` has {len(directions)} entries, the sort key has {width} parts",
            type="validation",
            hint="give one `true` or `false` for each part, or one for all",
        )
    order = list(range(len(rows)))
    # Python's sort is stable, so sorting by the last part first leaves ties in the order of the parts after.
    for part in reversed(range(width)):
        column = [row[part] for row in rows]
        values: list[Any] = column  # comparable with each other by the next line
        check_comparable(column, label, what="sort key")
        present = [index for index in order if column[index] is not None]
        missing = [index for index in order if column[index] is None]
        present.sort(key=values.__getitem__, reverse=directions[part])
        order = present + missing
    return order


def _key_parts(keys: Sequence[Json], label: str) -> list[list[Json]]:
    """Return each key as a list of parts, all of one length: a lone key is one part, null stands for as many nulls as needed."""
    first = next((index for index, key in enumerate(keys) if key is not None), 0)
    shape = _count_parts(keys[first]) if keys else None
    rows: list[list[Json]] = []
    for index, key in enumerate(keys):
        if key is None:
            rows.append([None] * (1 if shape is None else shape))
        elif _count_parts(key) != shape:
            raise Fatal(
                f"the sort key of `{label}[{index}]` is {_describe_key(key)}, that of `{label}[{first}]` is {_describe_key(keys[first])}",
                type="validation",
                hint="let `by` give the same kind of key for each item",
            )
        else:
            rows.append(list(key) if isinstance(key, list) else [key])
    return rows


def _count_parts(key: Json) -> int | None:
    return len(key) if isinstance(key, list) else None


def _describe_key(key: Json) -> str:
    return f"a list of {len(key)}" if isinstance(key, list) else name_type(key)


def check_comparable(values: Sequence[Json], label: str, *, what: str) -> None:
    """Raise `Fatal` of type `validation`, naming two culprits, unless all values but null are numbers, all text, or all booleans."""
    first: tuple[int, str] | None = None
    for index, value in enumerate(values):
        if value is None:
            continue
        name = name_type(value)
        if name in ("a list", "an object"):
            raise Fatal(
                f"the {what} of `{label}[{index}]` is {name}, which has no order",
                type="validation",
                hint="choose a number or text within it",
            )
        if first is None:
            first = (index, name)
        elif name != first[1]:
            raise Fatal(
                f"the {what} of `{label}[{index}]` is {name}, that of `{label}[{first[0]}]` is {first[1]}: they cannot be compared",
                type="validation",
                hint="make them one type, as with `string(...)` or `double(...)`",
            )
