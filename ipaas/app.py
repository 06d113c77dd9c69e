"""The composition root: the only place that opens the Store, loads plugins, and owns the root nursery.

Owns the order in which the parts are made, started and stopped. Decides nothing itself. Called by the command line; every function
takes finished `Settings`. The rooms are imported inside the functions that need them: `ipaas validate` pays for no web server.

    serve:  bind the port → plugins → Store → runner → sync the folder → scheduler → listen → say so
            … first signal: scheduler off, `/healthz` says draining, runner drains, HTTP ends, Store closes
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from ipaas.errors import InputError, IpaasError, StoreError, StoreUnavailable
from ipaas.store.contract import DEFAULT_TENANT
from ipaas.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    import trio

    from ipaas.clock import Clock
    from ipaas.engine.dry_host import DryRun
    from ipaas.engine.observer import Observer
    from ipaas.engine.runner import Runner
    from ipaas.engine.workflows import Workflows
    from ipaas.model import JsonObject, Workflow
    from ipaas.project import Project
    from ipaas.run import Run, StepResult
    from ipaas.server.health import Health
    from ipaas.settings import Settings
    from ipaas.store.contract import Store, StoredWorkflow
    from ipaas.sync import Plan

T = TypeVar("T")

HEALTH_DEADLINE_S: Final = 2.0
"""Seconds that the Store may take to answer a health check; a load balancer asks every few seconds."""

_log = logging.getLogger("ipaas.app")


def run_with_store(settings: Settings, function: Callable[[Store], Awaitable[T]]) -> T:
    """Open the Store, await the function, close the Store, and return the answer."""
    import trio

    from ipaas.engine.system_clock import SystemClock
    from ipaas.store import open_store

    async def main() -> T:
        async with open_store(settings.database, SystemClock()) as store:
            return await function(store)

    return trio.run(main)


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


@dataclass(frozen=True, slots=True)
class Machinery:
    """What executes runs: made together, closed together, run by the caller's nursery."""

    store: Store
    workflows: Workflows
    runner: Runner
    clock: Clock


@asynccontextmanager
async def open_machinery(
    settings: Settings, project: Project, vault: Vault, *, observers: Sequence[Observer], own_only: bool = False
) -> AsyncIterator[Machinery]:
    """Open the Store and the HTTP pool and build the runner.

    Args:
        settings: `database` names the Store.
        own_only: execute only runs that are submitted here, and their children.
    """
    from ipaas.engine.machine import RunnerSettings
    from ipaas.engine.runner import Runner
    from ipaas.engine.system_clock import SystemClock
    from ipaas.engine.workflows import Workflows
    from ipaas.plugin import HttpPool
    from ipaas.store import open_store

    clock = SystemClock()
    async with (
        open_store(settings.database, clock) as store,
        HttpPool([str(network) for network in settings.allow_network]) as pool,
    ):
        workflows = Workflows(store, project.compile_version)
        runner = Runner(
            store=store,
            workflows=workflows,
            actions=project.registry.actions,
            pool=pool,
            clock=clock,
            owner=_make_owner(),
            settings=RunnerSettings(
                limit=settings.max_runs,
                lease_s=settings.lease_s,
                heartbeat_s=settings.heartbeat_s,
                poll_s=settings.poll_s,
                cleanup_s=settings.cleanup_s,
                action_timeout_s=settings.action_timeout_s,
                env=project.read_env(),
            ),
            credentials=vault.find,
            redact=vault.redactor(),
            observers=observers,
            own_only=own_only,
        )
        yield Machinery(store, workflows, runner, clock)


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run with its steps, and whether a signal ended it."""

    run: Run
    steps: tuple[StepResult, ...]
    interrupted: bool


async def run_once(
    settings: Settings,
    project: Project,
    workflow: Workflow,
    inputs: JsonObject,
    *,
    texts: Sequence[Workflow] = (),
    observers: Sequence[Observer] = (),
) -> Result:
    """Run one workflow now, in this process, and return when it has ended.

    The first SIGTERM or Ctrl-C cancels the run, whose cleanup still runs; the second ends the process.

    Args:
        settings: `database` names the Store in which the run is recorded.
        texts: workflows to put into the Store first, the one to run among them; empty when the Store has it.
        observers: told what happens, as it happens.

    Raises:
        InputError: the inputs do not fit the workflow.
        Missing: the Store does not have the workflow.
    """
    import trio

    from ipaas.engine.request import make_request
    from ipaas.run import TriggerInfo
    from ipaas.server.signals import catch_stop_signals
    from ipaas.store.contract import Change
    from ipaas.sync import to_text

    request = make_request(workflow, inputs=inputs, trigger=TriggerInfo())
    vault = Vault.from_environ(os.environ)
    with catch_stop_signals() as stop:
        async with (
            open_machinery(settings, project, vault, observers=observers, own_only=True) as machinery,
            trio.open_nursery() as nursery,
        ):
            runner = machinery.runner
            if texts:
                await machinery.store.apply(DEFAULT_TENANT, Change(put=tuple(to_text(text) for text in texts)))
            await nursery.start(runner.run)
            (submitted,) = await runner.submit(DEFAULT_TENANT, [request])

            async def cancel_on_stop() -> None:
                await stop.wait()
                await runner.request_cancel(DEFAULT_TENANT, submitted.run_id, reason="stopped by the person who ran it")

            nursery.start_soon(cancel_on_stop)
            run = await runner.wait_finished(DEFAULT_TENANT, submitted.run_id)
            steps = await machinery.store.list_steps(DEFAULT_TENANT, run.id)
            await runner.drain(0)
            nursery.cancel_scope.cancel()
    return Result(run, tuple(steps), interrupted=stop.is_set())


async def rehearse(
    project: Project, workflow: Workflow, inputs: JsonObject, *, find_workflow: Callable[[str], Workflow | None]
) -> DryRun:
    """Follow a workflow without sending or writing anything.

    Args:
        find_workflow: finds the workflows that it starts, to follow them too.

    Raises:
        InputError: the inputs do not fit the workflow.
    """
    from ipaas.engine.dry_host import run_dry
    from ipaas.engine.request import make_request
    from ipaas.engine.system_clock import SystemClock
    from ipaas.run import TriggerInfo

    vault = Vault.from_environ(os.environ)
    request = make_request(workflow, inputs=inputs, trigger=TriggerInfo())
    return await run_dry(
        workflow,
        request.inputs,
        actions=project.registry.actions,
        clock=SystemClock(),
        credentials=vault.find,
        redact=vault.redactor(),
        env=project.read_env(),
        find_workflow=find_workflow,
    )


async def serve(settings: Settings, *, announce: Callable[[str], None], complain: Callable[[IpaasError], None]) -> None:
    """Run the server until it is told to stop.

    Args:
        announce: gets `http://host:port` once everything behind it is ready.
        complain: gets each error that the server survives and a person must act on (files with problems).

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
            await stop.wait()
            _log.info("stopping: no new work, up to %g s for what is under way", settings.grace_s)
            intake.cancel()
            await runner.drain(settings.grace_s)
            http_stop.set()
    _log.info("stopped")


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


def _make_owner() -> str:
    """Return a name that no other process has, and this one not again after a restart."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
