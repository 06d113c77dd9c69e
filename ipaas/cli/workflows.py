"""`ipaas workflows list|show|activate|deactivate`: what the database has, and which of it may run."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.options import AsJson, Database

if TYPE_CHECKING:
    from ipaas.store.contract import Store, StoredWorkflow

app = make_app(
    """List workflows, show one, switch one on or off.

    A workflow is one pipeline file that `ipaas sync` or `ipaas serve` has put into
    the database. Switching it off is kept by every later sync.
    """
)

WorkflowId = Annotated[str, typer.Argument(metavar="ID", help="The workflow's id.")]


@app.command("list", cls=Command)
def list_(*, database: Database = None, as_json: AsJson = False) -> None:
    """List the workflows of the database.

    Examples:
      ipaas workflows list
      ipaas workflows list --json | jq -r '.[] | select(.active) | .id'
    """
    from ipaas.app import list_all_workflows
    from ipaas.cli.database import ask
    from ipaas.cli.output import STATE_STYLES, print_json, print_table, show_time

    rows = ask(database, list_all_workflows)
    if as_json:
        print_json([_as_object(row) for row in rows])
        return
    print_table(
        ["ID", "STATE", "PATH", "UPDATED", "DESCRIPTION"],
        [[row.id, _state(row), row.path, show_time(row.updated_at), row.description] for row in rows],
        styles={1: STATE_STYLES},
        spare=[3, 2],
    )


@app.command(cls=Command)
def show(
    workflow: WorkflowId,
    *,
    source: Annotated[bool, typer.Option("--source", help="Print the stored text and nothing else.")] = False,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show one workflow.

    Examples:
      ipaas workflows show orders
      ipaas workflows show orders --source > orders.yaml
    """
    from ipaas.cli.database import ask
    from ipaas.cli.output import print_facts, print_json, show_time
    from ipaas.store.contract import DEFAULT_TENANT

    async def get(store: "Store") -> "StoredWorkflow":
        return await store.get_workflow(DEFAULT_TENANT, workflow)

    row = ask(database, get)
    if source:
        sys.stdout.write(row.source)
    elif as_json:
        print_json(_as_object(row) | {"source": row.source})
    else:
        print_facts(
            {
                "id": row.id,
                "state": _state(row),
                "description": row.description,
                "path": row.path,
                "labels": " ".join(f"{key}={value}" for key, value in sorted(row.labels.items())),
                "version": row.version[:12],
                "created": show_time(row.created_at),
                "updated": show_time(row.updated_at),
            }
        )


@app.command(cls=Command)
def activate(workflow: WorkflowId, *, database: Database = None, as_json: AsJson = False) -> None:
    """Switch a workflow on.

    Its schedules begin anew: instants that passed while it was off are not
    made up for.

    Examples:
      ipaas workflows activate orders
    """
    _switch(workflow, database, active=True, cancel_running=False, as_json=as_json)


@app.command(cls=Command)
def deactivate(
    workflow: WorkflowId,
    *,
    cancel_running: Annotated[
        bool, typer.Option("--cancel-running", help="Also end its runs that are not finished.")
    ] = False,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Switch a workflow off.

    When this command has ended, no run of the workflow starts any more. Runs
    that are under way finish, unless --cancel-running is given.

    Examples:
      ipaas workflows deactivate orders
      ipaas workflows deactivate orders --cancel-running
    """
    _switch(workflow, database, active=False, cancel_running=cancel_running, as_json=as_json)


def _switch(workflow: str, database: str | None, *, active: bool, cancel_running: bool, as_json: bool) -> None:
    from ipaas.cli.database import ask
    from ipaas.cli.output import print_json
    from ipaas.store.contract import DEFAULT_TENANT

    async def switch(store: "Store") -> "StoredWorkflow":
        return await store.set_active(DEFAULT_TENANT, workflow, active=active, cancel_running=cancel_running)

    row = ask(database, switch)
    if as_json:
        print_json(_as_object(row))
    else:
        typer.echo(f"{row.id} is {_state(row)}")


def _state(row: "StoredWorkflow") -> str:
    return "active" if row.active else "inactive"


def _as_object(row: "StoredWorkflow") -> dict[str, object]:
    """Return a row for JSON; its text is in `show` only."""
    return {
        "id": row.id,
        "active": row.active,
        "description": row.description,
        "labels": dict(row.labels),
        "path": row.path,
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
