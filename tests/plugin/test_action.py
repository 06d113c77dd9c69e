from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from ipaas.errors import Fatal, StepError
from ipaas.model import Deferred, Json, Place
from ipaas.plugin import Action, Context, Expr, ItemExpr, JsonObject, Name, Names, make_context
from ipaas.plugin import Json as AnyJson
from tests.plugin.test_signature import make


async def call(action: Action, inputs: Mapping[str, Any]) -> Any:
    return await action.run(make_context(action), inputs)


async def refuse(function: Callable[..., Any], inputs: Mapping[str, Any]) -> StepError:
    """Return the error that these inputs end in."""
    with pytest.raises(StepError) as caught:
        await call(make(function), inputs)
    return caught.value


class Page(TypedDict):
    next: Annotated[Expr, Names("page")]
    items: Annotated[Expr, Names("page")]
    max_pages: int


@dataclass
class Point:
    x: int
    label: str = "none"


class Shape(BaseModel):
    points: list[Point]
    made_at: datetime | None = None


class Summed:
    """A compiled expression that adds a number of its scope to its names."""

    place = Place("p.yaml")
    text = "item + inputs.more"

    def evaluate(self, scope: Mapping[str, Json]) -> Json:
        return sum(scope.values())  # type: ignore[arg-type]  # numbers, by construction


async def gather(
    ctx: Context,
    items: Annotated[list[AnyJson], Name("in")],
    *,
    count: Annotated[int, Field(ge=1)] = 1,
    ratio: float = 0.5,
    flag: bool = False,
    mode: Literal["a", "b"] = "a",
    point: Point | None = None,
    when: datetime | None = None,
    query: dict[str, str | int] = {},  # noqa: B006  # mutable on purpose: a call must not change it for the next
) -> AnyJson:
    """Return what came in, and spoil it."""
    answer: list[AnyJson] = [
        list(items),
        count,
        ratio,
        flag,
        mode,
        None if point is None else [point.x, point.label],
        dict(query),
    ]
    if when is not None:
        answer.append(when.astimezone(UTC).isoformat())
    items.append("spoilt")
    query["spoilt"] = 1
    return answer


async def test_inputs_arrive_converted() -> None:
    """JSON becomes what the signature says: dataclasses, times, literals, numbers."""
    inputs = {
        "in": [1],
        "count": 2,
        "ratio": 1,
        "point": {"x": 3},
        "when": "2025-01-01T01:00:00+01:00",
        "query": {"a": "b"},
    }
    assert await call(make(gather), inputs) == [
        [1], 2, 1.0, False, "a", [3, "none"], {"a": "b"}, "2025-01-01T00:00:00+00:00",
    ]  # fmt: skip


async def test_action_gets_its_own_copy() -> None:
    """What an action does to its inputs or to a default changes neither the caller's values nor the next call."""
    action, items = make(gather), [1, 2]
    first = await call(action, {"in": items})
    second = await call(action, {"in": items})
    assert (first, items) == (second, [1, 2])


async def test_whole_number_written_as_double_is_an_integer() -> None:
    """JSON has one kind of number: 5.0 is an integer where one is wanted, 5.5 and text are not."""
    assert (await call(make(gather), {"in": [], "count": 5.0}))[1] == 5
    assert (await call(make(gather), {"in": [], "query": {"a": 7.0}}))[6] == {"a": 7}
    assert (
        await refuse(gather, {"in": [], "count": 5.5})
    ).message == "input `count` must be a whole number, not a number"


@pytest.mark.parametrize(
    ("inputs", "message", "hint"),
    [
        ({}, "input `in` is required", ""),
        ({"in": "x"}, "input `in` must be a list, not text", ""),
        ({"in": [], "count": "5"}, "input `count` must be a whole number, not text", ""),
        ({"in": [], "count": True}, "input `count` must be a whole number, not true", ""),
        ({"in": [], "ratio": "1"}, "input `ratio` must be a number, not text", ""),
        ({"in": [], "flag": 1}, "input `flag` must be true or false, not a number", ""),
        ({"in": [], "count": 0}, "input `count` must be greater than or equal to 1", ""),
        ({"in": [], "mode": "c"}, "input `mode` must be 'a' or 'b'", ""),
        ({"in": [], "point": {"x": 1, "y": 2}}, "unknown input `point.y`", ""),
        ({"in": [], "point": {"x": None}}, "input `point.x` must be a whole number, not null", ""),
        ({"in": [], "cuont": 1}, "unknown input `cuont`", "did you mean `count`?"),
        ({"in": [], "ctx": 1}, "unknown input `ctx`", "known inputs: in, count, ratio, flag, mode, point, when, query"),
        ({"count": "5", "in": 0}, "input `in` must be a list, not a number; input `count` must be a whole number, not text", ""),
    ],
)  # fmt: skip
async def test_wrong_input_is_named(inputs: Mapping[str, Any], message: str, hint: str) -> None:
    """A wrong input is a validation error that names each input and what is expected, and shows no value."""
    error = await refuse(gather, inputs)
    assert (error.type, error.message, error.hint) == ("validation", message, hint)


async def select(
    ctx: Context,
    where: ItemExpr,
    named: dict[str, ItemExpr] | None = None,
    pages: Page | None = None,
) -> AnyJson:
    """Evaluate everything once."""
    answer: list[AnyJson] = [where(item=1, index=10)]
    answer += [expr(item=2, index=20) for expr in (named or {}).values()]
    if pages is not None:
        answer += [pages["next"](page=3), pages["items"](page=4), pages["max_pages"]]
    return answer


