"""`run_workflow`: starting another workflow as a run of its own, and waiting for it.

Owns how a child is named, found again, awaited and cancelled, and what its end means for the step. Knows the Store's contract and the
compiled workflows. Called by the live host; made by the runner.

A child is named by its parent's run and step (`<run>/<path>`, with the attempt from the second on), and the Store accepts a name once:
a parent that is executed again finds its child instead of starting another.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

import trio

from ipaas.engine.host import StepFailed
from ipaas.engine.request import make_request
from ipaas.errors import InputError, Missing, ProblemsFound, StoreError
from ipaas.run import RunError, TriggerInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.engine.child_task import ChildTask
    from ipaas.engine.host import ChildCall
    from ipaas.engine.machine import Machine
    from ipaas.errors import ErrorType
    from ipaas.model import Json
    from ipaas.run import Run, RunRequest, RunState, Submitted

_log = logging.getLogger("ipaas.engine")

GOODBYE_S: Final = 5.0
"""How long a cancelled parent may take to tell its child: half of what a cancel has."""

_TYPES: Final[dict[RunState, ErrorType]] = {"timed_out": "timeout", "cancelled": "cancelled", "interrupted": "in_doubt"}
"""What a child's end is for its parent, where the child's own error does not say it better."""


class Runs(Protocol):
    """What this module needs of the runner."""

    async def submit(self, tenant: str, requests: Sequence[RunRequest]) -> list[Submitted]:
        """Record runs and start them soon."""
        ...

    async def wait_finished(self, tenant: str, run_id: str) -> Run:
        """Wait until a run has ended, wherever it runs."""
        ...

    async def request_cancel(self, tenant: str, run_id: str, *, reason: str = "") -> Run:
        """Ask for a run's end."""
        ...


class ChildRuns:
    """Performs `run_workflow` steps for all runs of one process."""

    def __init__(self, machine: Machine, runs: Runs) -> None:
        self._machine = machine
        self._runs = runs

    async def run(self, parent: ChildTask, call: ChildCall) -> Json:
        """Start the child, or find it, and return its outputs, or `{run_id}` when nobody waits. Raises `StepFailed`."""
        tenant = parent.run.tenant
        request = await self._make_request(parent.run, call)
        try:
            # Out of a cancel's reach, so that a child that was recorded is also known.
            with trio.CancelScope(shield=True, deadline=trio.current_time() + GOODBYE_S):
                [child] = await self._runs.submit(tenant, [request])
        except StoreError as error:
            raise _fail(call, "server_error", f"`{call.workflow}` could not be started: {error.message}") from error
        if child.state == "skipped":
            raise _fail(call, "client_error", f"run `{child.run_id}` of `{call.workflow}` was skipped: {child.reason}")
        if not call.wait:
            return {"run_id": child.run_id}
        try:
            with parent.waiting_for(child.run_id):
                async with parent.seat.left():
                    ended = await self._runs.wait_finished(tenant, child.run_id)
        except BaseException:  # a cancel is on its way through
            if not parent.host.is_abandoned():
                await self._end(tenant, child.run_id, parent.run)
            raise
        return _read_end(call, ended)

    async def _make_request(self, parent: Run, call: ChildCall) -> RunRequest:
        tenant = parent.tenant
        try:
            stored = await self._machine.store.get_workflow(tenant, call.workflow)
            workflow = await self._machine.workflows.get(tenant, stored.id, stored.version)
            return make_request(
                workflow,
                inputs=call.inputs,
                trigger=TriggerInfo(type="workflow", data={"workflow": parent.workflow, "run_id": parent.id}),
                delivery=name_child(parent.id, call.path, call.attempt),
                parent=(parent.id, call.path),
                priority=parent.priority,
            )
        except Missing as error:
            raise _fail(call, "not_found", error.message, hint=error.hint) from error
        except ProblemsFound as error:
            message = f"`{call.workflow}` does not pass the checks: {error.problems[0].message}"
            raise _fail(call, "validation", message, hint=f"`ipaas validate {error.problems[0].place.file}`") from error
        except InputError as error:
            raise _fail(call, "validation", error.message, hint=error.hint) from error
        except StoreError as error:
            raise _fail(call, "server_error", f"`{call.workflow}` could not be started: {error.message}") from error

    async def _end(self, tenant: str, run_id: str, parent: Run) -> None:
        """Ask for the child's end on the parent's way out; when that fails, the Store asks for it as the parent ends."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + GOODBYE_S):
            try:
                await self._runs.request_cancel(tenant, run_id, reason=f"run `{parent.id}` no longer waits for it")
            except StoreError as error:
                facts = {"run": parent.id, "child": run_id}
                _log.warning("a child run could not be asked to end: %s", error, extra={"facts": facts})


def name_child(run_id: str, path: str, attempt: int) -> str:
    """Return the delivery id of a child: the same in every execution of its parent."""
    return f"{run_id}/{path}" if attempt == 1 else f"{run_id}/{path}.attempt{attempt}"


def _read_end(call: ChildCall, child: Run) -> Json:
    """Return the outputs of a child that succeeded. Raises `StepFailed` with its error and its run id otherwise."""
    if child.state == "succeeded":
        return dict(child.outputs or {})
    ended = child.state.replace("_", " ")
    error = child.error
    why = f": {error.message}" if error is not None else f": {child.reason}" if child.reason else ""
    kind = _TYPES.get(child.state) or (error.type if error is not None else "client_error")
    hint = f"`ipaas runs show {child.id}` shows what happened there"
    raise _fail(call, kind, f"run `{child.id}` of `{call.workflow}` ended {ended}{why}", hint=hint)


def _fail(call: ChildCall, type: ErrorType, message: str, *, hint: str = "") -> StepFailed:
    place = call.step.place
    return StepFailed(
        RunError(type=type, message=message, step=call.path, attempt=call.attempt, place=place, hint=hint)
    )
