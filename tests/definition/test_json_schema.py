from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ipaas.definition.findings import show_path
from ipaas.definition.json_schema import Validator, get_validator
from ipaas.definition.schema_check import find_schema_faults

ORDERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "uniqueItems": True},
        "state": {"enum": ["open", "closed"]},
        "owner": {
            "anyOf": [
                {"type": "null"},
                {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
            ]
        },
    },
    "required": ["items"],
    "additionalProperties": False,
    "$defs": {"item": {"type": "object", "properties": {"total": {"type": "number"}}}},
}


@pytest.mark.parametrize(
    "value, messages",
    [
        ({"items": []}, []),
        ({"items": [{}, {"total": "x"}]}, ["`items[1].total`: `x` is not of type `number`"]),
        ({}, ["`items` is missing"]),
        ({"items": [], "stat": 1}, ["`stat` is not known"]),
        ({"items": [], "state": "opn"}, ["`state`: `opn` is not one of `open`, `closed`"]),
        ({"items": [], "owner": {"name": 3}}, ["`owner.name`: `3` is not of type `string`"]),
        ({"items": [], "owner": 3}, ["`owner`: `3` is not of type `null` or `object`"]),
        ({"items": [{"total": 1}, {"total": 1.0}]}, ["`items`: has the same item twice"]),
        ([], ["`[]` is not of type `object`"]),
    ],
)
def test_messages_name_the_place_and_the_matter(value: Any, messages: list[str]) -> None:
    """Each way of not fitting is one plain sentence with the path of the value."""
    assert Validator(ORDERS).check(value) == messages


def test_a_nearest_name_is_offered_for_an_unknown_key() -> None:
    """The finding of an unknown key carries the hint."""
    findings = Validator(ORDERS).find({"items": [], "stat": 1})
    assert [finding.hint for finding in findings] == ["did you mean `state`?"]


def test_schemas_of_the_same_content_share_a_validator() -> None:
    """The order of keys does not matter to the cache."""
    assert get_validator({"type": "string", "title": "a"}) is get_validator({"title": "a", "type": "string"})


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}] * 2}}}]
)
def test_a_schema_that_refers_to_itself_without_end_is_a_finding(schema: dict[str, Any]) -> None:
    """Neither a loop of references nor their multiplication runs away."""
    assert Validator(schema).check(1) == ["the schema refers to itself too often to be checked"]


def test_a_remote_reference_is_not_followed() -> None:
    """A reference that leaves the schema is a finding, and nothing is fetched."""
    assert Validator({"$ref": "https://example.com/s.json"}).check(1) == [
        "the schema refers to `https://example.com/s.json`, which is not in it"
    ]


def test_a_pattern_that_backtracks_without_end_elsewhere_is_answered() -> None:
    """Patterns run in linear time: this one would need 2**60 steps in a backtracking engine."""
    assert Validator({"pattern": "^(a+)+$"}).check("a" * 60 + "!") == [
        f"`{'a' * 39}…` does not match the pattern `^(a+)+$`"
    ]


def test_a_long_list_of_wrong_items_stops_early() -> None:
    """Twenty messages are enough."""
    assert len(Validator({"items": {"type": "string"}}).check(list(range(100)))) == 20


@pytest.mark.parametrize(
    "format, good, bad",
    [
        ("date", "2026-02-28", "2026-02-30"),
        ("date-time", "2026-02-28T10:00:00Z", "2026-02-28T10:00:00"),
        ("time", "10:00:00", "25:00"),
        ("email", "a@b.example", "a@b@c"),
        ("ipv4", "127.0.0.1", "127.0.0.256"),
        ("ipv6", "::1", ":::1"),
        ("uuid", "12345678-1234-5678-1234-567812345678", "12345678"),
    ],
)
def test_formats_are_checked(format: str, good: str, bad: str) -> None:
    """The formats of the documentation are checked, for text only."""
    validator = Validator({"format": format})
    assert (validator.check(good), validator.check(5)) == ([], [])
    assert validator.check(bad) == [f"`{bad}` is not a valid `{format}`"]


