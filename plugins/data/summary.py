"""What a list of values comes to: count, sum, average, smallest, largest, first, last, all.

Owns the arithmetic of `data.aggregate`. Pure: takes the values that an expression gave, knows nothing of expressions and groups.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from ipaas.plugin import Fatal

from .keys import check_comparable, name_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipaas.plugin import Json

Function = Literal["count", "sum", "avg", "min", "max", "first", "last", "collect"]
FUNCTIONS: Final[tuple[Function, ...]] = get_args(Function)


def check_values(function: Function, values: Sequence[Json], label: str) -> None:
    """Check the values of all items, before they are parted into groups, so that a message can name the item.

    Args:
        label: what the items are called in messages (`items`).

    Raises:
        Fatal: of type `validation` when a value has the wrong type for the function.
    """
    if function in ("min", "max"):
        check_comparable(values, label, what="value")
    if function not in ("sum", "avg"):
        return
    for index, value in enumerate(values):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise Fatal(
                f"the value of `{label}[{index}]` is {name_type(value)}, not a number",
                type="validation",
                hint="convert it, as in `double(item.total)`; `data.parse_csv` reads numbers with `numbers: true`",
            )


def summarise(function: Function, values: Sequence[Json]) -> Json:
    """Return what checked values come to.

    As in SQL, null is left out of `sum`, `avg`, `min` and `max`; `count` counts what is neither null nor false; `first`, `last` and
    `collect` take every value. Of no values `sum` and `count` are 0, `collect` is empty and the others are null.

    Raises:
        Fatal: of type `validation` when a sum or an average is too large for a number.
    """
    return _BY_NAME[function](values)


def _count(values: Sequence[Json]) -> Json:
    return sum(1 for value in values if value is not None and value is not False)


def _sum(values: Sequence[Json]) -> Json:
    return _add(_present(values))


def _average(values: Sequence[Json]) -> Json:
    numbers = _present(values)
    try:
        return _add(numbers) / len(numbers) if numbers else None
    except OverflowError:
        raise _too_large() from None


def _smallest(values: Sequence[Json]) -> Json:
    return min(_present(values), default=None)


def _largest(values: Sequence[Json]) -> Json:
    return max(_present(values), default=None)


def _first(values: Sequence[Json]) -> Json:
    return values[0] if values else None


def _last(values: Sequence[Json]) -> Json:
    return values[-1] if values else None


def _collect(values: Sequence[Json]) -> Json:
    return list(values)


_BY_NAME: Final[dict[Function, Callable[[Sequence[Json]], Json]]] = {
    "count": _count,
    "sum": _sum,
    "avg": _average,
    "min": _smallest,
    "max": _largest,
    "first": _first,
    "last": _last,
    "collect": _collect,
}


def _present(values: Sequence[Json]) -> list[Any]:
    return [value for value in values if value is not None]


def _add(numbers: Sequence[int | float]) -> int | float:
    """Return the exact sum of whole numbers, and the correctly rounded sum when there are fractions (ten times 0.1 is 1.0)."""
    if all(isinstance(number, int) for number in numbers):
        return sum(numbers)
    try:
        return math.fsum(numbers)
    except OverflowError:
        raise _too_large() from None


def _too_large() -> Fatal:
    return Fatal("the sum of the values is too large for a number", type="validation", hint="divide the values first")
