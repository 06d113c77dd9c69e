"""The table of commands, and how one is found, loaded and called.

Owns the root command and the two classes that all commands are made of: `Command` prints its help as it was written, `Group` names
the nearest command. A command's module is imported when the command is called or when its own help is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from ipaas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Entry:
    """One command of the table: where it lives and what it does, in one line."""

    module: str
    summary: str


TABLE: Final[dict[str, dict[str, Entry]]] = {
    "Write pipelines": {
        "init": Entry("init", "Make a new project folder that validates and runs."),
        "validate": Entry("validate", "Check pipeline files and say what is wrong with them, and where."),
        "run": Entry("run", "Run a pipeline file or a stored workflow, and show its steps."),
        "graph": Entry("graph", "Draw a pipeline as a Mermaid or DOT diagram."),
        "schema": Entry("schema", "Print the JSON Schema of pipeline files, for editors."),
    },
    "Operate": {
        "serve": Entry("serve", "Run the server: sync the folder, then run its schedules."),
        "plan": Entry("sync", "Show what a sync would change."),
        "sync": Entry("sync", "Put the pipelines folder into the database."),
        "workflows": Entry("workflows", "List workflows, show one, switch one on or off."),
        "runs": Entry("runs", "List runs, show one with its steps, read its log, cancel it."),
        "schedule": Entry("schedule", "Say when workflows run next."),
    },
    "Know the installation": {
        "plugins": Entry("plugins", "List the connectors and show their actions."),
        "version": Entry("version", "Print the version of ipaas."),
    },
}
"""Heading → command → where it lives. The summaries are the first lines of the commands' help; a test compares them."""

_ENTRIES: Final = {name: entry for section in TABLE.values() for name, entry in section.items()}

SETTINGS: Final[dict[str, Any]] = {
    "rich_markup_mode": None,
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 100},
}
"""What every `typer.Typer` of ours is made with: plain help everywhere, so that it reads the same in a pipe and in a document."""


def _write_help_text(help_text: str | None, formatter: Any) -> None:
    """Write help as its author laid it out: examples keep their lines."""
    formatter.write_paragraph()
    for line in cleandoc(help_text or "").splitlines():
        formatter.write(f"  {line}".rstrip() + "\n")


class Command(TyperCommand):
    """A command whose help is printed as written."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the description."""
        _write_help_text(self.help, formatter)


class Group(TyperGroup):
    """A group of commands that names the nearest one."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the description."""
        _write_help_text(self.help, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or raise `InputError` with the nearest name."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            from ipaas.definition.nearest import hint_nearest

            hint = hint_nearest(name, self.list_commands(ctx)) or f"`{ctx.command_path} --help` lists them"
            raise InputError(f"unknown command `{ctx.command_path} {name}`", hint=hint)
        return super().resolve_command(ctx, args)


class _Root(Group):
    """The root group: knows its commands from the table, and loads one when it is wanted."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the table."""
        return list(_ENTRIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a command, or return None."""
        entry = _ENTRIES.get(cmd_name)
        return load_command(cmd_name, entry) if entry is not None else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the table without loading anything."""
        for heading, section in TABLE.items():
            with formatter.section(heading):
                formatter.write_dl([(name, entry.summary) for name, entry in section.items()])


def load_command(name: str, entry: Entry) -> Any:
    """Import a command's module and return the command: the module's `app`, or `<name>_app` where it has several."""
    module = import_module(f"ipaas.cli.{entry.module}")
    return typer.main.get_command(getattr(module, f"{name}_app", None) or module.app)


def make_app(help_text: str = "") -> typer.Typer:
    """Return an app for one command (without text) or for a group of commands (with the group's help)."""
    if help_text:
        return typer.Typer(cls=Group, help=help_text, no_args_is_help=True, **SETTINGS)
    return typer.Typer(**SETTINGS)


def _print_version(*, asked: bool) -> None:
    if asked:
        from ipaas import __version__

        typer.echo(f"ipaas {__version__}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=lambda value: _print_version(asked=value)
        ),
    ] = False,
) -> None:
    """Run pipelines that are YAML files in git: on a schedule, by hand, and never lose one.

    Examples:
      ipaas init shop && cd shop           a new project
      ipaas validate                       check every file under pipelines/
      ipaas run pipelines/hello.yaml       run one file, now, without a server
      ipaas serve                          run the schedules

    `ipaas COMMAND --help` shows examples of each command.
    """


def make_root() -> Any:
    """Return the root command."""
    app = typer.Typer(cls=_Root, no_args_is_help=True, **SETTINGS)
    app.callback()(_root)
    return typer.main.get_command(app)


def invoke(arguments: Sequence[str]) -> int:
    """Run what was typed and return the exit code; errors come out as exceptions."""
    root = make_root()
    try:
        with root.make_context("ipaas", list(arguments)) as context:
            root.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return 0
