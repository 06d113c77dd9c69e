"""Large values go in and out like small ones, and the other runs go on while they are copied."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_json
from typing_extensions import TypedDict

from ipaas.errors import StepError
from ipaas.plugin import Context, Doc, Expr, ItemExpr, Json, JsonObject, Like, Name, make_context
from ipaas.plugin.plain_types import make_test
from ipaas.plugin.weight import LIGHT, is_light
from tests.plugin.test_action import call
from tests.plugin.test_signature import make

MANY = 3_000
EACH = Expr(lambda item, index: item + index == 1)
ROWS: list[Any] = [{"id": index, "tags": ["a"]} for index in range(MANY)]


class Row(TypedDict):
    id: int
    tags: list[str]
    note: NotRequired[str]


@dataclass
class Part:
    """As `data.group` returns it."""

    key: str
    rows: list[Row]


class Converted:
    """Tells in which thread it is made JSON, and can be held up there."""

    def __init__(self, go_on: threading.Event | None = None) -> None:
        self.thread = 0
        self.started = threading.Event()
        self._go_on = go_on

    def model_dump(self, **_: Any) -> str:
        self.thread = threading.get_ident()
        self.started.set()
        if self._go_on is not None:
            self._go_on.wait()
        return "converted"


async def spoil(
    ctx: Context,
    rows: Annotated[list[Json], Name("in")],
    limit: int,
    where: ItemExpr,
    more: JsonObject | None = None,
    typed: list[Row] | None = None,
) -> JsonObject:
    """Return what came in, and spoil it."""
    answer: dict[str, Any] = {
        "rows": list(rows),
        "limit": limit,
        "where": where(item=1, index=0),
        "more": more,
        "typed": typed,
    }
    rows.clear()
    return answer


async def test_a_large_input_arrives_like_a_small_one() -> None:
    """The action gets its own copy of it; names, conversions and expressions beside it are as ever."""
    rows = [dict(row) for row in ROWS]
    inputs: dict[str, Any] = {"in": rows, "limit": 5.0, "where": EACH, "typed": ROWS}
    answer = await call(make(spoil), inputs)
    assert answer == {"rows": ROWS, "limit": 5, "where": True, "more": None, "typed": ROWS}
    assert type(answer["limit"]) is int
    assert rows == ROWS


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"in": {"a": ROWS}}, "input `in` must be a list, not an object"),
        ({"in": [], "more": ROWS}, "input `more` must be an object, not a list"),
        ({"in": ROWS, "typed": [*ROWS, {"id": "x", "tags": []}]}, f"input `typed[{MANY}].id` must be a whole number, not text"),
        ({"in": ROWS, "unknown": 1}, "unknown input `unknown`"),
    ],
)  # fmt: skip
async def test_a_wrong_large_input_is_named(inputs: dict[str, Any], message: str) -> None:
    """What is wrong is said in the same words."""
    with pytest.raises(StepError) as caught:
        await call(make(spoil), {"limit": 1, "where": EACH, **inputs})
    assert (caught.value.type, caught.value.message) == ("validation", message)


async def test_any_names_may_be_large() -> None:
    """An action that takes whatever there is gets copies, too."""

    async def keep(ctx: Context, /, **values: Any) -> JsonObject:
        """Spoil the values and return them."""
        values["rows"].append(1)
        return values

    rows = [dict(row) for row in ROWS]
    assert await call(make(keep), {"rows": rows, "n": 1}) == {"rows": [*ROWS, 1], "n": 1}
    assert rows == ROWS


@pytest.mark.parametrize(("count", "others_ran"), [(1, False), (MANY, True)])
async def test_other_tasks_run_while_large_inputs_are_copied(count: int, others_ran: bool) -> None:
    """A large value lets the others have their turn before the action begins; a small one is not worth it."""
    seen: list[bool] = []
    turn = trio.Event()

    async def act(ctx: Context, rows: list[Json]) -> None:
        """Look whether somebody else had a turn."""
        seen.append(turn.is_set())

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def other() -> None:
            turn.set()

        await call(make(act), {"rows": ROWS[:count]})
    assert seen == [others_ran]


@pytest.mark.parametrize(("count", "is_here"), [(1, True), (MANY, False)])
async def test_a_large_result_is_made_json_in_a_thread(count: int, is_here: bool) -> None:
    """A small one is converted on the spot."""
    last = Converted()

    async def act(ctx: Context) -> Any:
        """Return many values."""
        return [*ROWS[:count], last]

    assert await call(make(act), {}) == [*ROWS[:count], "converted"]
    assert (last.thread == threading.get_ident()) is is_here


async def test_a_cancel_does_not_wait_for_a_large_result() -> None:
    """The step ends at once; the thread ends by itself and its result is dropped."""
    go_on = threading.Event()
    last = Converted(go_on)

    async def act(ctx: Context) -> Any:
        """Return many values, the last of which takes its time."""
        return [*ROWS, last]

    action = make(act)
    try:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def cancel() -> None:
                    await trio.to_thread.run_sync(last.started.wait)
                    scope.cancel()

                await action.run(make_context(action), {})
        assert scope.cancelled_caught
        assert not go_on.is_set()
    finally:
        go_on.set()


async def test_a_cancelled_step_does_not_begin() -> None:
    """A cancel while large inputs are copied ends the step before its action is called."""
    called: list[bool] = []

    async def act(ctx: Context, rows: list[Json]) -> None:
        """Act."""
        called.append(True)

    with trio.CancelScope() as scope:
        scope.cancel()
        await call(make(act), {"rows": ROWS})
    assert (scope.cancelled_caught, called) == (True, [])


async def parts(ctx: Context) -> list[Part]:
    """Return records."""
    return [Part("a", [*ROWS, {"id": 1.5, "tags": []}])]  # type: ignore[typeddict-item]  # the case under test


async def rows(ctx: Context) -> list[Row]:
    """Return records."""
    return [*ROWS, {"id": 1}]


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (parts, f"`[0].rows[{MANY}].id`: input should be a valid integer"),
        (rows, f"`[{MANY}].tags`: field required"),
    ],
)
async def test_a_wrong_large_result_is_a_bug(function: Callable[..., Any], found: str) -> None:
    """What the declaration rules out is found in the thread, too."""
    with pytest.raises(StepError) as caught:
        await call(make(function), {})
    assert caught.value.type == "connector_bug"
    assert caught.value.message.endswith(found)


@pytest.mark.parametrize(
    ("inputs", "light"),
    [
        ({}, True),
        ({"a": list(range(LIGHT - 1))}, True),
        ({"a": list(range(LIGHT))}, False),
        ({"a": [[0] * 100] * 100}, False),
        ({"a": {"b": [{"c": 0}] * LIGHT}}, False),
        ({"a": "x" * 100_000}, True),
        ({"a": "x" * 1_000_000}, False),
        ({"a": Expr(lambda: ROWS)}, True),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value),
)
def test_size_is_counted_no_further_than_needed(inputs: dict[str, Any], light: bool) -> None:
    """Nested values and long texts count; expressions, which are handed over, do not."""
    assert is_light(inputs) is light


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 2.0]) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "tags", "key", "rows", "x"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
SHAPED = st.fixed_dictionaries(
    {"id": st.integers() | VALUES, "tags": st.lists(st.text()) | VALUES}, optional={"note": st.text() | VALUES}
)
PLAIN: list[Any] = [
    Json,
    JsonObject,
    None,
    bool,
    int,
    float,
    str | None,
    list[Json],
    list[JsonObject],
    dict[str, str | float | None],
    Annotated[list[Annotated[Json, Like("x[]")]], Doc("rows")],
    Row,
    list[Row],
    list[Part],
    list[Row | JsonObject],
]


@given(
    value=VALUES
    | SHAPED
    | st.lists(SHAPED)
    | st.lists(st.fixed_dictionaries({"key": st.text(), "rows": st.lists(SHAPED)}))
)
@pytest.mark.parametrize("annotation", PLAIN, ids=str)
def test_the_quick_test_says_what_pydantic_says(annotation: Any, value: Json) -> None:
    """Whatever passes the quick test is valid, and whatever is valid passes it."""
    test = make_test(annotation, records=True)
    assert test is not None
    try:
        TypeAdapter(annotation).validate_json(to_json(value), strict=True)
        valid = True
    except ValidationError:
        valid = False
    # pydantic takes `2.0` for whole, which the quick test leaves to it
    assert test(value) is valid or (valid and b"2.0" in to_json(value))


class Limited(TypedDict):
    __pydantic_config__ = {"extra": "forbid"}  # type: ignore[misc]  # noqa: RUF012  # pydantic's way of saying so
    id: int


@dataclass
class Defaulted:
    id: int = 1


@pytest.mark.parametrize(
    ("annotation", "records"),
    [
        (Annotated[list[Json], Field(min_length=1)], True),
        (list[Annotated[int, Field(ge=1)]], True),
        (Limited, True),
        (Defaulted, True),
        (Expr, True),
        (Row, False),
        (list[Row], False),
        (dict[int, str], True),
        (tuple[int, int], True),
    ],
    ids=str,
)
def test_what_only_pydantic_can_tell_is_left_to_it(annotation: Any, records: bool) -> None:
    """Constraints, settings, defaults and conversions have no quick test; nor have records where they would be converted."""
    assert make_test(annotation, records=records) is None
