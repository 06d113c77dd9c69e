"""A workflow as a diagram: pure, workflow in, Mermaid or DOT text out.

Owns the shapes (which step follows which) and the escaping of both formats. Knows words only. Called by `ipaas graph` and, later, by
whatever else shows a pipeline. First `draw` makes a `Diagram`, then `to_mermaid` or `to_dot` writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, assert_never

from ipaas.model import After, At, Block, Cron, Every, Parallel, RunWorkflow, Step, Switch, Try, Uses, While

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ipaas.model import Timing, Workflow

Shape = Literal["start", "step", "choice", "call"]

MAX_LABEL: Final = 60
"""Letters of an expression in a label; a diagram is for the shape, the file for the text."""


@dataclass(frozen=True, slots=True)
class Node:
    """One box; `lines` are its text."""

    id: str
    lines: tuple[str, ...]
    shape: Shape = "step"


@dataclass(frozen=True, slots=True)
class Edge:
    """One arrow; dotted when it is only taken after something went wrong, or after everything."""

    source: str
    target: str
    label: str = ""
    dotted: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """Boxes with a frame around them; the outermost has no label and no frame."""

    id: str
    label: str
    parts: list[Node | Cluster] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Diagram:
    """Boxes in their frames, and arrows."""

    root: Cluster
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class _End:
    """A loose end: the next step hangs on it."""

    node: str
    label: str = ""


def draw(workflow: Workflow) -> Diagram:
    """Return the diagram of a workflow: its triggers, its steps, its handlers."""
    return _Drawing().draw(workflow)


class _Drawing:
    """One drawing under way; nodes are numbered in the order of the file, so that the text is stable."""

    def __init__(self) -> None:
        self._edges: list[Edge] = []
        self._count = 0

    def draw(self, workflow: Workflow) -> Diagram:
        root = Cluster("root", "")
        triggers = tuple(show_timing(trigger.timing) for trigger in workflow.triggers)
        start = self._node((workflow.id, *(triggers or ("by hand",))), "start")
        root.parts.append(start)
        ends = self._block(workflow.block, root, [_End(start.id)])
        for label, handler in (
            ("on success", workflow.on_success),
            ("on failure", workflow.on_failure),
            ("finally", workflow.cleanup),
        ):
            if handler is not None:
                frame = self._frame(root, label)
                self._block(handler, frame, ends, dotted=True)
        return Diagram(root, tuple(self._edges))

    def _node(self, lines: Iterable[str], shape: Shape = "step") -> Node:
        self._count += 1
        return Node(f"n{self._count}", tuple(_shorten(line) for line in lines), shape)

    def _frame(self, parent: Cluster, label: str) -> Cluster:
        self._count += 1
        frame = Cluster(f"c{self._count}", _shorten(label))
        parent.parts.append(frame)
        return frame

    def _connect(self, ends: Sequence[_End], target: Node, *, dotted: bool = False) -> None:
        self._edges += [Edge(end.node, target.id, _shorten(end.label), dotted) for end in ends]

    def _block(self, block: Block, frame: Cluster, ends: list[_End], *, dotted: bool = False) -> list[_End]:
        """Draw the steps of a block after `ends` and return its loose ends."""
        if block.is_graph:
            return self._graph(block, frame, ends, dotted=dotted)
        for step in block.steps:
            ends, dotted = self._step(step, frame, ends, dotted=dotted), False
        return ends

    def _graph(self, block: Block, frame: Cluster, ends: list[_End], *, dotted: bool) -> list[_End]:
        finished: dict[str, list[_End]] = {}
        needed = {need for step in block.steps for need in step.needs}
        for step in block.steps:  # listed in one valid order, so a need is always drawn already
            before = [end for need in step.needs for end in finished[need]] or ends
            finished[step.id] = self._step(step, frame, before, dotted=dotted and not step.needs)
        return [end for step in block.steps if step.id not in needed for end in finished[step.id]]

    def _step(self, step: Step, frame: Cluster, ends: list[_End], *, dotted: bool) -> list[_End]:
        extra = [f"if {step.condition.text}"] if step.condition is not None else []
        if step.for_each is not None:
            loop = step.for_each
            where = f" where {loop.where.text}" if loop.where is not None else ""
            extra.append(f"for each {loop.name} in {loop.items.text}{where}")
        body = step.body
        match body:
            case Uses(action=action):
                node = self._node([_title(step), action, *extra])
            case RunWorkflow(workflow=workflow):
                node = self._node([_title(step), f"run {workflow}", *extra], "call")
            case Switch():
                node = self._node([_title(step), *extra], "choice")
            case While(condition=condition, max=most):
                node = self._node([_title(step), f"while {condition.text}", f"at most {most} times", *extra], "choice")
            case Parallel():
                node = self._node([_title(step), "all at once", *extra])
            case Try():
                node = self._node([_title(step), "try", *extra])
            case _:
                assert_never(body)
        frame.parts.append(node)
        self._connect(ends, node, dotted=dotted)
        start = [_End(node.id)]
        match body:
            case Parallel(branches=branches):
                return [
                    end for name, block in branches for end in self._block(block, self._frame(frame, name), list(start))
                ]
            case Switch(cases=cases):
                return self._switch(cases, node, frame)
            case While(block=block):
                inner = self._block(block, self._frame(frame, f"{step.id}: each time"), [_End(node.id, "yes")])
                self._edges += [Edge(end.node, node.id, end.label) for end in inner]
                return [_End(node.id, "no")]
            case Try():
                return self._try(body, step, node, frame)
            case _:
                return start

    def _switch(self, cases: Sequence[tuple[object, Block]], node: Node, frame: Cluster) -> list[_End]:
        ends: list[_End] = []
        for condition, block in cases:
            label = "else" if condition is None else str(getattr(condition, "text", ""))
            ends += self._block(block, frame, [_End(node.id, label)])
        return ends if any(condition is None for condition, _ in cases) else [*ends, _End(node.id, "none")]

    def _try(self, body: Try, step: Step, node: Node, frame: Cluster) -> list[_End]:
        ends = self._block(body.block, self._frame(frame, f"{step.id}: try"), [_End(node.id)])
        for catch in body.catches:
            label = ", ".join(sorted(catch.errors)) or "any error"
            caught = self._frame(frame, f"{step.id}: catch")
            ends = ends + self._block(catch.block, caught, [_End(node.id, label)], dotted=True)
        if body.cleanup is not None:
            ends = self._block(body.cleanup, self._frame(frame, f"{step.id}: finally"), ends)
        return ends


def to_mermaid(diagram: Diagram) -> str:
    """Return the diagram as a Mermaid flowchart."""
    lines = ["flowchart TD", *_mermaid_parts(diagram.root, "  ")]
    for edge in diagram.edges:
        arrow = "-.->" if edge.dotted else "-->"
        label = f'|"{escape_mermaid(edge.label)}"|' if edge.label else ""
        lines.append(f"  {edge.source} {arrow}{label} {edge.target}")
    return "\n".join(lines) + "\n"


def _mermaid_parts(cluster: Cluster, indent: str) -> list[str]:
    lines: list[str] = []
    for part in cluster.parts:
        if isinstance(part, Cluster):
            lines.append(f'{indent}subgraph {part.id}["{escape_mermaid(part.label)}"]')
            lines += [*_mermaid_parts(part, indent + "  "), f"{indent}end"]
            continue
        opening, closing = {"start": ("([", "])"), "step": ("[", "]"), "choice": ("{", "}"), "call": ("[[", "]]")}[
            part.shape
        ]
        text = "<br/>".join(escape_mermaid(line) for line in part.lines)
        lines.append(f'{indent}{part.id}{opening}"{text}"{closing}')
    return lines


def to_dot(diagram: Diagram) -> str:
    """Return the diagram as a Graphviz digraph."""
    lines = ["digraph workflow {", '  node [shape=box, fontname="sans-serif"];', *_dot_parts(diagram.root, "  ")]
    for edge in diagram.edges:
        words = [f'label="{escape_dot(edge.label)}"'] if edge.label else []
        words += ["style=dotted"] if edge.dotted else []
        suffix = f" [{', '.join(words)}]" if words else ""
        lines.append(f"  {edge.source} -> {edge.target}{suffix};")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_parts(cluster: Cluster, indent: str) -> list[str]:
    lines: list[str] = []
    for part in cluster.parts:
        if isinstance(part, Cluster):
            lines += [f"{indent}subgraph cluster_{part.id} {{", f'{indent}  label="{escape_dot(part.label)}";']
            lines += [*_dot_parts(part, indent + "  "), f"{indent}}}"]
            continue
        shape = {
            "start": ", shape=oval",
            "step": "",
            "choice": ", shape=diamond",
            "call": ", shape=box, peripheries=2",
        }[part.shape]
        text = "\\n".join(escape_dot(line) for line in part.lines)
        lines.append(f'{indent}{part.id} [label="{text}"{shape}];')
    return lines


def escape_mermaid(text: str) -> str:
    """Return text for a quoted Mermaid label: every character that Mermaid, Markdown or HTML could read becomes its code."""
    return re.sub(r"[^\w .,:;/+()\[\]{}=?!$%'@~^-]|&", lambda match: f"#{ord(match[0])};", text)


def escape_dot(text: str) -> str:
    """Return text for a quoted DOT string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def show_timing(timing: Timing) -> str:
    """Return a trigger's timing in a few words."""
    match timing:
        case Cron(expression=expression, timezone=timezone):
            return f"cron {expression} ({timezone})"
        case Every(interval_s=interval_s):
            return f"every {interval_s:g}s"
        case At(when=when):
            return f"at {when.isoformat()}"
        case After(workflow=workflow, states=states):
            return f"after {workflow} {', '.join(sorted(states))}".rstrip()
        case _:
            assert_never(timing)


def _title(step: Step) -> str:
    return f"{step.id}: {step.name}" if step.name else step.id


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_LABEL else line[: MAX_LABEL - 1] + "…"
