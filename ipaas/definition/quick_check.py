"""A yes-or-no check of JSON against a schema, as nested functions made once.

Owns the fast path of `json_schema.Validator`: most values are right, and to find that out takes a tenth of the time that it takes to say
what is wrong. Knows the keywords that real schemas use; a schema with any other has no quick check. Its verdict is that of
`jsonschema`, which a test holds it to. Knows nothing of messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ipaas.definition.patterns import is_match

Check: TypeAlias = Callable[[Any], bool]

_SILENT: Final = frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "$comment",
        "$defs",
        "$schema",
        "deprecated",
        "readOnly",
        "writeOnly",
    }
)
"""Keywords that refuse nothing."""


class _Unknown(Exception):
    """The schema has something that there is no quick check for."""


def make_check(schema: Any, spend: Callable[[], None]) -> Check | None:
    """Return the check, or None when the schema is beyond it.

    Args:
        schema: a valid JSON Schema.
        spend: called at each `$ref`; raises when there were too many.
    """
    try:
        return _Maker(schema, spend).make(schema)
    except (_Unknown, RecursionError):
        return None


def _is_anything(_value: Any) -> bool:
    return True


def _is_nothing(_value: Any) -> bool:
    return False


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Final[dict[str, Check]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
    "array": lambda value: isinstance(value, (list, tuple)),
    "object": lambda value: isinstance(value, dict),
}


class _Maker:
    """Makes the functions of one schema."""

    def __init__(self, root: Any, spend: Callable[[], None]) -> None:
        self._root = root
        self._spend = spend
        self._references: dict[str, list[Check]] = {}

    def make(self, schema: Any) -> Check:
        if isinstance(schema, bool):
            return _is_anything if schema else _is_nothing
        checks: list[Check] = []
        for keyword, wanted in schema.items():
            if keyword in _SILENT or keyword.startswith("x-"):
                continue
            check = self._make_keyword(keyword, wanted, schema)
            if check is not None:
                checks.append(check)
        match checks:
            case []:
                return _is_anything
            case [only]:
                return only
            case [first, second]:
                return lambda value: first(value) and second(value)
            case _:
                return lambda value: all(check(value) for check in checks)

    def _make_keyword(self, keyword: str, wanted: Any, schema: dict[str, Any]) -> Check | None:
        match keyword:
            case "type":
                return _make_type(wanted)
            case "$ref":
                return self._make_reference(wanted)
            case "properties":
                return self._make_properties(wanted, schema)
            case "additionalProperties":
                return None if "properties" in schema else self._make_properties({}, schema)
            case "required":
                names = frozenset(wanted)
                return lambda value: not isinstance(value, dict) or names <= value.keys()
            case "items" if "prefixItems" not in schema:
                check = self.make(wanted)
                return lambda value: not isinstance(value, (list, tuple)) or all(check(each) for each in value)
            case "propertyNames":
                check = self.make(wanted)
                return lambda value: not isinstance(value, dict) or all(check(name) for name in value)
            case "anyOf" | "allOf" | "oneOf" | "not":
                return self._make_logic(keyword, wanted)
            case "enum":
                return _make_enum(wanted)
            case "const":
                return _make_enum([wanted])
            case "pattern":
                return lambda value: not isinstance(value, str) or is_match(wanted, value)
            case _:
                return _make_bound(keyword, wanted)

    def _make_reference(self, reference: str) -> Check:
        """Return a function that looks its own function up when called, so that a schema may refer to itself."""
        holder = self._references.get(reference)
        if holder is None:
            holder = self._references[reference] = []
            holder.append(self.make(_find(self._root, reference)))
        spend, found = self._spend, holder

        def check(value: Any) -> bool:
            spend()
            return found[0](value)

        return check

    def _make_properties(self, properties: dict[str, Any], schema: dict[str, Any]) -> Check:
        if "patternProperties" in schema:
            raise _Unknown
        checks = {name: self.make(each) for name, each in properties.items()}
        other = self.make(schema.get("additionalProperties", True))

        def check(value: Any) -> bool:
            return not isinstance(value, dict) or all(checks.get(name, other)(each) for name, each in value.items())

        return check

    def _make_logic(self, keyword: str, wanted: Any) -> Check:
        if keyword == "not":
            refused = self.make(wanted)
            return lambda value: not refused(value)
        checks = [self.make(each) for each in wanted]
        if keyword == "anyOf":
            return lambda value: any(check(value) for check in checks)
        if keyword == "allOf":
            return lambda value: all(check(value) for check in checks)
        return lambda value: sum(check(value) for check in checks) == 1


def _find(root: Any, reference: str) -> Any:
    """Follow a reference into the schema; ones that need more than plain names are beyond the quick check."""
    if not reference.startswith("#") or "~" in reference or "%" in reference or "$id" in root:
        raise _Unknown
    found = root
    for name in reference.removeprefix("#").split("/")[1:]:
        if not isinstance(found, dict) or name not in found:
            raise _Unknown
        found = found[name]
    return found


def _make_type(wanted: Any) -> Check:
    if isinstance(wanted, str):
        return _TYPES[wanted]
    checks = [_TYPES[name] for name in wanted]
    return lambda value: any(check(value) for check in checks)


def _make_enum(wanted: list[Any]) -> Check:
    if not all(isinstance(each, (str, int, float, type(None))) for each in wanted):
        raise _Unknown
    texts = frozenset(each for each in wanted if isinstance(each, str))
    others = [each for each in wanted if not isinstance(each, str)]

    def check(value: Any) -> bool:
        if isinstance(value, str):
            return value in texts
        # In JSON true is not 1, but 1.0 is.
        return any(isinstance(value, bool) == isinstance(each, bool) and value == each for each in others)

    return check


def _make_bound(keyword: str, wanted: Any) -> Check:
    match keyword:
        case "minimum":
            return lambda value: not _is_number(value) or value >= wanted
        case "maximum":
            return lambda value: not _is_number(value) or value <= wanted
        case "exclusiveMinimum":
            return lambda value: not _is_number(value) or value > wanted
        case "exclusiveMaximum":
            return lambda value: not _is_number(value) or value < wanted
        case "minLength":
            return lambda value: not isinstance(value, str) or len(value) >= wanted
        case "maxLength":
            return lambda value: not isinstance(value, str) or len(value) <= wanted
        case "minItems":
            return lambda value: not isinstance(value, (list, tuple)) or len(value) >= wanted
        case "maxItems":
            return lambda value: not isinstance(value, (list, tuple)) or len(value) <= wanted
        case _:
            raise _Unknown
