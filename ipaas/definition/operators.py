"""Operators at run time: arithmetic, comparison, logic, positions.

Numbers mix as JSON has one kind of them. `/` cuts off the fraction where both sides are known to be whole (literals, `type: integer`,
`size`), as CEL does, and is exact elsewhere: a field that is 3 in one row and 3.5 in the next must not change the meaning of `/`.
`&&` and `||` forgive an error on one side when the other side decides, as CEL does. Called by `evaluator`.
"""

from __future__ import annotations

import operator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.fields import get_step, no_key, select_slowly
from ipaas.definition.nodes import shorten
from ipaas.definition.syntax import Call, Name, show_path
from ipaas.definition.values import (
    NOTHING,
    Budget,
    Failure,
    Optional,
    TooMuchWork,
    check_number,
    contains,
    describe,
    equal,
    is_whole,
    kind_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipaas.definition.evaluator import Maker, Run
    from ipaas.definition.values import Value

SIGNS: Final = {
    "_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=", "_==_": "==",
    "_!=_": "!=", "_&&_": "&&", "_||_": "||", "!_": "!", "-_": "-", "@in": "in", "_?_:_": "?", "_[_]": "[]", "_[?_]": "[?]",
}  # fmt: skip
"""How people write the operators."""


def _fit(sign: str, left: Value, right: Value, at: int) -> Failure:
    hint = hint_operator(sign, kind_of(left), kind_of(right))
    return Failure(f"`{sign}` cannot combine {describe(left)} and {describe(right)}", hint, at)


def hint_operator(sign: str, left: str, right: str) -> str:
    """Return how to make two kinds fit an operator, or empty."""
    kinds = {left, right}
    if "optional" in kinds:
        return "write `.orValue(…)` behind the optional value"
    if "null" in kinds:
        return "say what null means: `x == null ? 0 : x`"
    if sign == "+" and "string" in kinds and kinds & {"list", "map"}:
        return "make it a text with `to_json(x)`"
    if sign == "+" and "string" in kinds:
        return "make it a text with `string(x)`"
    if sign == "+" and kinds == {"map"}:
        return "join objects with `merge(a, b)`"
    if sign == "+" and "list" in kinds:
        return "put the item in a list: `list + [x]`"
    if kinds == {"string", "number"}:
        return "make the text a number with `int(x)` or `double(x)`"
    if "timestamp" in kinds and "string" in kinds:
        return "make the text a timestamp with `timestamp(x)`, or a duration with `duration(x)`"
    return ""


def _make_binary(make: Callable[[str, int], Callable[[Value, Value, Budget], Value]]) -> Callable[[Maker, Call], Run]:
    def maker(parent: Maker, node: Call) -> Run:
        left, right = parent.make(node.arguments[0]), parent.make(node.arguments[1])
        compute, at = make(SIGNS[node.function], node.at), node.at

        def run(budget: Budget) -> Value:
            try:
                return compute(left(budget), right(budget), budget)
            except Failure as failure:
                if failure.at is None:
                    failure.at = at
                raise

        return run

    return maker


def _add(sign: str, at: int) -> Callable[[Value, Value, Budget], Value]:
    def add(left: Value, right: Value, budget: Budget) -> Value:
        kind, other = left.__class__, right.__class__
        if (kind is int or kind is float) and (other is int or other is float):
            return check_number(left + right)
        if kind is str and other is str:
            budget.spend_text(len(left) + len(right))
            return left + right
        if kind is list and other is list:
            budget.spend(len(left) + len(right))
            return left + right
        if kind is bytes and other is bytes:
            budget.spend_text(len(left) + len(right))
            return left + right
        if {kind, other} <= {datetime, timedelta} and timedelta in (kind, other):
            return _shift(lambda: left + right)
        raise _fit(sign, left, right, at)

    return add


def _subtract(sign: str, at: int) -> Callable[[Value, Value, Budget], Value]:
    def subtract(left: Value, right: Value, _budget: Budget) -> Value:
        kind, other = left.__class__, right.__class__
        if (kind is int or kind is float) and (other is int or other is float):
            return check_number(left - right)
        if kind in (datetime, timedelta) and (other is timedelta or kind is datetime is other):
            return _shift(lambda: left - right)
        raise _fit(sign, left, right, at)

    return subtract


def _shift(compute: Callable[[], Value]) -> Value:
    try:
        return compute()
    except OverflowError:
        raise Failure("the result is outside the years 1 to 9999", "add less") from None


def _multiply(sign: str, at: int) -> Callable[[Value, Value, Budget], Value]:
    def multiply(left: Value, right: Value, _budget: Budget) -> Value:
        kind, other = left.__class__, right.__class__
        if (kind is int or kind is float) and (other is int or other is float):
            return check_number(left * right)
        raise _fit(sign, left, right, at)

    return multiply


def _make_division(parent: Maker, node: Call) -> Run:
    is_whole_division = node.at in parent.whole_divisions

    def divide(left: Value, right: Value, _budget: Budget) -> Value:
        kind, other = left.__class__, right.__class__
        if not ((kind is int or kind is float) and (other is int or other is float)):
            raise _fit("/", left, right, node.at)
        if right == 0:
            raise Failure("a number cannot be divided by zero", "ask first: `x == 0 ? null : y / x`")
        if is_whole_division and is_whole(left) and is_whole(right):
            return check_number(_cut(int(left), int(right)))
        return check_number(left / right)

    return _make_binary(lambda _sign, _at: divide)(parent, node)


def _cut(left: int, right: int) -> int:
    """Divide towards zero, as CEL does; Python's `//` goes down."""
    result = abs(left) // abs(right)
    return result if (left < 0) == (right < 0) else -result


def _modulo(sign: str, at: int) -> Callable[[Value, Value, Budget], Value]:
    def modulo(left: Value, right: Value, _budget: Budget) -> Value:
        if kind_of(left) != "number" or kind_of(right) != "number":
            raise _fit(sign, left, right, at)
        if not is_whole(left) or not is_whole(right):
            raise Failure("`%` takes whole numbers only", "round them with `int(x)`")
        if right == 0:
            raise Failure("a number cannot be divided by zero", "ask first: `x == 0 ? null : y % x`")
        return int(left) - _cut(int(left), int(right)) * int(right)

    return modulo


def _compare(decide: Callable[[Any, Any], bool]) -> Callable[[str, int], Callable[[Value, Value, Budget], Value]]:
    def make(sign: str, at: int) -> Callable[[Value, Value, Budget], Value]:
        def compare(left: Value, right: Value, _budget: Budget) -> bool:
            kind, other = left.__class__, right.__class__
            if (kind is int or kind is float) and (other is int or other is float):
                return decide(left, right)
            if kind is other and kind in _ORDERED:
                return decide(left, right)
            raise _fit(sign, left, right, at)

        return compare

    return make


_ORDERED: Final = frozenset({str, bool, bytes, datetime, timedelta})


def _in(sign: str, at: int) -> Callable[[Value, Value, Budget], Value]:
    def is_in(wanted: Value, where: Value, budget: Budget) -> bool:
        if where.__class__ is list:
            return contains(where, wanted, budget)
        if where.__class__ is dict:
            return isinstance(wanted, str) and wanted in where
        hint = (
            "call `text.contains(part)`"
            if isinstance(where, str)
            else hint_operator(sign, kind_of(wanted), kind_of(where))
        )
        raise Failure(f"`in` looks into a list or an object, not into {describe(where)}", hint, at)

    return is_in


def _make_not(parent: Maker, node: Call) -> Run:
    operand, at = parent.make(node.arguments[0]), node.at
    return lambda budget: not check_condition(operand(budget), "!", at)


def _make_negative(parent: Maker, node: Call) -> Run:
    operand, at = parent.make(node.arguments[0]), node.at

    def negate(budget: Budget) -> Value:
        value = operand(budget)
        kind = kind_of(value)
        if kind == "number":
            return check_number(-value)
        if kind == "duration":
            return -value
        raise Failure(f"`-` cannot take {describe(value)}", "make it a number with `int(x)` or `double(x)`", at)

    return negate


def check_condition(value: Value, sign: str, at: int) -> bool:
    """Return a condition's value, or fail: only true and false decide."""
    if value is True or value is False:
        return bool(value)
    hint = (
        "write `.orValue(false)` behind it"
        if isinstance(value, Optional)
        else "compare it: `x != null`, `x > 0`, `size(x) > 0`"
    )
    raise Failure(f"`{sign}` needs true or false, not {describe(value)}", hint, at)


def _make_logic(decisive: bool) -> Callable[[Maker, Call], Run]:  # noqa: FBT001  # used twice below, where the sign says it
    def maker(parent: Maker, node: Call) -> Run:
        left, right = parent.make(node.arguments[0]), parent.make(node.arguments[1])
        sign, at = SIGNS[node.function], node.at

        def decide(budget: Budget) -> bool:
            try:
                if check_condition(left(budget), sign, at) is decisive:
                    return decisive
            except TooMuchWork:
                raise
            except Failure:
                if right(budget) is decisive:
                    return bool(decisive)
                raise
            return check_condition(right(budget), sign, at)

        return decide

    return maker


def _make_choice(parent: Maker, node: Call) -> Run:
    condition, first, second = (parent.make(each) for each in node.arguments)
    at = node.arguments[0].at
    return lambda budget: first(budget) if check_condition(condition(budget), "?", at) else second(budget)


def make_index(parent: Maker, node: Call) -> Run:
    """Return the closure of `a[b]` and `a[?b]`."""
    operand, key_run = parent.make(node.arguments[0]), parent.make(node.arguments[1])
    at, what = node.at, show_path(node.arguments[0])
    named = f"`{what}`" if what else "the object"
    is_optional = node.function == "_[?_]"
    is_steps = isinstance(node.arguments[0], Name) and what == "steps"

    def find(value: Value, key: Value) -> Value:
        """Return the item, or `_MISSING`."""
        if isinstance(value, list):
            if not is_whole(key):
                raise Failure(
                    f"a position in a list is a whole number, not {describe(key)}", "count from 0: `list[0]`", at
                )
            position = int(key)
            return value[position] if 0 <= position < len(value) else _MISSING
        if isinstance(value, dict):
            if not isinstance(key, str):
                raise Failure(f"a key of an object is a text, not {describe(key)}", "make it a text: `string(x)`", at)
            return value.get(key, _MISSING)
        hint = "call `text.charAt(i)` or `text.substring(a, b)`" if isinstance(value, str) else ""
        raise Failure(f"`[…]` looks into a list or an object, not into {describe(value)}", hint, at)

    def index(budget: Budget) -> Value:
        value, key = operand(budget), key_run(budget)
        if isinstance(value, Optional) or is_optional:
            value = value.value if isinstance(value, Optional) else value
            found = _MISSING if value is None else find(value, key)
            return NOTHING if found is _MISSING or found is None else Optional(is_there=True, value=found)
        if value is None and isinstance(key, str):
            return select_slowly(value, key, at, what)
        found = find(value, key)
        if found is not _MISSING:
            return found
        if is_steps:
            return get_step({}, "")
        if isinstance(value, dict):
            raise no_key(value, shorten(str(key)), at, named)
        raise Failure(
            f"there is no item {int(key)}: the list has {len(value)}",
            "ask `size(x)` first, or write `x[?0].orValue(…)`; the last is `x[size(x) - 1]`",
            at,
        )

    return index


_MISSING: Final = object()

OPERATORS: Final[dict[str, Callable[[Maker, Call], Run]]] = {
    "_+_": _make_binary(_add),
    "_-_": _make_binary(_subtract),
    "_*_": _make_binary(_multiply),
    "_/_": _make_division,
    "_%_": _make_binary(_modulo),
    "_<_": _make_binary(_compare(operator.lt)),
    "_<=_": _make_binary(_compare(operator.le)),
    "_>_": _make_binary(_compare(operator.gt)),
    "_>=_": _make_binary(_compare(operator.ge)),
    "_==_": _make_binary(lambda _sign, _at: equal),
    "_!=_": _make_binary(lambda _sign, _at: lambda left, right, budget: not equal(left, right, budget)),
    "@in": _make_binary(_in),
    "!_": _make_not,
    "-_": _make_negative,
    "_&&_": _make_logic(decisive=False),
    "_||_": _make_logic(decisive=True),
    "_?_:_": _make_choice,
}
