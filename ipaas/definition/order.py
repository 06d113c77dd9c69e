"""The order of a list of steps: as written, or as a graph once any step has `needs`.

Owns needs, written and implied by references, and cycles. Pure but for the problems that it notes. Called by the step compiler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipaas.definition.draft import Draft, list_texts
from ipaas.definition.expressions import find_step_references
from ipaas.definition.nodes import Mapping, Node, Sequence, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipaas.definition.outline import Part, StepDraft

_BARE = frozenset({"if", "where", "in"})
"""Keys whose text is an expression without `${{ }}` too."""


@dataclass(frozen=True, slots=True)
class Order:
    """The steps in one valid order; `needs` is None for a plain sequence."""

    steps: tuple[StepDraft, ...]
    needs: dict[str, tuple[str, ...]] | None = None

    def get_needs(self, step: StepDraft) -> tuple[str, ...]:
        """Return what a step waits for by name; nothing in a sequence, where it waits for the one above."""
        return self.needs.get(step.id, ()) if self.needs is not None else ()

    def list_before(self, step: StepDraft) -> list[str]:
        """Return all that have ended when a step of a graph begins, in no particular order."""
        assert self.needs is not None
        found: dict[str, None] = {}
        waiting = list(self.needs.get(step.id, ()))
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = None
                waiting += self.needs.get(name, ())
        return list(found)


def find_order(draft: Draft, part: Part) -> Order:
    """Return the order of a list; unknown needs and cycles are noted in the draft."""
    if not any("needs" in step.node.items for step in part.steps):
        return Order(tuple(part.steps))
    by_id = {step.id: step for step in part.steps}
    holders = {inner: step.id for step in part.steps for inner in _list_ids(step)}
    needs: dict[str, tuple[str, ...]] = {}
    for step in part.steps:
        wanted = dict.fromkeys(_read_needs(draft, step, by_id))
        for name in _list_references(step.node):
            holder = holders.get(name)
            if holder is not None and holder != step.id:
                wanted[holder] = None
        needs[step.id] = tuple(wanted)
    return _sort(draft, part, needs)


def _list_ids(step: StepDraft) -> Iterator[str]:
    yield step.id
    for part in step.parts:
        for inner in part.steps:
            yield from _list_ids(inner)


def _read_needs(draft: Draft, step: StepDraft, by_id: dict[str, StepDraft]) -> Iterator[str]:
    for node in list_texts(step.node, "needs"):
        name = str(node.value)
        if name == step.id:
            draft.report(node, "step-cycle", f"step `{shorten(name)}` needs itself", "remove it from `needs`")
        elif name in by_id and by_id[name].has_id:
            yield name
        else:
            known = [each.id for each in by_id.values() if each.has_id and each is not step]
            hint = draft.hint(name, known) or "`needs` names steps of the same list"
            draft.report(node, "unknown-step", f"`needs` names `{shorten(name)}`, which is no step of this list", hint)


def _list_references(node: Node) -> Iterator[str]:
    """Yield the ids of all steps that expressions below a node refer to."""
    waiting: list[tuple[str, Node]] = [("", node)]
    while waiting:
        key, each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += each.items.items()
        elif isinstance(each, Sequence):
            waiting += [("", item) for item in each.items]
        elif isinstance(each.value, str) and "steps" in each.text:
            yield from sorted(find_step_references(each.text, bare=key in _BARE))


def _sort(draft: Draft, part: Part, needs: dict[str, tuple[str, ...]]) -> Order:
    """Sort by needs, keeping the written order where it is free; after a cycle the written order stands in."""
    done: set[str] = set()
    order: list[StepDraft] = []
    left = list(part.steps)
    while left:
        ready = [step for step in left if all(name in done for name in needs[step.id])]
        if not ready:
            _report_cycle(draft, left, needs)
            before = {step.id: tuple(each.id for each in part.steps if each is not step) for step in part.steps}
            return Order(tuple(part.steps), before)
        order += ready
        done.update(step.id for step in ready)
        left = [step for step in left if step.id not in done]
    return Order(tuple(order), needs)


def _report_cycle(draft: Draft, left: list[StepDraft], needs: dict[str, tuple[str, ...]]) -> None:
    by_id = {step.id: step for step in left}
    trail: list[str] = []
    name = left[0].id
    while name not in trail:
        trail.append(name)
        name = next(each for each in needs[name] if each in by_id)
    cycle = trail[trail.index(name) :]
    first = min(cycle, key=lambda each: by_id[each].position)
    turned = cycle[cycle.index(first) :] + cycle[: cycle.index(first)]
    shown = " → ".join(f"`{each}`" for each in [*turned, first])
    step = by_id[first]
    place = step.node.keys.get("needs", step.node)
    draft.report(
        place, "step-cycle", f"these steps wait for each other: {shown}", "remove one of the needs or references"
    )
