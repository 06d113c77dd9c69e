"""The tables of inputs in docs/connectors, written from what the actions declare.

A table stands between `<!-- inputs of data.sort -->` and an empty line. `pytest tests/plugins --update` writes them anew.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from ipaas.model import Catalog

MARK = re.compile(r"<!-- inputs of (\S+?)(?: (\S+))? -->\n(?:\|.*\n)*")


def render_tables(page: str, catalog: Catalog) -> str:
    """Return the page with each of its tables as the catalog has it."""

    def render(found: re.Match[str]) -> str:
        schema: Mapping[str, Any] = catalog[found[1]].input_schema
        shown = schema["$defs"][found[2]] if found[2] else schema
        rows = [
            _render_row(name, field, name in shown.get("required", ()), schema)
            for name, field in shown["properties"].items()
        ]
        mark = found[0].partition("\n")[0]
        return "\n".join([mark, "| input | takes | default | |", "| --- | --- | --- | --- |", *rows, ""])

    return MARK.sub(render, page)


def _render_row(
    name: str, field: Mapping[str, Any], required: bool, schema: Mapping[str, Any]
) -> str:  # told apart by name
    default = field.get("default")
    shown = "required" if required else "" if default in (None, "", [], {}) else f"`{json.dumps(default)}`"
    text = field.get("description", "").replace("|", "\\|")
    return f"| `{name}` | {_name_type(field, schema)} | {shown} | {text} |"


def _name_type(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Say in words what a schema takes."""
    if "x-ipaas-expression" in field:
        return f"expression over {', '.join(f'`{name}`' for name in field['x-ipaas-expression'])}"
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return f"object: see [{name}](#{name.lower()})"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        names = [_name_type(option, schema) for option in field["anyOf"] if option != {"type": "null"}]
        return " or ".join(dict.fromkeys(names))
    match field.get("type"):
        case "array":
            return f"list of {_name_type(field['items'], schema)}" if field.get("items") else "list"
        case "object":
            others = field.get("additionalProperties")
            return f"object of {_name_type(others, schema)}" if isinstance(others, dict) else "object"
        case "integer":
            return "whole number"
        case "string":
            return "text"
        case None:
            return "anything"
        case other:
            return str(other)
