"""Macros at run time: calls whose arguments are a field or a loop variable and an expression for each item.

`has`, `all`, `exists`, `exists_one`, `map`, `filter`, and the keys of `sort_by`, `unique` and `sum`. A loop costs the size of its body
for each item, so that nested loops end by the budget. Objects are gone through by their keys, as in CEL. Called by `evaluator`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.list_functions import add_up, pick_unique, sort_items
from ipaas.definition.operators import check_condition
from ipaas.definition.syntax import Call, Name, Select, count_nodes, show_path
from ipaas.definition.values import Budget, Failure, Optional, TooMuchWork, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ipaas.definition.evaluator import Maker, Run
    from ipaas.definition.syntax import Node
    from ipaas.definition.values import Value

KEYED_FUNCTIONS: Final[dict[str, Callable[..., Value]]] = {"sort_by": sort_items, "unique": pick_unique, "sum": add_up}


def _make_has(parent: Maker, node: Call) -> Run:
    """A field counts as missing when it is null, or when what it would be in is missing: a guard must not fail itself."""
    select = node.arguments[0]
    assert isinstance(select, Select)
    operand, field, at = parent.make(_soften(select.operand)), select.field, select.at
    if isinstance(select.operand, Name) and select.operand.name == "steps":
        return lambda budget: field in budget.names["steps"]

    def has(budget: Budget) -> bool:
        value = operand(budget)
        if isinstance(value, Optional):
            value = value.value
        if value is None:
            return False
        if not isinstance(value, dict):
            raise Failure(f"`has` looks into an object, not into {describe(value)}", "", at)
        return value.get(field) is not None

    return has


def _soften(node: Node) -> Node:
    """Return a path whose fields may be missing: `a.b.c` as `a.?b.?c`."""
    if not isinstance(node, Select) or isinstance(node.operand, Name):
        return replace(node, is_optional=show_path(node.operand) != "steps") if isinstance(node, Select) else node
    return replace(node, operand=_soften(node.operand), is_optional=True)


class _Loop:
    """Goes through a list with a name bound to each item in turn, counting the cost."""

    __slots__ = ("_at", "_cost", "_name", "_source", "_what")

    def __init__(self, parent: Maker, node: Call, source: Node, name: str, bodies: tuple[Node, ...]) -> None:
        self._source = parent.make(source)
        self._name = name
        self._cost = 1 + sum(count_nodes(body) for body in bodies)
        self._at = node.at
        self._what = node.function

    def list_items(self, budget: Budget) -> list[Value]:
        value = self._source(budget)
        if isinstance(value, Optional):
            raise Failure(f"`{self._what}` cannot take an optional value", "write `.orValue([])` before it", self._at)
        if value.__class__ is not list and value.__class__ is not dict:
            hint = "say what null means: `(x == null ? [] : x)`" if value is None else ""
            raise Failure(
                f"`{self._what}` goes through a list or an object, not through {describe(value)}", hint, self._at
            )
        return value if value.__class__ is list else list(value)

    def go(self, budget: Budget, items: list[Value]) -> Generator[Value, None, None]:
        names, name, cost = budget.names, self._name, self._cost
        was_there, hidden = name in names, names.get(name)
        try:
            for item in items:
                budget.left -= cost
                if budget.left < 0:
                    try:
                        budget.spend(0)
                    except Failure as failure:
                        failure.at = self._at
                        raise
                names[name] = item
                yield item
        finally:
            if was_there:
                names[name] = hidden
            else:
                names.pop(name, None)


def _make_loop(parent: Maker, node: Call) -> tuple[_Loop, tuple[Run, ...]]:
    assert node.target is not None
    variable = node.arguments[0]
    assert isinstance(variable, Name)
    inner = parent.with_name(variable.name)
    bodies = node.arguments[1:]
    return _Loop(parent, node, node.target, variable.name, bodies), tuple(inner.make(body) for body in bodies)


def _make_filter(parent: Maker, node: Call) -> Run:
    loop, (condition,) = _make_loop(parent, node)
    at = node.arguments[1].at

    def run(budget: Budget) -> list[Value]:
        items = loop.list_items(budget)
        return [item for item in loop.go(budget, items) if check_condition(condition(budget), "filter", at)]

    return run


def _make_map(parent: Maker, node: Call) -> Run:
    loop, bodies = _make_loop(parent, node)
    body = bodies[-1]
    if len(bodies) == 1:
        return lambda budget: [body(budget) for _ in loop.go(budget, loop.list_items(budget))]
    condition, at = bodies[0], node.arguments[1].at

    def run(budget: Budget) -> list[Value]:
        items = loop.list_items(budget)
        return [body(budget) for _ in loop.go(budget, items) if check_condition(condition(budget), "map", at)]

    return run


def _make_search(decisive: bool) -> Callable[[Maker, Call], Run]:  # noqa: FBT001  # used twice below, where the name says it
    """`exists` ends at the first true, `all` at the first false; an error counts only when nothing decides."""

    def maker(parent: Maker, node: Call) -> Run:
        loop, (condition,) = _make_loop(parent, node)
        name, at = node.function, node.arguments[1].at

        def run(budget: Budget) -> bool:
            failure: Failure | None = None
            steps = loop.go(budget, loop.list_items(budget))
            try:
                for _ in steps:
                    try:
                        if check_condition(condition(budget), name, at) is decisive:
                            return decisive
                    except TooMuchWork:
                        raise
                    except Failure as error:
                        failure = failure or error
            finally:
                steps.close()  # gives the hidden name back at once
            if failure is not None:
                raise failure
            return not decisive

        return run

    return maker


def _make_exists_one(parent: Maker, node: Call) -> Run:
    loop, (condition,) = _make_loop(parent, node)
    at = node.arguments[1].at

    def run(budget: Budget) -> bool:
        items = loop.list_items(budget)
        return sum(check_condition(condition(budget), "exists_one", at) for _ in loop.go(budget, items)) == 1

    return run


def make_keyed(parent: Maker, node: Call) -> Run:
    """Return `sort_by(list, x, key)` and its like; the key is computed once for each item."""
    parts = node.arguments if node.target is None else (node.target, *node.arguments)
    source, variable, body = parts
    assert isinstance(variable, Name)
    loop = _Loop(parent, node, source, variable.name, (body,))
    key = parent.with_name(variable.name).make(body)
    run_function, at = KEYED_FUNCTIONS[node.function], node.at

    def run(budget: Budget) -> Any:
        items = loop.list_items(budget)
        keys = [key(budget) for _ in loop.go(budget, items)]
        try:
            return run_function(budget, items, keys)
        except Failure as failure:
            failure.at = at if failure.at is None else failure.at
            raise

    return run


MACRO_MAKERS: Final[dict[str, Callable[[Maker, Call], Run]]] = {
    "has": _make_has,
    "filter": _make_filter,
    "map": _make_map,
    "exists": _make_search(decisive=True),
    "all": _make_search(decisive=False),
    "exists_one": _make_exists_one,
    "existsOne": _make_exists_one,
}
