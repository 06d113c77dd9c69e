"""The order of a list of steps: as written, or as a graph once any step has `needs`.

Owns needs, written and implied by references, and cycles. Pure but for the problems that it notes. Called by the step compiler.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from ipaas.definition.draft import Draft, list_texts
from ipaas.definition.expressions import find_step_references
from ipaas.definition.nodes import Mapping, Node, Sequence, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipaas.definition.outline import Part, StepDraft

_BARE: Final = frozenset({"if", "where", "in"})
"""Keys whose text is an expression without `${{ }}` too."""

MAX_SHOWN: Final = 12
"""Steps of a round that are named; nobody reads a longer one."""


@dataclass(frozen=True, slots=True)
class Order:
    """The steps in one valid order.

    Attributes:
        needs: what each step waits for, by id; None for a plain sequence, where each waits for the one above it.
        is_cyclic: there is no valid order: the steps stand as written, and each may refer to all others, for what is wrong is told.
    """

    steps: tuple[StepDraft, ...]
    needs: dict[str, tuple[str, ...]] | None = None
    is_cyclic: bool = False

    def get_needs(self, step: StepDraft) -> tuple[str, ...]:
        """Return what a step waits for by name; nothing in a sequence."""
        return self.needs.get(step.id, ()) if self.needs is not None else ()


def find_order(draft: Draft, part: Part) -> Order:
    """Return the order of a list; unknown needs and cycles are noted in the draft."""
    if not any("needs" in step.node.items for step in part.steps):
        return Order(tuple(part.steps))
    by_id = {step.id: step for step in part.steps}
    holders = {inner: step.id for step in part.steps for inner in list_ids(step)}
    needs: dict[str, tuple[str, ...]] = {}
    for step in part.steps:
        wanted = dict.fromkeys(_read_needs(draft, step, by_id))
        for name in _list_references(step.node):
            holder = holders.get(name)
            if holder is not None and holder != step.id:
                wanted[holder] = None
        needs[step.id] = tuple(wanted)
    return _sort(draft, part, needs)


def list_ids(step: StepDraft) -> Iterator[str]:
    """Yield the id of a step and of every step inside it."""
    yield step.id
    for part in step.parts:
        for inner in part.steps:
            yield from list_ids(inner)


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
    """Sort by needs: of the steps that could be next, always the one written first, so that the last one written stays last if it can."""
    by_id = {step.id: step for step in part.steps}
    missing = {name: len(wanted) for name, wanted in needs.items()}
    dependents: dict[str, list[StepDraft]] = {}
    for name, wanted in needs.items():
        for each in wanted:
            dependents.setdefault(each, []).append(by_id[name])
    ready = [(step.position, step.id) for step in by_id.values() if not missing[step.id]]
    heapify(ready)
    order: list[StepDraft] = []
    while ready:
        _, name = heappop(ready)
        order.append(by_id[name])
        for step in dependents.get(name, ()):
            missing[step.id] -= 1
            if not missing[step.id]:
                heappush(ready, (step.position, step.id))
    if len(order) == len(by_id):
        return Order(tuple(order), needs)
    _report_cycle(draft, {name: by_id[name] for name, count in missing.items() if count}, needs)
    return Order(tuple(part.steps), needs, is_cyclic=True)


def _report_cycle(draft: Draft, left: dict[str, StepDraft], needs: dict[str, tuple[str, ...]]) -> None:
    """Report one round among the steps that wait for ever; each of them needs another one of them."""
    trail: dict[str, None] = {}
    name = next(iter(left))
    while name not in trail:
        trail[name] = None
        name = next(each for each in needs[name] if each in left)
    names = list(trail)
    cycle = names[names.index(name) :]
    first = min(cycle, key=lambda each: left[each].position)
    start = cycle.index(first)
    turned = [*cycle[start:], *cycle[:start]]
    shown = [f"`{each}`" for each in turned]
    if len(shown) > MAX_SHOWN:
        shown[MAX_SHOWN - 1 :] = ["…"]
    step = left[first]
    message = f"these steps wait for each other: {' → '.join([*shown, f'`{first}`'])}"
    place = step.node.keys.get("needs", step.node)
    draft.report(place, "step-cycle", message, "remove one of the needs or references")
