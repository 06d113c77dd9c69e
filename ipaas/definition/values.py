"""What an expression computes with: plain JSON, and the few kinds of value that JSON has no form for.

Owns `Optional`, `TypeName`, the names of kinds, equality, order and the way back to plain JSON and to text. Pure, and bounded by a
`Budget`: values may share parts, so that a small expression can describe a value of exponential size. Called by `evaluator` and `functions`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from ipaas.model import Json

Value: TypeAlias = Any
"""Plain JSON, `bytes`, an aware `datetime`, a `timedelta`, an `Optional` or a `TypeName`."""

Kind = Literal["null", "bool", "number", "string", "list", "map", "bytes", "timestamp", "duration", "type", "optional"]

MAX_OPERATIONS: Final = 5_000_000
"""Cost of one evaluation: about a second. Enough to filter 100 000 items by a condition of fifty nodes."""

WALK: Final = 10
"""What it costs to copy or hash a list or an object, besides two for each item: making objects is slower than reading them."""

MAX_INTEGER: Final = 2**63 - 1
"""Whole numbers are computed in 64 bits, as CEL does; larger ones pass through untouched."""

MAX_WHOLE_FLOAT: Final = 2.0**53
"""Up to here every whole number has a double of its own."""

MAX_DEPTH: Final = 200
"""Of a result; twice what a step's output may have."""