@pytest.mark.parametrize(
    "schema, message, hint",
    [
        ({"type": "sting"}, "`type`: `sting` is not a type", "did you mean `string`?"),
        ({"type": None}, "`type`: `null` without quotes is no type name", 'write `"null"`'),
        ({"type": "int"}, "`type`: `int` is not a type", "did you mean `integer`?"),
        ({"defualt": 1}, "`defualt` is not a JSON Schema keyword", "did you mean `default`?"),
        ({"properties": {"a": 3}}, "`properties.a`: `3` is not a JSON Schema", "write an object like `{type: string}`"),
        ({"minLength": -1}, "`minLength`: `minLength` takes a whole number from 0, not `-1`", ""),
        ({"required": True}, "`required`: `required` takes a list of names, none twice, not `true`", ""),
        ({"$ref": "other.json"}, '`["$ref"]`: `$ref` may point inside this schema only, not to `other.json`', "put it under `$defs` and write `#/$defs/<name>`"),
        ({"$ref": "#/$defs/itm", "$defs": {"item": {}}}, '`["$ref"]`: `$ref` points to `#/$defs/itm`, which is not in this schema', "did you mean `#/$defs/item`?"),
        ({"pattern": "(?=a)"}, "`pattern`: the pattern `(?=a)` cannot be used: look-around, including look-ahead and look-behind, is not supported", ""),
        ({"pattern": "a{999}{999}{999}"}, "`pattern`: the pattern `a{999}{999}{999}` cannot be used: it is too large", ""),
    ],
)  # fmt: skip
def test_a_faulty_schema_is_explained(schema: dict[str, Any], message: str, hint: str) -> None:
    """What is wrong with a schema is said with its path and a cure."""
    assert [(str(each), each.hint) for each in find_schema_faults(schema)] == [(message, hint)]


SMALL = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("ab", max_size=3)
TYPE_NAMES = ("string", "number", "integer", "object", "array", "null", "boolean")
VALUES = st.recursive(
    SMALL,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from("ab"), each, max_size=2),
    max_leaves=8,
)
SCHEMAS = st.recursive(
    st.booleans()
    | st.fixed_dictionaries({"type": st.sampled_from([*TYPE_NAMES, "strin"])})
    | st.fixed_dictionaries({}, optional={"minimum": SMALL, "maxLength": SMALL, "exclusiveMaximum": SMALL, "minItems": SMALL, "pattern": st.just("^a"), "enum": st.lists(SMALL, max_size=2), "uniqueItems": SMALL, "required": VALUES}),
    lambda each: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("ab"), each, max_size=2),
            "items": each,
            "anyOf": st.lists(each, max_size=2),
            "oneOf": st.lists(each, max_size=2),
            "not": each,
            "additionalProperties": each,
            "allOf": st.lists(each, max_size=2),
            "propertyNames": each,
            "const": SMALL,
            "$defs": st.fixed_dictionaries({"d": each}),
            "$ref": st.just("#/$defs/d"),
        },
    ),
    max_leaves=8,
)  # fmt: skip


@given(SCHEMAS)
def test_no_schema_passes_that_the_standard_refuses(schema: Any) -> None:
    """What the standard's own schema refuses has a fault here too."""
    if not find_schema_faults(schema):
        Draft202012Validator.check_schema(schema)


@given(SCHEMAS, VALUES)
@example({"enum": [1, True]}, 1.0)
@example({"enum": [1]}, True)
@example({"const": 0}, False)
@example({"type": "integer"}, 1.0)
@example({"uniqueItems": True}, [1, True])
def test_the_verdict_is_that_of_jsonschema(schema: Any, value: Any) -> None:
    """Neither the changes made to jsonschema nor the quick check change a verdict, and every refusal has a message."""
    if isinstance(schema, dict) and not find_schema_faults(schema):
        found = Validator(schema).check(value)
        if found != ["the schema refers to itself too often to be checked"]:
            assert (found == []) == Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    "path, text", [((), ""), (("a", 3, "b"), "a[3].b"), ((0, "x y"), '[0]["x y"]'), (("content-type",), "content-type")]
)
def test_paths_are_written_as_people_write_them(path: tuple[str | int, ...], text: str) -> None:
    """Names with dots between them, positions in brackets, odd names quoted."""
    assert show_path(path) == text
