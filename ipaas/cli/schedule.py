"""`ipaas schedule next`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipaas.cli.commands import Command, make_app
from ipaas.cli.options import AsJson, Database, Pipelines, Plugins, Timezone
from ipaas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipaas.model import Workflow

app = make_app("Say when workflows run next.")


@app.callback()
def _group() -> None:
    """Say when workflows run next."""


@app.command("next", cls=Command)
def next_(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE|ID", help="Pipeline files or workflow ids. Default: all.", show_default=False),
    ] = None,
    *,
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, max=1000, help="Instants per schedule.")] = 5,
    after: Annotated[
        str | None, typer.Option("--after", metavar="TIME", help="Begin after this instant, in ISO 8601. Default: now.")
    ] = None,
    database: Database = None,
    pipelines: Pipelines = None,
    plugins: Plugins = None,
    timezone: Timezone = None,
    as_json: AsJson = False,
) -> None:
    """Print the next instants of each schedule, soonest first.

    Reads the pipelines folder. With --database it asks the database instead,
    where workflows that are switched off are left out.

    Examples:
      ipaas schedule next                            every workflow of the folder
      ipaas schedule next pipelines/orders.yaml --count 20
      ipaas schedule next orders --database sqlite:///ipaas.db
      ipaas schedule next --after 2026-10-24T00:00:00Z     over a clock change
    """
    from ipaas.cli.output import print_json, print_table, show_time
    from ipaas.engine.system_clock import SystemClock

    begin = _parse_time(after) if after else SystemClock().now()
    if database is None:
        workflows = _from_files(targets or [], pipelines, plugins, timezone)
    else:
        workflows = _from_database(targets or [], database, pipelines, plugins, timezone)
    rows = list_next(workflows, begin, count)
    if as_json:
        print_json([dict(zip(("at", "workflow", "trigger", "timing"), row, strict=True)) for row in rows])
    else:
        print_table(
            ["AT", "WORKFLOW", "TRIGGER", "TIMING"],
            [[show_time(at), *words] for at, *words in rows],
        )


def list_next(workflows: "Iterable[Workflow]", after: datetime, count: int) -> list[tuple[datetime, str, str, str]]:
    """Return (instant, workflow, trigger, timing), by instant; triggers that follow no clock have none."""
    from ipaas.cli.diagram import show_timing
    from ipaas.engine.schedule import next_instants
    from ipaas.model import After

    return sorted(
        (at, workflow.id, trigger.id, show_timing(trigger.timing))
        for workflow in workflows
        for trigger in workflow.triggers
        if not isinstance(trigger.timing, After)
        for at in next_instants(trigger.timing, after, count)
    )


def _parse_time(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"`--after` must be a time such as `2026-10-24T00:00:00Z`, not `{text}`") from None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def _from_files(
    targets: list[str], pipelines: Path | None, plugins: Path | None, timezone: str | None
) -> "list[Workflow]":
    """Return the named workflows of files; a broken file costs only itself."""
    from ipaas.cli.output import say
    from ipaas.definition.nearest import hint_nearest
    from ipaas.errors import ProblemsFound
    from ipaas.project import Project, at_path
    from ipaas.settings import load_settings

    settings = load_settings(pipelines=pipelines, plugins=plugins, timezone=timezone)
    files = [Path(target) for target in targets if is_file_name(target)]
    ids = [target for target in targets if not is_file_name(target)]
    found = [Project(at_path(settings, file)).load_file(file) for file in files]
    if ids or not files:
        loaded = Project(settings).load()
        known = {workflow.id: workflow for workflow in loaded.workflows}
        for name in ids:
            if name not in known:
                if loaded.problems:
                    raise ProblemsFound(loaded.problems)
                raise InputError(
                    f"there is no workflow `{name}` in `{settings.pipelines}`", hint=hint_nearest(name, known)
                )
        found += [known[name] for name in ids] if ids else list(known.values())
        if loaded.problems and not ids:
            say(f"{len(loaded.problems)} problems in other files: `ipaas validate` shows them")
    return found


def _from_database(
    targets: list[str], database: str, pipelines: Path | None, plugins: Path | None, timezone: str | None
) -> "list[Workflow]":
    from ipaas.app import list_all_workflows, run_with_store
    from ipaas.cli.database import require_database
    from ipaas.definition.nearest import hint_nearest
    from ipaas.project import Project
    from ipaas.settings import load_settings
    from ipaas.store.contract import Version

    settings = load_settings(database=database, pipelines=pipelines, plugins=plugins, timezone=timezone)
    require_database(settings)
    stored = {row.id: row for row in run_with_store(settings, list_all_workflows)}
    for name in targets:
        if name not in stored:
            raise InputError(f"there is no workflow `{name}` in the database", hint=hint_nearest(name, stored))
    project = Project(settings)
    return [
        project.compile_version(Version(workflow=row.id, version=row.version, path=row.path, source=row.source))
        for row in stored.values()
        if row.active and (not targets or row.id in targets)
    ]


def is_file_name(target: str) -> bool:
    """Return whether a word on the command line means a file: it ends like one, has a folder in it, or is one."""
    return target.endswith((".yaml", ".yml")) or "/" in target or Path(target).exists()
