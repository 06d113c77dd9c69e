"""JSON Schemas written in a pipeline file: `inputs` and `returns`.

Owns the placing of what `schema_check` finds, and the check of input defaults. Called by the compiler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipaas.definition.frame import is_name
from ipaas.definition.json_schema import get_validator
from ipaas.definition.nodes import Mapping, Node, Scalar
from ipaas.definition.schema_check import find_schema_faults
from ipaas.model import InputSpec, Place

if TYPE_CHECKING:
    from ipaas.definition.draft import Draft
    from ipaas.definition.findings import Finding
    from ipaas.model import Json, Schema


def compile_schema(draft: Draft, node: Node) -> Schema | None:
    """Return a schema of the file, `{}` for `true`, or None for one with mistakes; they are noted in the draft."""
    if isinstance(node, Scalar):
        if node.value is False:
            draft.report(
                node, "bad-schema", "`false` allows no value at all", "write the schema of the values it may have"
            )
        return {} if node.value is True else None
    if not isinstance(node, Mapping):
        return None
    faults = find_schema_faults(node.value)
    for fault in faults:
        draft.report(_place(draft, node, fault), "bad-schema", fault.message, fault.hint)
    return None if faults else node.value


def _place(draft: Draft, node: Node, fault: Finding) -> Place:
    place = draft.place_path(node, fault.path)
    if not fault.name:
        return place
    for part in fault.path:
        node = node.items[part] if isinstance(node, Mapping) and part in node.items else node
    return draft.place(node.keys[fault.name]) if isinstance(node, Mapping) and fault.name in node.keys else place


def compile_workflow_inputs(draft: Draft, nodes: Mapping) -> tuple[InputSpec, ...]:
    """Return the workflow's inputs that are right."""
    specs = []
    for name, node in nodes.items.items():
        if not is_name(name):
            continue
        if isinstance(node, Mapping) and isinstance(node.value.get("required"), bool):
            draft.report(
                node.keys["required"],
                "bad-schema",
                "an input is required when it has no `default`",
                "remove `required:`",
            )
            continue
        schema = compile_schema(draft, node)
        if schema is None:
            continue
        default: Json = None
        if isinstance(node, Mapping) and "default" in node.items:
            default = node.value["default"]
            for finding in get_validator(schema).find(default):
                place = draft.place_path(node.items["default"], finding.path)
                draft.report(
                    place,
                    "bad-default",
                    f"the default of input `{name}` does not meet its schema: {finding}",
                    finding.hint,
                )
        required = "default" not in schema
        specs.append(
            InputSpec(name=name, schema=schema, place=draft.place(nodes.keys[name]), required=required, default=default)
        )
    return tuple(specs)


def join_schema(spec: InputSpec) -> Schema:
    """Return an input's schema as a part of a larger one; references inside it point to its own root, which it is no longer."""
    return {} if "$ref" in str(spec.schema) else spec.schema


def join_inputs(specs: tuple[InputSpec, ...]) -> Schema:
    """Return the schema of all inputs as one object, as a caller gives them: those with a default may be left out."""
    return {
        "type": "object",
        "properties": {spec.name: dict(join_schema(spec)) for spec in specs},
        "required": [spec.name for spec in specs if spec.required],
        "additionalProperties": False,
    }
