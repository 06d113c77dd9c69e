"""Evaluated `with:` values on their way into an action: checked, converted, copied.

Owns the strict-JSON validation of inputs and its messages. Knows the words and `signature`. Called by `action`.

The values pass through JSON text: so an action gets its own copy, which it may change at will, and types such as dataclasses and
`datetime` are made from exactly what a pipeline can write. Expressions, which are no JSON, travel as tokens. Large lists and objects that
may be any JSON do not: pydantic reads a text in one go, and no thread gets a turn while it does.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from ipaas.errors import StepError
from ipaas.model import Deferred
from ipaas.plugin.parameters import Expr
from ipaas.plugin.plain_json import to_plain_json
from ipaas.plugin.signature import TOKEN_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

    from ipaas.model import Json
    from ipaas.plugin.signature import Inputs

MAX_ERRORS_SHOWN: Final = 5


def read_inputs(inputs: Inputs, values: Mapping[str, Any], *, is_large: bool = False) -> dict[str, Any]:
    """Return the function's keyword arguments. Pure: may be called in any thread.

    Args:
        inputs: what the action takes.
        values: JSON by input name; inputs that take an expression hold `Deferred` or `Expr` values.
        is_large: lists and objects are copied apart from the rest, so that other threads get their turns.

    Raises:
        StepError: of type `validation`, naming each input that is wrong and what is expected.
    """
    from pydantic import ValidationError
    from pydantic_core import PydanticSerializationError, to_json

    tokens: dict[str, Expr] = {}
    apart = _copy_apart(inputs, values) if is_large else {}
    # An empty one stands for each that is copied apart: it is of the same type, and the type is all that is checked of it.
    plain = {
        name: type(value)()
        if name in apart
        else _hide_expressions(value, tokens)
        if name in inputs.expression_inputs
        else value
        for name, value in values.items()
    }
    try:
        text = to_json(plain)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise StepError(f"the inputs are not JSON: {error}", type="validation") from error
    try:
        model = inputs.model.model_validate_json(text, strict=True, context=tokens)
    except ValidationError as error:
        mended = _with_whole_numbers(plain, error.errors(include_url=False))
        if mended is None:
            raise _explain(inputs, error) from None
        try:
            model = inputs.model.model_validate_json(to_json(mended), strict=True, context=tokens)
        except ValidationError as again:
            raise _explain(inputs, again) from None
    if inputs.takes_any:
        return {**(model.model_extra or {}), **apart}
    arguments = {parameter: getattr(model, field) for field, parameter in inputs.parameters.items()}
    for field, parameter in inputs.parameters.items() if apart else ():
        alias = str(inputs.model.model_fields[field].alias)
        if alias in apart:
            arguments[parameter] = apart[alias]
    return arguments


def _copy_apart(inputs: Inputs, values: Mapping[str, Any]) -> dict[str, Json]:
    """Return copies of the lists and objects that need no more than a look to be what their inputs take."""
    copies: dict[str, Json] = {}
    for name, value in values.items():
        test = inputs.tests.get(name)
        if type(value) not in (list, dict) or not (inputs.takes_any or (test is not None and test(value))):
            continue
        try:
            copies[name] = to_plain_json(value)
        except StepError:
            continue  # what is wrong is said where all inputs are checked
    return copies


def _hide_expressions(value: Any, tokens: dict[str, Expr]) -> Any:
    """Return the value with a token in place of each expression."""
    if isinstance(value, Deferred | Expr):
        token = f"{TOKEN_PREFIX}{len(tokens)}"
        tokens[token] = value if isinstance(value, Expr) else Expr(value, text=value.text)
        return token
    if isinstance(value, dict):
        return {key: _hide_expressions(item, tokens) for key, item in value.items()}
    if isinstance(value, list):
        return [_hide_expressions(item, tokens) for item in value]
    return value


def _with_whole_numbers(values: Any, errors: Sequence[ErrorDetails]) -> Any | None:
    """Return the values with `5.0` written as `5` where an integer is wanted, or None when that would not help.

    JSON has one kind of number: an expression such as `inputs.count * 1.0` may give a double that is a whole number.
    """
    places = [error["loc"] for error in errors if error["type"].startswith("int_") and _is_whole(error["input"])]
    if not places:
        return None
    for place in places:
        values = _replace_at(values, place)
    return values


def _is_whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()


def _replace_at(value: Any, place: Sequence[str | int]) -> Any:
    """Follow the place into the value; parts that name no key stand for a union's member and are passed over."""
    if not place:
        return int(value) if _is_whole(value) else value
    first, rest = place[0], place[1:]
    if isinstance(value, dict) and first in value:
        return {**value, first: _replace_at(value[first], rest)}
    if isinstance(value, list) and isinstance(first, int) and 0 <= first < len(value):
        return [*value[:first], _replace_at(value[first], rest), *value[first + 1 :]]
    return _replace_at(value, rest)


def _explain(inputs: Inputs, error: Any) -> StepError:
    """Return the failure in the words of the pipeline file."""
    errors: list[ErrorDetails] = error.errors(include_url=False)
    lines = list(dict.fromkeys(_describe(item) for item in errors))
    more = f"; and {len(lines) - MAX_ERRORS_SHOWN} more" if len(lines) > MAX_ERRORS_SHOWN else ""
    hint = ""
    for item in errors:
        if item["type"] == "extra_forbidden" and len(item["loc"]) == 1:
            known = [str(field.alias) for field in inputs.model.model_fields.values()]
            nearest = difflib.get_close_matches(str(item["loc"][0]), known, n=1)
            hint = hint or (
                f"did you mean `{nearest[0]}`?" if nearest else f"known inputs: {', '.join(known) or 'none'}"
            )
    return StepError("; ".join(lines[:MAX_ERRORS_SHOWN]) + more, type="validation", hint=hint)


_EXPECTED: Final[dict[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "dataclass_type": "an object",
    "dataclass_exact_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "none_required": "null",
}


def _describe(error: ErrorDetails) -> str:
    where = _render_place(error["loc"])
    kind = error["type"]
    if kind == "missing":
        return f"input `{where}` is required"
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"unknown input `{where}`"
    if kind in _EXPECTED:
        return f"input `{where}` must be {_EXPECTED[kind]}, not {_kind_of(error['input'])}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "value_error":
        return f"input `{where}`: {message}"
    return f"input `{where}` must be {message[:1].lower()}{message[1:]}"


def _render_place(place: Sequence[str | int]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place]
    return "".join(parts).removeprefix(".")


def _kind_of(value: object) -> str:
    """Name a JSON value's type without showing the value, which may be large or private."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "an expression" if value.startswith(TOKEN_PREFIX) else "text"
    return "an object" if isinstance(value, dict) else "a list"
