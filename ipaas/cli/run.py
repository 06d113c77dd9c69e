"""`ipaas run`: one run, now, before your eyes."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.errors import FAILED, INTERRUPTED
from ipaas.cli.options import AllowNetwork, AsJson, Database, Plugins, Timezone
from ipaas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipaas.app import Result
    from ipaas.model import JsonObject, Workflow
    from ipaas.project import Project
    from ipaas.settings import Settings
    from ipaas.store.contract import StoredWorkflow

app = make_app()


@app.command(cls=Command)
def run(
    target: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="A pipeline file, or a workflow id of the database.")
    ],
    *,
    input: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=VALUE", help="One input; JSON, or text. May be repeated."),
    ] = None,
    inputs_file: Annotated[
        Path | None,
        typer.Option(
            "--inputs-file", metavar="FILE", help="Inputs as one JSON or YAML object; - reads standard input."
        ),
    ] = None,
    dry: Annotated[
        bool, typer.Option("--dry", help="Send nothing: follow the steps and show the requests that would be sent.")
    ] = False,
    database: Database = None,
    plugins: Plugins = None,
    allow_network: AllowNetwork = None,
    timezone: Timezone = None,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline file or a stored workflow, and show its steps.

    A file needs no server and no database: the run is kept in memory. With
    --database the file is first put into that database, and the run is recorded
    there. An id is looked up in the database.

    On a terminal the steps are shown while they run; in a pipe, or with --json,
    the answer is one JSON document. Exit code 1 when the run did not succeed.

    Examples:
      ipaas run pipelines/orders.yaml
      ipaas run pipelines/orders.yaml --input minimum=500 --input region=eu
      ipaas run pipelines/orders.yaml --inputs-file inputs.json
      ipaas run pipelines/orders.yaml --dry          what would it send?
      ipaas run pipelines/orders.yaml | jq .outputs
      ipaas run orders --database sqlite:///ipaas.db
    """
    from ipaas.cli.inputs import read_inputs
    from ipaas.cli.schedule import is_file_name
    from ipaas.project import Project, at_path
    from ipaas.settings import load_settings

    settings = load_settings(database=database, plugins=plugins, allow_network=allow_network, timezone=timezone)
    texts: list[Workflow] = []
    find_workflow: Callable[[str], Workflow | None]
    if is_file_name(target):
        path = Path(target)
        # The variable names the server's database; only a typed flag puts a file on trial into it.
        settings = at_path(settings, path).model_copy(update={"database": database or "memory:"})
        project = Project(settings)
        workflow, called = project.load_with_calls(path)
        texts, find_workflow = [workflow, *called.values()], called.get
    else:
        project = Project(settings)
        find_workflow = stored = _read_stored(settings, project)
        workflow = _get_stored(target, stored)
    values = read_inputs(input or [], inputs_file, workflow)
    if dry:
        _run_dry(project, workflow, values, find_workflow, as_json=as_json)
    else:
        _run_live(settings, project, workflow, values, texts, as_json=as_json)


class _Stored:
    """The workflows of the database, compiled when they are asked for."""

    def __init__(self, rows: "Sequence[StoredWorkflow]", project: "Project") -> None:
        self.rows = {row.id: row for row in rows}
        self._project = project

    def __call__(self, name: str) -> "Workflow | None":
        from ipaas.store.contract import Version

        row = self.rows.get(name)
        if row is None:
            return None
        return self._project.compile_version(
            Version(workflow=row.id, version=row.version, path=row.path, source=row.source)
        )


def _read_stored(settings: "Settings", project: "Project") -> _Stored:
    from ipaas.app import list_all_workflows, run_with_store
    from ipaas.cli.database import require_database

    require_database(settings)
    return _Stored(run_with_store(settings, list_all_workflows), project)


