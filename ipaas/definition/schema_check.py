"""Whether a JSON Schema written in a pipeline file is one, and one that can be checked safely.

Owns the list of keywords (draft 2020-12) with their shapes. Stricter than the standard, which takes any unknown keyword for an
annotation: here it is a typing mistake, unless it begins with `x-`. Knows nothing of places: findings carry paths.
Called by the compiler for `inputs` and `returns`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from ipaas.definition.findings import Finding, Path, name_types, show_value
from ipaas.definition.nearest import hint_nearest
from ipaas.definition.patterns import find_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")

DIALECTS: Final = ("https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2020-12/schema#")

Shape = Literal[
    "schema", "schemas", "named", "patterned", "text", "flag", "count", "number", "step", "names", "needs", "list", "any",
    "type", "pattern", "ref", "dialect",
]  # fmt: skip

KEYWORDS: Final[dict[str, Shape]] = {
    "type": "type", "enum": "list", "const": "any", "default": "any", "examples": "list",
    "title": "text", "description": "text", "$comment": "text", "deprecated": "flag", "readOnly": "flag", "writeOnly": "flag",
    "minimum": "number", "maximum": "number", "exclusiveMinimum": "number", "exclusiveMaximum": "number", "multipleOf": "step",
    "minLength": "count", "maxLength": "count", "pattern": "pattern", "format": "text",
    "contentEncoding": "text", "contentMediaType": "text", "contentSchema": "schema",
    "items": "schema", "prefixItems": "schemas", "contains": "schema", "minContains": "count", "maxContains": "count",
    "minItems": "count", "maxItems": "count", "uniqueItems": "flag", "unevaluatedItems": "schema",
    "properties": "named", "patternProperties": "patterned", "additionalProperties": "schema", "propertyNames": "schema",
    "required": "names", "dependentRequired": "needs", "dependentSchemas": "named", "minProperties": "count",
    "maxProperties": "count", "unevaluatedProperties": "schema",
    "allOf": "schemas", "anyOf": "schemas", "oneOf": "schemas", "not": "schema", "if": "schema", "then": "schema", "else": "schema",
    "$ref": "ref", "$defs": "named", "$schema": "dialect",
}  # fmt: skip

_MEANT: Final = {
    "definitions": "$defs", "optional": "required", "nullable": "type", "values": "enum", "regex": "pattern", "min": "minimum",
    "max": "maximum", "options": "enum", "choices": "enum",
}  # fmt: skip
"""Words of other languages and their keyword here."""


def find_schema_faults(schema: Any) -> list[Finding]:
    """Return everything wrong with a schema, in the order in which it stands there."""
    return list(_check_schema(schema, (), schema))


def _check_schema(schema: Any, path: Path, root: Any) -> Iterator[Finding]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield _fault(path, f"`{show_value(schema)}` is not a JSON Schema", "write an object like `{type: string}`")
        return
    for keyword, value in schema.items():
        shape = KEYWORDS.get(keyword)
        if shape is not None:
            yield from _check_keyword(keyword, shape, value, (*path, keyword), root)
        elif not keyword.startswith("x-"):
            meant = _MEANT.get(keyword)
            hint = f"did you mean `{meant}`?" if meant else hint_nearest(keyword, KEYWORDS)
            yield Finding(
                path=path,
                keyword="additionalProperties",
                message=f"`{show_value(keyword)}` is not a JSON Schema keyword",
                hint=hint,
                name=keyword,
            )


def _check_keyword(keyword: str, shape: Shape, value: Any, path: Path, root: Any) -> Iterator[Finding]:
    match shape:
        case "schema":
            yield from _check_schema(value, path, root)
        case "schemas":
            if not isinstance(value, list) or not value:
                yield _fault(path, f"`{keyword}` takes a list of schemas")
                return
            for index, each in enumerate(value):
                yield from _check_schema(each, (*path, index), root)
        case "named" | "patterned":
            if not isinstance(value, dict):
                yield _fault(path, f"`{keyword}` takes an object of schemas by name")
                return
            for name, each in value.items():
                if shape == "patterned":
                    yield from _check_pattern(name, path, name)
                yield from _check_schema(each, (*path, name), root)
        case "needs":
            if not isinstance(value, dict) or not all(_is_names(each) for each in value.values()):
                yield _fault(path, f"`{keyword}` takes an object of lists of names")
        case "type":
            yield from _check_type(value, path)
        case "pattern":
            if isinstance(value, str):
                yield from _check_pattern(value, path, "")
            else:
                yield _fault(path, "`pattern` takes a text")
        case "ref":
            yield from _check_ref(value, path, root)
        case "dialect":
            if value not in DIALECTS:
                yield _fault(
                    path,
                    f"`{show_value(value)}` is not the JSON Schema spoken here",
                    f"write `{DIALECTS[0]}` or nothing",
                )
        case _:
            wanted = _find_wanted(shape, value)
            if wanted:
                yield _fault(path, f"`{keyword}` takes {wanted}, not `{show_value(value)}`")


def _find_wanted(shape: Shape, value: Any) -> str:
    """Return in words what the shape wants, or nothing when the value has it."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match shape:
        case "text":
            return "" if isinstance(value, str) else "a text"
        case "flag":
            return "" if isinstance(value, bool) else "`true` or `false`"
        case "count":
            return "" if number and value >= 0 and value == int(value) else "a whole number from 0"
        case "number":
            return "" if number else "a number"
        case "step":
            return "" if number and value > 0 else "a number above 0"
        case "names":
            return "" if _is_names(value) else "a list of names, none twice"
        case "list":
            return "" if isinstance(value, list) else "a list"
        case _:
            return ""


