import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from ipaas.plugin import Action, Expr, Fatal, StepError
from tests.plugins.bundled import DATA, JSON, SCALARS, Bench, each

QUAKES = json.loads((DATA / "usgs_all_week.geojson").read_text(encoding="utf-8"))["features"]
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
KEYS = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from([0.0, 1.0, "a", "b"])


def same(first: Any, second: Any) -> bool:
    """Whether two values are the same JSON; Python would say that 1 and true are."""
    return json.dumps(_plain(first), sort_keys=True) == json.dumps(_plain(second), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


async def test_filter_keeps_the_strong_quakes(act: Bench) -> None:
    """Of a real week of earthquakes, 39 have a magnitude of 5 and over, integers and fractions alike."""
    strong = each(lambda quake: quake["properties"]["mag"] is not None and quake["properties"]["mag"] >= 5)
    found = await act("data.filter", items=QUAKES, where=strong)
    assert (len(found), min(quake["properties"]["mag"] for quake in found)) == (39, 5)


async def test_filter_refuses_what_is_neither_true_nor_false(act: Bench) -> None:
    """A condition that gives a number is an error that names the item, not a guess."""
    with pytest.raises(Fatal, match=r"`where` gave a number for `items\[1\]`, not true or false") as caught:
        await act("data.filter", items=[True, 0], where=each(lambda item: item))
    assert caught.value.type == "expression"


async def test_a_failing_expression_names_the_item(act: Bench) -> None:
    """What goes wrong for one item of many says for which, and keeps its type and hint."""

    def price(item: Any) -> Any:
        if item == "b":
            raise StepError("no field `price`", type="expression", hint="did you mean `prize`?")
        return item

    with pytest.raises(StepError, match=r"items\[1\]: no field `price`") as caught:
        await act("data.map", items=["a", "b"], value=each(price))
    assert (caught.value.type, caught.value.hint) == ("expression", "did you mean `prize`?")


async def test_map_makes_a_value_or_an_object(act: Bench) -> None:
    """`value` gives one thing for each item, `fields` an object; `index` counts from 0."""
    assert await act("data.map", items=["a", "b"], value=Expr(lambda item, index: f"{index}{item}")) == ["0a", "1b"]
    fields = {"name": each(lambda item: item["n"]), "twice": each(lambda item: item["n"] * 2)}
    assert await act("data.map", items=[{"n": 1}, {"n": 2}], fields=fields) == [
        {"name": 1, "twice": 2},
        {"name": 2, "twice": 4},
    ]


async def test_map_takes_exactly_one_of_value_and_fields(act: Bench) -> None:
    """Both or neither is a mistake."""
    for inputs in ({}, {"value": each(str), "fields": {}}):
        with pytest.raises(Fatal, match="takes either `value` or `fields`"):
            await act.run("data.map", {"items": [1], **inputs})


async def test_sort_by_several_keys(act: Bench) -> None:
    """A list is several keys, each with its direction, ties in their old order, null last in both."""
    items = [{"a": 1, "b": 1}, {"a": None, "b": 9}, {"a": 2, "b": 1}, {"a": 1.0, "b": 2}, {"a": 2, "b": 1, "c": 0}]
    by = each(lambda item: [item["a"], item["b"]])
    order = await act("data.sort", items=items, by=by, descending=[False, True])
    assert order == [items[3], items[0], items[2], items[4], items[1]]
    order = await act("data.sort", items=items, by=by, descending=True)
    assert order == [items[2], items[4], items[3], items[0], items[1]]


async def test_sort_of_text_is_by_code_point(act: Bench) -> None:
    """Without `by` the items are their own keys; text is sorted as every database does that knows no language."""
    assert await act("data.sort", items=["b", "Z", "é", "a"]) == ["Z", "a", "b", "é"]


@pytest.mark.parametrize(
    ("keys", "descending", "message"),
    [
        (
            [1, "a"],
            False,
            r"the sort key of `items\[1\]` is text, that of `items\[0\]` is a number: they cannot be compared",
        ),
        ([None, True, 1], False, r"`items\[2\]` is a number, that of `items\[1\]` is a boolean"),
        ([{}], False, r"the sort key of `items\[0\]` is an object, which has no order"),
        ([[1, [2]]], False, r"the sort key of `items\[0\]` is a list, which has no order"),
        ([[1, 2], [1]], False, r"the sort key of `items\[1\]` is a list of 1, that of `items\[0\]` is a list of 2"),
        ([[1], 1], False, r"the sort key of `items\[1\]` is a number, that of `items\[0\]` is a list of 1"),
        ([[1, 2]], [True], r"`descending` has 1 entries, the sort key has 2 parts"),
    ],
)
async def test_sort_refuses_keys_that_cannot_be_compared(
    act: Bench, keys: list[Any], descending: Any, message: str
) -> None:
    """Keys of different kinds are an error that names both items: no order of them would be what was meant."""
    with pytest.raises(Fatal, match=message) as caught:
        await act("data.sort", items=keys, by=each(lambda item: item), descending=descending)
    assert caught.value.type == "validation"


@given(items=st.lists(st.tuples(st.none() | NUMBERS, st.integers())), descending=st.booleans())
async def test_sort_is_a_stable_sort(
    actions: Mapping[str, Action], items: list[tuple[Any, int]], descending: bool
) -> None:
    """Sorting by a key gives the same items in the order of the standard library's stable sort, null last."""
    rows = [list(item) for item in items]
    found = await Bench(actions)("data.sort", items=rows, by=each(lambda item: item[0]), descending=descending)
    present = sorted((row for row in rows if row[0] is not None), key=lambda row: row[0], reverse=descending)
    assert found == present + [row for row in rows if row[0] is None]


async def test_group_gives_key_count_and_items(act: Bench) -> None:
    """Groups come in the order of their first item; `1` and `1.0` are one key, `true` and null are others."""
    items = [1, True, 1.0, None, "1"]
    assert await act("data.group", items=items, by=each(lambda item: item)) == [
        {"key": 1, "count": 2, "items": [1, 1.0]},
        {"key": True, "count": 1, "items": [True]},
        {"key": None, "count": 1, "items": [None]},
        {"key": "1", "count": 1, "items": ["1"]},
    ]


@given(items=st.lists(JSON, max_size=12))
async def test_groups_part_the_list(actions: Mapping[str, Action], items: list[Any]) -> None:
    """Every item is in exactly one group, with all that have the same key, whatever the key is."""
    groups = await Bench(actions)("data.group", items=items, by=each(lambda item: item))
    assert sum(group["count"] for group in groups) == len(items)
    assert all(len(group["items"]) == group["count"] for group in groups)
    assert all(same(group["key"], item) for group in groups for item in group["items"])
    assert not any(same(first["key"], second["key"]) for i, first in enumerate(groups) for second in groups[:i])


@given(items=st.lists(JSON, max_size=12))
async def test_unique_keeps_the_first_of_each(actions: Mapping[str, Action], items: list[Any]) -> None:
    """`unique` is the first item of each group, in order."""
    bench = Bench(actions)
    groups = await bench("data.group", items=items, by=each(lambda item: item))
    assert await bench("data.unique", items=items) == [group["items"][0] for group in groups]


async def test_unique_by_a_key(act: Bench) -> None:
    """With `by`, items that share the key are equal."""
    items = [{"id": 1, "v": "old"}, {"id": 1.0, "v": "new"}, {"id": 2}]
    assert await act("data.unique", items=items, by=each(lambda item: item["id"])) == [items[0], items[2]]


async def test_aggregate_over_all(act: Bench) -> None:
    """Without `group_by` the output is one object; null counts for `first`, `last` and `collect` only."""
    values = {
        name: {name: each(lambda item: item)}
        for name in ("count", "sum", "avg", "min", "max", "first", "last", "collect")
    }
    assert await act("data.aggregate", items=[None, 3, 1.5, None], values=values) == {
        "count": 2,
        "sum": 4.5,
        "avg": 2.25,
        "min": 1.5,
        "max": 3,
        "first": None,
        "last": None,
        "collect": [None, 3, 1.5, None],
    }
    assert await act("data.aggregate", items=[], values=values) == {
        "count": 0,
        "sum": 0,
        "avg": None,
        "min": None,
        "max": None,
        "first": None,
        "last": None,
        "collect": [],
    }


async def test_aggregate_by_keys(act: Bench) -> None:
    """With `group_by` the output is one flat row for each combination of keys: the monthly rain of Seattle."""
    lines = [line.split(",") for line in (DATA / "seattle-weather.csv").read_text().splitlines()[1:]]
    days: list[dict[str, Any]] = [{"date": line[0], "rain": float(line[1])} for line in lines]
    rows = await act(
        "data.aggregate",
        items=days,
        values={"rain": {"sum": each(lambda day: day["rain"])}, "days": {"count": each(lambda day: day["rain"] > 0)}},
        group_by={"year": each(lambda day: day["date"][:4]), "month": each(lambda day: day["date"][5:7])},
    )
    assert len(rows) == 48
    assert rows[0] == {"year": "2012", "month": "01", "rain": 173.3, "days": 22}
    assert sum(row["days"] for row in rows) == sum(day["rain"] > 0 for day in days)


async def test_sums_are_exact(act: Bench) -> None:
    """Ten times 0.1 is 1, and large whole numbers keep their digits."""
    for items, total in (([0.1] * 10, 1.0), ([2**60, 1, 2**60], 2**61 + 1)):
        found = await act("data.aggregate", items=items, values={"n": {"sum": each(lambda item: item)}})
        assert found == {"n": total}


@pytest.mark.parametrize(
    ("items", "values", "message"),
    [
        ([1, "2"], {"n": {"sum": each(lambda item: item)}}, r"the value of `items\[1\]` is text, not a number"),
        ([True], {"n": {"avg": each(lambda item: item)}}, r"the value of `items\[0\]` is a boolean, not a number"),
        (
            [1, "2"],
            {"n": {"max": each(lambda item: item)}},
            r"the value of `items\[1\]` is text, that of `items\[0\]` is a number",
        ),
        ([1e308, 1e308], {"n": {"sum": each(lambda item: item)}}, "too large for a number"),
        ([1e308, 1e308], {"n": {"avg": each(lambda item: item)}}, "too large for a number"),
        ([10**400], {"n": {"avg": each(lambda item: item)}}, "too large for a number"),
        ([1], {"n": {}}, "`values.n` has 0 functions, not one"),
        ([1], {"n": {"sum": each(str), "max": each(str)}}, "`values.n` has 2 functions, not one"),
        ([1], {"n": {"total": each(str)}}, "`values.n.total`"),
    ],
)
async def test_aggregate_says_what_does_not_add_up(act: Bench, items: list[Any], values: Any, message: str) -> None:
    """Values of the wrong type, sums beyond all numbers, and none or two functions are errors that name the item or the value."""
    with pytest.raises(StepError, match=message) as caught:
        await act("data.aggregate", items=items, values=values)
    assert caught.value.type == "validation"


async def test_aggregate_refuses_one_name_for_two_things(act: Bench) -> None:
    """A key and a value of one name would overwrite each other."""
    with pytest.raises(Fatal, match="`a` is in both `values` and `group_by`"):
        await act("data.aggregate", items=[], values={"a": {"sum": each(str)}}, group_by={"a": each(str)})


ORDERS = [
    {"id": "o1", "customer": 1},
    {"id": "o2", "customer": 2},
    {"id": "o3", "customer": None},
    {"id": "o4", "customer": 1},
]
CUSTOMERS = [{"id": 1, "name": "Ada"}, {"id": 3, "name": "Bob"}, {"id": None, "name": "nobody"}]


async def join(act: Bench, **inputs: Any) -> Any:
    keys = {"left_key": each(lambda order: order["customer"]), "right_key": each(lambda customer: customer["id"])}
    return await act.run("data.join", {"left": ORDERS, "right": CUSTOMERS, **keys, **inputs})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("inner", [(0, 0), (3, 0)]),
        ("left", [(0, 0), (1, None), (2, None), (3, 0)]),
        ("right", [(0, 0), (3, 0), (None, 1), (None, 2)]),
        ("full", [(0, 0), (1, None), (2, None), (3, 0), (None, 1), (None, 2)]),
    ],
)
async def test_join_pairs_equal_keys(act: Bench, kind: str, expected: list[tuple[int | None, int | None]]) -> None:
    """Each kind of join keeps the lonely items of its side; null is nobody's partner."""
    pairs = [
        {"left": None if a is None else ORDERS[a], "right": None if b is None else CUSTOMERS[b]} for a, b in expected
    ]
    assert await join(act, kind=kind) == pairs


