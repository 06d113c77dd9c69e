"""`ipaas runs list|show|logs|cancel`: what ran, what happened in it, and how to end it."""

import sys
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.options import AsJson, Database, Limit
from ipaas.errors import InputError

if TYPE_CHECKING:
    from ipaas.run import LogLine, Run, RunState, StepResult
    from ipaas.store.contract import Page, Store

app = make_app("List runs, show one with its steps, read its log, cancel it.")

RunId = Annotated[str, typer.Argument(metavar="ID", help="The run's id.")]


@app.command("list", cls=Command)
def list_(
    *,
    workflow: Annotated[str, typer.Option("--workflow", metavar="ID", help="Only runs of this workflow.")] = "",
    state: Annotated[
        list[str] | None, typer.Option("--state", metavar="STATE", help="Only runs in this state. May be repeated.")
    ] = None,
    limit: Limit = 50,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first.

    Examples:
      ipaas runs list
      ipaas runs list --workflow orders --state failed --state timed_out
      ipaas runs list --json | jq -r '.[].id'
    """
    from ipaas.cli.database import ask
    from ipaas.cli.output import STATE_STYLES, print_json, print_table, say, show_duration, show_time
    from ipaas.store.contract import DEFAULT_TENANT, RunFilter

    where = RunFilter(workflow=workflow, states=frozenset(_parse_state(name) for name in state or ()))

    async def get(store: "Store") -> "Page[Run]":
        return await store.list_runs(DEFAULT_TENANT, where, limit=limit)

    page = ask(database, get)
    if as_json:
        print_json([_as_row(run) for run in page.items])
        return
    print_table(
        ["ID", "WORKFLOW", "STATE", "TRIGGER", "CREATED", "TOOK", "WHY"],
        [
            [
                run.id,
                run.workflow,
                run.state,
                run.trigger.id or run.trigger.type,
                show_time(run.created_at),
                show_duration(run.finished_at - run.started_at if run.finished_at and run.started_at else None),
                run.reason or (run.error.message if run.error else ""),
            ]
            for run in page.items
        ],
        styles={2: STATE_STYLES},
        spare=[3, 5],
    )
    if page.cursor is not None:
        say(f"more runs are older: --limit {limit} shows the newest")


@app.command(cls=Command)
def show(run: RunId, *, database: Database = None, as_json: AsJson = False) -> None:
    """Show one run: its state, inputs, outputs, error, and every step.

    Examples:
      ipaas runs show run_01jq...
      ipaas runs show run_01jq... --json | jq '.steps[] | select(.status == "failed")'
    """
    from ipaas.cli.database import ask
    from ipaas.cli.output import print_json
    from ipaas.cli.run_report import as_document, print_report
    from ipaas.store.contract import DEFAULT_TENANT

    async def get(store: "Store") -> "tuple[Run, list[StepResult]]":
        return await store.get_run(DEFAULT_TENANT, run), await store.list_steps(DEFAULT_TENANT, run)

    row, steps = ask(database, get)
    if as_json:
        print_json(as_document(row, steps))
    else:
        print_report(row, steps)


@app.command(cls=Command)
def logs(run: RunId, *, database: Database = None, as_json: AsJson = False) -> None:
    """Print the log of a run, oldest line first.

    Examples:
      ipaas runs logs run_01jq...
      ipaas runs logs run_01jq... --json | jq -r '.[] | select(.level == "error") | .message'
    """
    from ipaas.cli.columns import align
    from ipaas.cli.database import ask
    from ipaas.cli.output import print_json, show_text, show_time
    from ipaas.store.contract import DEFAULT_TENANT

    async def get(store: "Store") -> "list[LogLine]":
        await store.get_run(DEFAULT_TENANT, run)
        lines: list[LogLine] = []
        cursor: str | None = None
        while (page := await store.list_logs(DEFAULT_TENANT, run, cursor=cursor)).items:
            lines += page.items
            cursor = page.cursor
        return lines

    lines = ask(database, get)
    if as_json:
        print_json(lines)
    else:
        rows = [[show_time(line.at), line.level, line.step, show_text(line.message)] for line in lines]
        sys.stdout.write(align(rows))


@app.command(cls=Command)
def cancel(
    run: RunId,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")] = "",
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Ask for the end of a run and of the runs that it started.

    A queued run is cancelled at once; a running one is told at its server's
    next heartbeat, and its finally steps still run.

    Examples:
      ipaas runs cancel run_01jq... --reason "wrong input"
    """
    from ipaas.cli.database import ask
    from ipaas.cli.output import print_json
    from ipaas.run import TERMINAL
    from ipaas.store.contract import DEFAULT_TENANT

    async def stop(store: "Store") -> "Run":
        return await store.request_cancel(DEFAULT_TENANT, run, reason=reason)

    row = ask(database, stop)
    if as_json:
        print_json(_as_row(row))
    elif row.state in TERMINAL:
        typer.echo(f"{row.id} is {row.state.replace('_', ' ')}")
    else:
        typer.echo(f"{row.id} is asked to end")


def _parse_state(name: str) -> "RunState":
    from ipaas.definition.nearest import hint_nearest
    from ipaas.run import RunState

    states: tuple[RunState, ...] = get_args(RunState)
    for state in states:
        if name == state:
            return state
    raise InputError(f"there is no run state `{name}`", hint=hint_nearest(name, states))


def _as_row(run: "Run") -> dict[str, object]:
    """Return a run for a JSON list: what a listed run carries."""
    from ipaas.cli.run_report import as_document

    document = as_document(run, [])
    return {key: value for key, value in document.items() if key not in {"inputs", "outputs", "steps"}}
