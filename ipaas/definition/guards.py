"""Which steps an expression refers to, and which it asks about first.

Owns the notion of a guard: `has(steps.x…)`, a look at `steps.x.status` or `.error`, a comparison with null, and `.?`. Pure. Called by
`checker`, and by the compiler to put steps in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipaas.definition.syntax import Call, Literal, Name, Select, list_children

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipaas.definition.syntax import Node


def find_step_id(node: Node) -> str | None:
    """Return the id when a node is `steps.<id>` or `steps["<id>"]` itself."""
    match node:
        case Select(operand=Name(name="steps")):
            return node.field
        case Call(function="_[_]" | "_[?_]", arguments=(Name(name="steps"), Literal(value=str() as step_id))):
            return step_id
        case _:
            return None


def find_step_of(node: Node) -> str | None:
    """Return the id of the step that a path begins with, or None: `orders` for `steps.orders.output.items[0].id`."""
    while True:
        step_id = find_step_id(node)
        if step_id is not None:
            return step_id
        if isinstance(node, Select):
            node = node.operand
        elif isinstance(node, Call) and node.function in ("_[_]", "_[?_]"):
            node = node.arguments[0]
        else:
            return None


def list_references(node: Node) -> Iterator[str]:
    """Yield the id of every step that is named."""
    step_id = find_step_id(node)
    if step_id is not None:
        yield step_id
    for child in list_children(node):
        yield from list_references(child)


def list_tested(node: Node) -> Iterator[str]:
    """Yield the id of every step that is asked whether it has run."""
    match node:
        case Call(function="has", arguments=(path,)):
            asked = find_step_of(path)
        case (
            Call(function="_==_" | "_!=_", arguments=(left, Literal(value=None)))
            | Call(function="_==_" | "_!=_", arguments=(Literal(value=None), left))
        ):
            asked = find_step_of(left)
        case Select(field="status" | "error"):
            asked = find_step_id(node.operand)
        case _:
            asked = None
    if asked is not None:
        yield asked
    for child in list_children(node):
        yield from list_tested(child)
