"""What every good connector keeps to, checked without calling it.

Owns `list_faults` and `check_connector`. For authors' tests and for the bundled connectors; knows only what a connector declares. That
an action does what it says is for the author's own tests: with `RequestRecorder`, or `ipaas.testing.fake_server`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from json import dumps
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from ipaas.plugin.parameters import EXPRESSION_KEYWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipaas.plugin import Action, Connector

MAX_SUMMARY: Final = 120
"""Characters of an action's first line: as much as lists and editors show."""
_INPUT: Final = re.compile(r"[a-z][a-z0-9_]*")


def check_connector(connector: Connector) -> None:
    """Assert that a connector has no faults; the message lists them all."""
    faults = list_faults(connector)
    assert not faults, "\n".join([f"connector `{connector.name}` has {len(faults)} faults:", *faults])


def list_faults(connector: Connector) -> list[str]:
    """Return what is wrong with a connector's declaration, each with the action it is about.

    Raises:
        PluginError: an action's signature has a type without a JSON Schema.
    """
    faults = []
    if not connector.description:
        faults.append("the connector has no description: write a docstring at the top of the module")
    if not connector.actions:
        faults.append("the connector has no actions")
    for action in connector.actions:
        faults += [f"{action.name}: {fault}" for fault in _list_action_faults(action)]
    return faults


def _list_action_faults(action: Action) -> Iterator[str]:
    spec = action.spec
    if not spec.summary:
        yield "has no docstring"
    elif not spec.summary.endswith(".") or len(spec.summary) > MAX_SUMMARY:
        yield f"the docstring's first line is not one sentence of at most {MAX_SUMMARY} characters that ends with a full stop"
    if keyword.iskeyword(action.action):
        yield "its name is a Python keyword, so that its function cannot have it"
    yield from _list_schema_faults("input", spec.input_schema)
    yield from _list_schema_faults("output", spec.output_schema)
    if spec.input_schema.get("type") != "object" or "additionalProperties" not in spec.input_schema:
        yield "the input schema is not an object that says what unknown inputs mean"
    for name, field in _properties(spec.input_schema).items():
        yield from _list_input_faults(name, field, spec.input_schema)


def _list_input_faults(name: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    if not _INPUT.fullmatch(name):
        yield f"the input `{name}` is not lower-case letters, digits and `_`"
    if not field.get("description"):
        yield f"the input `{name}` says not what it is for: use `Annotated[…, Doc(…)]`"
    if "default" in field:
        try:
            Draft202012Validator({**field, "$defs": schema.get("$defs", {})}).validate(field["default"])
        except ValidationError as error:
            yield f"the default of `{name}` is not what the input takes: {error.message}"
    for names in _expression_names(field):
        for extra in names:
            if not _INPUT.fullmatch(extra) or keyword.iskeyword(extra):
                yield f"the expression `{name}` has the name `{extra}`, which is no word"


def _list_schema_faults(which: str, schema: Mapping[str, Any]) -> Iterator[str]:
    try:
        dumps(schema, allow_nan=False)
        Draft202012Validator.check_schema(schema)
    except (TypeError, ValueError) as error:
        yield f"the {which} schema is not JSON: {error}"
    except SchemaError as error:
        yield f"the {which} schema is not a JSON Schema: {error.message}"
    for reference in _find_all(schema, "$ref"):
        if not str(reference).startswith("#/"):
            yield f"the {which} schema refers to `{reference}`, which is not in it"


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties", {})
    return found if isinstance(found, Mapping) else {}


def _expression_names(field: Any) -> list[list[str]]:
    return [list(names) for names in _find_all(field, EXPRESSION_KEYWORD)]


def _find_all(value: Any, key: str) -> Iterator[Any]:
    """Yield what stands under `key`, at any depth."""
    if isinstance(value, Mapping):
        if key in value:
            yield value[key]
        for item in value.values():
            yield from _find_all(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _find_all(item, key)
