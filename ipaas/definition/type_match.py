"""Whether a value of a known type can be what a schema asks for.

Pure. An answer of no is certain: whatever the value turns out to be, it does not fit. (An empty list would
fit any list of items; a list whose items are known to be wrong is refused all the same.) Called by `templates`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.types import Shape, level, make_shape, name_kinds, resolve_reference

if TYPE_CHECKING:
    from ipaas.model import Schema

MAX_DEPTH: Final = 4
"""Lists of lists of … are compared this far."""

_AS_JSON: Final = {"timestamp": "string", "duration": "string", "type": "string"}


def can_match(shape: Shape, schema: Schema, root: Schema) -> bool:
    """Whether the result of an expression can meet a schema; `root` holds its `$defs`."""
    return not schema or _can_match(shape, make_shape(schema, root), 0)


def _can_match(given: Shape, wanted: Shape, depth: int) -> bool:
    if depth > MAX_DEPTH or given.is_anything or wanted.is_anything:
        return True
    if given.kinds == {"optional"}:
        return "null" in wanted.kinds or _can_match(given.get_item(), wanted, depth)
    kinds = frozenset(_AS_JSON.get(kind, kind) for kind in level(given.kinds)) | (
        frozenset({"null"}) if "optional" in given.kinds else frozenset()
    )
    both = kinds & level(wanted.kinds)
    if not both:
        return False
    if wanted.find_values() is not None and given.find_values() is not None and both == {"string"}:
        return bool(set(wanted.find_values() or ()) & set(given.find_values() or ()))
    if both == {"list"}:
        item = given.get_item()
        # An empty list fits any list: only one whose items are known to be wrong is refused.
        return not item.kinds or not _knows_items(given) or _can_match(item, wanted.get_item(), depth + 1)
    if both == {"map"} and not wanted.options and not given.options:
        return _can_match_object(given, wanted, depth)
    return True


def _knows_items(given: Shape) -> bool:
    return bool(given.item is not None or given.schema.get("items") or given.options or given.parts)


def _can_match_object(given: Shape, wanted: Shape, depth: int) -> bool:
    required: Any = wanted.schema.get("required", ())
    for name in required:
        found = given.find_field(name)
        if found is None:
            return False
        expected = wanted.find_field(name)
        if expected is not None and not _can_match(found, expected, depth + 1):
            return False
    return True


def resolve(schema: Schema, root: Schema) -> Schema:
    """Return a schema with its own `$ref` followed."""
    for _ in range(16):
        if "$ref" not in schema:
            return schema
        found = resolve_reference(root, schema["$ref"])
        schema = found if isinstance(found, dict) else {}
    return {}


def list_options(schema: Schema, root: Schema, kind: str) -> list[Schema] | None:
    """Return the alternatives of a schema that take a list or an object; None when there are none."""
    schema = resolve(schema, root)
    alternatives: Any = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(alternatives, list):
        found = [
            option for each in alternatives if isinstance(each, dict) for option in list_options(each, root, kind) or ()
        ]
        return found or None
    return [schema] if kind in make_shape(schema, root).kinds else None


def name_expected(schema: Schema, root: Schema) -> str:
    """Return what a schema asks for in words: `a text or null`."""
    shape = make_shape(schema, root)
    values = shape.find_values()
    if values is not None and len(values) <= 8:
        return "one of " + ", ".join(f"`{value}`" for value in values)
    if shape.kinds == {"list"} and not shape.get_item().is_anything:
        return f"a list whose items are {name_kinds(shape.get_item().kinds)}"
    return "a whole number" if shape.kinds == {"int"} else str(shape)
