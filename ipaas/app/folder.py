"""The pipelines folder against the Store.

Owns the walk of a sync: compile, compare, apply. `ipaas.sync` decides what changes. Called by the command line and by the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipaas.errors import InputError
from ipaas.store.contract import DEFAULT_TENANT

if TYPE_CHECKING:
    from ipaas.project import Project
    from ipaas.store.contract import Store, StoredWorkflow
    from ipaas.sync import Plan


async def list_all_workflows(store: Store) -> list[StoredWorkflow]:
    """Return every workflow, by id."""
    found: list[StoredWorkflow] = []
    cursor: str | None = None
    while True:
        page = await store.list_workflows(DEFAULT_TENANT, cursor=cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


async def make_plan(store: Store, project: Project) -> Plan:
    """Compare the project's folder with the Store.

    Raises:
        ProblemsFound: a file is wrong; the Store has not been asked.
    """
    import trio

    from ipaas.sync import diff

    # In a thread: compiling a thousand files takes seconds, in which a server must renew its leases.
    workflows = await trio.to_thread.run_sync(project.load_workflows)
    return diff(await list_all_workflows(store), workflows)


async def sync(store: Store, project: Project) -> Plan:
    """Make the Store equal to the project's folder, in one transaction, and return what was changed.

    Raises:
        ProblemsFound: a file is wrong; nothing was changed.
        InputError: the folder has no pipeline although the Store has some; nothing was changed.
    """
    from ipaas.sync import to_change

    plan = await make_plan(store, project)
    if plan.removed and not (plan.added or plan.changed or plan.unchanged):
        count = len(plan.removed)
        raise InputError(
            f"`{project.settings.pipelines}` has no pipeline file, and the database has "
            f"{count} workflow{'s' if count > 1 else ''}: a sync would remove {'them all' if count > 1 else 'it'}",
            hint="name the right folder with `--pipelines`, or switch workflows off with `ipaas workflows deactivate`",
        )
    if not plan.is_empty:
        await store.apply(DEFAULT_TENANT, to_change(plan))
    return plan
