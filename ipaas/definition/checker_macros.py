"""Judges macros: loops over lists and objects, `has`, and keys of items.

Called by `checker_calls`; the names that a macro binds are known inside it only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipaas.definition.evaluator import hint_conversion
from ipaas.definition.syntax import Call, Name, Select, show_path
from ipaas.definition.types import ANYTHING, Shape, level, of_kind

if TYPE_CHECKING:
    from ipaas.definition.checker import Checker, View
    from ipaas.definition.syntax import Node

ORDERED: Final = frozenset({"number", "string", "bool", "timestamp", "duration", "bytes"})
"""Kinds that have a smaller and a larger."""

_MACRO_USES: Final = {
    "all": "list.all(x, condition)", "exists": "list.exists(x, condition)", "exists_one": "list.exists_one(x, condition)",
    "existsOne": "list.existsOne(x, condition)", "filter": "list.filter(x, condition)",
    "map": "list.map(x, value)` or `list.map(x, condition, value)", "has": "has(path.field)",
    "optMap": "optional.optMap(x, value)", "optFlatMap": "optional.optFlatMap(x, optional)",
    "sort_by": "sort_by(list, x, key)", "unique": "unique(list, x, key)", "sum": "sum(list, x, number)",
}  # fmt: skip


def check_macro(checker: Checker, node: Call, view: View) -> Shape:
    """Return the type of a macro's result."""
    name = node.function
    if name == "has":
        return _check_has(checker, node, view)
    counts: tuple[int, ...] = (2, 3) if name == "map" else (2,)
    if node.target is None or len(node.arguments) not in counts or name.startswith("opt"):
        return checker.report("bad-call", node.at, f"`{name}` is not called like this", f"write `{_MACRO_USES[name]}`")
    variable = node.arguments[0]
    source = checker.check(node.target, view)
    item = _check_source(checker, node, source, node.target)
    inner = _bind(checker, variable, view, item, name)
    if inner is None:
        return ANYTHING
    for condition in node.arguments[1:] if name != "map" else node.arguments[1:-1]:
        check_condition(checker, condition, inner, name)
        inner = inner.with_asked(*checker.list_asked(condition))
    if name == "map":
        return of_kind("list", item=checker.check(node.arguments[-1], inner))
    if name == "filter":
        return source if source.kinds == {"list"} else of_kind("list", item=item)
    return of_kind("bool")


def _check_has(checker: Checker, node: Call, view: View) -> Shape:
    if node.target is not None or len(node.arguments) != 1 or not isinstance(node.arguments[0], Select):
        hint = 'write `has(path.field)`, or `"key" in object` for a key with other signs'
        return checker.report("bad-call", node.at, "`has` takes a path that ends with a field", hint)
    checker.check(node.arguments[0], view.with_asked(*checker.list_asked(node)))
    return of_kind("bool")


def _check_source(checker: Checker, node: Call, source: Shape, target: Node) -> Shape:
    """Return the type of the loop variable."""
    if not source.kinds & {"list", "map"}:
        hint = "write `.orValue([])` behind it" if "optional" in source.kinds else ""
        shown = f"`{show_path(target)}`, which is {source}" if show_path(target) else str(source)
        return checker.report(
            "wrong-type", node.at, f"`{node.function}` goes through a list or an object, not through {shown}", hint
        )
    if source.is_anything or source.kinds >= {"list", "map"}:
        return ANYTHING
    return source.get_item() if "list" in source.kinds else of_kind("string")


def _bind(checker: Checker, variable: Node, view: View, item: Shape, name: str) -> View | None:
    if not isinstance(variable, Name):
        checker.report(
            "bad-call", variable.at, f"`{name}` needs a name for each item first", f"write `{_MACRO_USES[name]}`"
        )
        return None
    if variable.name == "steps":
        checker.report("bad-call", variable.at, "an item cannot be called `steps`", "take another name, such as `x`")
        return None
    return view.with_variable(variable.name, item)


def check_keyed(checker: Checker, node: Call, view: View) -> Shape:
    """Return the type of `sort_by(list, x, key)` and its like."""
    source, variable, key = node.arguments if node.target is None else (node.target, *node.arguments)
    shape = checker.check(source, view)
    item = _check_source(checker, node, shape, source)
    inner = _bind(checker, variable, view, item, node.function)
    if inner is None:
        return ANYTHING
    found = checker.check(key, inner)
    if node.function == "sum":
        if not level(found.kinds) & {"number"}:
            checker.report(
                "wrong-type",
                key.at,
                f"`sum` adds numbers, not {found}",
                hint_conversion(min(found.kinds), frozenset({"number"})),
            )
        return of_kind("int") if found.kinds == {"int"} else of_kind("number")
    if node.function == "sort_by" and not found.is_anything and not level(found.kinds) & (ORDERED | {"null"}):
        checker.report(
            "wrong-type", key.at, f"`sort_by` cannot order by {found}", "give a number, a text or a timestamp"
        )
    return shape if shape.kinds == {"list"} else of_kind("list", item=item)


def check_condition(checker: Checker, node: Node, view: View, sign: str) -> None:
    """Report what cannot be true or false where one of them is needed."""
    shape = checker.check(node, view)
    if "bool" not in shape.kinds:
        hint = (
            "write `.orValue(false)` behind it"
            if "optional" in shape.kinds
            else "compare it: `x != null`, `x > 0`, `size(x) > 0`"
        )
        checker.report("wrong-type", node.at, f"`{sign}` needs true or false, not {shape}", hint)
