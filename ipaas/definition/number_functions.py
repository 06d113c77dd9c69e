"""Functions on numbers: CEL's math extension.

JSON has one kind of number: whole and fractional ones mix, and a double without a fraction is whole where a whole number is asked for.
Source: cel-go, ext/math.go. Called through `functions`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.functions import describe
from ipaas.definition.values import Budget, Failure, check_number, is_whole, kind_of, name_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipaas.definition.values import Value


def check_numbers(name: str, values: list[Value]) -> list[Any]:
    """Return the values when all are numbers, else fail naming the first that is not."""
    for index, value in enumerate(values):
        if kind_of(value) != "number":
            hint = (
                f"leave others out first: `{name}(list.filter(x, x != null))`"
                if value is None
                else "turn texts into numbers with `double(x)`"
            )
            raise Failure(f"`{name}` cannot take {name_kind(kind_of(value))}, which is item {index}", hint)
    return values


def _pick(name: str, choose: Callable[..., Any]) -> Callable[..., Any]:
    def pick(budget: Budget, first: Any, *others: Any) -> Any:
        if isinstance(first, list) and others:
            raise Failure(f"`{name}` takes one list, or numbers", f"write `{name}([…])`")
        values = check_numbers(name, first if isinstance(first, list) else [first, *others])
        if not values:
            raise Failure(
                f"`{name}` needs at least one number, and the list is empty",
                f"ask first: `size(x) > 0 ? {name}(x) : null`",
            )
        budget.spend(len(values))
        return choose(values)

    return pick


def _whole(value: Any) -> int:
    if not is_whole(value):
        raise Failure("a whole number is needed here, without a fraction", "round it with `int(x)` or `math.round(x)`")
    return int(value)


def _round(value: float) -> float:
    """Halves go away from zero, as in CEL; Python's own rounding goes to the even neighbour."""
    if is_whole(value):
        return value
    return math.copysign(math.floor(abs(value) + 0.5) if abs(value) != 0.49999999999999994 else 0.0, value)


def _sqrt(value: float) -> float:
    if value < 0:
        raise Failure("a negative number has no square root", "ask `x >= 0` first")
    return math.sqrt(value)


def _shift(left: bool) -> Callable[..., int]:  # noqa: FBT001  # used twice below, where the name says it
    def shift(_budget: Budget, value: Any, bits: Any) -> int:
        count = _whole(bits)
        if count < 0:
            raise Failure("bits cannot be shifted by a negative number", "shift the other way")
        if count >= 64:
            return 0
        unsigned = _whole(value) & 0xFFFFFFFFFFFFFFFF
        moved = (unsigned << count if left else unsigned >> count) & 0xFFFFFFFFFFFFFFFF
        return moved - (1 << 64) if moved >> 63 else moved

    return shift


def _keep_form(round_: Callable[[float], float]) -> Callable[..., Any]:
    """Whole numbers stay as they are, however large."""
    return lambda _budget, value: value if isinstance(value, int) else float(round_(value))


FUNCTIONS: Final = (
    describe("math.greatest", "function", "*number|list -> number", _pick("math.greatest", max)),
    describe("math.least", "function", "*number|list -> number", _pick("math.least", min)),
    describe("math.ceil", "function", "number -> int", _keep_form(math.ceil)),
    describe("math.floor", "function", "number -> int", _keep_form(math.floor)),
    describe("math.round", "function", "number -> int", _keep_form(_round)),
    describe("math.trunc", "function", "number -> int", _keep_form(math.trunc)),
    describe("math.abs", "function", "number -> $0", lambda _, value: check_number(abs(value))),
    describe("math.sign", "function", "number -> int", lambda _, value: (value > 0) - (value < 0)),
    describe("math.sqrt", "function", "number -> number", lambda _, value: _sqrt(value)),
    describe("math.isNaN", "function", "number -> bool", lambda _, value: math.isnan(value)),
    describe("math.isInf", "function", "number -> bool", lambda _, value: math.isinf(value)),
    describe("math.isFinite", "function", "number -> bool", lambda _, value: math.isfinite(value)),
    describe("math.bitAnd", "function", "number number -> int", lambda _, a, b: _whole(a) & _whole(b)),
    describe("math.bitOr", "function", "number number -> int", lambda _, a, b: _whole(a) | _whole(b)),
    describe("math.bitXor", "function", "number number -> int", lambda _, a, b: _whole(a) ^ _whole(b)),
    describe("math.bitNot", "function", "number -> int", lambda _, value: ~_whole(value)),
    describe("math.bitShiftLeft", "function", "number number -> int", _shift(left=True)),
    describe("math.bitShiftRight", "function", "number number -> int", _shift(left=False)),
)
