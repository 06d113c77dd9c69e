"""Performing one step, or one item of its loop: attempts, their timeouts, the pauses between them, and what is noted of each.

Owns the life of one path in the journal:

    (recorded by an earlier execution) ──► that result, nothing is performed
    running(1) ──► succeeded
        │    └───► failed, cancelled
        └─ running(1, error) ─ pause ─ running(2) ──► …

Knows words, the host and the retry rule; not lists of steps. Called by the interpreter for a step and by `loops` for an item.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ipaas.definition.durations import format_duration
from ipaas.engine.backoff import effective_retry, next_delay_s
from ipaas.engine.host import Call, ChildCall, StepFailed
from ipaas.engine.walk import evaluate_template, without_attempts
from ipaas.model import Deferred, RunWorkflow, Uses
from ipaas.run import RunError, StepResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipaas.engine.walk import Frame, Walk
    from ipaas.model import Json, Retry, Step

MAX_KEY_CHARS: Final = 200
"""Services that take idempotency keys accept 255 characters; longer ones are replaced by a digest."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What the attempts at one path have in common."""

    step: Step
    path: str
    inputs: Mapping[str, Json | Deferred]
    frame: Frame
    timeout_s: float | None
    retry: Retry


async def perform_step(walk: Walk, step: Step, path: str, frame: Frame) -> StepResult:
    """Perform a step (or an item) with all its attempts and return how it ended: `succeeded` or `failed`, noted in the journal.

    What an earlier execution finished is not performed again. Blocks are walked again, so that their steps fill the scope; only
    the actions inside answer from the journal.
    """
    host = walk.host
    earlier = host.recorded(path)
    is_leaf = isinstance(step.body, Uses | RunWorkflow)
    if earlier is not None and is_leaf and earlier.status in ("succeeded", "failed"):
        return earlier
    result = StepResult(
        path=path,
        step=step.id,
        status="running",
        action=step.body.action if isinstance(step.body, Uses) else "",
        attempts=0 if earlier is None else earlier.attempts,
        started_at=host.now() if earlier is None else earlier.started_at,
    )
    if is_leaf and frame.closed is not None:
        return replace(result, status="failed", error=frame.closed)
    if earlier is not None and earlier.status == "failed":
        await _walk_again(walk, step, earlier, frame)
        return earlier
    try:
        _refuse_in_doubt(walk, step, earlier)
        inputs = _evaluate_inputs(step, path, frame)
        result = replace(result, inputs=show_inputs(inputs) if is_leaf else None)
        work = _Work(step, path, inputs, frame, _timeout_of(walk, step), _retry_of(walk, step))
    except StepFailed as failure:
        result = replace(result, status="failed", error=failure.error)
    else:
        result = await _attempt(walk, work, result, earlier)
    result = replace(result, finished_at=host.now())
    await host.record(step, result)
    return result


async def _attempt(walk: Walk, work: _Work, result: StepResult, earlier: StepResult | None) -> StepResult:
    """Make attempts until one succeeds or the last one failed. A cancel is noted and passes through."""
    host = walk.host
    attempt = max(1, result.attempts)
    if earlier is not None and earlier.error is not None:
        attempt += 1  # it was interrupted in the pause after a failed attempt
    try:
        while True:
            result = replace(result, attempts=attempt, error=None)
            await host.record(work.step, result)
            try:
                output = await _perform(walk, work, attempt)
            except StepFailed as failure:
                result = replace(result, error=failure.error)
                delay_s = None
                if not failure.fatal and failure.error.type != "in_doubt" and work.frame.closed is None:
                    delay_s = next_delay_s(work.retry, attempt, failure.error, host.random())
                if delay_s is None:
                    return replace(result, status="failed")
                await _pause(walk, work, result, delay_s)
                attempt += 1
            else:
                return replace(result, status="succeeded", output=output)
    except BaseException:  # a cancel is on its way through
        if not host.is_abandoned():
            await host.record(work.step, replace(result, status="cancelled", finished_at=host.now()))
        raise


async def _perform(walk: Walk, work: _Work, attempt: int) -> Json:
    """Make one attempt, within its timeout."""
    step, path = work.step, work.path
    try:
        async with walk.host.deadline(work.timeout_s):
            if isinstance(step.body, Uses):
                output = await walk.host.call(
                    Call(
                        step=step,
                        path=path,
                        attempt=attempt,
                        action=step.body.action,
                        inputs=work.inputs,
                        credential=step.body.credential,
                        idempotency_key=make_key(walk.run_id, path),
                        returns=step.returns,
                    )
                )
            elif isinstance(step.body, RunWorkflow):
                output = await walk.host.run_child(
                    ChildCall(
                        step=step,
                        path=path,
                        attempt=attempt,
                        workflow=step.body.workflow,
                        inputs=show_inputs(work.inputs),
                        wait=step.body.wait,
                    )
                )
            else:
                output = await walk.run_body(step, path, work.frame.inside(_prefix(path, attempt)))
    except TimeoutError:
        raise StepFailed(
            RunError(
                type="timeout",
                message=f"`{path}` was not finished within {format_duration(work.timeout_s or 0.0)}",
                step=path,
                attempt=attempt,
                place=step.place,
                hint="give the step a longer `timeout:`, or a `retry:` with the error `timeout`",
            )
        ) from None
    _check_returns(step, path, attempt, output)
    return output


