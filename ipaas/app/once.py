"""One run, now, in this process: for real or as a rehearsal.

Owns the nursery of `ipaas run`. Called by the command line.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipaas.app.machinery import open_machinery
from ipaas.store.contract import DEFAULT_TENANT
from ipaas.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipaas.app.machinery import Machinery
    from ipaas.engine.dry_host import DryRun
    from ipaas.engine.observer import Observer
    from ipaas.model import JsonObject, Workflow
    from ipaas.project import Project
    from ipaas.run import Run, StepResult
    from ipaas.settings import Settings


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
    """Run one workflow now, in this process, and return when it and every run that it started have ended.

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
            await _wait_for_children(machinery, run.id)
            steps = await machinery.store.list_steps(DEFAULT_TENANT, run.id)
            await runner.drain(0)
            nursery.cancel_scope.cancel()
    return Result(run, tuple(steps), interrupted=stop.is_set())


async def _wait_for_children(machinery: Machinery, run_id: str) -> None:
    """Wait for runs that were started without being waited for: with this process they would lose their executor."""
    from ipaas.store.contract import RunFilter

    cursor: str | None = None
    while True:
        page = await machinery.store.list_runs(DEFAULT_TENANT, RunFilter(parent=run_id), cursor=cursor)
        for child in page.items:
            await machinery.runner.wait_finished(DEFAULT_TENANT, child.id)
            await _wait_for_children(machinery, child.id)
        cursor = page.cursor
        if cursor is None:
            return


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
        variables=project.settings.vars,
        find_workflow=find_workflow,
    )
