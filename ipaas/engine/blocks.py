"""Lists of steps, and the verbs that hold them: `parallel`, `switch`, `while`, `try`.

Owns in which order steps start and which failure wins. Knows words and the host; how one step is performed is given in by the
interpreter, which calls this. The output of a list of steps is that of its last step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipaas.engine.host import StepFailed
from ipaas.engine.loops import run_while
from ipaas.engine.scope import error_as_json
from ipaas.engine.walk import evaluate_condition
from ipaas.model import Parallel, Switch, Try, While

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ipaas.engine.walk import Frame, Walk
    from ipaas.model import Block, Json, Step
    from ipaas.run import RunError

    RunStep = Callable[[Step, Frame], Awaitable[Json]]


async def run_sequence(block: Block, frame: Frame, run_step: RunStep) -> Json:
    """Run steps one after the other; the first failure ends the list."""
    output: Json = None
    for step in block.steps:
        output = await run_step(step, frame)
    return output


async def run_graph(walk: Walk, block: Block, frame: Frame, run_step: RunStep) -> Json:
    """Start each step as soon as all that it needs have ended, whether they succeeded or were skipped; the first failure cancels
    the others."""
    outputs: dict[str, Json] = {}
    waiting = {step.id: set(step.needs) for step in block.steps}
    dependents: dict[str, list[Step]] = {}
    for step in block.steps:
        for need in step.needs:
            dependents.setdefault(need, []).append(step)

    async with walk.host.group() as group:

        async def run(step: Step) -> None:
            outputs[step.id] = await run_step(step, frame)
            for dependent in dependents.get(step.id, ()):
                needs = waiting[dependent.id]
                needs.discard(step.id)
                if not needs:
                    await group.start(run, dependent)

        for step in block.steps:
            if not step.needs:
                await group.start(run, step)
    return outputs[block.steps[-1].id] if block.steps else None


async def run_body(walk: Walk, step: Step, path: str, frame: Frame) -> Json:
    """Perform one attempt at a block and return its output. Raises `StepFailed`."""
    match step.body:
        case Parallel():
            return await _run_parallel(walk, step, step.body, frame)
        case Switch():
            return await _run_switch(walk, step.body, path, frame)
        case While():
            return await run_while(walk, step, step.body, path, frame)
        case Try():
            return await _run_try(walk, step.body, path, frame)
        case _:
            raise AssertionError(step.body)  # actions and children are performed by `attempts`


async def _run_parallel(walk: Walk, step: Step, body: Parallel, frame: Frame) -> Json:
    """Run all branches at once. With `on_error: continue` each goes on to its own end, and the first failure is told then."""
    outputs: dict[str, Json] = {}
    failures: list[StepFailed] = []

    async def run(branch: str, block: Block) -> None:
        try:
            outputs[branch] = await walk.run_block(block, frame)
        except StepFailed as failure:
            if step.on_error == "fail" or failure.error.type == "in_doubt":
                raise
            failures.append(failure)

    async with walk.host.group() as group:
        for branch, block in body.branches:
            await group.start(run, branch, block)
    if failures:
        raise failures[0]
    return {branch: outputs[branch] for branch, _ in body.branches}


async def _run_switch(walk: Walk, body: Switch, path: str, frame: Frame) -> Json:
    for condition, block in body.cases:
        if condition is None or evaluate_condition(condition, frame.scope, path):
            return await walk.run_block(block, frame)
    return None


async def _run_try(walk: Walk, body: Try, path: str, frame: Frame) -> Json:
    """Run the steps, then the first `catch` that names their failure, then the cleanup, which a cancel does not keep from running.

    The output is that of the part that ended it, never the cleanup's. A failing cleanup fails what had succeeded; it never hides an
    earlier failure.
    """
    try:
        output = await _run_caught(walk, body, frame)
    except StepFailed as failure:
        await clean_up(walk, body.cleanup, frame, path, ended_by=failure.error)
        raise
    except BaseException:  # a cancel is on its way through
        if not walk.host.is_abandoned():
            await clean_up(walk, body.cleanup, frame, path, ended_by=None)
        raise
    if (error := await clean_up(walk, body.cleanup, frame, path, ended_by=None)) is not None:
        raise StepFailed(error)
    return output


async def _run_caught(walk: Walk, body: Try, frame: Frame) -> Json:
    try:
        return await walk.run_block(body.block, frame)
    except StepFailed as failure:
        error = failure.error
        for catch in body.catches:
            # What is in doubt is not mended by a `catch` for everything: the file has to say that it means this.
            if error.type in catch.errors or (not catch.errors and error.type != "in_doubt"):
                scope = frame.scope.add({catch.name: error_as_json(error)})
                return await walk.run_block(catch.block, replace(frame, scope=scope))
        raise


async def clean_up(
    walk: Walk, block: Block | None, frame: Frame, path: str, *, ended_by: RunError | None
) -> RunError | None:
    """Run cleanup steps out of a cancel's reach, and return how they failed, or None. Never raises `StepFailed`.

    Args:
        path: of the step that the cleanup belongs to, or `finally` for the workflow's own.
        ended_by: the failure that came before, which a failure here is logged beside.
    """
    if block is None:
        return None
    try:
        async with walk.host.shield(walk.cleanup_s):
            await walk.run_block(block, frame)
    except StepFailed as failure:
        if ended_by is not None:
            walk.host.log("error", f"the cleanup failed too ({failure.error.type}): {failure.error.message}", path=path)
        return failure.error
    except TimeoutError:
        walk.host.log("error", f"the cleanup was ended {walk.cleanup_s:g} s after the cancel", path=path)
        await walk.host.sleep(0)  # the cancel that waited outside goes on from here
    return None
