"""Types that an action states by its inputs, worked out for one use of it.

Owns the reading of two keywords in an action's schemas: `x-ipaas-like` (this value is like those inputs) and, through `templates`,
`x-ipaas-names` (the types of an expression's extra names). What is not known stays anything, so that nothing is refused by a guess.
Pure. Called by `templates` and `verbs`; authors write the keywords with `Like` and `Names` of `ipaas.plugin`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.types import ANYTHING, Shape, level, make_shape, resolve_reference, unite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ipaas.model import Json, Schema

LIKE: Final = "x-ipaas-like"
NAMES: Final = "x-ipaas-names"
EXPRESSION: Final = "x-ipaas-expression"

MAX_NODES: Final = 2_000
"""A type that is larger is not passed on: steps that each double the type of the one before would take the memory of the machine."""
MAX_DEPTH: Final = 64
MAX_DISTINCT: Final = 16
"""Items of a literal list may be of so many types; beyond, they are anything."""
MAX_LISTS: Final = 4
"""Lists in lists in … are dissolved this far; beyond, their items are anything."""

_REFERENCE: Final = re.compile(r"(\*|[^\[\]*]+)((?:\[\*?\])*)")
_SCHEMA_MAPS: Final = ("properties", "patternProperties")
_SCHEMA_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS: Final = ("items", "additionalProperties")
_NOTES: Final = frozenset({"title", "description", "examples", "default"})
_ANY_OBJECT: Final = frozenset({"type", "additionalProperties"})


def derive(schema: Schema, given: Mapping[str, Schema], declared: Schema) -> Schema:
    """Return a schema with what its `x-ipaas-like` stand for.

    Args:
        schema: the output schema of an action, or the schema of an expression's name.
        given: what is known of each input that the pipeline gives; of an expression that the action evaluates, of its value.
        declared: the action's input schema.
    """
    if not _mentions(schema, LIKE):
        return schema
    derived: Schema = _Derivation(schema, given, declared).derive(schema, ())
    if _is_small(derived):
        return derived
    plain: Schema = _Derivation(schema, None, declared).derive(schema, ())
    return plain


def join_items(schemas: Sequence[Schema]) -> Schema:
    """Return the schema of a list of these items, each of which was written out."""
    distinct: list[Schema] = []
    for schema in schemas:
        if schema not in distinct:
            distinct.append(schema)
        if not schema or len(distinct) > MAX_DISTINCT:
            return {"type": "array"}
    items = unite(make_shape(schema) for schema in distinct).to_schema()
    return {"type": "array", "items": items} if items else {"type": "array"}


def describe_literal(value: Json) -> Schema:
    """Return the type of a value written in the file, without the value: it is there to be changed by the next person."""
    match value:
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case None:
            return {"type": "null"}
        case list():
            return join_items([describe_literal(item) for item in value])
        case dict():
            return make_object_schema({name: describe_literal(item) for name, item in value.items()})
        case _:
            return {}


def make_object_schema(properties: Mapping[str, Schema]) -> dict[str, Json]:
    """Return the schema of an object that was written out, with these fields and no others."""
    return {
        "type": "object",
        "properties": {name: dict(schema) for name, schema in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }


class _Derivation:
    """One walk over a schema; the result has no references of its own. Without inputs (None) all that is like them is anything."""

    def __init__(self, root: Schema, given: Mapping[str, Schema] | None, declared: Schema) -> None:
        self._root = root
        self._given = given
        self._declared = declared

    def derive(self, schema: Any, around: tuple[str, ...]) -> Any:
        if not isinstance(schema, dict):
            return schema
        derived: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _SCHEMA_MAPS and isinstance(value, dict):
                derived[key] = {name: self.derive(each, around) for name, each in value.items()}
            elif key in _SCHEMA_LISTS and isinstance(value, list):
                derived[key] = [self.derive(each, around) for each in value]
            elif key in _SCHEMAS:
                derived[key] = self.derive(value, around)
            elif key not in (LIKE, "$ref", "$defs"):
                derived[key] = value
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if reference in around:
                return {}
            derived = {**self.derive(resolve_reference(self._root, reference) or {}, (*around, reference)), **derived}
        likes = schema.get(LIKE)
        if not isinstance(likes, list):
            return derived
        found = [shape for shape in (self._find(str(each)) for each in likes) if shape is not None]
        return _narrow(derived, unite(found))

    def _find(self, reference: str) -> Shape | None:
        """Return the type that a reference stands for; None when the pipeline does not give that input, or gives null."""
        found = _REFERENCE.fullmatch(reference)
        if found is None or self._given is None:
            return ANYTHING
        name, steps = found[1], re.findall(r"\[\*?\]", found[2])
        if name == "*":
            shape = make_shape(make_object_schema({**self._list_declared(), **self._given}))
        elif name in self._given:
            shape = make_shape(self._given[name] or self._get_declared(name))
        else:
            return None
        if shape.kinds == {"null"}:
            return None
        for step in steps:
            shape = _take_item(shape) if step == "[]" else _dissolve(shape)
        return shape

    def _list_declared(self) -> dict[str, Schema]:
        properties = self._declared.get("properties")
        return {name: self._get_declared(name) for name in properties} if isinstance(properties, dict) else {}

    def _get_declared(self, name: str) -> Schema:
        """Return what an input must be in any case; nothing of one that holds expressions."""
        properties = self._declared.get("properties")
        schema = properties.get(name) if isinstance(properties, dict) else None
        if not isinstance(schema, dict):
            return {}
        definitions = self._declared.get("$defs")
        whole = {**schema, "$defs": definitions} if definitions and _mentions(schema, "$ref") else schema
        return {} if _mentions(whole, EXPRESSION) else whole


def _narrow(rest: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Return what a schema says, narrowed by the type of an input; where the two do not fit together, the schema alone."""
    schema = shape.to_schema()
    if shape.is_anything or not schema:
        return rest
    if rest.get("type") == "array":
        # Not the input's schema itself: a list of the same items may have another length.
        items = _take_item(shape).to_schema()
        return {"type": "array", "items": items} if items else rest
    says = rest.keys() - _NOTES
    if not says or (shape.kinds == {"map"} and rest.get("type") == "object" and says <= _ANY_OBJECT):
        return dict(schema)
    return {"allOf": [rest, schema]} if level(make_shape(rest).kinds) & level(shape.kinds) else rest


def _take_item(shape: Shape) -> Shape:
    """Return the type of an item of a list; anything when it may not be one, or of a type that is not known."""
    if "list" not in shape.kinds:
        return ANYTHING
    item = shape.get_item()
    return item if item.kinds else ANYTHING


def _dissolve(shape: Shape, levels: int = MAX_LISTS) -> Shape:
    """Return the type of what is left of a list's items when one or more levels of lists in it are replaced by their items."""
    item = _take_item(shape)
    if item.is_anything or levels == 0:
        return ANYTHING
    if "list" not in item.kinds:
        return item
    if item.kinds != {"list"}:
        return ANYTHING
    inner = _take_item(item)
    return inner if inner.is_anything or "list" not in inner.kinds else unite([inner, _dissolve(item, levels - 1)])


def _mentions(schema: Any, keyword: str) -> bool:
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if keyword in each:
                return True
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return False


def _is_small(schema: Any) -> bool:
    """Whether a type may be passed on, counted no further than that."""
    waiting = [(schema, 0)]
    nodes = 0
    while waiting:
        each, depth = waiting.pop()
        nodes += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            return False
        if isinstance(each, dict):
            waiting += ((child, depth + 1) for child in each.values())
        elif isinstance(each, list):
            waiting += ((child, depth + 1) for child in each)
    return True
