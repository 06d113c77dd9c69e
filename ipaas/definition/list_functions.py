"""Functions on lists, objects and optional values: CEL's own, its optional-types extension, and the ones that integrations need.

Called through `functions`; those that take a key per item (`sort_by(list, x, x.total)`) get the list of keys from the evaluator.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.functions import describe
from ipaas.definition.number_functions import check_numbers
from ipaas.definition.text_functions import check_position
from ipaas.definition.values import (
    NOTHING,
    Budget,
    Failure,
    Optional,
    check_number,
    freeze,
    kind_of,
    name_kind,
)

if TYPE_CHECKING:
    from ipaas.definition.values import Value

MAX_RANGE: Final = 100_000
"""As many items as a loop may have."""

_SORTABLE: Final = frozenset({"bool", "number", "string", "timestamp", "duration"})


def list_keys(items: list[Value], path: str, budget: Budget) -> list[Value]:
    """Return what each item has at a path of field names: `customer.name`; null where it has nothing."""
    names = path.split(".")
    budget.spend(len(items) * len(names))
    keys: list[Value] = []
    for index, item in enumerate(items):
        key = item
        for name in names:
            if key is not None and not isinstance(key, dict):
                raise Failure(f"item {index} has no field `{name}`: it is {name_kind(kind_of(key))}", "check the path")
            key = None if key is None else key.get(name)
        keys.append(key)
    return keys


def sort_items(budget: Budget, items: list[Value], keys: list[Value] | None = None) -> list[Value]:
    """Return the items in rising order of their keys; equal ones keep their order, null keys come last."""
    keys = items if keys is None else keys
    kinds = dict.fromkeys(kind_of(key) for key in keys if key is not None)
    if len(kinds) > 1:
        first, second = list(kinds)[:2]
        raise Failure(
            f"`sort_by` cannot compare {name_kind(first)} with {name_kind(second)}",
            "make the keys alike: `sort_by(list, x, string(x.key))`",
        )
    if any(kind not in _SORTABLE for kind in kinds):
        raise Failure(
            f"`sort_by` cannot order by {name_kind(next(iter(kinds)))}", "give a key: `sort_by(list, x, x.name)`"
        )
    count = len(items)
    budget.spend(count * max(1, count.bit_length()))
    order = sorted((index for index in range(count) if keys[index] is not None), key=keys.__getitem__)
    return [items[index] for index in order] + [item for item, key in zip(items, keys, strict=True) if key is None]


def pick_unique(budget: Budget, items: list[Value], keys: list[Value] | None = None) -> list[Value]:
    """Return the first item of each key, in the order of the list."""
    found: dict[Any, Value] = {}
    for item, key in zip(items, items if keys is None else keys, strict=True):
        found.setdefault(freeze(key, budget), item)
    return list(found.values())


def add_up(budget: Budget, items: list[Value], keys: list[Value] | None = None) -> int | float:
    """Return the sum of numbers, whole when all are whole, else rounded once at the end; 0 for none."""
    numbers = check_numbers("sum", items if keys is None else keys)
    budget.spend(len(numbers))
    if all(isinstance(number, int) for number in numbers):
        return check_number(sum(numbers))
    try:
        return check_number(math.fsum(numbers))
    except OverflowError:
        raise Failure("the sum is not a finite number", "JSON has no infinity") from None


def _flatten(budget: Budget, items: list[Value]) -> list[Value]:
    budget.spend(sum(len(item) if isinstance(item, list) else 1 for item in items))
    return [inner for item in items for inner in (item if isinstance(item, list) else (item,))]


def _range(budget: Budget, start: float, end: float | None = None) -> list[int]:
    if start != int(start) or (end is not None and end != int(end)):
        raise Failure("`range` takes whole numbers", "round them with `int(x)`")
    first, last = (0, int(start)) if end is None else (int(start), int(end))
    if last - first > MAX_RANGE:
        raise Failure(f"`range` gives at most {MAX_RANGE:,} numbers", "take a smaller end")
    budget.spend(max(0, last - first))
    return list(range(first, last))


def _slice(_budget: Budget, items: list[Value], start: float, end: float | None = None) -> list[Value]:
    """A part may end behind the list: `slice(x, 0, 5)` is the first five, or all when there are fewer."""
    first = check_position(min(start, len(items)), len(items), "list")
    last = len(items) if end is None else check_position(min(end, len(items)), len(items), "list")
    return items[first:last]


def _merge(budget: Budget, *objects: dict[str, Value]) -> dict[str, Value]:
    made: dict[str, Value] = {}
    for each in objects:
        budget.spend(len(each))
        made |= each
    return made


def _first(_budget: Budget, items: list[Value]) -> Optional:
    return Optional(is_there=True, value=items[0]) if items else NOTHING


def _last(_budget: Budget, items: list[Value]) -> Optional:
    return Optional(is_there=True, value=items[-1]) if items else NOTHING


def _of_non_zero(_budget: Budget, value: Value) -> Optional:
    return Optional(is_there=True, value=value) if value else NOTHING


def _value(_budget: Budget, optional: Optional) -> Value:
    if not optional.is_there:
        raise Failure("the optional value is not there", "write `.orValue(x)` instead of `.value()`")
    return optional.value


FUNCTIONS: Final = (
    describe("size", "both", "string|list|map|bytes -> int", lambda _, value: len(value)),
    describe("sum", "both", "list -> number", add_up),
    describe("unique", "both", "list -> $0", pick_unique),
    describe("sort_by", "both", "list -> $0", sort_items),
    describe(
        "sum", "both", "list string -> number", lambda b, items, path: add_up(b, items, list_keys(items, path, b))
    ),
    describe(
        "unique", "both", "list string -> $0", lambda b, items, path: pick_unique(b, items, list_keys(items, path, b))
    ),
    describe(
        "sort_by", "both", "list string -> $0", lambda b, items, path: sort_items(b, items, list_keys(items, path, b))
    ),
    describe("flatten", "both", "list -> list", _flatten),
    describe("slice", "both", "list number number? -> $0", _slice),
    describe("range", "function", "number number? -> list", _range),
    describe("merge", "both", "map *map -> map", _merge),
    describe("first", "method", "list -> ?$0.item", _first),
    describe("last", "method", "list -> ?$0.item", _last),
    describe("optional.of", "function", "any -> ?$0", lambda _, value: Optional(is_there=True, value=value)),
    describe("optional.ofNonZeroValue", "function", "any -> ?$0", _of_non_zero),
    describe("optional.none", "function", "-> optional", lambda _: NOTHING),
    describe("hasValue", "method", "optional -> bool", lambda _, optional: optional.is_there),
    describe("value", "method", "optional -> $0.item", _value),
)