class Failure(Exception):
    """An expression cannot be evaluated. `at` is set by the node that noticed it, when the function did not.

    Messages name kinds and keys, never values: a value may be a secret.
    """

    def __init__(self, message: str, hint: str = "", at: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.at = at


class TooMuchWork(Failure):
    """The budget is used up: no `||` can make up for this."""


class Budget:
    """What one evaluation may still cost, in operations. `left` is counted down in place by the hot paths."""

    __slots__ = ("left", "names")

    def __init__(self, names: Any, left: int = MAX_OPERATIONS) -> None:
        self.names = names
        self.left = left

    def spend(self, operations: int) -> None:
        """Count work, and stop when it is too much."""
        self.left -= operations
        if self.left < 0:
            raise TooMuchWork(
                f"the expression needs more than {MAX_OPERATIONS:,} operations",
                "filter the list in an earlier step with the `data` actions, or nest fewer loops",
            )

    def spend_text(self, length: int) -> None:
        """Count the building of a text of that many characters."""
        self.spend(1 + (length >> 2))


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be missing. `is_there` is false for `optional.none()`."""

    is_there: bool
    value: Value = None


NOTHING: Final = Optional(is_there=False)


@dataclass(frozen=True, slots=True)
class TypeName:
    """What `type(x)` gives."""

    name: str


TYPE_NAMES: Final = {
    name: TypeName(name)
    for name in (
        "bool",
        "bytes",
        "double",
        "int",
        "list",
        "map",
        "null_type",
        "string",
        "type",
        "timestamp",
        "duration",
    )
}

_KINDS: Final[dict[type, Kind]] = {
    type(None): "null", bool: "bool", int: "number", float: "number", str: "string", list: "list", dict: "map", bytes: "bytes",
    datetime: "timestamp", timedelta: "duration", TypeName: "type", Optional: "optional",
}  # fmt: skip

_WORDS: Final[dict[str, str]] = {
    "null": "null", "bool": "a boolean", "number": "a number", "string": "a text", "list": "a list", "map": "an object",
    "bytes": "bytes", "timestamp": "a timestamp", "duration": "a duration", "type": "a type", "optional": "an optional value",
}  # fmt: skip


def kind_of(value: Value) -> Kind:
    """Return a value's kind. Mappings and sequences of other classes count as what they are like."""
    kind = _KINDS.get(value.__class__)
    if kind is not None:
        return kind
    for each, name in _KINDS.items():
        if isinstance(value, each):
            return name
    raise Failure(
        f"a value of the Python type `{type(value).__name__}` is not JSON", "report this to the connector's author"
    )


def name_kind(kind: str) -> str:
    """Return a kind in words: `a text`."""
    return _WORDS[kind]


def describe(value: Value) -> str:
    """Return a value's kind in words."""
    return _WORDS[kind_of(value)]


def is_whole(value: Value) -> bool:
    """Whether it is a number without a fraction, whatever its form."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


def check_number(value: int | float) -> int | float:  # noqa: PYI041  # both kinds are meant, and told apart below
    """Return a computed number, or fail when JSON or 64 bits cannot hold it."""
    if value.__class__ is int:
        if -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
            return value
        raise Failure("the result does not fit into 64 bits", "compute with fractions: `1.0 * x`")
    if math.isfinite(value):
        return value
    raise Failure("the result is not a finite number", "JSON has no infinity")


def equal(left: Value, right: Value, budget: Budget) -> bool:
    """Whether two values are the same: 1 and 1.0 are, 1 and true are not, objects are compared without order."""
    kind = left.__class__
    if kind is right.__class__ and kind is not list and kind is not dict and kind is not Optional:
        return bool(left == right)
    budget.spend(8)
    if left is right:
        return True
    first, second = kind_of(left), kind_of(right)
    if first != second:
        return False
    if first == "list":
        return len(left) == len(right) and all(equal(a, b, budget) for a, b in zip(left, right, strict=True))
    if first == "map":
        return len(left) == len(right) and all(
            name in right and equal(value, right[name], budget) for name, value in left.items()
        )
    if first == "optional":
        return left.is_there is right.is_there and equal(left.value, right.value, budget)
    return bool(left == right)


def contains(items: list[Value], wanted: Value, budget: Budget) -> bool:
    """Whether a list has an item that is equal to a value."""
    budget.spend(len(items))
    if wanted is None or wanted.__class__ is str:
        return wanted in items
    return any(equal(item, wanted, budget) for item in items)


def freeze(value: Value, budget: Budget) -> Value:
    """Return something hashable that is the same for equal values only."""
    match kind_of(value):
        case "list":
            budget.spend(WALK + 2 * len(value))
            return ("list", *(freeze(item, budget) for item in value))
        case "map":
            budget.spend(WALK + 2 * len(value))
            return ("map", frozenset((name, freeze(item, budget)) for name, item in value.items()))
        case kind:
            return (kind, value)


def to_plain(value: Value, budget: Budget, depth: int = 0) -> Json:
    """Return a result as plain JSON: timestamps and durations as text, optional values as what they hold or null."""
    kind = value.__class__
    if kind is str or kind is int or value is None or kind is bool:
        return value  # type: ignore[no-any-return]  # narrowed by identity of the class, which mypy does not follow
    if kind is float:
        return check_number(value)
    if depth > MAX_DEPTH:
        raise Failure(f"the result is nested more than {MAX_DEPTH} deep", "return an inner part of it")
    match kind_of(value):
        case "list":
            budget.spend(WALK + 2 * len(value))
            return [to_plain(item, budget, depth + 1) for item in value]
        case "map":
            budget.spend(WALK + 2 * len(value))
            return {name: to_plain(item, budget, depth + 1) for name, item in value.items()}
        case "timestamp":
            return write_timestamp(value)
        case "duration":
            return write_duration(value)
        case "optional":
            return to_plain(value.value, budget, depth + 1)
        case "bytes":
            raise Failure("bytes are not JSON", "write them as text with `base64_encode(x)` or `string(x)`")
        case "type":
            return str(value.name)
        case _:
            return value  # type: ignore[no-any-return]  # subclasses of plain scalars


def write_number(value: int | float) -> str:  # noqa: PYI041  # as above
    """Return a number as text: whole ones without a fraction, others with the fewest digits that give them back."""
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE_FLOAT:
        return str(int(value))
    return repr(value)


def write_timestamp(value: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC: `2026-03-29T01:30:00Z`, with three or six digits of a fraction if there is one."""
    when = value.astimezone(UTC)
    return f"{when.replace(microsecond=0, tzinfo=None).isoformat()}{_write_fraction(when.microsecond)}Z"


def write_duration(value: timedelta) -> str:
    """Return a duration as CEL does, in seconds: `5400s`, `1.500s`."""
    micros = abs(value) // timedelta(microseconds=1)
    sign = "-" if value < timedelta() else ""
    return f"{sign}{micros // 1_000_000}{_write_fraction(micros % 1_000_000)}s"


def _write_fraction(micros: int) -> str:
    if micros % 1000:
        return f".{micros:06d}"
    return f".{micros // 1000:03d}" if micros else ""


def write_json(value: Value, budget: Budget) -> str:
    """Return a value as JSON text on one line; numbers as `write_number` writes them, letters as they are."""
    text = _write_json(to_plain(value, budget), budget)
    budget.spend_text(len(text))
    return text


def _write_json(value: Json, budget: Budget) -> str:
    import json

    return json.dumps(_level(value, budget), ensure_ascii=False, separators=(",", ":"))


def _level(value: Json, budget: Budget) -> Json:
    """Write 2.0 as 2 inside lists and objects too."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < MAX_WHOLE_FLOAT else value
    if isinstance(value, dict):
        budget.spend(WALK + 2 * len(value))
        return {name: _level(item, budget) for name, item in value.items()}
    if isinstance(value, list):
        budget.spend(WALK + 2 * len(value))
        return [_level(item, budget) for item in value]
    return value


def write_text(value: Value, budget: Budget) -> str:
    """Return a value as it stands in mixed text: strings bare, timestamps and durations as text, everything else as JSON."""
    if isinstance(value, str):
        return value
    plain = to_plain(value, budget)
    return plain if isinstance(plain, str) else write_json(plain, budget)
