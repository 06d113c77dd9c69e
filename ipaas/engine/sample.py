"""Making up a value that a JSON Schema allows, for dry runs.

Owns `make_sample` and `merge_schemas`. Pure and deterministic: the same schema gives the same value. Knows nothing of actions. Called by the
dry host, where nobody answers and later steps need something to look at.

What the author wrote down comes first (`examples`, `default`, `const`, `enum`); otherwise the plainest value that fits: lists have one item
so that loops go round, objects all their properties so that expressions find them. Text matches its `pattern` where a match is easily found. `not` is not understood.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ipaas.engine.pattern_sample import find_match

if TYPE_CHECKING:
    from ipaas.model import Json, Schema

MAX_DEPTH: Final = 8
"""Below this, only what is required is made up: schemas may refer to themselves."""
HARD_DEPTH: Final = 24
"""Below this, nothing is: a schema that requires itself has no value."""
MAX_ITEMS: Final = 20

FORMATS: Final[dict[str, str]] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "somebody@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
"""Values from the ranges that are set aside for examples (RFC 2606, 5737, 3849)."""

_OBJECT: Final = ("properties", "required", "additionalProperties", "patternProperties", "minProperties")
_ARRAY: Final = ("items", "prefixItems", "minItems", "maxItems", "uniqueItems")
_NUMBER: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_TEXT: Final = ("minLength", "maxLength", "pattern", "format")


def make_sample(schema: Schema) -> Json:
    """Return a value of this schema. A schema that allows anything gives `{}`."""
    return _Sampler(schema).make(schema, 0)


def merge_schemas(first: Schema, second: Schema) -> dict[str, Any]:
    """Return a schema for values that meet both, as far as samples need it: properties are merged, at every depth; else the second's
    word counts."""
    merged: dict[str, Any] = {**first, **second}
    for key in ("properties", "$defs"):
        one, two = first.get(key), second.get(key)
        if isinstance(one, Mapping) and isinstance(two, Mapping):
            merged[key] = {
                name: merge_schemas(_as_schema(one[name]), _as_schema(two[name]))
                if name in one and name in two
                else each
                for name, each in {**one, **two}.items()
            }
    if isinstance(first.get("items"), Mapping) and isinstance(second.get("items"), Mapping):
        merged["items"] = merge_schemas(_as_schema(first["items"]), _as_schema(second["items"]))
    required = [*_as_list(first.get("required")), *_as_list(second.get("required"))]
    if required:
        merged["required"] = list(dict.fromkeys(required))
    if "type" in first and "type" in second:
        allowed = [
            kind
            for kind in _kinds(second)
            if kind in _kinds(first) or (kind == "integer" and "number" in _kinds(first))
        ]
        merged["type"] = allowed or second["type"]
    if second and not {"examples", "default", "const", "enum"} & second.keys():
        # A narrower word about the shape outdates what the wider schema offered as an example.
        for key in ("examples", "default"):
            merged.pop(key, None)
    return merged


class _Sampler:
    """One sample; knows the root, to which `$ref` points."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def make(self, schema: Schema, depth: int) -> Json:
        if depth > HARD_DEPTH:
            return None
        schema = self._flatten(schema)
        for key in ("examples", "enum"):
            if values := _as_list(schema.get(key)):
                return values[0]  # type: ignore[no-any-return]  # a schema is JSON, so its values are
        for key in ("default", "const"):
            if key in schema:
                return schema[key]
        for key in ("anyOf", "oneOf"):
            if options := [_as_schema(each) for each in _as_list(schema.get(key))]:
                rest = {name: value for name, value in schema.items() if name != key}
                chosen = next((each for each in options if _kinds(each) != ["null"]), options[0])
                return self.make(merge_schemas(rest, self._flatten(chosen)), depth + 1)
        return self._make_kind(_kind_of(schema), schema, depth)

    def _make_kind(self, kind: str, schema: Schema, depth: int) -> Json:
        match kind:
            case "object":
                return self._make_object(schema, depth)
            case "array":
                return self._make_array(schema, depth)
            case "string":
                return _make_text(schema)
            case "integer" | "number":
                return _make_number(schema, whole=kind == "integer")
            case "boolean":
                return True
            case _:
                return None

    def _make_object(self, schema: Schema, depth: int) -> dict[str, Json]:
        properties = schema.get("properties")
        known = properties if isinstance(properties, Mapping) else {}
        required = _as_list(schema.get("required"))
        names = list(dict.fromkeys([*known, *required])) if depth < MAX_DEPTH else required
        return {name: self.make(_as_schema(known.get(name, {})), depth + 1) for name in names}

    def _make_array(self, schema: Schema, depth: int) -> list[Json]:
        first = [self.make(_as_schema(each), depth + 1) for each in _as_list(schema.get("prefixItems"))]
        items = schema.get("items")
        least, most = _as_count(schema.get("minItems"), 0), _as_count(schema.get("maxItems"), MAX_ITEMS)
        if items is False or (depth >= MAX_DEPTH and len(first) >= least):
            return first[:most]
        wanted = min(max(least, 1), most, MAX_ITEMS)
        return [*first, *(self.make(_as_schema(items), depth + 1) for _ in range(wanted - len(first)))][:most]

    def _flatten(self, schema: Schema) -> Schema:
        """Return the schema with its `$ref` and `allOf` put into it."""
        for _ in range(HARD_DEPTH):
            if isinstance(ref := schema.get("$ref"), str):
                rest = {name: value for name, value in schema.items() if name != "$ref"}
                schema = merge_schemas(self._find(ref), rest)
            elif parts := _as_list(schema.get("allOf")):
                merged: Schema = {name: value for name, value in schema.items() if name != "allOf"}
                for part in parts:
                    merged = merge_schemas(merged, _as_schema(part))
                schema = merged
            else:
                return schema
        return {}

    def _find(self, ref: str) -> Schema:
        """Follow a reference inside the schema; one that leads nowhere allows anything."""
        found: Any = self._root
        for part in ref.removeprefix("#").strip("/").split("/"):
            if part:
                found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        return _as_schema(found)