async def _pause(walk: Walk, work: _Work, result: StepResult, delay_s: float) -> None:
    """Note the failed attempt, so that neither a person nor a later execution takes it for one under way, and wait."""
    error = result.error
    assert error is not None
    walk.host.log(
        "warning",
        f"attempt {result.attempts} of {work.retry.max_attempts} failed ({error.type}): {error.message}; "
        f"next in {format_duration(round(delay_s, 1))}",
        path=work.path,
        attempt=result.attempts,
    )
    await walk.host.record(work.step, result)
    await walk.host.sleep(delay_s)


async def _walk_again(walk: Walk, step: Step, earlier: StepResult, frame: Frame) -> None:
    """Walk through a block that failed in an earlier execution, performing nothing, for what its steps left in the scope."""
    assert earlier.error is not None
    closed = replace(frame, prefix=_prefix(earlier.path, max(1, earlier.attempts)), closed=earlier.error)
    try:
        await walk.run_body(step, earlier.path, closed)
    except StepFailed:
        return  # as it did then


def make_key(run_id: str, path: str) -> str:
    """Return the idempotency key of a path: the same for all its attempts and in every later execution of the run."""
    key = f"{run_id}/{without_attempts(path)}"
    return key if len(key) <= MAX_KEY_CHARS else f"{run_id}/{sha256(key.encode()).hexdigest()}"


def _prefix(path: str, attempt: int) -> str:
    """Return the prefix of the paths inside one attempt at a block; each attempt performs its steps anew."""
    return f"{path}/" if attempt == 1 else f"{path}.attempt{attempt}/"


def _refuse_in_doubt(walk: Walk, step: Step, earlier: StepResult | None) -> None:
    """Raise when a write was under way at the interruption: it may have happened, and only a person can find out."""
    if earlier is None or earlier.attempts == 0 or not isinstance(step.body, Uses):
        return
    if earlier.error is None and walk.host.effect(step.body.action) == "write":
        raise StepFailed(
            RunError(
                type="in_doubt",
                message=f"`{step.body.action}` was under way when the run was interrupted, and nobody knows whether it was done",
                step=earlier.path,
                attempt=earlier.attempts,
                place=step.place,
                hint="look on the other side whether it was done, and start a new run for the rest",
            )
        )


def _evaluate_inputs(step: Step, path: str, frame: Frame) -> Mapping[str, Json | Deferred]:
    if isinstance(step.body, Uses | RunWorkflow):
        return evaluate_template(step.body.inputs, frame.scope, path)
    return {}


def show_inputs(inputs: Mapping[str, Json | Deferred]) -> dict[str, Json]:
    """Return inputs as plain JSON: expressions that the action evaluates itself are shown as their text."""
    return {name: _show_value(value) for name, value in inputs.items()}


def _show_value(value: Json | Deferred) -> Json:
    if isinstance(value, Deferred):
        return value.text
    if isinstance(value, dict):
        return {name: _show_value(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_show_value(each) for each in value]
    return value


def _timeout_of(walk: Walk, step: Step) -> float | None:
    if step.timeout_s is not None:
        return step.timeout_s
    return walk.action_timeout_s if isinstance(step.body, Uses) else None


def _retry_of(walk: Walk, step: Step) -> Retry:
    return effective_retry(step.retry, walk.host.effect(step.body.action) if isinstance(step.body, Uses) else "write")


def _check_returns(step: Step, path: str, attempt: int, output: Json) -> None:
    """Raise when the output is not what the step's `returns` says."""
    if step.returns is None:
        return
    from ipaas.definition.json_schema import get_validator  # brings jsonschema, 60 ms that most runs need not pay

    if messages := get_validator(step.returns).check(output):
        more = f"; and {len(messages) - 1} more" if len(messages) > 1 else ""
        raise StepFailed(
            RunError(
                type="validation",
                message=f"the output does not meet `returns`: {messages[0]}{more}",
                step=path,
                attempt=attempt,
                place=step.place,
                hint="change `returns:`, or look at why the other side answers differently",
            )
        )
