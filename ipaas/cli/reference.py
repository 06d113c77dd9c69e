"""The command reference and the settings reference, written from the code.

Owns the text of docs/commands.md and docs/settings.md. `docs/generate.py` writes the files, a test compares them.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from ipaas.cli.commands import TABLE, load_command, make_root

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 88


def render_commands() -> str:
    """Return docs/commands.md."""
    lines = [
        "# Commands",
        "",
        "Written from the code by `make docs`; do not edit.",
        "",
        "| Exit code | Meaning |",
        "| --- | --- |",
        "| 0 | it is done |",
        "| 1 | the work failed: a run did not succeed, a database is away |",
        "| 2 | the input is wrong: a flag, a file, a name; nothing was changed |",
        "| 130 | Ctrl-C |",
        "",
        "Standard output carries the answer and nothing else. Messages, problems, progress and logs go to standard error.",
        "With `--json` the answer is one JSON document; times are ISO 8601 in UTC. `NO_COLOR=1` turns colours off.",
        "",
    ]
    root = make_root()
    with root.make_context("ipaas", [], resilient_parsing=True, terminal_width=WIDTH) as context:
        lines += _section(context, level=2)
        for heading, section in TABLE.items():
            lines += [f"## {heading}", ""]
            for name, entry in section.items():
                command = load_command(name, entry)
                for child in _contexts(command, name, context):
                    lines += _section(child, level=3)
    return "\n".join(lines).rstrip() + "\n"


def _contexts(command: Any, name: str, parent: Any) -> Iterator[Any]:
    """Yield the context of a command and of the commands in it."""
    with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
        yield context
        for child in getattr(command, "commands", {}):
            yield from _contexts(command.commands[child], child, context)


def _section(context: Any, *, level: int) -> list[str]:
    return [f"{'#' * level} `{context.command_path}`", "", "```text", context.get_help().rstrip(), "```", ""]


def render_settings() -> str:
    """Return docs/settings.md."""
    from ipaas.settings import PREFIX, Settings

    lines = [
        "# Settings",
        "",
        "Written from the code by `make docs`; do not edit.",
        "",
        "A flag wins over the environment variable, which wins over the default. An empty variable is no value. There is no",
        "settings file: a service manager, a container or `direnv` sets variables better.",
        "",
        "| Variable | Default | Meaning |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = (
            ""
            if default is None or default == ()
            else str(default).lower()
            if isinstance(default, bool)
            else str(default)
        )
        limits = [
            f"{word} {getattr(limit, key):g}"
            for limit in field.metadata
            for key, word in _LIMITS
            if hasattr(limit, key)
        ]
        meaning = f"{field.description} Limits: {', '.join(limits)}." if limits else str(field.description)
        lines.append(f"| `{PREFIX}{name.upper()}` | {f'`{shown}`' if shown else ''} | {_escape_cell(meaning)} |")
    lines += [
        "",
        "A connector has its own settings under `IPAAS_<CONNECTOR>_`; its page in docs/connectors/ lists them. At its start `ipaas",
        "serve` warns of a variable under `IPAAS_` that nothing reads: it is probably misspelt.",
        "",
        "## Credentials",
        "",
        "`credential: shop-eu` in a step reads `IPAAS_CREDENTIAL_SHOP_EU`: the id in upper case, `-` as `_`. The value is a JSON",
        "object of strings, whose names the connector documents:",
        "",
        "```console",
        '$ export IPAAS_CREDENTIAL_SHOP_EU=\'{"token": "…"}\'',
        "```",
        "",
        "The values are taken out of everything that is shown or kept: as they are, in base64 and base64url (also inside a longer",
        "text), URL-encoded, JSON- and HTML-escaped, and in hexadecimal. A value of under four characters is taken out only as a",
        "whole word. Keep credentials long and random; a password such as `name` would also disappear from innocent text.",
        "",
    ]
    return "\n".join(lines)


_LIMITS = (("ge", "at least"), ("gt", "more than"), ("le", "at most"))


def _escape_cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def documents() -> dict[str, str]:
    """Return path below docs/ → text, for every document that is written from the code here."""
    # typer would wrap to the terminal of whoever runs this.
    os.environ["COLUMNS"] = str(WIDTH)
    return {"commands.md": render_commands(), "settings.md": render_settings()}
