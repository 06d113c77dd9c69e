"""The actions of `data` on lists: one expression, evaluated for each item.

Owns the actions' inputs, outputs and their checks. Order and identity are in `keys`, sums in `summary`, joining in `joining`.
Annotations are read at run time, so this module does without `from __future__ import annotations`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, cast

import trio
from typing_extensions import TypedDict

from ipaas.plugin import Context, Doc, Expr, Fatal, Json, JsonObject, Like, Names

from .connector import data
from .each import as_objects, evaluate_each, select_where
from .joining import Kind, list_pairs, merge_pairs, pair_up
from .keys import identity, order_by
from .summary import Function, check_values, summarise
from .work import work

Items = Annotated[list[Json], Doc("the list")]
SameItems = Annotated[list[Json], Like("items")]
"""A list whose items are of the type of those of the input `items`."""
ItemExpr = Annotated[Expr, Names(item=Like("items[]"), index=int)]
"""An expression over one item of the input `items`."""


@data.action(effect="read", pure=True, name="filter")
async def filter_items(
    ctx: Context,
    items: Items,
    where: Annotated[ItemExpr, Doc("true for the items that stay, as in `item.total > 100`")],
) -> SameItems:
    """Keep the items for which an expression is true."""
    return await select_where(where, items)


@data.action(effect="read", pure=True, name="map")
async def map_items(
    ctx: Context,
    items: Items,
    value: Annotated[ItemExpr | None, Doc("what each item becomes")] = None,
    fields: Annotated[dict[str, ItemExpr] | None, Doc("fields of the object that each item becomes, by name")] = None,
) -> list[Annotated[Json, Like("value", "fields")]]:
    """Make something of each item: a `value`, or an object with the given `fields`.

    Exactly one of the two is given. The list keeps its length and order.
    """
    if (value is None) == (fields is None):
        raise Fatal(
            "`data.map` takes either `value` or `fields`",
            type="validation",
            hint="`value: item.name`, or `fields: {name: item.name}`",
        )
    if value is not None:
        return await evaluate_each(value, items)
    return [*await _evaluate_fields(fields or {}, items)]


@data.action(effect="read", pure=True, name="sort")
async def sort_items(
    ctx: Context,
    items: Items,
    by: Annotated[
        ItemExpr | None, Doc("the sort key; a list is several keys, the first decides; default: the item itself")
    ] = None,
    descending: Annotated[bool | list[bool], Doc("largest first; a list is one answer for each key")] = False,
) -> SameItems:
    """Sort a list by one or more keys.

    The sort is stable, and null comes last in both directions. The keys at one position must all be numbers, all text or all booleans.
    """
    keys = items if by is None else await evaluate_each(by, items)
    order = await work(partial(order_by, keys, descending, "items"), len(keys))
    return [items[index] for index in order]


@dataclass(frozen=True, slots=True)
class Group:
    """The items that have one key in common."""

    key: Annotated[Json, Like("by")]
    count: int
    items: SameItems


@data.action(effect="read", pure=True)
async def group(
    ctx: Context,
    items: Items,
    by: Annotated[ItemExpr, Doc("the key; items with equal keys are one group")],
) -> list[Group]:
    """Part a list into groups: one `{key, count, items}` for each key, in the order in which the keys first come."""
    groups: dict[object, tuple[Json, list[Json]]] = {}
    for index, key in enumerate(await evaluate_each(by, items)):
        groups.setdefault(identity(key), (key, []))[1].append(items[index])
    return [Group(key, len(members), members) for key, members in groups.values()]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One function and the expression that gives its values. Exactly one is given."""

    count: Annotated[ItemExpr | None, Doc("how many are neither null nor false; `count: item` counts all")] = None
    sum: Annotated[ItemExpr | None, Doc("the sum; 0 for none")] = None
    avg: Annotated[ItemExpr | None, Doc("the arithmetic mean; null for none")] = None
    min: Annotated[ItemExpr | None, Doc("the smallest number or text; null for none")] = None
    max: Annotated[ItemExpr | None, Doc("the largest number or text; null for none")] = None
    first: Annotated[ItemExpr | None, Doc("the first value; null for none")] = None
    last: Annotated[ItemExpr | None, Doc("the last value; null for none")] = None
    collect: Annotated[ItemExpr | None, Doc("the list of all values")] = None

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def choose(self, name: str) -> tuple[Function, Expr]:
        """Return the one function that was given, with its expression."""
        given: list[tuple[Any, Expr]] = [
            (field.name, found) for field in fields(self) if isinstance(found := getattr(self, field.name), Expr)
        ]
        if len(given) != 1:
            listed = ", ".join(f"`{field.name}`" for field in fields(self))
            raise Fatal(
                f"`values.{name}` has {len(given)} functions, not one", type="validation", hint=f"write one of {listed}"
            )
        return given[0]


