import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from ipaas.errors import PluginError
from ipaas.plugin import Action, Connector, Context, Doc, Expr, ItemExpr, Json, JsonObject, Name, Names

if TYPE_CHECKING:
    from decimal import Decimal


def make(function: Callable[..., Any], **options: Any) -> Action:
    """Return the function as an action."""
    connector = Connector("probe", description="for tests")
    connector.action(effect="read", **options)(function)
    return connector.actions[0]


def schema_of(annotation: Any) -> Any:
    """Return the schema of one input of that type."""

    async def act(ctx: Context, value: Any) -> None:
        """Act."""

    act.__annotations__["value"] = annotation
    schema: Any = make(act).spec.input_schema
    Draft202012Validator.check_schema(schema)
    json.dumps(schema)
    return {**schema["properties"]["value"], **({"$defs": schema["$defs"]} if "$defs" in schema else {})}


class Pages(TypedDict):
    """How to page."""

    next: Annotated[Expr, Names("page")]
    max_pages: NotRequired[int]


@dataclass
class Point:
    x: int
    title: str = ""


class Model(BaseModel):
    size: float


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Json, {}),
        (JsonObject, {"type": "object", "additionalProperties": True}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Literal["a", "b"], {"enum": ["a", "b"], "type": "string"}),
        (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (datetime, {"type": "string", "format": "date-time"}),
        (Annotated[int, Field(ge=1, le=9)], {"type": "integer", "minimum": 1, "maximum": 9}),
        (Annotated[str, Doc("a channel")], {"type": "string", "description": "a channel"}),
        (Annotated[Expr, Names("page")], {"type": "string", "x-ipaas-expression": ["page"]}),
        (Expr, {"type": "string", "x-ipaas-expression": []}),
        (
            dict[str, ItemExpr],
            {
                "type": "object",
                "additionalProperties": {
                    "type": "string",
                    "x-ipaas-expression": ["item", "index"],
                    "x-ipaas-names": {"index": {"type": "integer"}},
                },
            },
        ),
        (
            Point,
            {
                "$ref": "#/$defs/Point",
                "$defs": {
                    "Point": {
                        "type": "object",
                        "properties": {"x": {"type": "integer"}, "title": {"type": "string", "default": ""}},
                        "required": ["x"],
                        "additionalProperties": False,
                    }
                },
            },
        ),
    ],
    ids=str,
)
def test_type_becomes_its_schema(annotation: Any, schema: Any) -> None:
    """Each supported type has the schema that a reader of JSON Schema expects, without derived titles."""
    assert schema_of(annotation) == schema


def test_typed_dict_is_closed_and_described() -> None:
    """A TypedDict among the inputs refuses unknown keys, keeps its docstring, and may hold expressions."""
    assert schema_of(Pages)["$defs"]["Pages"] == {
        "type": "object",
        "description": "How to page.",
        "properties": {"next": {"type": "string", "x-ipaas-expression": ["page"]}, "max_pages": {"type": "integer"}},
        "required": ["next"],
        "additionalProperties": False,
    }


def test_defaults_make_inputs_optional() -> None:
    """An input is required when it has no default; defaults stand in the schema; keyword-only is the same."""

    async def act(ctx: Context, first: str, second: int = 3, *, third: list[str] | None = None, fourth: str) -> None:
        """Act."""

    schema: Any = make(act).spec.input_schema
    assert (schema["required"], schema["additionalProperties"]) == (["first", "fourth"], False)
    assert (schema["properties"]["second"]["default"], schema["properties"]["third"]["default"]) == (3, None)


def test_inputs_may_have_names_that_python_refuses() -> None:
    """`Name` gives the input its name in files; names of pydantic's own attributes are no problem either."""

    async def act(ctx: Context, items: Annotated[list[Json], Name("in")], json: Json = None, copy: str = "") -> None:
        """Act."""

    assert list(make(act).spec.input_schema["properties"]) == ["in", "json", "copy"]  # type: ignore[arg-type]  # an object


def test_docstring_is_summary_and_description() -> None:
    """The first line is the summary, the whole is the description."""

    async def act(ctx: Context) -> None:
        """Post a message.

        Returns its timestamp.
        """

    spec = make(act).spec
    assert (spec.summary, spec.description) == ("Post a message.", "Post a message.\n\nReturns its timestamp.")


