"""The schemas of step outputs: of actions narrowed by `returns`, of blocks made of what is in them.

Pure. The compiler asks it for the type that later expressions see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.model import Json, Schema

NULL: Final[Schema] = {"type": "null"}


def narrow(schema: Schema, returns: Schema) -> Schema:
    """Return the schema of values that meet both, as far as it is of use to a type check.

    Objects are merged key by key, so that `returns` may speak of one key of many. Elsewhere `returns` wins: it is what the person knows.
    """
    if not schema or not returns:
        return returns or schema
    ours, theirs = schema.get("properties"), returns.get("properties")
    if not isinstance(ours, dict) or not isinstance(theirs, dict) or "$ref" in returns:
        return returns
    properties: dict[str, Json] = dict(ours)
    for name, narrower in theirs.items():
        wider = ours.get(name)
        properties[name] = (
            dict(narrow(wider, narrower)) if isinstance(wider, dict) and isinstance(narrower, dict) else narrower
        )
    required = [
        *_list_required(schema),
        *(name for name in _list_required(returns) if name not in _list_required(schema)),
    ]
    merged: dict[str, Json] = {**schema, **returns, "properties": properties, "required": required}
    definitions = {**_get_definitions(schema), **_get_definitions(returns)}
    if definitions:
        merged["$defs"] = definitions
    return merged


def _list_required(schema: Schema) -> list[str]:
    required = schema.get("required")
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _get_definitions(schema: Schema) -> dict[str, Json]:
    definitions = schema.get("$defs")
    return dict(definitions) if isinstance(definitions, dict) else {}


def any_of(schemas: Sequence[Schema]) -> Schema:
    """Return the schema of a value that meets one of these; anything when one of them says nothing."""
    distinct: list[Schema] = []
    for schema in schemas:
        if not schema:
            return {}
        if schema not in distinct:
            distinct.append(schema)
    if len(distinct) == 1:
        return distinct[0]
    # References point into the schema that they stand in, so that such schemas cannot be parts of another.
    return {} if any("$defs" in schema for schema in distinct) else {"anyOf": list(distinct)}


def list_of(schema: Schema) -> Schema:
    """Return the schema of a list of such values, null where an item failed."""
    return {"type": "array"} if "$defs" in schema else {"type": "array", "items": dict(schema)}