@data.action(effect="read", pure=True)
async def aggregate(
    ctx: Context,
    items: Items,
    values: Annotated[dict[str, Aggregation], Doc("what to work out, by name, as in `{total: {sum: item.price}}`")],
    group_by: Annotated[
        dict[str, ItemExpr] | None, Doc("keys by name: one result for each combination of them")
    ] = None,
) -> list[JsonObject] | JsonObject:
    """Work out counts, sums, averages and the like over a list.

    Without `group_by` the result is one object with the names of `values`. With it, a list of such objects, each with the keys in
    front, in the order in which they first come: ready for `data.format_csv` and `data.format_markdown_table`.
    Null is left out of `sum`, `avg`, `min` and `max`.
    """
    if clash := sorted(set(values) & set(group_by or {})):
        raise Fatal(f"`{clash[0]}` is in both `values` and `group_by`", type="validation", hint="rename one of them")
    columns: dict[str, tuple[Function, list[Json]]] = {}
    for name, aggregation in values.items():
        function, expression = aggregation.choose(name)
        column = await evaluate_each(expression, items)
        check_values(function, column, "items")
        columns[name] = (function, column)
    if group_by is None:
        return {name: summarise(function, column) for name, (function, column) in columns.items()}
    keys = await _evaluate_fields(group_by, items)
    members: dict[object, list[int]] = {}
    for index, key in enumerate(keys):
        members.setdefault(identity(key), []).append(index)
    rows: list[JsonObject] = []
    for indexes in members.values():
        await trio.lowlevel.checkpoint()
        found = {
            name: summarise(function, [column[index] for index in indexes])
            for name, (function, column) in columns.items()
        }
        rows.append({**keys[indexes[0]], **found})
    return rows


LeftExpr = Annotated[Expr, Names(item=Like("left[]"), index=int)]
RightExpr = Annotated[Expr, Names(item=Like("right[]"), index=int)]


class Pair(TypedDict):
    """Two items that belong together; null where one has no partner."""

    left: Annotated[Json, Like("left[]")] | None
    right: Annotated[Json, Like("right[]")] | None


Merged = Annotated[JsonObject, Like("left[]", "right[]")]
"""The fields of an item of each side."""


@data.action(effect="read", pure=True)
async def join(
    ctx: Context,
    left: Annotated[list[Json], Doc("one list")],
    right: Annotated[list[Json], Doc("the other list")],
    left_key: Annotated[LeftExpr, Doc("the key of an item of `left`, as in `item.customer_id`")],
    right_key: Annotated[RightExpr, Doc("the key of an item of `right`, as in `item.id`")],
    kind: Annotated[Kind, Doc("which items without a partner stay, too: none, those of one side, or all")] = "inner",
    result: Annotated[
        Literal["pairs", "merged"], Doc("`{left, right}`, or one object with the fields of both")
    ] = "pairs",
) -> list[Pair | Merged]:
    """Join two lists on equal keys.

    The order is that of `left`, and for each of its items that of `right`; items of `right` without a partner come last. A key that is
    null has no partner. The missing side of a pair is null. In a merged object the fields of `right` win.
    """
    if result == "merged":
        as_objects(left, "left")
        as_objects(right, "right")
    left_keys = await evaluate_each(left_key, left, "left")
    right_keys = await evaluate_each(right_key, right, "right")
    size = len(left) + len(right)
    pairs = await work(partial(pair_up, left_keys, right_keys, kind), size)
    combine: Any = merge_pairs if result == "merged" else list_pairs
    return cast("list[Pair | Merged]", await work(partial(combine, pairs, left, right), size))


@data.action(effect="read", pure=True)
async def unique(
    ctx: Context,
    items: Items,
    by: Annotated[ItemExpr | None, Doc("what must differ; default: the item itself")] = None,
) -> SameItems:
    """Keep the first of the items that are equal."""
    keys = items if by is None else await evaluate_each(by, items)
    seen: set[object] = set()
    kept: list[Json] = []
    for index, key in enumerate(keys):
        name = identity(key)
        if name not in seen:
            seen.add(name)
            kept.append(items[index])
    return kept


@data.action(effect="read", pure=True)
async def flatten(
    ctx: Context, items: Items, depth: Annotated[int, Doc("how many levels of lists are dissolved, at least 1")] = 1
) -> list[Annotated[Json, Like("items[*]")]]:
    """Replace each list within a list by its items. Items that are no lists stay."""
    _check_at_least_one("depth", depth)
    for _ in range(depth):
        if not any(isinstance(item, list) for item in items):
            break
        items = [inner for item in items for inner in (item if isinstance(item, list) else [item])]
    return items


@data.action(effect="read", pure=True)
async def chunk(
    ctx: Context, items: Items, size: Annotated[int, Doc("items in each part, at least 1")]
) -> list[SameItems]:
    """Cut a list into parts of `size` items; the last may be shorter."""
    _check_at_least_one("size", size)
    return [items[start : start + size] for start in range(0, len(items), size)]


async def _evaluate_fields(fields: Mapping[str, Expr], items: list[Json]) -> list[dict[str, Json]]:
    """Return one object for each item."""
    columns = {name: await evaluate_each(expression, items) for name, expression in fields.items()}
    return [{name: column[index] for name, column in columns.items()} for index in range(len(items))]


def _check_at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise Fatal(f"`{name}` is {value}, and must be at least 1", type="validation")