async def test_expressions_arrive_as_callables() -> None:
    """An expression reaches the action unevaluated, wherever it stands, bound to the step's scope and with its text."""
    more = Deferred(Summed(), {"more": 100})
    inputs = {
        "where": more,
        "named": {"a": more, "b": Expr(lambda item, **_: item)},
        "pages": {"next": more, "items": more, "max_pages": 2},
    }
    assert await call(make(select), inputs) == [111, 122, 2, 103, 104, 2]


async def test_expression_knows_its_text() -> None:
    """The action can name the expression in its own messages."""

    async def show(ctx: Context, where: ItemExpr) -> str:
        """Return the text."""
        return where.text

    assert await call(make(show), {"where": Deferred(Summed(), {})}) == "item + inputs.more"


@pytest.mark.parametrize("value", ["item > 1", None, 5, {"$expression": 0}])
async def test_data_is_never_an_expression(value: object) -> None:
    """Where an expression is wanted, text that came from data is refused and not evaluated."""
    error = await refuse(select, {"where": value})
    assert (error.type, error.message) == ("validation", "input `where`: expected an expression")


async def test_expression_is_never_data() -> None:
    """Text that looks like the token of an expression stays text."""

    async def echo(ctx: Context, text: str, where: ItemExpr) -> str:
        """Return the text."""
        return text

    assert await call(make(echo), {"text": "expression:0", "where": Expr(lambda **_: 1)}) == "expression:0"


async def test_connector_must_give_the_declared_names() -> None:
    """Evaluating an expression with other names than declared is the connector's bug."""

    async def wrong(ctx: Context, where: ItemExpr) -> AnyJson:
        """Forget the index."""
        return where(item=1)

    error = await refuse(wrong, {"where": Deferred(Summed(), {})})
    assert (error.type, error.message) == (
        "connector_bug",
        "the connector must evaluate `item + inputs.more` with `index`, `item`, and gave `item`",
    )


async def test_result_is_plain_json() -> None:
    """Dataclasses, models, times in models, and tuples come out as plain JSON."""

    async def shape(ctx: Context) -> Shape:
        """Return a shape."""
        return Shape(points=[Point(1)], made_at=datetime(2025, 1, 1, tzinfo=UTC))

    assert await call(make(shape), {}) == {"points": [{"x": 1, "label": "none"}], "made_at": "2025-01-01T00:00:00Z"}


async def test_result_is_a_copy() -> None:
    """What an action keeps of its result cannot change what the run has recorded."""
    kept: list[int] = [1]

    async def leak(ctx: Context) -> list[int]:
        """Return what it keeps."""
        return kept

    result = await call(make(leak), {})
    kept.append(2)
    assert result == [1]


class Message(TypedDict):
    id: str
    count: int


async def lies(ctx: Context) -> Message:
    """Return something else."""
    return {"id": 5, "count": 1}  # type: ignore[typeddict-item]  # the case under test


async def forgets(ctx: Context) -> Message:
    """Return less."""
    return {"id": "a"}  # type: ignore[typeddict-item]  # the case under test


async def returns_nothing(ctx: Context) -> Message:
    """Return nothing."""
    return None  # type: ignore[return-value]  # the case under test


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lies, "`id`: input should be a valid string"),
        (forgets, "`count`: field required"),
        (returns_nothing, "Input should be an object"),
    ],
)
async def test_connector_that_lies_is_a_bug(function: Callable[..., Any], found: str) -> None:
    """A result that the declaration rules out is the connector's bug, named with its place in the source."""
    error = await refuse(function, {})
    assert error.type == "connector_bug"
    assert error.message == f"`probe.{function.__name__}` returned what its own declaration rules out: {found}"
    assert error.hint.endswith(f"{__file__}:{function.__code__.co_firstlineno}")


async def test_declared_schema_is_checked() -> None:
    """A schema given as `output=` binds the result like an annotation does."""

    async def act(ctx: Context, value: AnyJson) -> AnyJson:
        """Return the value."""
        return value

    action = make(act, output={"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]})
    assert await call(action, {"value": {"id": "a"}}) == {"id": "a"}
    with pytest.raises(StepError, match=r"rules out: `id`: 5 is not of type 'string'"):
        await call(action, {"value": {"id": 5}})


async def test_errors_of_the_action_pass_through() -> None:
    """What an action raises reaches the host as it is."""
    raised = Fatal("no such channel")

    async def act(ctx: Context) -> None:
        """Fail."""
        raise raised

    with pytest.raises(Fatal) as caught:
        await call(make(act), {})
    assert caught.value is raised


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=15,
)


def same(first: object, second: object) -> bool:
    """Tell whether both are the same JSON, types of numbers included."""
    return repr(first) == repr(second)


@given(values=st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), JSON, max_size=4))
def test_any_json_goes_through_unchanged(values: Json) -> None:
    """Any JSON that goes in as `Json` comes out the same, integers and doubles kept apart."""
    from ipaas.plugin.action_inputs import read_inputs
    from ipaas.plugin.plain_json import to_plain_json
    from ipaas.plugin.signature import build_inputs

    async def echo(ctx: Context, value: JsonObject) -> AnyJson:
        """Return the value."""
        return value

    arguments = read_inputs(build_inputs(echo), {"value": values})
    assert same(to_plain_json(arguments["value"]), values)
