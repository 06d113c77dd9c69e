"""Checking plain JSON against a JSON Schema (draft 2020-12), built once per schema.

Owns `Validator`. Uses `jsonschema` with four changes: `pattern` runs in linear time, `uniqueItems` too, `$ref` stays inside the
schema, and the number of `$ref` steps is bounded, so that no schema and no value can make a check run away. Knows nothing of
pipelines; the compiler, the engine and the plugin room call it. Whether a schema is one at all is `schema_check`'s business.
"""

from __future__ import annotations

import json
import re
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ipaas.definition.findings import Finding, explain
from ipaas.definition.patterns import is_match
from ipaas.definition.quick_check import make_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipaas.model import Json, Schema

MAX_FINDINGS = 20
"""A list of a million wrong items needs no million messages."""

FORMATS = ("date", "date-time", "time", "email", "ipv4", "ipv6", "uuid")
"""The formats that are checked; others are for the reader."""

_budget: ContextVar[list[int]] = ContextVar("ref_budget")


class _TooManySteps(Exception):
    """The schema's references multiply."""


class Validator:
    """A schema, ready to check values. Immutable, usable from any task and thread.

    Args:
        schema: a valid JSON Schema; `$ref` may point inside it only.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._quick = make_check(schema, _spend)
        self._checker: Any = None
        self._refs = json.dumps(schema, default=dict).count('"$ref"')

    def find(self, value: Json, *, limit: int | None = MAX_FINDINGS) -> list[Finding]:
        """Return what does not fit, at most `limit`, in the order of the schema."""
        token = _budget.set([self._count_allowed(value)])
        try:
            if self._quick is not None and self._quick(value):
                return []
            return self._explain(value, limit)
        except (RecursionError, _TooManySteps):
            return [Finding(path=(), keyword="steps", message="the schema refers to itself too often to be checked")]
        finally:
            _budget.reset(token)

    def _explain(self, value: Json, limit: int | None) -> list[Finding]:
        from referencing.exceptions import Unresolvable

        if self._checker is None:
            self._checker = _make_checker(self.schema)
        try:
            return list(islice(explain(self._checker.iter_errors(value)), limit))
        except Unresolvable as error:
            return [Finding(path=(), keyword="$ref", message=f"the schema refers to `{error.ref}`, which is not in it")]

    def check(self, value: Json) -> list[str]:
        """Return a message for each thing that does not fit: "`items[3].total`: `x` is not of type `number`"."""
        return [str(finding) for finding in self.find(value)]

    def is_valid(self, value: Json) -> bool:
        """Whether the value meets the schema."""
        return not self.find(value)

    def _count_allowed(self, value: Json) -> int:
        """Each node of a value may try each alternative of a union, a few levels deep; beyond that references multiply."""
        return 0 if not self._refs else 200 + 4 * self._refs + 8 * _count_nodes(value)


def get_validator(schema: Schema) -> Validator:
    """Return the validator of a schema; schemas of the same content share one."""
    return _get_validator(json.dumps(schema, sort_keys=True, default=dict))


@lru_cache(maxsize=2048)
def _get_validator(text: str) -> Validator:
    return Validator(json.loads(text))


def _count_nodes(value: Json) -> int:
    count, waiting = 0, [value]
    while waiting:
        each = waiting.pop()
        count += 1
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, (list, tuple)):
            waiting += each
    return count


def _make_checker(schema: Schema) -> Any:
    from referencing import Registry

    # A registry without a retriever knows the schema itself and nothing else: no reference leaves it.
    return _checker_class()(schema, registry=Registry(), format_checker=_format_checker())


@lru_cache(maxsize=1)
def _checker_class() -> Any:
    from jsonschema import Draft202012Validator, validators

    extend: Any = validators.extend  # has no annotations
    return extend(
        Draft202012Validator,
        {
            "pattern": _check_pattern,
            "patternProperties": _check_pattern_properties,
            "uniqueItems": _check_unique,
            "required": _check_required,
            "oneOf": _check_one_of,
            "$ref": _check_ref,
        },
        type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
            "array", lambda _, value: isinstance(value, (list, tuple))
        ),
    )


@lru_cache(maxsize=1)
def _format_checker() -> Any:
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    checker.checkers = {name: (_format_check(name), ValueError) for name in FORMATS}
    return checker


def _format_check(name: str) -> Callable[[object], bool]:
    """Return a check that is true for what is not text: `format` speaks of text only."""
    import ipaddress
    import uuid
    from datetime import date, datetime, time

    def read_moment(text: str) -> object:
        when = datetime.fromisoformat(text)
        return when if "T" in text.upper() and when.tzinfo is not None else None

    # Each reader raises ValueError or returns None for what is not of the format.
    readers: dict[str, Callable[[str], object]] = {
        "date": lambda text: date.fromisoformat(text) if len(text) == 10 else None,
        "date-time": read_moment,
        "time": time.fromisoformat,
        "email": re.compile(r"[^@\s]+@[^@\s]+").fullmatch,
        "ipv4": ipaddress.IPv4Address,
        "ipv6": ipaddress.IPv6Address,
        "uuid": lambda text: uuid.UUID(text) if len(text) == 36 else None,
    }
    read = readers[name]
    return lambda value: not isinstance(value, str) or read(value) is not None


def _check_pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(value, str) and not is_match(pattern, value):
        yield ValidationError("pattern")


def _check_pattern_properties(validator: Any, patterns: dict[str, Any], value: Any, _schema: Any) -> Iterator[Any]:
    if not isinstance(value, dict):
        return
    for pattern, subschema in patterns.items():
        for name, each in value.items():
            if is_match(pattern, name):
                yield from validator.descend(each, subschema, path=name, schema_path=pattern)


def _check_unique(_validator: Any, wanted: bool, value: Any, _schema: Any) -> Iterator[Any]:  # noqa: FBT001  # jsonschema calls by position
    from jsonschema import ValidationError

    if wanted and isinstance(value, (list, tuple)):
        texts = [json.dumps(_level(each), sort_keys=True) for each in value]
        if len(set(texts)) < len(texts):
            yield ValidationError("uniqueItems")


def _check_required(_validator: Any, names: list[str], value: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError(name)  # the bare name: `findings` makes the sentence


def _check_one_of(validator: Any, branches: list[Any], value: Any, schema: Any) -> Iterator[Any]:
    """Where alternatives differ by required keys only, count those that fit instead of trying each: four times as fast."""
    from jsonschema import Draft202012Validator, ValidationError

    if isinstance(value, dict) and all(_is_by_keys(branch) for branch in branches):
        if sum(_has_keys(branch, value) for branch in branches) != 1:
            yield ValidationError("oneOf")
        return
    yield from Draft202012Validator.VALIDATORS["oneOf"](validator, branches, value, schema)


def _is_by_keys(branch: Any) -> bool:
    """Whether it is `{required: […]}`, with at most a `not` of the same form."""
    if not isinstance(branch, dict) or "required" not in branch or branch.keys() - {"required", "not"}:
        return False
    return "not" not in branch or (isinstance(branch["not"], dict) and branch["not"].keys() == {"required"})


def _has_keys(branch: dict[str, Any], value: dict[str, Any]) -> bool:
    if not all(name in value for name in branch["required"]):
        return False
    return "not" not in branch or not all(name in value for name in branch["not"]["required"])


def _level(value: Any) -> Any:
    """JSON knows one kind of number: 1 and 1.0 are the same item."""
    if isinstance(value, dict):
        return {name: _level(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_level(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _spend() -> None:
    budget = _budget.get()
    budget[0] -= 1
    if budget[0] < 0:
        raise _TooManySteps


def _check_ref(validator: Any, ref: str, value: Any, _schema: Any) -> Iterator[Any]:
    _spend()
    yield from validator._validate_reference(ref=ref, instance=value)  # noqa: SLF001  # as jsonschema's own `$ref` does
