"""What is known of a value before it is there: its kinds, and the JSON Schema that it meets.

Owns `Shape`, which reads JSON Schemas lazily (references, unions, nested objects), so that naming a large output costs nothing until a field
of it is used. An object schema that lists properties and says nothing of others has no others: that is what makes a mistyped field a problem.
Pure. Called by `checker` and `templates`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.values import name_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ipaas.model import Json, Schema

Kinds = frozenset[str]
"""Names of kinds as in `values`, besides `int` for a number that is known to be whole."""

JSON_KINDS: Final[Kinds] = frozenset({"null", "bool", "number", "string", "list", "map"})

MAX_HOPS: Final = 16
"""`$ref` and nested unions are followed this far; beyond, anything is possible."""

MAX_OPTIONS: Final = 16
"""A union of more alternatives, nested ones counted, may be anything: each use of a field asks all of them."""

_OF_TYPE: Final = {
    "null": "null", "boolean": "bool", "integer": "int", "number": "number", "string": "string", "array": "list", "object": "map",
}  # fmt: skip
_TYPE_OF: Final = {kind: name for name, kind in _OF_TYPE.items()}
_AS_JSON: Final[Mapping[str, Schema]] = {
    "timestamp": {"type": "string", "format": "date-time"}, "duration": {"type": "string"}, "type": {"type": "string"},
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The type of an expression.

    Attributes:
        kinds: what the value may be.
        schema: what it meets; empty when only the kinds are known.
        root: the schema that `$ref` inside `schema` point into.
        item: type of the items of a list, or of what an optional value holds, when no schema says it.
        options: the alternatives of a union.
        parts: schemas that are all met at once.
        size: how many alternatives and parts there are, nested ones counted; 1 for a plain type.
    """

    kinds: Kinds
    schema: Schema = field(default_factory=dict)
    root: Schema = field(default_factory=dict)
    item: Shape | None = None
    options: tuple[Shape, ...] = ()
    parts: tuple[Shape, ...] = ()
    size: int = 1

    @property
    def is_anything(self) -> bool:
        """Whether nothing is known."""
        return self.kinds >= JSON_KINDS and not self.schema and not self.options

    def find_field(self, name: str) -> Shape | None:
        """Return the type of a field; None when an object of this type has no such field."""
        if self.options:
            found = [option.find_field(name) for option in self.options if "map" in option.kinds]
            shapes = [shape for shape in found if shape is not None]
            return unite(shapes) if shapes else None
        if self.parts:
            found = [part.find_field(name) for part in self.parts]
            named = [
                shape
                for shape, part in zip(found, self.parts, strict=True)
                if shape is not None and name in part.list_fields()
            ]
            if named:
                return next((shape for shape in reversed(named) if not shape.is_anything), named[0])
            return None if None in found else ANYTHING
        schema = self.schema
        properties = schema.get("properties")
        if isinstance(properties, dict) and name in properties:
            return make_shape(properties[name], self.root)
        if "patternProperties" in schema:
            return ANYTHING
        others = schema.get("additionalProperties", not isinstance(properties, dict))
        if isinstance(others, dict):
            return make_shape(others, self.root)
        return ANYTHING if others else None

    def list_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that are known."""
        properties = self.schema.get("properties")
        own = tuple(properties) if isinstance(properties, dict) else ()
        return (*own, *(name for part in (*self.options, *self.parts) for name in part.list_fields()))

    def get_item(self) -> Shape:
        """Return the type of the items of a list, or of what an optional value holds."""
        if self.item is not None:
            return self.item
        if self.options or self.parts:
            shapes = [part.get_item() for part in (*self.options, *self.parts) if "list" in part.kinds]
            known = [shape for shape in shapes if not shape.is_anything]
            return unite(known) if self.parts and known else unite(shapes)
        items = self.schema.get("items")
        return (
            make_shape(items, self.root) if isinstance(items, dict) and "prefixItems" not in self.schema else ANYTHING
        )

    def find_values(self) -> tuple[str, ...] | None:
        """Return the only texts that the value can be, or None when they are not known."""
        values = self.schema.get("enum", [self.schema["const"]] if "const" in self.schema else None)
        if isinstance(values, list) and all(isinstance(value, str) for value in values):
            return tuple(str(value) for value in values)
        return None

    def to_schema(self) -> Schema:
        """Return a JSON Schema of its own, without references to the outside; `{}` when nothing is known."""
        if self.schema:
            definitions = self.root.get("$defs")
            if not definitions or "$defs" in self.schema or not _has_reference(self.schema):
                return self.schema
            items = self.schema.get("items")
            # The items' schema gets them too, for it is what a loop's variable is made of.
            inner = (
                {"items": {**items, "$defs": definitions}} if isinstance(items, dict) and _has_reference(items) else {}
            )
            return {**self.schema, **inner, "$defs": definitions}
        if self.options:
            return _join([option.to_schema() for option in self.options])
        if self.kinds >= JSON_KINDS:
            return {}
        if "optional" in self.kinds:
            return _join([self.get_item().to_schema(), {"type": "null"}])
        schemas: list[Schema] = [_AS_JSON[kind] for kind in sorted(self.kinds) if kind in _AS_JSON]
        plain = sorted(_TYPE_OF[kind] for kind in self.kinds if kind in _TYPE_OF)
        if plain:
            schema: dict[str, Json] = {"type": plain[0] if len(plain) == 1 else list(plain)}
            # Asked once: lists in lists would double the work with each level.
            items = self.item.to_schema() if self.kinds == {"list"} and self.item is not None else {}
            if items and "$defs" not in items:
                schema["items"] = items
            schemas.append(schema)
        return _join(schemas) if schemas else {}

    def __str__(self) -> str:
        return name_kinds(self.kinds)


ANYTHING: Final = Shape(JSON_KINDS)
TOO_LARGE: Final = Shape(JSON_KINDS, size=MAX_OPTIONS + 1)
"""What is not looked into, so that whatever it is part of is not either."""
NEVER: Final = Shape(frozenset())
"""The items of a list that has none."""


def of_kind(*kinds: str, item: Shape | None = None) -> Shape:
    """Return the type of values of these kinds."""
    return Shape(frozenset(kinds), item=item)


def make_shape(schema: Any, root: Schema | None = None, hops: int = 0) -> Shape:
    """Return the type of values that meet a schema; `root` is the schema around it, when it is part of one."""
    if not isinstance(schema, dict) or not schema:
        return ANYTHING
    if hops > MAX_HOPS:
        return TOO_LARGE
    if root is None or "$defs" in schema:
        root = schema
    if "$ref" in schema:
        return make_shape(resolve_reference(root, schema["$ref"]), root, hops + 1)
    kinds = _read_kinds(schema)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            options = _make_some(schema[keyword], root, hops)
            if options is None:
                return TOO_LARGE if kinds >= JSON_KINDS else Shape(kinds, schema, root, size=TOO_LARGE.size)
            options = tuple(option for option in options if _overlap(option.kinds, kinds))
            if not options or any(option.is_anything for option in options):
                return ANYTHING if kinds >= JSON_KINDS else Shape(kinds, schema, root)
            return _unite_options(options, schema, root)
    if "allOf" in schema:
        own = {name: value for name, value in schema.items() if name != "allOf"}
        parts = _make_some([own, *schema["allOf"]], root, hops)
        if parts is None:
            return TOO_LARGE
        for part in parts:
            kinds = _intersect(kinds, part.kinds)
        known = tuple(part for part in parts if not part.is_anything)
        return Shape(kinds, schema, root, parts=known, size=1 + sum(part.size for part in known))
    return ANYTHING if kinds >= JSON_KINDS and not _says_more(schema) else Shape(kinds, schema, root)


def _make_some(schemas: Iterable[Any], root: Schema, hops: int) -> tuple[Shape, ...] | None:
    """Return the types of several schemas, or None as soon as there are too many: references let unions of unions double with each level."""
    shapes: list[Shape] = []
    size = 0
    for schema in schemas:
        shape = make_shape(schema, root, hops + 1)
        size += shape.size
        if size > MAX_OPTIONS:
            return None
        shapes.append(shape)
    return tuple(shapes)


def _unite_options(options: tuple[Shape, ...], schema: Schema, root: Schema) -> Shape:
    kinds: Kinds = frozenset().union(*(option.kinds for option in options))
    return Shape(kinds, schema, root, options=options, size=1 + sum(option.size for option in options))


def unite(shapes: Iterable[Shape]) -> Shape:
    """Return the type of a value that is of one of these types."""
    distinct = list({id(shape): shape for shape in shapes}.values())
    if len(distinct) > 1:  # an empty list says nothing of the items of the others
        distinct = [shape for shape in distinct if shape.item is not NEVER] or distinct
    if not distinct or any(shape.is_anything for shape in distinct):
        return ANYTHING
    if len(distinct) == 1:
        return distinct[0]
    kinds: Kinds = frozenset().union(*(shape.kinds for shape in distinct))
    if sum(shape.size for shape in distinct) > MAX_OPTIONS:
        return Shape(kinds)
    plain = all(not shape.schema and shape.item is None and not shape.options for shape in distinct)
    return Shape(kinds) if plain else _unite_options(tuple(distinct), {}, {})


def level(kinds: Kinds) -> Kinds:
    """Return kinds with whole numbers among all numbers."""
    return (kinds - {"int"}) | {"number"} if "int" in kinds else kinds


def name_kinds(kinds: Kinds) -> str:
    """Return kinds in words: `a text or null`."""
    return " or ".join(name_kind(kind) for kind in sorted(level(kinds), key=lambda kind: (kind == "null", kind)))


def _overlap(left: Kinds, right: Kinds) -> bool:
    return bool(level(left) & level(right))


def _intersect(left: Kinds, right: Kinds) -> Kinds:
    both = level(left) & level(right)
    if "number" in both and ("number" not in left or "number" not in right):
        both = (both - {"number"}) | {"int"}
    return both


def _says_more(schema: Mapping[str, Any]) -> bool:
    return any(keyword in schema for keyword in ("properties", "items", "additionalProperties"))


def _read_kinds(schema: Mapping[str, Any]) -> Kinds:
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return (
            frozenset(_kind_of_json(value) for value in values) if isinstance(values, list) and values else JSON_KINDS
        )
    types = schema.get("type")
    if isinstance(types, str):
        types = [types]
    if isinstance(types, (list, tuple)):
        return frozenset(_OF_TYPE[name] for name in types if name in _OF_TYPE) or JSON_KINDS
    if "properties" in schema:
        return frozenset({"map"})
    return frozenset({"list"}) if "items" in schema else JSON_KINDS


def _kind_of_json(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "int" if isinstance(value, int) else "number"
    return "string" if isinstance(value, str) else "map" if isinstance(value, dict) else "list"


def resolve_reference(root: Schema, reference: Any) -> Any:
    """Return what a `$ref` points to inside a schema, or None."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Any = root
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def _has_reference(schema: Any) -> bool:
    if isinstance(schema, dict):
        return "$ref" in schema or any(_has_reference(each) for each in schema.values())
    return isinstance(schema, list) and any(_has_reference(each) for each in schema)


def _join(schemas: list[Schema]) -> Schema:
    distinct: list[Schema] = []
    for schema in schemas:
        if not schema or ("$defs" in schema and len(schemas) > 1):
            return {}
        if schema not in distinct:
            distinct.append(schema)
    return distinct[0] if len(distinct) == 1 else {"anyOf": list(distinct)}
