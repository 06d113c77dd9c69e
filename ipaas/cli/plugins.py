"""`ipaas plugins list|show`: what connectors there are, and how their actions are called."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.options import AsJson, Pipelines, Plugins
from ipaas.errors import InputError

if TYPE_CHECKING:
    from ipaas.model import ActionSpec, Schema
    from ipaas.registry import Registry

app = make_app(
    """List the connectors and show their actions.

    Connectors come with ipaas, from the project's plugins folder, and from
    installed packages.
    """
)


@app.command("list", cls=Command)
def list_(*, pipelines: Pipelines = None, plugins: Plugins = None, as_json: AsJson = False) -> None:
    """List the plugins with their connectors; one that could not be loaded says why.

    Examples:
      ipaas plugins list
      ipaas plugins list --json | jq '.[] | select(.error)'
    """
    from ipaas.cli.output import print_json, print_table

    registry = _load(pipelines, plugins)
    if as_json:
        print_json(
            [
                {
                    "name": plugin.name,
                    "source": plugin.source,
                    "path": plugin.path,
                    "connectors": list(plugin.connectors),
                    "actions": _list_actions(registry, plugin.name),
                    "error": str(plugin.error) if plugin.error else None,
                }
                for plugin in registry.plugins
            ]
        )
        return
    print_table(
        ["PLUGIN", "SOURCE", "CONNECTORS", "ACTIONS", "ERROR"],
        [
            [
                plugin.name,
                plugin.source,
                ", ".join(plugin.connectors),
                str(len(_list_actions(registry, plugin.name))),
                str(plugin.error or ""),
            ]
            for plugin in registry.plugins
        ],
    )


@app.command(cls=Command)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A plugin, a connector, or one action such as http.get.")],
    *,
    pipelines: Pipelines = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Show the actions of a connector: inputs, output, what repeating them does.

    Examples:
      ipaas plugins show http
      ipaas plugins show http.get
      ipaas plugins show http.get --json | jq '.[0].input_schema'
    """
    from ipaas.cli.output import print_json
    from ipaas.definition.nearest import hint_nearest

    registry = _load(pipelines, plugins)
    specs = [
        action.spec
        for action in registry.actions.values()
        if name in (action.name, action.name.partition(".")[0], action.plugin)
    ]
    if not specs:
        broken = [plugin for plugin in registry.plugins if plugin.name == name and plugin.error]
        if broken:
            raise InputError(f"plugin `{name}` could not be loaded: {broken[0].error}")
        known = [*registry.catalog, *(spec.partition(".")[0] for spec in registry.catalog)]
        raise InputError(f"there is no plugin, connector or action `{name}`", hint=hint_nearest(name, known))
    if as_json:
        print_json(specs)
    else:
        sys.stdout.write("\n".join(describe_action(spec) for spec in specs))


def describe_action(spec: "ActionSpec") -> str:
    """Return an action as text: what it does, its inputs, its output."""
    from ipaas.controls import escape_controls

    facts = [f"effect: {spec.effect}"] + (["takes a credential"] if spec.takes_credential else [])
    lines = [spec.name, f"  {spec.summary}", f"  {', '.join(facts)}"]
    required = spec.input_schema.get("required")
    names = required if isinstance(required, list) else []
    properties = spec.input_schema.get("properties")
    if isinstance(properties, dict) and properties:
        lines.append("  inputs:")
        for name, schema in properties.items():
            lines.append(
                f"    {name}: {_show_schema(schema, spec.input_schema)}{' (required)' if name in names else ''}"
            )
    lines.append(f"  output: {_show_schema(spec.output_schema, spec.output_schema)}")
    return "".join(f"{escape_controls(line)}\n" for line in lines)


def _show_schema(schema: object, whole: "Schema") -> str:
    """Return a part of a schema in a few words: its type, its default, its description."""
    if not isinstance(schema, dict) or not schema:
        return "anything"
    words = _show_type(schema, whole)
    if "default" in schema:
        words += f" = {json.dumps(schema['default'], ensure_ascii=False)}"
    description = schema.get("description")
    return f"{words}: {' '.join(str(description).split())}" if description else words


def _show_type(schema: object, whole: "Schema", seen: tuple[str, ...] = ()) -> str:
    if not isinstance(schema, dict):
        return "anything"
    if isinstance(names := schema.get("x-ipaas-expression"), list):
        return f"expression over {', '.join(map(str, names))}" if names else "expression"
    if isinstance(reference := schema.get("$ref"), str):
        # A type that contains itself has no end: its inside is not written out.
        return "anything" if reference in seen else _show_type(_find_part(reference, whole), whole, (*seen, reference))
    if "enum" in schema and isinstance(schema["enum"], list):
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        parts = schema.get(key)
        if isinstance(parts, list):
            return " | ".join(dict.fromkeys(_show_type(part, whole, seen) for part in parts))
    kind = schema.get("type", "anything")
    if kind == "array" and schema.get("items"):
        shown = _show_type(schema["items"], whole, seen)
        return f"list of ({shown})" if " | " in shown else f"list of {shown}"
    if kind == "object" and isinstance(properties := schema.get("properties"), dict):
        return "{" + ", ".join(properties) + "}"
    return " | ".join(map(str, kind)) if isinstance(kind, list) else str(kind)


def _find_part(reference: str, whole: "Schema") -> object:
    part: object = whole
    for name in reference.removeprefix("#/").split("/"):
        part = part.get(name) if isinstance(part, dict) else None
    return part


def _list_actions(registry: "Registry", plugin: str) -> list[str]:
    """Return the names of a plugin's actions, without building their schemas."""
    return sorted(name for name, action in registry.actions.items() if action.plugin == plugin)


def _load(pipelines: object, plugins: object) -> "Registry":
    from ipaas.project import Project
    from ipaas.settings import load_settings

    return Project(load_settings(pipelines=pipelines, plugins=plugins)).registry