def _kind_of(schema: Schema) -> str:
    """Return the type to make: the first that is said and is not null, else the one that the other keywords are about."""
    kinds = _kinds(schema)
    if kinds:
        return next((kind for kind in kinds if kind != "null"), "null")
    for kind, keys in (("object", _OBJECT), ("array", _ARRAY), ("number", _NUMBER), ("string", _TEXT)):
        if any(key in schema for key in keys):
            return kind
    return "object"


def _make_text(schema: Schema) -> str:
    if isinstance(pattern := schema.get("pattern"), str) and (match := find_match(pattern)) is not None:
        return match
    text = FORMATS.get(str(schema.get("format")), "text")
    least, most = _as_count(schema.get("minLength"), 0), _as_count(schema.get("maxLength"), len(text) + 10_000)
    return text.ljust(min(least, 10_000), "x")[:most]


def _make_number(schema: Schema, *, whole: bool) -> int | float:
    """Return 1, or the number nearest to it that the bounds allow."""
    step = _as_number(schema.get("multipleOf"), 1 if whole else 0.0)
    low = max(_as_number(schema.get("minimum"), -math.inf), _as_number(schema.get("exclusiveMinimum"), -math.inf))
    high = min(_as_number(schema.get("maximum"), math.inf), _as_number(schema.get("exclusiveMaximum"), math.inf))
    gap = step or (min(1.0, (high - low) / 4) if math.isfinite(low) and math.isfinite(high) else 1.0)
    low += gap if low == _as_number(schema.get("exclusiveMinimum"), math.nan) else 0
    high -= gap if high == _as_number(schema.get("exclusiveMaximum"), math.nan) else 0
    number: float = min(max(1, low), high)
    if step:
        number = math.ceil(number / step) * step
        number = number if number <= high else math.floor(high / step) * step
    return int(number) if whole or float(number).is_integer() else number


def _kinds(schema: Schema) -> list[str]:
    kind = schema.get("type")
    return [kind] if isinstance(kind, str) else [str(each) for each in _as_list(kind)]


def _as_schema(value: Any) -> Schema:
    return value if isinstance(value, Mapping) else {}


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _as_count(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int | float) else default


def _as_number(value: Any, default: float) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else default