async def test_join_can_merge(act: Bench) -> None:
    """Merged rows have the fields of both, the right side's where both have one."""
    assert await join(act, kind="left", result="merged") == [
        {"id": 1, "customer": 1, "name": "Ada"},
        {"id": "o2", "customer": 2},
        {"id": "o3", "customer": None},
        {"id": 1, "customer": 1, "name": "Ada"},
    ]
    with pytest.raises(Fatal, match=r"`right\[0\]` is a number, not an object"):
        await act("data.join", left=[], right=[1], left_key=each(str), right_key=each(str), result="merged")


@given(left=st.lists(KEYS, max_size=8), right=st.lists(KEYS, max_size=8))
async def test_joins_agree_with_each_other(actions: Mapping[str, Action], left: list[Any], right: list[Any]) -> None:
    """An inner join is the product by equal keys; the outer ones add each lonely item once."""
    bench, found = Bench(actions), {}
    for kind in ("inner", "left", "right", "full"):
        keys = {"left_key": each(lambda item: item[1]), "right_key": each(lambda item: item[1])}
        sides = {"left": [[i, key] for i, key in enumerate(left)], "right": [[i, key] for i, key in enumerate(right)]}
        pairs = await bench.run("data.join", {**sides, **keys, "kind": kind})
        found[kind] = Counter((pair["left"] and pair["left"][0], pair["right"] and pair["right"][0]) for pair in pairs)
    product: list[tuple[int | None, int | None]] = [
        (i, j) for i, a in enumerate(left) for j, b in enumerate(right) if a is not None and same(a, b)
    ]
    lonely_left: list[tuple[int | None, int | None]] = [
        (i, None) for i in range(len(left)) if i not in {a for a, _ in product}
    ]
    lonely_right: list[tuple[int | None, int | None]] = [
        (None, j) for j in range(len(right)) if j not in {b for _, b in product}
    ]
    assert found["inner"] == Counter(product)
    assert found["left"] == Counter(product + lonely_left)
    assert found["right"] == Counter(product + lonely_right)
    assert found["full"] == Counter(product + lonely_left + lonely_right)


