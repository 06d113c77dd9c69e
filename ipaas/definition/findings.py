"""What a JSON Schema check found, in plain words.

Owns the translation of `jsonschema` errors into `Finding` values. Knows nothing of pipelines or places: `json_schema` renders
findings for values at run time, `frame` turns them into located problems.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipaas.definition.nearest import hint_nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jsonschema import ValidationError

Path = tuple[str | int, ...]

MAX_CHOICES = 8
"""More choices than these are listed in the hint only, and only when none is near."""

MAX_SHOWN = 40
"""Characters of a value in a message; the place says where the rest is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One way in which a value does not meet its schema.

    Attributes:
        path: of the value from the root.
        keyword: the schema's keyword that refused it.
        message: what is wrong, without the path.
        hint: how to mend it, or empty.
        name: the property that is unknown or missing, or empty.
        known: the names that are allowed there, for `additionalProperties`.
        schema: the subschema that holds the keyword.
    """

    path: Path
    keyword: str
    message: str
    hint: str = ""
    name: str = ""
    known: tuple[str, ...] = ()
    schema: Any = None

    def __str__(self) -> str:
        where = show_path(self.path)
        return f"`{where}`: {self.message}" if where else self.message


def show_path(path: Path) -> str:
    """Return a path as a person writes it: `items[3].total`, `headers["x y"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "a").replace("-", "a").isalnum():
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


def show_value(value: object) -> str:
    """Return a value short enough for a message: strings bare, everything else as JSON."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, (dict, list, tuple)) and len(value) > MAX_SHOWN:
        text = f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text[: MAX_SHOWN * 2].split()) if "\n" in text else text
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def name_types(types: object) -> str:
    """Return the types of a `type` keyword as words: `string` or `number`."""
    names = [types] if isinstance(types, str) else list(types) if isinstance(types, (list, tuple)) else []
    return " or ".join(f"`{name}`" for name in names)


def explain(errors: Iterable[ValidationError]) -> Iterator[Finding]:
    """Yield what the errors say, in the order in which they come."""
    for error in errors:
        yield from _explain(error, ())


def _explain(error: ValidationError, prefix: Path) -> Iterator[Finding]:
    path = (*prefix, *error.relative_path)
    keyword = str(error.validator)
    value: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    if keyword in ("anyOf", "oneOf") and error.context:
        yield from _explain_alternatives(error, path)
        return
    if keyword in ("additionalProperties", "unevaluatedProperties") and isinstance(value, dict):
        known = tuple(schema.get("properties", ())) if isinstance(schema, dict) else ()
        for name in _list_extra(value, schema):
            message = f"`{show_value(name)}` is not known"
            yield Finding(
                path=path,
                keyword=keyword,
                message=message,
                hint=hint_nearest(name, known),
                name=name,
                known=known,
                schema=schema,
            )
        return
    if keyword == "required":  # `json_schema` puts the bare name into the message
        yield Finding(
            path=path, keyword=keyword, message=f"`{error.message}` is missing", name=error.message, schema=schema
        )
        return
    message, hint = _describe(keyword, wanted, value)
    name = value if isinstance(value, str) and "propertyNames" in error.schema_path else ""
    yield Finding(path=path, keyword=keyword, message=message, hint=hint, name=name, schema=schema)


def _list_extra(value: dict[str, Any], schema: Any) -> list[str]:
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    patterns = schema.get("patternProperties", {}) if isinstance(schema, dict) else {}
    extra = [name for name in value if name not in properties]
    if patterns:
        from ipaas.definition.patterns import is_match

        extra = [name for name in extra if not any(is_match(pattern, name) for pattern in patterns)]
    return extra


def _explain_alternatives(error: ValidationError, path: Path) -> Iterator[Finding]:
    """Explain the alternative that was probably meant: the one whose first refusal lies deepest and is not the type."""
    branches: dict[object, list[ValidationError]] = {}
    for inner in error.context or ():
        # jsonschema gives the refusals of a `false` schema no path.
        branches.setdefault(inner.schema_path[0] if inner.schema_path else None, []).append(inner)
    types: list[str] = []
    meant: list[ValidationError] | None = None
    best = (-1, 0)
    for branch in branches.values():
        mismatch = next((each for each in branch if each.validator == "type" and not each.relative_path), None)
        if mismatch is not None:
            named: Any = mismatch.validator_value
            types += [named] if isinstance(named, str) else list(named)
            continue
        rank = (max(len(each.relative_path) for each in branch), -len(branch))
        if meant is None or rank > best:
            meant, best = branch, rank
    if meant is not None:
        for inner in meant:
            yield from _explain(inner, path)
        return
    wanted = name_types(list(dict.fromkeys(types)))
    yield Finding(
        path=path,
        keyword="type",
        message=f"`{show_value(error.instance)}` is not of type {wanted}",
        schema=error.schema,
    )


def _describe(keyword: str, wanted: Any, value: Any) -> tuple[str, str]:
    shown = f"`{show_value(value)}`"
    match keyword:
        case "type":
            return f"{shown} is not of type {name_types(wanted)}", ""
        case "enum":
            names = [each for each in wanted if isinstance(each, str)]
            hint = hint_nearest(value, names) if isinstance(value, str) and names else ""
            listed = ", ".join(f"`{show_value(each)}`" for each in wanted)
            if len(wanted) > MAX_CHOICES:
                return f"{shown} is not one of the {len(wanted)} values allowed here", hint or f"known: {listed}"
            return f"{shown} is not one of {listed}", hint if hint.startswith("did") else ""
        case "const":
            return f"{shown} is not `{show_value(wanted)}`", ""
        case "minimum" | "exclusiveMinimum":
            return f"{shown} is {'less than' if keyword == 'minimum' else 'not more than'} {wanted}", ""
        case "maximum" | "exclusiveMaximum":
            return f"{shown} is {'more than' if keyword == 'maximum' else 'not less than'} {wanted}", ""
        case "multipleOf":
            return f"{shown} is not a multiple of {wanted}", ""
        case "minLength" | "maxLength":
            return f"{shown} has {'fewer' if keyword == 'minLength' else 'more'} than {_count(wanted, 'character')}", ""
        case "minItems" | "maxItems":
            return f"has {'fewer' if keyword == 'minItems' else 'more'} than {_count(wanted, 'item')}", ""
        case "minProperties" | "maxProperties":
            return f"has {'fewer' if keyword == 'minProperties' else 'more'} than {_count(wanted, 'key')}", ""
        case "pattern":
            return f"{shown} does not match the pattern `{show_value(wanted)}`", ""
        case "format":
            return f"{shown} is not a valid `{show_value(wanted)}`", ""
        case "uniqueItems":
            return "has the same item twice", ""
        case "contains" | "minContains" | "maxContains":
            return "does not hold the items it must hold", ""
        case "oneOf":
            return f"{shown} fits more than one of the forms it may have", ""
        case "dependentRequired":
            return "lacks a key that another key needs beside it", ""
        case _:
            return f"{shown} is not allowed here", ""


def _count(number: object, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
