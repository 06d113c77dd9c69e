"""Values made up from schemas."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.definition.json_schema import Validator
from ipaas.engine.sample import make_sample, merge_schemas


@pytest.mark.parametrize(
    "schema, expected",
    [
        ({}, {}),
        ({"type": "string"}, "text"),
        ({"type": "string", "format": "date-time"}, "2026-01-01T12:00:00Z"),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "multipleOf": 4}, 4),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, 1.25),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "string"]}, "text"),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 7}, 7),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": "string", "default": "d", "examples": ["e"]}, "e"),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False}, ["text", 1]),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1}),
        ({"items": {"type": "string"}}, ["text"]),
        ({"minimum": 3}, 3),
        (
            {"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "integer"}}}]},
            {"a": "text", "b": 1},
        ),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "integer"}}}, 1),
        ({"$ref": "#/$defs/none"}, {}),
        ({"$ref": "https://example.com/schema"}, {}),
    ],
)
def test_the_plainest_value_that_fits(schema: dict[str, Any], expected: object) -> None:
    """What the author wrote comes first, then the plainest value of the type."""
    assert make_sample(schema) == expected


def test_returns_narrows_the_output() -> None:
    """Properties of both are there, and the narrower word about one wins."""
    output: dict[str, Any] = {
        "type": "object",
        "properties": {"status": {"type": "integer", "default": 200}, "body": {}},
        "required": ["status"],
    }
    returns: dict[str, Any] = {
        "properties": {"body": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}}}
    }
    assert make_sample(merge_schemas(output, returns)) == {"status": 200, "body": [{"id": "text"}]}


def test_a_schema_that_contains_itself_ends() -> None:
    """A tree is made up to some depth, and one that requires itself without end gives null there."""
    tree: dict[str, Any] = {
        "$ref": "#/$defs/t",
        "$defs": {"t": {"type": "object", "properties": {"next": {"$ref": "#/$defs/t"}}}},
    }
    endless: dict[str, Any] = {
        "$ref": "#/$defs/t",
        "$defs": {"t": {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/t"}}}},
    }
    circle: dict[str, Any] = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    assert "next" in str(make_sample(tree))
    assert "None" in str(make_sample(endless))
    assert make_sample(circle) == {}


def scalars() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": st.integers(0, 5), "maxLength": st.integers(5, 9)}),
        st.fixed_dictionaries({"type": st.just("integer")}, optional={"minimum": st.integers(-9, 5), "maximum": st.integers(5, 9)}),
        st.fixed_dictionaries({"type": st.just("number")}, optional={"exclusiveMinimum": st.integers(-9, 4), "exclusiveMaximum": st.integers(5, 9)}),
        st.fixed_dictionaries({"type": st.sampled_from(["integer", "number"]), "multipleOf": st.sampled_from([2, 5, 0.5, 3])}),
        st.fixed_dictionaries({"enum": st.lists(st.integers() | st.text(max_size=3), min_size=1, max_size=3)}),
        st.sampled_from([{"type": "string", "format": name} for name in ("date", "date-time", "time", "email", "ipv4", "ipv6", "uuid")]),
        st.just({"type": ["null", "boolean"]}),
        st.just({}),
    )  # fmt: skip


def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from("abc")
    return st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"minItems": st.integers(0, 3)}),
        st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(names, inner, max_size=3), "required": st.lists(names, unique=True, max_size=3)}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
    )  # fmt: skip


@given(schema=st.recursive(scalars(), nested, max_leaves=8))
def test_a_sample_meets_its_schema(schema: dict[str, Any]) -> None:
    """A law, for schemas made of types, bounds, formats, enums, lists, objects and unions."""
    assert Validator(schema).check(make_sample(schema)) == []