def test_return_annotation_is_the_output_schema() -> None:
    """What the function returns is the output's schema; without an annotation it is anything."""

    async def typed(ctx: Context) -> list[Point]:
        """Act."""
        return []

    async def untyped(ctx: Context):  # type: ignore[no-untyped-def]  # the case under test
        """Act."""

    async def declared(ctx: Context) -> Json:
        """Act."""

    output: Any = make(typed).spec.output_schema
    assert (output["type"], output["items"], sorted(output["$defs"]["Point"]["properties"])) == (
        "array",
        {"$ref": "#/$defs/Point"},
        ["title", "x"],
    )
    assert make(untyped).spec.output_schema == {}
    assert make(declared, output={"type": "string"}).spec.output_schema == {"type": "string"}


def test_context_may_be_imported_for_type_checkers_only() -> None:
    """The context's annotation is never resolved."""

    async def act(ctx: "Nowhere", text: str) -> None:  # type: ignore[name-defined]  # noqa: F821  # the case under test
        """Act."""

    assert list(make(act).spec.input_schema["properties"]) == ["text"]  # type: ignore[arg-type]  # an object


async def takes_star(ctx: Context, *items: str) -> None:
    """Act."""


async def takes_stars(ctx: Context, text: str, **rest: str) -> None:
    """Act."""


async def takes_positional(ctx: Context, text: str, /) -> None:
    """Act."""


async def untyped(ctx: Context, text) -> None:  # type: ignore[no-untyped-def]  # the case under test
    """Act."""


async def contextless() -> None:
    """Act."""


def blocking(ctx: Context) -> None:
    """Act."""


async def generating(ctx: Context):  # type: ignore[no-untyped-def]  # the case under test
    """Act."""
    yield 1


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (takes_star, "has the parameter `*items`, which cannot be given by name"),
        (takes_stars, "has the parameter `**rest`, which cannot be given by name"),
        (takes_positional, "has the parameter `text`, which cannot be given by name"),
        (untyped, "has the parameter `text` without a type"),
        (contextless, "takes no context"),
        (blocking, "is not an `async def` function"),
        (generating, "is not an `async def` function"),
    ],
)
def test_impossible_signature_is_refused_at_decoration(function: Callable[..., Any], message: str) -> None:
    """A function that cannot be an action is refused when it is decorated, with file, line and cure."""
    with pytest.raises(PluginError) as caught:
        make(function)
    line = function.__code__.co_firstlineno
    assert caught.value.message == f"{__file__}:{line}: action `probe.{function.__name__}` {message}"
    assert caught.value.hint


class Opaque:
    """A type that no JSON Schema describes."""


async def takes_opaque(ctx: Context, text: str, what: Opaque) -> None:
    """Act."""


async def returns_opaque(ctx: Context) -> Opaque:
    """Act."""
    return Opaque()


async def takes_unknown(ctx: Context, amount: "Decimal") -> None:
    """Act."""


async def misplaces_names(ctx: Context, where: Annotated[Expr | None, Names("item")] = None) -> None:
    """Act."""


async def doubles_name(ctx: Context, one: Annotated[str, Name("in")], two: Annotated[str, Name("in")]) -> None:
    """Act."""


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (takes_opaque, "has the parameter `what` of a type that has no JSON Schema"),
        (returns_opaque, "returns a type that has no JSON Schema"),
        (takes_unknown, "has an annotation that names `Decimal`, which its module does not define at run time"),
        (
            misplaces_names,
            "has the parameter `where` of a type that has no JSON Schema: `Names` must stand directly on `Expr`",
        ),
        (doubles_name, "has two inputs named `in`"),
    ],
)
def test_impossible_type_is_refused_with_its_parameter(function: Callable[..., Any], message: str) -> None:
    """A type without a JSON Schema is refused when the schema is needed, naming file, line and parameter."""
    action = make(function)
    with pytest.raises(PluginError) as caught:
        _ = action.spec
    assert f"{__file__}:{function.__code__.co_firstlineno}: action `probe.{function.__name__}`" in caught.value.message
    assert message in caught.value.message
    assert caught.value.hint
