"""Judges calls: operators, macros and functions, by the types of what they are given.

Owns the table of what operators take. A call is refused only when no value of the known types could work. Called by `checker`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipaas.definition.checker_macros import ORDERED, check_condition, check_keyed, check_macro
from ipaas.definition.evaluator import explain_kinds, hint_conversion, is_keyed, resolve_call
from ipaas.definition.functions import MACROS, MEANT, NAMESPACES, get_functions
from ipaas.definition.nearest import find_nearest, hint_nearest
from ipaas.definition.nodes import shorten
from ipaas.definition.operators import SIGNS, hint_operator
from ipaas.definition.patterns import find_fault
from ipaas.definition.syntax import Call, Literal, Name, Select, show_path
from ipaas.definition.types import ANYTHING, JSON_KINDS, Shape, level, name_kinds, of_kind, unite

if TYPE_CHECKING:
    from ipaas.definition.checker import Checker, View
    from ipaas.definition.functions import Function
    from ipaas.definition.syntax import Node

_ARITHMETIC: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "_+_": (
        ("number", "number", "number"), ("string", "string", "string"), ("list", "list", "list"), ("bytes", "bytes", "bytes"),
        ("timestamp", "duration", "timestamp"), ("duration", "timestamp", "timestamp"), ("duration", "duration", "duration"),
    ),
    "_-_": (
        ("number", "number", "number"), ("timestamp", "timestamp", "duration"), ("timestamp", "duration", "timestamp"),
        ("duration", "duration", "duration"),
    ),
    "_*_": (("number", "number", "number"),),
    "_/_": (("number", "number", "number"),),
    "_%_": (("number", "number", "int"),),
}  # fmt: skip


def check_call(checker: Checker, node: Call, view: View) -> Shape:
    """Return the type of a call's result."""
    function = node.function
    if function in _ARITHMETIC:
        return _check_arithmetic(checker, node, view)
    if function in ("_<_", "_<=_", "_>_", "_>=_"):
        return _check_order(checker, node, view)
    if function in ("_==_", "_!=_"):
        return _check_equality(checker, node, view)
    if function in ("_&&_", "_||_"):
        left, right = node.arguments
        check_condition(checker, left, view.with_asked(*checker.list_asked(right)), SIGNS[function])
        check_condition(checker, right, view.with_asked(*checker.list_asked(left)), SIGNS[function])
        return of_kind("bool")
    if function == "_?_:_":
        condition, first, second = node.arguments
        check_condition(checker, condition, view, "?")
        inner = view.with_asked(*checker.list_asked(condition))
        return unite([checker.check(first, inner), checker.check(second, inner)])
    if function in ("_[_]", "_[?_]"):
        return _check_index(checker, node, view)
    if function in MACROS:
        return check_macro(checker, node, view)
    if is_keyed(node):
        return check_keyed(checker, node, view)
    match function:
        case "!_":
            check_condition(checker, node.arguments[0], view, "!")
            return of_kind("bool")
        case "-_":
            return _check_negative(checker, node, view)
        case "@in":
            return _check_in(checker, node, view)
        case "orValue" | "or" if node.target is not None:
            return _check_or(checker, node, view)
        case _:
            return _check_function(checker, node, view)


def _check_arithmetic(checker: Checker, node: Call, view: View) -> Shape:
    left, right = (checker.check(each, view) for each in node.arguments)
    kinds, others = level(left.kinds), level(right.kinds)
    results = {result for a, b, result in _ARITHMETIC[node.function] if a in kinds and b in others}
    if not results:
        return _report_operator(checker, node, left, right)
    if left.kinds == {"int"} == right.kinds:
        if node.function == "_/_":
            checker.whole_divisions.add(node.at)
        return of_kind("int")
    if results == {"list"}:
        return of_kind("list", item=unite([left.get_item(), right.get_item()]))
    return of_kind(*results)


def _report_operator(checker: Checker, node: Call, left: Shape, right: Shape) -> Shape:
    sign = SIGNS[node.function]
    hint = hint_operator(sign, min(level(left.kinds)), min(level(right.kinds)))
    return checker.report("wrong-type", node.at, f"`{sign}` cannot combine {left} and {right}", hint)


def _check_order(checker: Checker, node: Call, view: View) -> Shape:
    left, right = (checker.check(each, view) for each in node.arguments)
    if not level(left.kinds) & level(right.kinds) & ORDERED:
        _report_operator(checker, node, left, right)
    return of_kind("bool")


