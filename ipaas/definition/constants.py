"""Values of a pipeline file that stand where an expression may stand.

Owns `Constant` and `LiteralItems`, both `Expression`s that need no evaluation of text. Made by `expression_fields`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ipaas.model import Deferred

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipaas.model import Json, Place, Schema, Template

ITEMS: Final = "in"


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is the same in every scope: `if: true`, `in: [1, 2]`."""

    place: Place
    text: str
    value: Json

    def evaluate(self, scope: Mapping[str, Json]) -> Json:
        """Return the value."""
        return self.value


@dataclass(frozen=True, slots=True)
class LiteralItems:
    """A list written in the file with expressions in it: `in: ["${{ inputs.first }}", last]`."""

    place: Place
    text: str
    template: Template

    def evaluate(self, scope: Mapping[str, Json]) -> Json:
        """Return the list in this scope."""
        items = self.template.evaluate(scope)[ITEMS]
        assert not isinstance(items, Deferred)  # only a parameter's schema asks for one
        return items


def infer_items(values: list[Json]) -> Schema:
    """Return what all values of a list have in common: their type, and the type of their keys."""
    schemas = [_infer(value) for value in values]
    if not schemas:
        return {}
    first = schemas[0]
    if all(schema == first for schema in schemas):
        return first
    types = {str(schema["type"]) for schema in schemas}
    if types <= {"integer", "number"}:
        return {"type": "number"}
    if types == {"object"}:
        return {"type": "object"}
    return {}


def _infer(value: Json) -> Schema:
    if isinstance(value, bool):
        return {"type": "boolean"}
    if value is None:
        return {"type": "null"}
    if isinstance(value, str):
        return {"type": "string"}
    if isinstance(value, (int, float)):
        return {"type": "integer" if isinstance(value, int) else "number"}
    if isinstance(value, dict):
        properties = {name: _infer(each) for name, each in value.items()}
        return {"type": "object", "properties": properties, "required": list(value), "additionalProperties": False}
    return {"type": "array"}
