"""`ipaas validate`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.errors import WRONG_INPUT
from ipaas.cli.options import AsJson, Pipelines, Plugins, Timezone

app = make_app()

Format = Literal["text", "json", "github", "sarif"]


@app.command(cls=Command)
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATHS", help="Files and folders. Default: the pipelines folder.", show_default=False),
    ] = None,
    *,
    format: Annotated[
        Format, typer.Option("--format", help="How problems are printed: github makes annotations, sarif a report.")
    ] = "text",
    as_json: AsJson = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Check files again that did not change.")] = False,
    pipelines: Pipelines = None,
    plugins: Plugins = None,
    timezone: Timezone = None,
) -> None:
    """Check pipeline files and say what is wrong with them, and where.

    Prints every problem of every file, sorted by place, with a hint. Ends with
    exit code 0 when there is none, else 2. Nothing is run, nothing is sent.

    Examples:
      ipaas validate                              every file under pipelines/
      ipaas validate pipelines/orders.yaml        one file
      ipaas validate --format github              annotations on a pull request
      ipaas validate --format sarif > out.sarif   a report for code scanning
      ipaas validate --json | jq '.[].message'
    """
    from ipaas import __version__
    from ipaas.cli.output import say
    from ipaas.definition.report import render_problems
    from ipaas.project import Project, at_path
    from ipaas.settings import load_settings

    settings = load_settings(pipelines=pipelines, plugins=plugins, timezone=timezone)
    if paths:
        settings = at_path(settings, paths[0])
    project = Project(settings, cached=not no_cache)
    loaded = project.load(paths or ())
    report = render_problems(loaded.problems, "json" if as_json else format, program_version=__version__)
    sys.stdout.write(f"{report}\n" if report else "")
    for plugin in project.registry.plugins:
        if plugin.error:
            say(f"plugin `{plugin.name}` could not be loaded: {plugin.error}")
    say(summarise(len(loaded.files), len(loaded.problems)))
    if loaded.problems:
        raise typer.Exit(WRONG_INPUT)


def summarise(files: int, problems: int) -> str:
    """Return what was checked, in one line."""
    checked = f"{files} file{'' if files == 1 else 's'}"
    return f"{checked}: {problems} problem{'' if problems == 1 else 's'}" if problems else f"{checked}: no problems"