def _check_type(value: Any, path: Path) -> Iterator[Finding]:
    names = value if isinstance(value, list) else [value]
    if not names:
        yield _fault(path, "`type` takes at least one type")
    for name in names:
        if name is None:
            yield _fault(path, "`null` without quotes is no type name", 'write `"null"`')
        elif name not in TYPES:
            hint = hint_nearest(name, TYPES) if isinstance(name, str) else ""
            meant = {
                "int": "integer",
                "str": "string",
                "bool": "boolean",
                "float": "number",
                "list": "array",
                "dict": "object",
                "text": "string",
            }
            if isinstance(name, str) and name in meant:
                hint = f"did you mean `{meant[name]}`?"
            yield _fault(path, f"`{show_value(name)}` is not a type", hint or f"known: {name_types(TYPES)}")


def _check_pattern(pattern: str, path: Path, name: str) -> Iterator[Finding]:
    fault = find_fault(pattern)
    if fault is not None:
        yield Finding(
            path=path,
            keyword="pattern",
            message=f"the pattern `{show_value(pattern)}` cannot be used: {fault}",
            name=name,
        )


def _check_ref(value: Any, path: Path, root: Any) -> Iterator[Finding]:
    if not isinstance(value, str) or not value.startswith("#"):
        yield _fault(
            path,
            f"`$ref` may point inside this schema only, not to `{show_value(value)}`",
            "put it under `$defs` and write `#/$defs/<name>`",
        )
        return
    if value == "#":
        return
    found = root
    for part in value.removeprefix("#/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and len(name) < 5 and int(name) < len(found):
            found = found[int(name)]
        else:
            definitions = root.get("$defs") if isinstance(root, dict) else None
            names = [f"#/$defs/{each}" for each in definitions] if isinstance(definitions, dict) else []
            yield _fault(
                path, f"`$ref` points to `{show_value(value)}`, which is not in this schema", hint_nearest(value, names)
            )
            return


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value) and len(set(value)) == len(value)


def _fault(path: Path, message: str, hint: str = "") -> Finding:
    return Finding(path=path, keyword="schema", message=message, hint=hint)
