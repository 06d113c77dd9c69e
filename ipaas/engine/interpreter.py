"""Walking a workflow: its steps, its handlers, its outputs.

Owns `interpret`, and how one step is evaluated: `if`, then `for_each`, then attempts, then `on_error`. Knows words and the host, and no
machine: it imports neither trio nor the Store and awaits nothing but the host, so that the same walk is a live run, a dry run or
a test. Called by the child task and by dry runs.

    steps ──► outputs ──► on_success ──► finally ──► succeeded
      │  failed, timed out, in doubt
      └─────────────────► on_failure ──► finally ──► failed, timed_out, interrupted
      │  cancelled
      └────────────────────────────────► finally ──► the cancel goes on to the caller
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipaas.definition.durations import format_duration
from ipaas.engine.attempts import perform_step
from ipaas.engine.blocks import clean_up, run_body, run_graph, run_sequence
from ipaas.engine.host import StepFailed
from ipaas.engine.loops import run_for_each
from ipaas.engine.scope import Scope, error_as_json, make_roots
from ipaas.engine.walk import Frame, evaluate_condition, evaluate_template
from ipaas.model import Deferred, Uses
from ipaas.run import Outcome, RunError, StepResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipaas.engine.host import Host
    from ipaas.model import Block, Json, JsonObject, Step, Workflow
    from ipaas.run import Run


async def interpret(
    workflow: Workflow,
    run: Run,
    host: Host,
    *,
    env: Mapping[str, str],
    variables: JsonObject | None = None,
    action_timeout_s: float = 60.0,
    cleanup_s: float = 10.0,
) -> Outcome:
    """Run a workflow to its end and return how it ended: `succeeded`, `failed`, `timed_out` or `interrupted`.

    A cancel passes through as the host's own exception, after the cleanup that it leaves time for.

    Args:
        env: environment variables that expressions may read.
        variables: the values behind `vars`.
        action_timeout_s: of each attempt at an action whose step says nothing.
        cleanup_s: how long cleanup may go on after a cancel.
    """
    interpreter = _Interpreter(host=host, run_id=run.id, action_timeout_s=action_timeout_s, cleanup_s=cleanup_s)
    scope = Scope(make_roots(run, env, variables or {}))
    final = Frame("finally/", scope)
    try:
        outcome = await _run_steps(interpreter, workflow, scope)
        outcome = await _run_handlers(interpreter, workflow, scope, outcome)
    except BaseException:  # a cancel is on its way through
        if not host.is_abandoned():
            await clean_up(interpreter, workflow.cleanup, final, "finally", ended_by=None)
        raise
    error = await clean_up(interpreter, workflow.cleanup, final, "finally", ended_by=outcome.error)
    return outcome if error is None or outcome.error is not None else replace(outcome, state="failed", error=error)


async def _run_steps(interpreter: _Interpreter, workflow: Workflow, scope: Scope) -> Outcome:
    """Run the steps and evaluate the outputs, within the workflow's timeout."""
    try:
        async with interpreter.host.deadline(workflow.timeout_s):
            await interpreter.run_block(workflow.block, Frame("", scope))
            return Outcome(state="succeeded", outputs=_evaluate_outputs(workflow, scope))
    except StepFailed as failure:
        if failure.error.type == "in_doubt":
            return Outcome(
                state="interrupted", error=failure.error, reason=f"the step `{failure.error.step}` is in doubt"
            )
        return Outcome(state="failed", error=failure.error)
    except TimeoutError:
        error = RunError(
            type="timeout",
            message=f"the run was not finished within {format_duration(workflow.timeout_s or 0.0)}",
            place=workflow.place,
            hint="raise the workflow's `timeout:`",
        )
        return Outcome(state="timed_out", error=error)


def _evaluate_outputs(workflow: Workflow, scope: Scope) -> JsonObject | None:
    if workflow.outputs is None:
        return None
    values = evaluate_template(workflow.outputs, scope, "")
    return {name: value for name, value in values.items() if not isinstance(value, Deferred)}


async def _run_handlers(interpreter: _Interpreter, workflow: Workflow, scope: Scope, outcome: Outcome) -> Outcome:
    """Run `on_success` or `on_failure`. A failing handler makes a run that had succeeded fail; it never hides an earlier failure."""
    if outcome.error is None:
        block, frame = workflow.on_success, Frame("on_success/", scope)
    else:
        block, frame = workflow.on_failure, Frame("on_failure/", scope.add({"error": error_as_json(outcome.error)}))
    if block is None:
        return outcome
    try:
        await interpreter.run_block(block, frame)
    except StepFailed as failure:
        if outcome.error is None:
            return replace(outcome, state="failed", error=failure.error)
        message = f"`on_failure` failed too ({failure.error.type}): {failure.error.message}"
        interpreter.host.log("error", message, path=failure.error.step, attempt=failure.error.attempt)
    return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interpreter:
    """The `Walk` of one run."""

    host: Host
    run_id: str
    action_timeout_s: float
    cleanup_s: float

    async def run_block(self, block: Block, frame: Frame) -> Json:
        """Run a list of steps and return the last one's output."""
        if block.is_graph:
            return await run_graph(self, block, frame, self.run_step)
        return await run_sequence(block, frame, self.run_step)

    async def run_body(self, step: Step, path: str, frame: Frame) -> Json:
        """Perform one attempt at a block and return its output."""
        return await run_body(self, step, path, frame)

    async def run_step(self, step: Step, frame: Frame) -> Json:
        """Evaluate a step and return its output, null when it was skipped or failed and the run goes on. Raises `StepFailed`."""
        result, items = await self._end_step(step, frame.prefix + step.id, frame)
        frame.scope.set_step(result, items)
        if result.error is None:
            return result.output
        if step.on_error == "fail" or result.error.type == "in_doubt":
            raise StepFailed(result.error)
        message = f"`{result.path}` failed ({result.error.type}): {result.error.message}; the run goes on"
        self.host.log("warning", message, path=result.path, attempt=result.error.attempt)
        return None

    async def _end_step(self, step: Step, path: str, frame: Frame) -> tuple[StepResult, list[Json] | None]:
        """Return how the step ended and the entries of its `for_each`."""
        if step.condition is not None:
            try:
                holds = evaluate_condition(step.condition, frame.scope, path)
            except StepFailed as failure:
                return await self._note(step, path, failure.error), None if step.for_each is None else []
            if not holds:
                return await self._note(step, path, None), None if step.for_each is None else []
        if step.for_each is not None:
            return await run_for_each(self, step, step.for_each, path, frame)
        return await perform_step(self, step, path, frame), None

    async def _note(self, step: Step, path: str, error: RunError | None) -> StepResult:
        """Note a step that made no attempt: skipped, or its `if` could not be evaluated."""
        now = self.host.now()
        result = StepResult(
            path=path,
            step=step.id,
            status="skipped" if error is None else "failed",
            action=step.body.action if isinstance(step.body, Uses) else "",
            error=error,
            started_at=now,
            finished_at=now,
        )
        await self.host.record(step, result)
        return result