def _get_stored(name: str, stored: _Stored) -> "Workflow":
    """Return an active workflow of the database."""
    from ipaas.definition.nearest import hint_nearest

    workflow = stored(name)
    if workflow is None:
        hint = hint_nearest(name, stored.rows) or "`ipaas sync` puts the pipelines folder into the database"
        raise InputError(f"there is no workflow `{name}` in the database", hint=hint)
    if not stored.rows[name].active:
        raise InputError(f"workflow `{name}` is switched off", hint=f"`ipaas workflows activate {name}` switches it on")
    return workflow


def _run_dry(
    project: "Project",
    workflow: "Workflow",
    inputs: "JsonObject",
    find_workflow: "Callable[[str], Workflow | None]",
    *,
    as_json: bool,
) -> None:
    import trio

    from ipaas.app import rehearse
    from ipaas.cli.dry_report import as_dry_document, render_dry
    from ipaas.cli.output import is_terminal, print_json, say
    from ipaas.cli.run_report import describe_error

    dry = trio.run(lambda: rehearse(project, workflow, inputs, find_workflow=find_workflow))
    if as_json or not is_terminal(sys.stdout):
        print_json(as_dry_document(workflow, dry))
        if dry.outcome.error is not None:  # the text form has it
            sys.stdout.flush()
            say(describe_error(dry.outcome.error))
    else:
        sys.stdout.write(render_dry(workflow, dry))
    if dry.outcome.state != "succeeded":
        raise typer.Exit(FAILED)


def _run_live(
    settings: "Settings",
    project: "Project",
    workflow: "Workflow",
    inputs: "JsonObject",
    texts: "list[Workflow]",
    *,
    as_json: bool,
) -> None:
    import trio

    from ipaas.app import run_once
    from ipaas.cli.output import is_terminal, print_json, say
    from ipaas.cli.run_report import as_document, describe_error
    from ipaas.cli.secrets import get_redactor
    from ipaas.telemetry import LineLog, start_logging

    watched = is_terminal(sys.stderr)
    sink = start_logging(
        sys.stderr,
        format=settings.log_format,
        level="warning" if watched else settings.log_level,
        redact=get_redactor().text,
    )

    async def main() -> "Result":
        if not watched:
            return await run_once(settings, project, workflow, inputs, texts=texts, observers=[LineLog()])
        from rich.console import Console

        from ipaas.cli.live import LiveBoard
        from ipaas.engine.system_clock import SystemClock

        board = LiveBoard(Console(stderr=True), SystemClock())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(board.keep_drawing)
            result = await run_once(settings, project, workflow, inputs, texts=texts, observers=[board])
            nursery.cancel_scope.cancel()
        return result

    try:
        with redirect_stdout(sys.stderr):  # what a connector prints must not end up in the answer
            result = trio.run(main)
    finally:
        sink.close()
    if as_json or not is_terminal(sys.stdout):
        print_json(as_document(result.run, result.steps))
    else:
        _print_for_people(result)
    sys.stdout.flush()
    state = result.run.state
    if state == "succeeded":
        return
    if result.run.error is not None:
        say(describe_error(result.run.error))
    reason = f": {result.run.reason}" if result.run.reason else ""
    say(f"error: run {result.run.id} {state.replace('_', ' ')}{reason}")
    raise typer.Exit(INTERRUPTED if state == "cancelled" and result.interrupted else FAILED)


def _print_for_people(result: "Result") -> None:
    """Print the finished tree and the outputs on the terminal."""
    from rich.console import Console

    from ipaas.cli.board import Board
    from ipaas.cli.live import draw_rows
    from ipaas.cli.output import STATE_STYLES, show_duration, to_json_text

    run = result.run
    board = Board()
    for step in result.steps:
        board.update(step)
    console = Console()
    end = run.finished_at or run.created_at
    console.print(
        draw_rows([(run.workflow, row) for row in board.list_rows(end)], unicode=console.encoding.startswith("utf"))
    )
    took = show_duration(end - run.started_at) if run.started_at else ""
    style = STATE_STYLES.get(run.state, "")
    console.print(f"[{style}]{run.state.replace('_', ' ')}[/] in {took}  [dim]{run.id}[/]", highlight=False)
    if run.outputs:
        sys.stdout.write(to_json_text(run.outputs) + "\n")
