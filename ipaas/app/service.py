"""The server: schedules, runs, `/healthz`, until it is told to stop.

Owns the root nursery of `ipaas serve` and the order of starting and stopping.

    bind the port → plugins → Store → sync the folder → runner → scheduler → listen → say so
    … first signal: scheduler off, `/healthz` says draining, runner drains, HTTP ends, Store closes
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from ipaas.app.folder import sync
from ipaas.app.machinery import open_machinery
from ipaas.errors import InputError, IpaasError, StoreError, StoreUnavailable
from ipaas.store.contract import DEFAULT_TENANT
from ipaas.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import trio

    from ipaas.app.machinery import Machinery
    from ipaas.project import Project
    from ipaas.server.health import Health
    from ipaas.settings import Settings
    from ipaas.store.contract import Store

HEALTH_DEADLINE_S: Final = 2.0
"""Seconds that the Store may take to answer a health check; a load balancer asks every few seconds."""

_log = logging.getLogger("ipaas.app")


async def serve(
    settings: Settings,
    *,
    announce: Callable[[str], None],
    complain: Callable[[IpaasError], None],
    leave: Callable[[], None],
) -> None:
    """Run the server until it is told to stop.

    Args:
        announce: gets `http://host:port` once everything behind it is ready.
        complain: gets each error that the server survives and a person must act on (files with problems).
        leave: ends the process there and then. Called when all is done but for steps that no cancel reaches: a call that blocks in
            a thread, a connector that swallows its cancel. Their runs have been given back.

    Raises:
        InputError: a setting, a credential or the address cannot be used; nothing was started.
        StoreError: the database cannot be used.
    """
    import trio

    from ipaas.project import Project
    from ipaas.server.health import make_http_app
    from ipaas.server.listen import bind_socket, serve_http
    from ipaas.server.signals import catch_stop_signals
    from ipaas.telemetry import RunLog

    vault = Vault.from_environ(os.environ)
    project = Project(settings)
    _require_folder(settings)
    bound = bind_socket(settings.host, settings.port)
    _report_surroundings(project)
    with bound, catch_stop_signals() as stop:
        async with (
            open_machinery(settings, project, vault, observers=[RunLog()]) as machinery,
            trio.open_nursery() as nursery,
        ):
            runner = machinery.runner

            async def sync_again() -> None:
                await _sync_and_tell(machinery.store, project, complain)
                runner.wake()

            async def check() -> Health:
                if stop.is_set():
                    return "draining"
                with trio.move_on_after(HEALTH_DEADLINE_S):
                    try:
                        await machinery.store.get_revision(DEFAULT_TENANT)
                        return "ok"
                    except StoreError:
                        return "store_unavailable"
                return "store_unavailable"

            await sync_again()
            await nursery.start(runner.run)
            intake = await nursery.start(_run_intake, machinery, settings, sync_again)
            http_stop = trio.Event()
            announce(await nursery.start(serve_http, make_http_app(check), bound, http_stop))
            await _report_ready(machinery, settings)
            await stop.wait()
            _log.info("stopping: no new work, up to %g s for what is under way", settings.grace_s)
            intake.cancel()
            is_empty = await runner.drain(settings.grace_s)
            http_stop.set()
            if not is_empty:
                _log.error("stopped with steps that could not be ended")
                leave()
    _log.info("stopped")


async def _report_ready(machinery: Machinery, settings: Settings) -> None:
    """Log what is served and what comes first, so that silence until then is not taken for a fault."""
    from ipaas.engine.schedule import next_instants
    from ipaas.model import After

    try:
        workflows = await machinery.workflows.list_active(DEFAULT_TENANT)
    except StoreUnavailable:
        return  # said already, and again when it is back
    now = machinery.clock.now()
    coming = [
        (at, workflow.id)
        for workflow in workflows
        for trigger in workflow.triggers
        if not isinstance(trigger.timing, After)
        for at in next_instants(trigger.timing, now, 1)
    ]
    first = min(coming, default=None)
    _log.info(
        "ready: %d active workflow%s, %d schedule%s, %s",
        len(workflows),
        "" if len(workflows) == 1 else "s",
        len(coming),
        "" if len(coming) == 1 else "s",
        f"next is `{first[1]}` at {first[0]:%Y-%m-%d %H:%M:%SZ}" if first else "nothing is due",
        extra={"facts": {"pipelines": str(settings.pipelines), "database": settings.database}},
    )


async def _run_intake(
    machinery: Machinery,
    settings: Settings,
    changed: Callable[[], Awaitable[None]],
    *,
    task_status: trio.TaskStatus[trio.CancelScope],
) -> None:
    """Run what brings new work in, in a scope that ends it at once: the scheduler, and the watch over the folder."""
    import trio

    from ipaas.engine.scheduler import Scheduler

    scheduler = Scheduler(
        store=machinery.store, workflows=machinery.workflows, clock=machinery.clock, wake=machinery.runner.wake
    )
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(scheduler.run)
            if settings.watch:
                from ipaas.server.watch import watch_folder

                nursery.start_soon(watch_folder, settings.pipelines, changed)
            task_status.started(scope)
            await trio.sleep_forever()


async def _sync_and_tell(store: Store, project: Project, complain: Callable[[IpaasError], None]) -> None:
    """Sync, and go on with what the Store has when the folder is wrong or the Store is away."""
    try:
        plan = await sync(store, project)
    except (InputError, StoreUnavailable) as error:
        complain(error)
        _log.error("the pipelines folder was not synced: %s", error.message)
        return
    facts = {
        name: ", ".join(entry.id for entry in entries)
        for name, entries in (("added", plan.added), ("changed", plan.changed), ("removed", plan.removed))
    }
    if not plan.is_empty:
        _log.info("synced the pipelines folder", extra={"facts": facts})


def _require_folder(settings: Settings) -> None:
    if not settings.pipelines.is_dir():
        raise InputError(
            f"there is no pipelines folder `{settings.pipelines}`",
            hint="name one with `--pipelines`, or make a project with `ipaas init`",
        )


def _report_surroundings(project: Project) -> None:
    """Log what was meant to be there and is not: plugins that are broken, variables that nobody reads."""
    from ipaas.settings import list_unknown_names

    for plugin in project.registry.plugins:
        if plugin.error:
            _log.error("plugin `%s` could not be loaded: %s", plugin.name, plugin.error)
    for name in list_unknown_names(os.environ, project.registry.connectors):
        _log.warning("`%s` is in the environment, and nothing reads it: docs/settings.md lists the settings", name)
