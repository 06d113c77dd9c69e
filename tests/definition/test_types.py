"""What is known of a value from the schema that it meets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.definition.json_schema import get_validator
from ipaas.definition.type_match import can_match
from ipaas.definition.types import ANYTHING, make_shape, unite
from ipaas.model import Json, Schema

TREE: Schema = {
    "$ref": "#/$defs/Node",
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "a text"),
        ({"type": ["string", "null"]}, "a text or null"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "a number or null"),
        ({"enum": ["a", 1]}, "a number or a text"),
        ({"const": True}, "a boolean"),
        ({"properties": {"a": {}}}, "an object"),
        ({"items": {"type": "string"}}, "a list"),
        ({"allOf": [{"type": ["string", "number"]}, {"type": ["number", "null"]}]}, "a number"),
        (TREE, "an object"),
    ],
)
def test_kinds_are_read_from_any_form_of_schema(schema: Schema, words: str) -> None:
    """Types, unions, constants, references and bare properties tell the kinds."""
    assert str(make_shape(schema)) == words


@pytest.mark.parametrize(
    "schema",
    [{}, {"title": "any"}, {"$ref": "#/nowhere"}, {"$ref": "https://example.com/x"}, {"anyOf": [{}, {"type": "null"}]}],
)
def test_what_says_nothing_is_anything(schema: Schema) -> None:
    """Without knowledge nothing is refused."""
    assert make_shape(schema).is_anything


@pytest.mark.parametrize(
    ("schema", "name", "found"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}}}, "a", "a text"),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, "b", None),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "number"}}, "b", "a number"),
        ({"type": "object", "additionalProperties": False}, "b", None),
        ({"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "string"}}}]}, "a", "a text"),
        ({"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "string"}}}]}, "b", None),
        (
            {"anyOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "number"}}}]},
            "b",
            "a number",
        ),
        ({"allOf": [{"properties": {"a": {}}}, {"properties": {"a": {"type": "string"}}}]}, "a", "a text"),
        ({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {"type": "string"}}}]}, "c", None),
    ],
)
def test_fields_are_found_or_known_to_be_missing(schema: Schema, name: str, found: str | None) -> None:
    """Declared fields have their type, an object that declares fields has no others unless it says so."""
    shape = make_shape(schema).find_field(name)
    assert (None if shape is None else str(shape)) == found


def test_objects_without_declared_fields_may_have_any() -> None:
    """An object of unknown fields gives anything."""
    shape = make_shape({"type": "object"}).find_field("x")
    assert shape is not None
    assert shape.is_anything


def test_references_are_followed_as_deep_as_a_path_goes() -> None:
    """A schema that contains itself is read lazily."""
    shape = make_shape(TREE)
    for _ in range(50):
        children = shape.find_field("children")
        assert children is not None
        shape = children.get_item()
    assert shape.list_fields() == ("name", "children")


def test_a_schema_that_refers_to_itself_only_is_anything() -> None:
    """A circle of references ends."""
    assert make_shape(
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    ).is_anything


def test_a_nested_schema_has_its_own_definitions() -> None:
    """An output that is embedded in another schema resolves its references in itself."""
    shape = make_shape({"type": "object", "properties": {"output": TREE}, "$defs": {"Node": {"type": "string"}}})
    output = shape.find_field("output")
    assert output is not None
    assert output.list_fields() == ("name", "children")


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 2.0]) | st.sampled_from(["a", "b"]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=8,
)
schemas = st.recursive(
    st.sampled_from(
        [
            {},
            {"type": "string"},
            {"type": "integer"},
            {"type": "number"},
            {"type": ["boolean", "null"]},
            {"enum": ["a", 1]},
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda item: {"type": "array", "items": item}),
        st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2).map(
            lambda found: {"type": "object", "properties": found, "additionalProperties": False}
        ),
        st.dictionaries(st.sampled_from(["a", "b"]), inner, min_size=1, max_size=2).map(
            lambda found: {"type": "object", "properties": found, "required": sorted(found)}
        ),
        st.lists(inner, min_size=1, max_size=2).map(lambda found: {"anyOf": found}),
    ),
    max_leaves=5,
)


@given(plain, schemas, schemas)
def test_a_refusal_is_certain(value: Json, given_schema: Schema, wanted: Schema) -> None:
    """A type is refused only when no value of it meets the wanted schema; empty lists, which fit any, are left aside."""
    if get_validator(given_schema).is_valid(value) and get_validator(wanted).is_valid(value):
        assert can_match(make_shape(given_schema), wanted, wanted)


@given(plain, schemas)
def test_the_schema_of_a_type_takes_every_value_of_it(value: Json, schema: Schema) -> None:
    """Reading a schema and writing it again loses no value."""
    if get_validator(schema).is_valid(value):
        assert get_validator(make_shape(schema).to_schema()).is_valid(value)
        assert get_validator(unite([make_shape(schema), make_shape({"type": "null"})]).to_schema()).is_valid(value)


def test_a_union_with_anything_is_anything() -> None:
    """One unknown alternative makes the whole unknown."""
    assert unite([make_shape({"type": "string"}), ANYTHING]).is_anything
