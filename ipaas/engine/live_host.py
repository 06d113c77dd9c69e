"""The host of real runs: journals to the Store and calls connectors.

Owns the order of intent, action and result, the trap around connectors, and the two ways in which a run is stopped from outside. Knows trio,
the Store's contract and the plugin's context; not what a workflow is. One for each run, made by its child task.

What keeps a connector's fault inside its step:

- every exception of every kind is caught here and becomes the step's error;
- the call has a task of its own (`isolation`), so that a cancel that the connector kept or made, and scopes and nurseries that it left open,
  end there;
- inputs and outputs are copies (made by `Action.run`), so nothing that a connector keeps can change what the run sees.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from ipaas.engine.host import StepFailed
from ipaas.engine.isolation import run_isolated
from ipaas.engine.live_scopes import Deadline, Shields, TaskGroup
from ipaas.engine.log_lines import make_line, redact_error
from ipaas.engine.trap import explain, explain_missing
from ipaas.errors import StepError, StoreError, StoreUnavailable
from ipaas.model import Uses
from ipaas.plugin.context import RunInfo, make_context
from ipaas.run import RunError, StepResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from ipaas.engine.host import Call, ChildCall, Group
    from ipaas.engine.journal import Journal
    from ipaas.engine.machine import Machine
    from ipaas.model import Effect, Json, JsonObject, Step
    from ipaas.plugin.action import Action
    from ipaas.run import LogLevel, Run


class LiveHost:
    """Performs the steps of one run. Its methods are called by the run's tasks; `cancel` and `abandon` by the runner.

    Args:
        run: as `start` answered.
        earlier: what earlier executions recorded, by path.
        run_child: starts and awaits a child run; given by the runner.
    """

    def __init__(
        self,
        machine: Machine,
        run: Run,
        journal: Journal,
        *,
        earlier: Mapping[str, StepResult],
        run_child: Callable[[ChildCall], Awaitable[Json]],
    ) -> None:
        self.run = run
        self.scope = trio.CancelScope()
        self._machine = machine
        self._journal = journal
        self._earlier = earlier
        self._run_child = run_child
        self._shields = Shields()
        self._abandoned = False

    # ---- stopping from outside ----

    def cancel(self) -> None:
        """End the run: its steps now, its cleanup within its time."""
        if not self.scope.cancel_called:
            self.scope.cancel()
            self._shields.note_cancel()

    def abandon(self) -> None:
        """Give this execution up at once, without cleanup and without another note: the run goes on elsewhere or later."""
        self._abandoned = True
        self.scope.cancel()
        self._shields.give_up()

    def is_abandoned(self) -> bool:
        """Whether this execution is given up."""
        return self._abandoned

    # ---- time and tasks ----

    def now(self) -> datetime:
        """Wall time, aware, UTC."""
        return self._machine.clock.now()

    def random(self) -> float:
        """Uniform in [0, 1), for jitter."""
        return random.random()  # noqa: S311  # spreads retries, guards nothing

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._machine.clock.sleep(seconds)

    def deadline(self, seconds: float | None) -> AbstractAsyncContextManager[None]:
        """See `Host.deadline`."""
        return Deadline(seconds)

    def shield(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """See `Host.shield`."""
        return self._shields.make(seconds)

    def group(self, limit: int | None = None) -> AbstractAsyncContextManager[Group]:
        """See `Host.group`."""
        return TaskGroup(limit)

    # ---- the journal ----

    def recorded(self, path: str) -> StepResult | None:
        """See `Host.recorded`."""
        return self._earlier.get(path)

    async def record(self, step: Step, result: StepResult) -> None:
        """See `Host.record`."""
        shown = self._redact_result(result)
        self._journal.note(shown)
        self._machine.observers.step_changed(self.run, shown)
        if (
            isinstance(step.body, Uses)
            and result.attempts  # the `for_each` around its items does not act
            and result.status != "cancelled"
            and self.effect(step.body.action) == "write"
        ):
            await self._journal.settle()

    def log(self, level: LogLevel, message: str, *, path: str = "", attempt: int = 0) -> None:
        """Note a line in the run's log; never blocks, never raises."""
        self._add_line(level, message, path, attempt, {})

    def _add_line(self, level: LogLevel, message: str, path: str, attempt: int, fields: JsonObject) -> None:
        line = make_line(self.now(), level, message, self._machine.redact, step=path, attempt=attempt, fields=fields)
        self._journal.add_line(line)
        self._machine.observers.line_logged(self.run, line)

    def _redact_result(self, result: StepResult) -> StepResult:
        """Return the result without secrets, as it may be kept and shown."""
        redact = self._machine.redact
        return StepResult(
            path=result.path,
            step=result.step,
            status=result.status,
            action=result.action,
            inputs=redact(result.inputs),
            output=redact(result.output),
            error=None if result.error is None else redact_error(result.error, redact),
            attempts=result.attempts,
            started_at=result.started_at,
            finished_at=result.finished_at,
        )

    # ---- acting ----

    def effect(self, action: str) -> Effect:
        """What repeating this action does; an unknown one is taken for a `write`."""
        found = self._machine.actions.get(action)
        return "write" if found is None else found.effect

    async def call(self, call: Call) -> Json:
        """Perform one attempt. Raises `StepFailed`, whatever the connector did; a cancel of ours passes through."""
        action = self._machine.actions.get(call.action)
        if action is None:
            raise StepFailed(explain_missing(call))
        credential = self._find_credential(call)
        context = make_context(
            action,
            pool=self._machine.pool,
            credential=credential,
            log=lambda level, message, fields: self._add_line(level, message, call.path, call.attempt, fields),
            idempotency_key=call.idempotency_key,
            state=_State(self._machine, self.run, action),
            run=RunInfo(
                tenant=self.run.tenant,
                workflow=self.run.workflow,
                run_id=self.run.id,
                path=call.path,
                attempt=call.attempt,
            ),
        )
        try:
            return await run_isolated(lambda: action.run(context, call.inputs))
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001  # the trap: whatever a connector raises ends here
            facts: dict[str, object] = {"tenant": self.run.tenant, "workflow": self.run.workflow, "run": self.run.id}
            raise explain(error, call, action, self._machine.redact, facts) from None

    async def run_child(self, call: ChildCall) -> Json:
        """See `Host.run_child`."""
        return await self._run_child(call)

    def _find_credential(self, call: Call) -> Mapping[str, str] | None:
        if call.credential is None:
            return None
        found = self._machine.credentials(self.run.tenant, call.credential)
        if found is None:
            raise StepFailed(
                RunError(
                    type="auth",
                    message=f"there is no credential `{call.credential}`",
                    step=call.path,
                    attempt=call.attempt,
                    place=call.step.place,
                    hint=f"set `IPAAS_CREDENTIAL_{call.credential.upper().replace('-', '_')}` where ipaas runs",
                ),
                fatal=True,
            )
        return found


class _State:
    """`ctx.state`: kept for each tenant, workflow and connector."""

    __slots__ = ("_machine", "_scope", "_tenant")

    def __init__(self, machine: Machine, run: Run, action: Action) -> None:
        self._machine = machine
        self._tenant = run.tenant
        self._scope = f"{run.workflow}/{action.connector}"

    async def find(self, key: str) -> Json:
        with _as_step_error():
            return await self._machine.store.find_state(self._tenant, self._scope, key)

    async def put(self, key: str, value: Json) -> None:
        if self._machine.redact([key, value]) != [key, value]:
            raise StepError(
                "the state to keep holds the value of a credential, which is kept nowhere",
                type="connector_bug",
                hint="keep a cursor or an id; the credential comes with each call",
            )
        with _as_step_error():
            await self._machine.store.put_state(self._tenant, self._scope, key, value)


@contextmanager
def _as_step_error() -> Iterator[None]:
    """A Store that is away is no fault of the connector that asked it."""
    try:
        yield
    except StoreUnavailable as error:
        raise StepError(f"the Store is away: {error.message}", type="server_error") from error
    except StoreError as error:
        raise StepError(error.message, type="connector_bug", hint=error.hint) from error
