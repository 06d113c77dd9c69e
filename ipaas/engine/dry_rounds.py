"""Bounding the `while` loops of a workflow for a dry run.

Owns `bound_loops`. Pure. Knows the compiled workflow only. Called by the dry host.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ipaas.model import Block, Parallel, Switch, Try, While

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipaas.model import Body, Expression, Json, Place, Workflow

MAX_ROUNDS: Final = 3
"""Iterations of a `while`: a made-up answer never becomes another one, so a poll would go on to its `max`."""


@dataclass(frozen=True, slots=True)
class _FewRounds:
    """The condition of a `while`, which no longer holds after `MAX_ROUNDS` iterations."""

    condition: Expression

    @property
    def place(self) -> Place:
        return self.condition.place

    @property
    def text(self) -> str:
        return self.condition.text

    def evaluate(self, scope: Mapping[str, Json]) -> Json:
        loop = scope["loop"]
        assert isinstance(loop, dict)
        return loop["index"] < MAX_ROUNDS and self.condition.evaluate(scope)


def bound_loops(workflow: Workflow) -> Workflow:
    """Return the workflow with every `while` ending after `MAX_ROUNDS` iterations at the latest."""
    return replace(
        workflow,
        block=_bound_block(workflow.block),
        on_failure=workflow.on_failure and _bound_block(workflow.on_failure),
        on_success=workflow.on_success and _bound_block(workflow.on_success),
        cleanup=workflow.cleanup and _bound_block(workflow.cleanup),
    )


def _bound_block(block: Block) -> Block:
    return replace(block, steps=tuple(replace(step, body=_bound_body(step.body)) for step in block.steps))


def _bound_body(body: Body) -> Body:
    match body:
        case Parallel():
            return replace(body, branches=tuple((branch, _bound_block(block)) for branch, block in body.branches))
        case Switch():
            return replace(body, cases=tuple((condition, _bound_block(block)) for condition, block in body.cases))
        case While():
            return replace(body, condition=_FewRounds(body.condition), block=_bound_block(body.block))
        case Try():
            catches = tuple(replace(catch, block=_bound_block(catch.block)) for catch in body.catches)
            cleanup = body.cleanup and _bound_block(body.cleanup)
            return replace(body, block=_bound_block(body.block), catches=catches, cleanup=cleanup)
        case _:
            return body
