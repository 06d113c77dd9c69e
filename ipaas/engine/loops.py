"""Repeating: `for_each` over a list, `while` over a condition.

Owns both loops. Knows words, the host and how a step is performed. Called by the interpreter. A thousand items cost a thousand
results: at most `limit` of them are under way at a time, and nothing that the items share is copied.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ipaas.engine.attempts import perform_step
from ipaas.engine.host import StepFailed
from ipaas.engine.scope import error_as_json
from ipaas.engine.walk import describe, evaluate, evaluate_condition
from ipaas.model import RunWorkflow, Uses
from ipaas.run import RunError, StepResult

if TYPE_CHECKING:
    from ipaas.engine.walk import Frame, Walk
    from ipaas.model import ForEach, Json, Step, While

BREATH: Final = 64
"""Items after which a loop lets other tasks run, however little it waits itself: about a millisecond of expressions."""


@dataclass(slots=True)
class _Loop:
    """One `for_each` under way."""

    walk: Walk
    step: Step
    for_each: ForEach
    path: str
    frame: Frame
    ended: list[tuple[int, Json, StepResult]] = field(default_factory=list)

    async def run_item(self, index: int, item: Json) -> None:
        """Perform one item that `where` let through. Raises `StepFailed` when its failure ends the loop."""
        result = await perform_step(self.walk, self.step, f"{self.path}[{index}]", self.frame_of(index, item))
        self.end_item(index, item, result)

    async def is_wanted(self, index: int, item: Json) -> bool:
        """Whether `where` lets the item through; when it cannot be evaluated, the item has failed."""
        if self.for_each.where is None:
            return True
        path = f"{self.path}[{index}]"
        try:
            return evaluate_condition(self.for_each.where, self.frame_of(index, item).scope, path)
        except StepFailed as failure:
            now = self.walk.host.now()
            result = StepResult(
                path=path, step=self.step.id, status="failed", error=failure.error, started_at=now, finished_at=now
            )
            await self.walk.host.record(self.step, result)
            self.end_item(index, item, result)
            return False

    def end_item(self, index: int, item: Json, result: StepResult) -> None:
        self.ended.append((index, item, result))
        if result.error is not None and (self.for_each.on_item_error == "fail" or result.error.type == "in_doubt"):
            raise StepFailed(result.error)

    def frame_of(self, index: int, item: Json) -> Frame:
        """Return the frame in which an item is evaluated; only items of blocks set steps, so only they need their own."""
        scope = self.frame.scope.add({self.for_each.name: item, "loop": {"index": index}})
        return replace(self.frame, scope=scope if isinstance(self.step.body, Uses | RunWorkflow) else scope.fork())

    def entries(self) -> list[Json]:
        """Return `steps.x.items`, in item order."""
        self.ended.sort(key=lambda ended: ended[0])
        return [
            {
                "index": index,
                "item": item,
                "status": result.status,
                "output": result.output,
                "error": None if result.error is None else error_as_json(result.error),
            }
            for index, item, result in self.ended
        ]


async def run_for_each(
    walk: Walk, step: Step, for_each: ForEach, path: str, frame: Frame
) -> tuple[StepResult, list[Json]]:
    """Perform a step once per item and return how that ended, noted in the journal, with the entries of `steps.x.items`."""
    host = walk.host
    earlier = host.recorded(path)
    result = StepResult(
        path=path,
        step=step.id,
        status="running",
        action=step.body.action if isinstance(step.body, Uses) else "",
        started_at=host.now() if earlier is None else earlier.started_at,
    )
    if earlier is not None and earlier.status == "failed":
        frame = replace(frame, closed=earlier.error)
    loop = _Loop(walk, step, for_each, path, frame)
    await host.record(step, result)
    try:
        await _run_items(loop, _evaluate_items(for_each, path, frame))
    except StepFailed as failure:
        result = replace(result, status="failed", error=failure.error)
    except BaseException:  # a cancel is on its way through
        if not host.is_abandoned():
            await host.record(step, replace(result, status="cancelled", finished_at=host.now()))
        raise
    else:
        loop.ended.sort(key=lambda ended: ended[0])
        outputs: list[Json] = [ended.output for _, _, ended in loop.ended]
        result = replace(result, status="succeeded", output=outputs)
        if failures := sum(ended.status == "failed" for _, _, ended in loop.ended):
            host.log("warning", f"{failures} of {len(outputs)} items failed; the run goes on", path=path)
    result = replace(result, finished_at=host.now())
    await host.record(step, result)
    return result, loop.entries()


def _evaluate_items(for_each: ForEach, path: str, frame: Frame) -> list[Json]:
    value = evaluate(for_each.items, frame.scope, path)
    if isinstance(value, list):
        return value
    raise StepFailed(
        RunError(
            type="expression",
            message=f"`for_each` needs a list, and `{for_each.items.text}` is {describe(value)}",
            step=path,
            place=for_each.items.place,
            hint="write an expression that gives a list, `[]` for none",
        )
    )


async def _run_items(loop: _Loop, items: list[Json]) -> None:
    host = loop.walk.host
    if loop.for_each.limit == 1:
        for index, item in enumerate(items):
            if index % BREATH == BREATH - 1:
                await host.sleep(0)
            if await loop.is_wanted(index, item):
                await loop.run_item(index, item)
        return
    async with host.group(loop.for_each.limit) as group:
        for index, item in enumerate(items):
            if index % BREATH == BREATH - 1:
                await host.sleep(0)
            if await loop.is_wanted(index, item):
                await group.start(loop.run_item, index, item)


async def run_while(walk: Walk, step: Step, body: While, path: str, frame: Frame) -> Json:
    """Repeat a list of steps while the condition holds and return the last iteration's output, null without any.

    Raises:
        StepFailed: of type `limit_exceeded` when the condition still holds after `max` iterations.
    """
    host, output = walk.host, None
    for index in range(body.max + 1):
        scope = frame.scope.add({"loop": {"index": index}})
        if not evaluate_condition(body.condition, scope, path):
            return output
        if index == body.max:
            break
        prefix = f"{frame.prefix.removesuffix('/')}#{index}/"
        # What the journal knows has waited already.
        if index and body.every_s and frame.closed is None and host.recorded(prefix + body.block.steps[0].id) is None:
            await host.sleep(body.every_s)
        elif index % BREATH == BREATH - 1:
            await host.sleep(0)
        output = await walk.run_block(body.block, replace(frame, prefix=prefix, scope=scope))
    raise StepFailed(
        RunError(
            type="limit_exceeded",
            message=f"the condition `{body.condition.text}` still holds after {body.max} iterations",
            step=path,
            place=step.place,
            hint="raise `max:`, or set `on_error: continue` if the run may go on without",
        )
    )