def _check_equality(checker: Checker, node: Call, view: View) -> Shape:
    asked = checker.list_asked(node)
    inner = view.with_asked(*asked)
    left, right = (checker.check(each, inner) for each in node.arguments)
    kinds, others = level(left.kinds), level(right.kinds)
    word = "never" if node.function == "_==_" else "always"
    same = "equal" if node.function == "_==_" else "different"
    if not kinds & others and "null" not in kinds | others:
        hint = hint_operator(SIGNS[node.function], min(kinds), min(others))
        checker.report("wrong-type", node.at, f"{left} and {right} are {word} {same}", hint)
        return of_kind("bool")
    for each, value in ((left, node.arguments[1]), (right, node.arguments[0])):
        values = each.find_values()
        if (
            values is None
            or not isinstance(value, Literal)
            or not isinstance(value.value, str)
            or value.value in values
        ):
            continue
        if len(values) == 1 and isinstance(node.arguments[0], Literal) and isinstance(node.arguments[1], Literal):
            continue
        checker.report(
            "wrong-value",
            value.at,
            f"`{shorten(value.value)}` is none of its values",
            hint_nearest(value.value, values),
        )
        break
    return of_kind("bool")


def _check_negative(checker: Checker, node: Call, view: View) -> Shape:
    shape = checker.check(node.arguments[0], view)
    kinds = level(shape.kinds) & {"number", "duration"}
    if not kinds:
        return checker.report(
            "wrong-type", node.at, f"`-` cannot take {shape}", "make it a number with `int(x)` or `double(x)`"
        )
    return of_kind("int") if shape.kinds == {"int"} else of_kind(*kinds)


def _check_in(checker: Checker, node: Call, view: View) -> Shape:
    left, right = (checker.check(each, view) for each in node.arguments)
    kinds = level(left.kinds)
    if not right.kinds & {"list", "map"}:
        hint = (
            "call `text.contains(part)`" if "string" in right.kinds else hint_conversion(min(right.kinds), frozenset())
        )
        checker.report("wrong-type", node.at, f"`in` looks into a list or an object, not into {right}", hint)
    elif right.kinds == {"map"} and "string" not in kinds:
        checker.report(
            "wrong-type", node.at, f"the keys of an object are texts, never {left}", "make it a text with `string(x)`"
        )
    elif right.kinds == {"list"}:
        items = level(right.get_item().kinds)
        if items and not kinds & items and "null" not in kinds | items:
            checker.report(
                "wrong-type",
                node.at,
                f"{left} is never equal to an item, which is {name_kinds(items)}",
                hint_conversion(min(kinds), items),
            )
    return of_kind("bool")


def _check_index(checker: Checker, node: Call, view: View) -> Shape:
    step_id = checker.find_step(node, view)
    if step_id is not None:
        return checker.check_step(step_id, node)
    operand, key = node.arguments
    is_optional = node.function == "_[?_]"
    if is_optional:
        view = checker.trust(operand, view)
    key_shape = checker.check(key, view)
    name = key.value if isinstance(key, Literal) and isinstance(key.value, str) else None
    if name is not None:
        checker.check_doubt(node, operand, name, view)
    shape = checker.check(operand, view)
    if shape.kinds == {"optional"}:
        shape, is_optional = shape.get_item(), True
    kinds = level(key_shape.kinds)
    if name is not None and "map" in shape.kinds:
        return checker.select(shape, Select(key.at, operand, name, is_optional=is_optional), name)
    if not shape.kinds & {"list", "map"} and not (is_optional and shape.kinds == {"null"}):
        hint = "call `text.charAt(i)` or `text.substring(a, b)`" if "string" in shape.kinds else ""
        return checker.report("wrong-type", node.at, f"`[…]` looks into a list or an object, not into {shape}", hint)
    if not ("list" in shape.kinds and "number" in kinds) and not ("map" in shape.kinds and "string" in kinds):
        wanted = "a position in a list is a whole number" if "list" in shape.kinds else "a key of an object is a text"
        return checker.report(
            "wrong-type", key.at, f"{wanted}, not {key_shape}", hint_conversion(min(kinds), frozenset())
        )
    found = shape.get_item() if shape.kinds == {"list"} else ANYTHING
    return of_kind("optional", item=found) if is_optional else found


def _check_or(checker: Checker, node: Call, view: View) -> Shape:
    assert node.target is not None
    optional = checker.check(node.target, view)
    others = [checker.check(each, view) for each in node.arguments]
    if len(others) != 1:
        return checker.report(
            "bad-call", node.at, f"`{node.function}` takes one value", f"write `a.?b.{node.function}(c)`"
        )
    if "optional" not in optional.kinds and not optional.is_anything:
        hint = "write `.?` before the field that may be missing: `a.?b.orValue(c)`"
        return checker.report(
            "wrong-type", node.at, f"`{node.function}` needs an optional value before it, not {optional}", hint
        )
    if optional.is_anything:
        return ANYTHING
    held = optional.get_item()
    if node.function == "orValue":
        return unite([held, others[0]])
    return of_kind("optional", item=unite([held, others[0].get_item()]))


