"""How actions are shown: the types of their inputs and outputs in words."""

import pytest

from ipaas.cli.plugins import describe_action
from ipaas.model import ActionSpec, Schema

TICKET: Schema = {"type": "object", "properties": {"id": {}, "title": {}}}


@pytest.mark.parametrize(
    "schema, shown",
    [
        ({}, "anything"),
        ({"type": "string", "description": "what\n  it is"}, "string: what it is"),
        ({"type": ["string", "null"], "default": None}, "string | null = null"),
        ({"enum": ["a", 1]}, '"a" | 1'),
        ({"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}, "list of (integer | null)"),
        ({"type": "string", "x-ipaas-expression": ["item", "index"]}, "expression over item, index"),
        ({"type": "string", "x-ipaas-expression": []}, "expression"),
        (
            {"type": "array", "items": {"$ref": "#/$defs/Ticket"}, "$defs": {"Ticket": TICKET}},
            "list of {id, title}",
        ),
        (
            {"$ref": "#/$defs/Tree", "$defs": {"Tree": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}},
            "list of anything",
        ),
        ({"$ref": "#/$defs/Nowhere"}, "anything"),
    ],
    ids=str,
)
def test_types_are_shown_in_words(schema: Schema, shown: str) -> None:
    """A schema is shown as a person would say it: named parts by what they are, a type that contains itself without end not."""
    spec = ActionSpec(name="desk.list", effect="read", input_schema={}, output_schema=schema, summary="List.")
    assert describe_action(spec).splitlines()[-1] == f"  output: {shown}"
