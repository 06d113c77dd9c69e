"""Types that an action states by its inputs: "the same list", "an item of it", "what that expression gives".

Owns `Like`, the spelling of what it refers to, and the schemas of the names of an expression. Knows nothing of connectors. Called by
authors, and by `signature` and `parameters` when schemas are built; `ipaas.definition.derived_types` is the reader of the keywords.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

    from ipaas.model import Schema

LIKE_KEYWORD: Final = "x-ipaas-like"
"""JSON Schema keyword of a value that is like inputs of the action: a list of what `Like` was given."""
NAMES_KEYWORD: Final = "x-ipaas-names"
"""JSON Schema keyword of a parameter that takes an expression: the schemas of those extra names of which more is known."""

_REFERENCE: Final = re.compile(r"(\*|[^\W\d][\w-]*)((?:\[\*?\])*)")


@final
@dataclass(frozen=True, slots=True, init=False)
class Like:
    """The value is of the type that the pipeline gives these inputs: `Annotated[list[Json], Like("items")]`.

    `items` is the input itself, or what its expression gives; `items[]` an item of it; `items[*]` an item of it once the lists
    in it are dissolved; `*` the object of all inputs. Of several, those count that the pipeline gives; the value is like one of them.

    Raises:
        ValueError: when a reference is not spelt like that.
    """

    inputs: tuple[str, ...]

    def __init__(self, *inputs: str) -> None:
        for reference in inputs:
            if not _REFERENCE.fullmatch(reference):
                raise ValueError(f"`Like({reference!r})` is not an input's name, with `[]` or `[*]` behind it, or `*`")
        if not inputs:
            raise ValueError("`Like()` names no input")
        object.__setattr__(self, "inputs", inputs)

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core_schema), LIKE_KEYWORD: list(self.inputs)}


def describe_names(types: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """Return the schema of each name, free of references: one such schema stands inside another's.

    Args:
        types: name and type; a `Like` alone stands for JSON of that type.
    """
    found = {name: _describe(annotation) for name, annotation in types}
    return {name: schema for name, schema in found.items() if schema}


def _describe(annotation: Any) -> dict[str, Any]:
    from pydantic import TypeAdapter

    from ipaas.plugin.signature import tidy_schema

    if isinstance(annotation, Like):
        return {LIKE_KEYWORD: list(annotation.inputs)}
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    schema = tidy_schema(adapter.json_schema())
    definitions = schema.pop("$defs", {})
    described = _replace_references(schema, definitions, ())
    assert isinstance(described, dict)  # as the schema was
    return described


def _replace_references(value: Any, definitions: Mapping[str, Any], around: tuple[str, ...]) -> Any:
    """Return the schema with what each reference stands for; where a type contains itself, anything."""
    if isinstance(value, list):
        return [_replace_references(item, definitions, around) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str):
        name = reference.rpartition("/")[2]
        return {} if name in around else _replace_references(definitions.get(name, {}), definitions, (*around, name))
    return {key: _replace_references(item, definitions, around) for key, item in value.items()}


def find_wrong_reference(schema: Schema, inputs: Iterable[str]) -> tuple[str, str]:
    """Return the first reference inside a schema that names none of the inputs, and the input that it may mean; else empty texts."""
    known = list(inputs)
    for reference in _list_references(schema):
        found = _REFERENCE.fullmatch(reference)
        name = found[1] if found is not None else reference
        if name != "*" and name not in known:
            return reference, next(iter(difflib.get_close_matches(name, known, n=1)), "")
    return "", ""


def _list_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        own = value.get(LIKE_KEYWORD)
        yield from (each for each in own if isinstance(each, str)) if isinstance(own, list) else ()
        for item in value.values():
            yield from _list_references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _list_references(item)
