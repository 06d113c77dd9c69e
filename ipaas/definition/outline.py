"""The steps of a file before they are compiled: what lies in what, in which order, under which id.

Owns `StepDraft` and `Part` (one list of steps), the ids of steps without one, and the words for where a step is. The compiler walks the
outline; scopes ask it why a step cannot be seen from somewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from ipaas.definition.draft import Draft, find_mapping, find_sequence, find_text
from ipaas.definition.frame import STEP_VERBS
from ipaas.definition.nodes import Mapping, Sequence, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

PartKind = Literal["steps", "on_failure", "on_success", "finally", "branch", "case", "while", "try", "catch", "cleanup"]

HANDLERS: Final = ("on_failure", "on_success", "finally")


@dataclass(slots=True, eq=False)
class Part:
    """One list of steps.

    Attributes:
        key: the branch's id, else empty.
        node: what the list belongs to: the branch, case or catch; None for lists right below their key.
        owner: the step that holds the list; None at the top.
    """

    kind: PartKind
    owner: StepDraft | None = None
    key: str = ""
    node: Mapping | None = None
    steps: list[StepDraft] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class StepDraft:
    """One step before it is compiled; `verb` is None when there is none or more than one."""

    id: str
    has_id: bool
    node: Mapping
    part: Part
    position: int
    verb: str | None
    parts: list[Part] = field(default_factory=list)

    def list_around(self) -> list[tuple[Part, int]]:
        """Return the lists around the step with the position in each, outermost first."""
        found: list[tuple[Part, int]] = []
        step: StepDraft | None = self
        while step is not None:
            found.append((step.part, step.position))
            step = step.part.owner
        return found[::-1]


@dataclass(slots=True, eq=False)
class Outline:
    """All lists of a file: the workflow's own by key, and every step with an id of its own."""

    parts: dict[str, Part] = field(default_factory=dict)
    steps: dict[str, StepDraft] = field(default_factory=dict)


def make_outline(draft: Draft, root: Mapping) -> Outline:
    """Return the outline; duplicate ids are noted in the draft, the first keeps the id."""
    outline = Outline()
    everything: list[StepDraft] = []
    for kind in ("steps", *HANDLERS):
        nodes = find_sequence(root, kind)
        if nodes is not None:
            outline.parts[kind] = part = Part(kind)
            _fill(part, nodes, everything)
    for step in everything:
        if step.has_id:
            first = outline.steps.setdefault(step.id, step)
            if first is not step:
                line = first.node.items["id"].line
                draft.report(
                    step.node.items["id"],
                    "duplicate-id",
                    f"the step id `{shorten(step.id)}` stands in line {line} already",
                    "ids are unique in the whole file, at every depth",
                )
    number = 0
    for step in everything:
        number += 1
        if not step.has_id:
            while (name := f"step{number}") in outline.steps:
                number += 1
            step.id = name
    return outline


def _fill(part: Part, nodes: Sequence, everything: list[StepDraft]) -> None:
    for node in nodes.items:
        if isinstance(node, Mapping):
            given = find_text(node, "id")
            step = StepDraft(given or "", given is not None, node, part, len(part.steps), find_verb(node))
            part.steps.append(step)
            everything.append(step)
            for inner, inner_nodes in _list_parts(step):
                step.parts.append(inner)
                _fill(inner, inner_nodes, everything)


def find_verb(node: Mapping) -> str | None:
    """Return the step's verb, or None when the frame has refused it."""
    verbs = [name for name in node.items if name in STEP_VERBS and name != "wait"]
    if not verbs and "wait" in node.items:
        return "wait"
    is_other = isinstance(node.items.get("wait"), Mapping) and "run_workflow" not in node.items
    return verbs[0] if len(verbs) == 1 and not is_other else None


def _list_parts(step: StepDraft) -> Iterator[tuple[Part, Sequence]]:
    node = step.node
    match step.verb:
        case "parallel" | "switch":
            kind: PartKind = "branch" if step.verb == "parallel" else "case"
            for item in (find_sequence(node, step.verb) or Sequence(line=0, column=0)).items:
                if isinstance(item, Mapping):
                    nodes = find_sequence(item, "steps") or find_sequence(item, "else")
                    yield (
                        Part(kind, step, find_text(item, "id") or "", item),
                        nodes or Sequence(line=item.line, column=item.column),
                    )
        case "while":
            body = find_mapping(node, "while")
            if body is not None and (nodes := find_sequence(body, "steps")):
                yield Part("while", step, "", body), nodes
        case "try":
            yield from _list_try_parts(step)
        case _:
            return


def _list_try_parts(step: StepDraft) -> Iterator[tuple[Part, Sequence]]:
    body = find_mapping(step.node, "try")
    if body is None:
        return
    if nodes := find_sequence(body, "steps"):
        yield Part("try", step, "", body), nodes
    catches = find_sequence(body, "catch")
    for item in catches.items if catches is not None else []:
        if isinstance(item, Mapping) and (nodes := find_sequence(item, "steps")):
            yield Part("catch", step, "", item), nodes
    if nodes := find_sequence(body, "finally"):
        yield Part("cleanup", step, "", body), nodes


def explain_hidden(hidden: StepDraft, here: StepDraft | None, here_part: Part) -> str:
    """Return why a step cannot be used from inside a list, at a step of it or (`here` is None) behind its last step."""
    if hidden is here:
        return "is this step itself"
    own = [*((part, position) for part, position in here.list_around())] if here else _list_around_part(here_part)
    for (part, position), (own_part, own_position) in zip(hidden.list_around(), own, strict=False):
        if part is not own_part:
            loop = next((each for each in _list_holders(hidden) if "for_each" in each.node.items), None)
            is_before = own_part.owner is None and part.kind == "steps"
            return _explain_loop(loop) if loop and is_before else _explain_parts(part, own_part)
        if position > own_position:
            return "runs later"
        if position < own_position:
            loop = next((each for each in _list_holders(hidden) if "for_each" in each.node.items), None)
            return _explain_loop(loop) if loop else "may not have run"
    return "is around this step" if here is None or len(hidden.list_around()) < len(own) else "is inside this step"


def _list_around_part(part: Part) -> list[tuple[Part, int]]:
    around = part.owner.list_around() if part.owner else []
    return [*around, (part, len(part.steps))]


def _explain_parts(part: Part, own: Part) -> str:
    if part.owner is None:
        return "runs later" if own.kind == "steps" else f"is in `{part.kind}`"
    match part.kind:
        case "branch":
            return f"is in the sibling branch `{part.key}`"
        case "case":
            return f"is in another case of `{part.owner.id}`" if part.owner.has_id else "is in another case"
        case "catch":
            return "is in another `catch`" if own.kind == "catch" else "is in a `catch`, which runs only on an error"
        case _:
            return "runs later"


def _list_holders(step: StepDraft) -> Iterator[StepDraft]:
    """Yield the steps that a step lies in, outermost first."""
    return (part.owner for part, _ in step.list_around() if part.owner is not None)


def _explain_loop(loop: StepDraft) -> str:
    use = f": use `steps.{loop.id}.output`" if loop.has_id else ""
    return f"runs once per item of a `for_each`{use}"


def describe_step(step: StepDraft) -> str:
    """Return the step as people name it."""
    return f"step `{step.id}`" if step.has_id else "the step"
