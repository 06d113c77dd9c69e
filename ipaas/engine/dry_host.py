"""The host of dry runs: follows the whole workflow, sends nothing and writes nothing.

Owns what an action would do, as `DryStep`s, and what later steps see instead of its answer. Knows the plugin's recorder and the samples; not
the Store. Called by `ipaas run --dry` through `run_dry`.

- An action that touches nothing but its inputs is performed: its output is real.
- An action that acts only through `ctx.http` is called with a recorder in the network's place. The requests are shown; the answer, and
  so the output, is made up from the output schema and the step's `returns`.
- Any other action is shown with its inputs and not called. Its output is made up.

No pause is waited for. What fails only because a value is made up becomes a note and not a failure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Self

import trio

from ipaas.engine.attempts import show_inputs
from ipaas.engine.dry_rounds import bound_loops
from ipaas.engine.host import StepFailed
from ipaas.engine.interpreter import interpret
from ipaas.engine.isolation import run_isolated
from ipaas.engine.live_scopes import Deadline, Shields
from ipaas.engine.log_lines import make_line, redact_error
from ipaas.engine.sample import make_sample, merge_schemas
from ipaas.engine.trap import explain, explain_missing
from ipaas.plugin.context import RunInfo, make_context
from ipaas.plugin.dry_requests import RequestRecorder
from ipaas.run import Run, TriggerInfo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from ipaas.clock import Clock
    from ipaas.engine.host import Call, ChildCall, Group
    from ipaas.engine.machine import FindCredential, Redact
    from ipaas.model import Effect, Json, JsonObject, Step, Workflow
    from ipaas.plugin.action import Action
    from ipaas.plugin.context import Context
    from ipaas.plugin.dry_requests import RecordedRequest
    from ipaas.run import LogLevel, Outcome, StepResult

RUN_ID: Final = "dry-run"
MAX_CALLS: Final = 10
"""Workflows inside workflows that are followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryStep:
    """What one action, or one `run_workflow`, would do.

    Attributes:
        path: of the step; steps of a followed child stand below the step that calls it.
        action: `<connector>.<action>`, or `run_workflow`.
        inputs: evaluated and redacted.
        requests: that it would send, redacted; of several pages only the first.
        output: real for actions that touch nothing, otherwise made up.
        made_up: whether the output is.
        note: what a person should know, or empty.
    """

    path: str
    action: str
    inputs: JsonObject = field(default_factory=dict)
    requests: tuple[RecordedRequest, ...] = ()
    output: Json = None
    made_up: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a run would do, in order, and how it would end if the answers were like the made-up ones."""

    steps: tuple[DryStep, ...]
    outcome: Outcome


async def run_dry(
    workflow: Workflow,
    inputs: JsonObject,
    *,
    actions: Mapping[str, Action],
    clock: Clock,
    credentials: FindCredential,
    redact: Redact,
    env: Mapping[str, str] | None = None,
    variables: JsonObject | None = None,
    trigger: TriggerInfo | None = None,
    tenant: str = "default",
    find_workflow: Callable[[str], Workflow | None] = lambda _: None,
) -> DryRun:
    """Follow a workflow without doing anything.

    Args:
        inputs: complete and checked, as `make_request` returns them.
        find_workflow: finds the workflows that `run_workflow` steps name, to follow them too.
    """
    rehearsal = _Rehearsal(actions, clock, credentials, redact, env or {}, variables or {}, tenant, find_workflow)
    outcome = await rehearsal.follow(workflow, inputs, trigger or TriggerInfo(), "", 0)
    return DryRun(steps=tuple(rehearsal.steps), outcome=outcome)


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    """One dry run, children included."""

    actions: Mapping[str, Action]
    clock: Clock
    credentials: FindCredential
    redact: Redact
    env: Mapping[str, str]
    variables: JsonObject
    tenant: str
    find_workflow: Callable[[str], Workflow | None]
    steps: list[DryStep] = field(default_factory=list)

    async def follow(
        self, workflow: Workflow, inputs: JsonObject, trigger: TriggerInfo, prefix: str, level: int
    ) -> Outcome:
        now = self.clock.now()
        run = Run(
            id=RUN_ID,
            tenant=self.tenant,
            workflow=workflow.id,
            version=workflow.version,
            state="running",
            trigger=trigger,
            inputs=inputs,
            created_at=now,
            started_at=now,
        )
        outcome = await interpret(
            bound_loops(workflow), run, DryHost(self, run, prefix, level), env=self.env, variables=self.variables
        )
        error = None if outcome.error is None else redact_error(outcome.error, self.redact)
        outputs = self.redact(outcome.outputs)
        assert outputs is None or isinstance(outputs, dict)
        return replace(outcome, outputs=outputs, error=error)


class DryHost:
    """Performs the steps of one workflow of a dry run without doing anything."""

    def __init__(self, rehearsal: _Rehearsal, run: Run, prefix: str, level: int) -> None:
        self._rehearsal = rehearsal
        self._run = run
        self._prefix = prefix
        self._level = level
        self._shields = Shields()

    def now(self) -> datetime:
        """Wall time, aware, UTC."""
        return self._rehearsal.clock.now()

    def random(self) -> float:
        """Always the same: dry runs of one workflow are alike."""
        return 0.0

    def effect(self, action: str) -> Effect:
        """What repeating this action does."""
        found = self._rehearsal.actions.get(action)
        return "write" if found is None else found.effect

    def recorded(self, path: str) -> StepResult | None:
        """Nothing: a dry run begins at the top."""
        return None

    async def record(self, step: Step, result: StepResult) -> None:
        """Nothing is kept; what an action would do is noted as it is called."""

    async def sleep(self, seconds: float) -> None:
        """Do not wait."""
        await trio.lowlevel.checkpoint()

    def deadline(self, seconds: float | None) -> AbstractAsyncContextManager[None]:
        """See `Host.deadline`: also an action that touches nothing may hang."""
        return Deadline(seconds)

    def shield(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """See `Host.shield`."""
        return self._shields.make(seconds)

    def group(self, limit: int | None = None) -> AbstractAsyncContextManager[Group]:
        """See `Host.group`: here the tasks take turns."""
        return _InTurn()

    def is_abandoned(self) -> bool:
        """Never."""
        return False

    def log(self, level: LogLevel, message: str, *, path: str = "", attempt: int = 0) -> None:
        """Lines about the run are not kept: its outcome says the same."""

    async def call(self, call: Call) -> Json:
        """Show the call and return its output, real or made up."""
        action = self._rehearsal.actions.get(call.action)
        if action is None:
            raise StepFailed(explain_missing(call))
        recorder, notes = RequestRecorder(), list[str]()
        output: Json = None
        is_real = False
        if action.pure or action.only_http:
            try:
                context = self._make_context(call, action, recorder, notes)
                output = await run_isolated(lambda: action.run(context, call.inputs))
                is_real = action.pure
            except trio.Cancelled:
                raise
            except BaseException as error:  # noqa: BLE001  # the trap, as in live runs
                if not recorder.requests:  # else it did not like the made-up answer, which says nothing
                    failure = explain(error, call, action, self._rehearsal.redact, {"run": RUN_ID}).error
                    notes.append(f"would fail ({failure.type}): {failure.message}")
        else:
            notes.append("not called: it acts by other ways than HTTP")
        if not is_real:
            output = make_sample(merge_schemas(action.spec.output_schema, call.returns or {}))
        self._show(
            DryStep(
                path=call.path,
                action=call.action,
                inputs=show_inputs(call.inputs),
                requests=tuple(recorder.requests),
                output=output,
                made_up=not is_real,
                note="; ".join(notes),
            )
        )
        return output

    async def run_child(self, call: ChildCall) -> Json:
        """Follow the other workflow, if it is known here."""
        child = self._rehearsal.find_workflow(call.workflow)
        shown = DryStep(path=call.path, action="run_workflow", inputs={"workflow": call.workflow, **call.inputs})
        if not call.wait:
            self._show(replace(shown, output={"run_id": RUN_ID}, note="not waited for, and not followed"))
            return {"run_id": RUN_ID}
        if child is None or self._level >= MAX_CALLS:
            self._show(replace(shown, output={}, note=f"`{call.workflow}` is not known here, and not followed"))
            return {}
        self._show(replace(shown, note="its steps follow"))
        given = {spec.name: call.inputs.get(spec.name, spec.default) for spec in child.inputs}
        trigger = TriggerInfo(type="workflow", data={"workflow": self._run.workflow, "run_id": RUN_ID})
        prefix = f"{self._prefix}{call.path}/"
        outcome = await self._rehearsal.follow(child, given, trigger, prefix, self._level + 1)
        if outcome.error is not None:
            raise StepFailed(replace(outcome.error, step=call.path, attempt=call.attempt, place=call.step.place))
        return dict(outcome.outputs or {})

    def _make_context(self, call: Call, action: Action, recorder: RequestRecorder, notes: list[str]) -> Context:
        rehearsal = self._rehearsal
        credential = None
        if call.credential is not None:
            credential = rehearsal.credentials(rehearsal.tenant, call.credential)
            if credential is None:
                notes.append(f"there is no credential `{call.credential}` here")
                credential = dict.fromkeys(action.credential, "missing")

        def add_line(level: LogLevel, message: str, fields: JsonObject) -> None:
            notes.append(make_line(self.now(), level, message, rehearsal.redact, fields=fields).message)

        return make_context(
            action,
            credential=credential,
            log=add_line,
            idempotency_key=call.idempotency_key,
            dry=True,
            recorder=recorder,
            run=RunInfo(
                tenant=rehearsal.tenant,
                workflow=self._run.workflow,
                run_id=RUN_ID,
                path=call.path,
                attempt=call.attempt,
            ),
        )

    def _show(self, shown: DryStep) -> None:
        redact = self._rehearsal.redact
        inputs = redact(shown.inputs)
        assert isinstance(inputs, dict)
        path = self._prefix + shown.path
        self._rehearsal.steps.append(replace(shown, path=path, inputs=inputs, output=redact(shown.output)))


class _InTurn:
    """A group whose tasks run one after the other as they are started, so that steps are shown in the file's order."""

    async def start(self, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Run the task to its end."""
        await function(*args)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is left to wait for."""