async def test_join_refuses_to_explode(act: Bench) -> None:
    """Two thousand by two thousand items of one key are refused before the memory is gone."""
    same_key = [0] * 2000
    with pytest.raises(StepError, match="more than 1000000 pairs") as caught:
        await act(
            "data.join",
            left=same_key,
            right=same_key,
            left_key=each(lambda item: item),
            right_key=each(lambda item: item),
        )
    assert caught.value.type == "limit_exceeded"


@given(
    items=st.lists(SCALARS | st.lists(SCALARS | st.lists(SCALARS, max_size=3), max_size=3), max_size=6),
    size=st.integers(1, 7),
)
async def test_flatten_undoes_chunk(actions: Mapping[str, Action], items: list[Any], size: int) -> None:
    """Parts have the size asked for, and flattened they are the list again."""
    bench = Bench(actions)
    parts = await bench("data.chunk", items=items, size=size)
    assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1 if parts else 0)
    assert await bench("data.flatten", items=parts) == items


async def test_flatten_goes_as_deep_as_told(act: Bench) -> None:
    """Each level of `depth` dissolves one level of lists; what is no list stays."""
    items = [1, [2, [3, [4]]], [], {"a": [5]}]
    assert await act("data.flatten", items=items) == [1, 2, [3, [4]], {"a": [5]}]
    assert await act("data.flatten", items=items, depth=9) == [1, 2, 3, 4, {"a": [5]}]
    for action, name in (("flatten", "depth"), ("chunk", "size")):
        with pytest.raises(Fatal, match=f"`{name}` is 0, and must be at least 1"):
            await act.run(f"data.{action}", {"items": items, name: 0})


async def test_a_long_list_does_not_stop_the_others(act: Bench) -> None:
    """While 100 000 items are mapped, another task gets its turn hundreds of times."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        found = await act("data.map", items=list(range(100_000)), value=each(lambda item: item + 1))
        nursery.cancel_scope.cancel()
    assert (found[-1], turns > 400) == (100_000, True)


async def test_a_cancel_ends_a_long_list(act: Bench) -> None:
    """A cancel reaches an action in the middle of its list."""
    seen: list[int] = []
    with trio.CancelScope() as scope:

        def stop(item: int) -> int:
            seen.append(item)
            scope.cancel()
            return item

        await act("data.map", items=list(range(100_000)), value=each(stop))
    assert (scope.cancelled_caught, len(seen) < 1000) == (True, True)
