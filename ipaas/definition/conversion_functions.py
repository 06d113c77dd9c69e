"""Functions from one kind of value to another, and from and to JSON text.

Source: cel-spec, doc/langdef.md (type conversions). Unsigned numbers are plain numbers here, for JSON has none. Called through `functions`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ipaas.definition.functions import describe
from ipaas.definition.text_functions import read_utf8
from ipaas.definition.time_functions import from_epoch, read_duration, read_timestamp
from ipaas.definition.values import (
    TYPE_NAMES,
    Budget,
    Failure,
    TypeName,
    check_number,
    kind_of,
    write_duration,
    write_json,
    write_number,
    write_timestamp,
)

if TYPE_CHECKING:
    from ipaas.definition.values import Value

_WHOLE: Final = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?", re.ASCII)
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "True", "TRUE", "t", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "f", "0"), False),
}


def _to_int(_budget: Budget, value: Any) -> int:
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value):
            raise Failure("the text is not a whole number", 'ask `x.matches("^-?[0-9]+$")` first, or call `double(x)`')
        return int(check_number(int(value)))
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return value if isinstance(value, int) else int(check_number(int(value)))


def _to_uint(budget: Budget, value: Any) -> int:
    number = _to_int(budget, value)
    if number < 0:
        raise Failure("the number is negative", "call `int(x)`")
    return number


def _to_double(_budget: Budget, value: Any) -> float:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise Failure("the text is not a number", 'ask `x.matches("^[0-9.]+$")` first')
    try:
        return float(check_number(float(value)))
    except OverflowError:
        raise Failure("the number is too large for a fraction", "keep it as it is") from None


def _to_string(budget: Budget, value: Any) -> str:
    match kind_of(value):
        case "bool":
            return "true" if value else "false"
        case "number":
            return write_number(value)
        case "bytes":
            budget.spend_text(len(value))
            return read_utf8(value)
        case "timestamp":
            return write_timestamp(value)
        case "duration":
            return write_duration(value)
        case _:
            return str(value)


def _to_bool(_budget: Budget, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value not in _BOOLEANS:
        raise Failure("the text is neither `true` nor `false`", 'compare it: `x == "yes"`')
    return _BOOLEANS[value]


def _to_timestamp(_budget: Budget, value: Any) -> datetime:
    if isinstance(value, str):
        return read_timestamp(value)
    return value if isinstance(value, datetime) else from_epoch(value)


def _to_duration(_budget: Budget, value: Any) -> timedelta:
    return read_duration(value) if isinstance(value, str) else value


def _type(_budget: Budget, value: Value) -> TypeName:
    kind = kind_of(value)
    if kind == "number":
        return TYPE_NAMES["double" if isinstance(value, float) else "int"]
    return TYPE_NAMES.get("null_type" if kind == "null" else kind) or TypeName("optional_type")


def _from_json(budget: Budget, text: str) -> Value:
    from pydantic_core import from_json

    budget.spend_text(len(text) * 4)
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        where = re.search(r"at line (\d+) column (\d+)", str(error))
        place = f", at line {where[1]}, column {where[2]}" if where else ""
        raise Failure(f"the text is not JSON{place}", "look at the value in the step's output") from None


FUNCTIONS: Final = (
    describe("int", "function", "number|string|timestamp -> int", _to_int),
    describe("uint", "function", "number|string|timestamp -> int", _to_uint),
    describe("double", "function", "number|string -> number", _to_double),
    describe("string", "function", "string|number|bool|bytes|timestamp|duration -> string", _to_string),
    describe("bool", "function", "bool|string -> bool", _to_bool),
    describe(
        "bytes",
        "function",
        "string|bytes -> bytes",
        lambda _, value: value.encode() if isinstance(value, str) else value,
    ),
    describe("timestamp", "function", "string|number|timestamp -> timestamp", _to_timestamp),
    describe("duration", "function", "string|duration -> duration", _to_duration),
    describe("type", "function", "any -> type", _type),
    describe("dyn", "function", "any -> any", lambda _, value: value),
    describe("to_json", "both", "any -> string", lambda budget, value: write_json(value, budget)),
    describe("from_json", "both", "string -> any", _from_json),
)
