"""`ipaas sync` and `ipaas plan`: the pipelines folder against the database."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.options import AsJson, Database, Pipelines, Plugins, Timezone

if TYPE_CHECKING:
    from ipaas.sync import Plan

sync_app = make_app()
plan_app = make_app()


@sync_app.command(cls=Command)
def sync(
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would change, as `ipaas plan` does.")] = False,
    database: Database = None,
    pipelines: Pipelines = None,
    plugins: Plugins = None,
    timezone: Timezone = None,
    as_json: AsJson = False,
) -> None:
    """Put the pipelines folder into the database.

    New files are added, changed ones replaced, workflows whose file is gone are
    removed, all in one transaction. A problem in any file: all problems are
    printed, nothing is changed, exit code 2. Runs that are under way keep the
    text they began with.

    Examples:
      ipaas sync --database sqlite:///ipaas.db
      ipaas sync --plan                          look first
      ipaas sync --json | jq '.changed[].id'
    """
    _sync(database, pipelines, plugins, timezone, only_plan=plan, as_json=as_json)


@plan_app.command(cls=Command)
def plan(
    *,
    database: Database = None,
    pipelines: Pipelines = None,
    plugins: Plugins = None,
    timezone: Timezone = None,
    as_json: AsJson = False,
) -> None:
    """Show what a sync would change.

    Also shows which workflows are switched off: that is kept by every sync.

    Examples:
      ipaas plan
      ipaas plan --json | jq -e '.added + .changed + .removed == []'
    """
    _sync(database, pipelines, plugins, timezone, only_plan=True, as_json=as_json)


def _sync(
    database: str | None,
    pipelines: object,
    plugins: object,
    timezone: str | None,
    *,
    only_plan: bool,
    as_json: bool,
) -> None:
    from ipaas.app import make_plan, run_with_store, sync
    from ipaas.cli.output import print_json
    from ipaas.project import Project
    from ipaas.settings import load_settings
    from ipaas.store.url import parse_url

    settings = load_settings(database=database, pipelines=pipelines, plugins=plugins, timezone=timezone)
    project = Project(settings)
    # Before the database is opened, so that a mistake in a file does not leave an empty database behind.
    workflows = project.load_workflows()
    path = parse_url(settings.database)
    if only_plan and (path is None or not path.exists()):
        from ipaas.sync import diff

        result = diff((), workflows)
    else:
        action = make_plan if only_plan else sync
        result = run_with_store(settings, lambda store: action(store, project))
    if as_json:
        print_json(
            {
                "applied": not only_plan,
                "added": result.added,
                "changed": result.changed,
                "removed": result.removed,
                "unchanged": result.unchanged,
            }
        )
    else:
        sys.stdout.write(render_plan(result, applied=not only_plan))


def render_plan(plan: "Plan", *, applied: bool) -> str:
    """Return a plan as text: one line a change, what is switched off, and a sum."""
    from ipaas.cli.columns import align

    marks = {"add": "+", "change": "~", "remove": "-"}
    rows = []
    for entry in plan.entries:
        if entry.action == "keep":
            continue
        notes = [f"({', '.join(entry.reasons)})"] if entry.reasons else []
        if not entry.active and entry.action != "remove":
            notes.append("inactive" if entry.action == "add" else "stays inactive")
        rows.append([marks[entry.action], entry.id, entry.path, " ".join(notes)])
    off = [entry.id for entry in plan.unchanged if not entry.active]
    text = align(rows)
    if off:
        text += f"inactive: {', '.join(off)}\n"
    counts = [
        f"{len(entries)} {word}"
        for entries, word in (
            (plan.added, "added"),
            (plan.changed, "changed"),
            (plan.removed, "removed"),
            (plan.unchanged, "unchanged"),
        )
        if entries
    ]
    total = ", ".join(counts) or "no workflows"
    if applied:
        return f"{text}{total}\n"
    return f"{text}plan: {total}\n"