def _check_function(checker: Checker, node: Call, view: View) -> Shape:
    bound = frozenset((*view.variables, *checker.names.roots))
    name, arguments = resolve_call(node, bound)
    ways = get_functions().get(name)
    if ways is None:
        for each in arguments:
            if not isinstance(each, Name):
                checker.check(each, view)
        return _report_unknown(checker, node, name)
    shapes = [checker.check(each, view) for each in arguments]
    is_method = len(arguments) > len(node.arguments)
    style = "method" if is_method else "function"
    if all(way.style not in (style, "both") for way in ways):
        receiver = "x" if not arguments or not show_path(arguments[0]) else show_path(arguments[0])
        rest = ", ".join("…" for _ in arguments[1:])
        use = f"{name}({receiver}{', ' + rest if rest else ''})" if is_method else f"{receiver}.{name}({rest})"
        return checker.report("bad-call", node.at, f"`{name}` is not called like this", f"write `{use}`")
    fitting = tuple(way for way in ways if way.fits(len(arguments)))
    if not fitting:
        return checker.report(
            "bad-call",
            node.at,
            f"`{name}` takes {_count_wanted(ways, is_method)}, not {len(node.arguments)}",
            _show_use(ways[0], is_method),
        )
    working = [way for way in fitting if all(_can_take(way, position, shape) for position, shape in enumerate(shapes))]
    if not working:
        return _report_kinds(checker, node, name, fitting, shapes)
    _check_pattern(checker, name, arguments)
    return unite([_get_result(way, shapes) for way in working])


def _can_take(way: Function, position: int, shape: Shape) -> bool:
    return bool(level(shape.kinds) & way.get_kinds(position)) or (
        shape.is_anything and bool(way.get_kinds(position) - JSON_KINDS)
    )


def _report_kinds(checker: Checker, node: Call, name: str, ways: tuple[Function, ...], shapes: list[Shape]) -> Shape:
    kinds = []
    for position, shape in enumerate(shapes):
        allowed = frozenset[str]().union(*(way.get_kinds(position) for way in ways))
        fit = level(shape.kinds) & allowed
        kinds.append(min(fit) if fit else min(level(shape.kinds), key=lambda kind: (kind == "null", kind)))
    failure = explain_kinds(name, ways, kinds, node.at)
    return checker.report("wrong-type", node.at, failure.message, failure.hint)


def _count_wanted(ways: tuple[Function, ...], is_method: bool) -> str:  # noqa: FBT001  # as the caller found it
    least = min(len(way.takes) - way.optional for way in ways) - is_method
    most = max(len(way.takes) for way in ways) - is_method
    if any(way.is_variadic for way in ways):
        return f"{least} or more values"
    return f"{least} {'value' if least == 1 else 'values'}" if least == most else f"{least} to {most} values"


def _show_use(way: Function, is_method: bool) -> str:  # noqa: FBT001  # as the caller found it
    words = [min(kinds) if len(kinds) < 5 else "value" for kinds in way.takes]
    words = [f"{word}?" if index >= len(words) - way.optional else word for index, word in enumerate(words)]
    shown = ", ".join(words[1:] if is_method else words)
    return f"write `{words[0]}.{way.name}({shown})`" if is_method else f"write `{way.name}({shown})`"


def _check_pattern(checker: Checker, name: str, arguments: tuple[Node, ...]) -> None:
    pattern = arguments[1] if name == "matches" else None
    if isinstance(pattern, Literal) and isinstance(pattern.value, str):
        fault = find_fault(pattern.value)
        if fault is not None:
            checker.report(
                "bad-pattern",
                pattern.at,
                f"the pattern is not a regular expression: {fault}",
                "the syntax is RE2's, without look-around",
            )


def _get_result(way: Function, shapes: list[Shape]) -> Shape:
    rule = way.gives
    if not rule.startswith(("$", "?")):
        return ANYTHING if rule == "any" else of_kind(*rule.split("|"), item=ANYTHING if rule == "optional" else None)
    found = shapes[0]
    if rule.endswith(".item"):
        found = found.get_item()
    elif found.find_values() is not None and not rule.startswith("?"):
        found = of_kind(*found.kinds)  # a text is given back turned round
    elif way.takes[0] != frozenset(JSON_KINDS) and not found.kinds <= way.takes[0] | {"int"}:
        found = of_kind(*(level(found.kinds) & way.takes[0]))
    return of_kind("optional", item=found) if rule.startswith("?") else found


def _report_unknown(checker: Checker, node: Call, name: str) -> Shape:
    known = [*get_functions(), *MACROS]
    short = name.rpartition(".")[2]
    nearest = find_nearest(name, known)
    meant = MEANT.get(short)
    if nearest is None:
        nearest = next((each for each in known if each.rpartition(".")[2] == short), None) or find_nearest(short, known)
    hint = meant or (f"did you mean `{nearest}`?" if nearest else "docs/expressions.md lists all functions")
    if name.partition(".")[0] in NAMESPACES and nearest is None:
        own = [each for each in known if each.startswith(name.partition(".")[0])]
        hint = hint_nearest(name, own) or hint
    return checker.report("unknown-function", node.at, f"there is no function `{shorten(name)}`", hint)
