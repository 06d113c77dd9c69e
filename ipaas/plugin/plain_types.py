"""Annotations that only say what JSON looks like, and the quick test of a value against them.

Owns the test that needs no validator: pydantic checks JSON text in one call, during which no other thread, and so no other run, goes
on. What this module cannot judge (constraints, models, times) is left to pydantic. Pure. Called by `signature` when schemas are built.
"""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from ipaas.plugin.parameters import Doc, Name
from ipaas.plugin.stated_types import Like

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    Test: TypeAlias = Callable[[Any], bool]

_WORDS: Final = (Doc, Like, Name)
"""What may stand in `Annotated` without changing which values are right."""
_SCALARS: Final[Mapping[Any, tuple[type, ...]]] = {
    None: (type(None),),
    type(None): (type(None),),
    bool: (bool,),
    int: (int,),
    float: (float, int),
    str: (str,),
}

_OWN_CHECKS: Final = (
    "__pydantic_config__",
    "__pydantic_decorators__",
    "__pydantic_validator__",
    "__get_pydantic_core_schema__",
    "__get_validators__",
    "__post_init__",
)


def make_test(annotation: Any, *, records: bool) -> Test | None:
    """Return a test that plain JSON passes only when strict validation against the annotation would let it pass.

    Args:
        records: whether typed dictionaries and dataclasses may be part of it: of a value that is only looked at and not converted.

    Returns:
        None when only pydantic can tell.
    """
    return _make(annotation, records, ())


def _make(annotation: Any, records: bool, around: tuple[Any, ...]) -> Test | None:  # noqa: FBT001  # handed down as it came
    if annotation is Any:
        return _pass
    if isinstance(annotation, type | None) and annotation in _SCALARS:
        allowed = _SCALARS[annotation]
        return lambda value: type(value) in allowed
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        plain = all(isinstance(item, _WORDS) for item in arguments[1:])
        return _make(arguments[0], records, around) if plain else None
    if origin in (typing.Required, typing.NotRequired):
        return _make(arguments[0], records, around)
    if origin in (typing.Union, types.UnionType):
        tests = [_make(each, records, around) for each in arguments]
        found = tuple(test for test in tests if test is not None)
        return (lambda value: any(test(value) for test in found)) if len(found) == len(tests) else None
    if origin is list:
        return _make_container(list, _make(arguments[0], records, around))
    if origin is dict and arguments[0] is str:
        return _make_container(dict, _make(arguments[1], records, around))
    return _make_record(annotation, around) if records and annotation not in around else None


def _make_container(kind: type, inner: Test | None) -> Test | None:
    if inner is None:
        return None
    if inner is _pass:
        return lambda value: type(value) is kind
    if kind is list:
        return lambda value: type(value) is list and all(map(inner, value))
    return lambda value: type(value) is dict and all(map(inner, value.values()))


def _make_record(annotation: Any, around: tuple[Any, ...]) -> Test | None:
    """Return the test of a typed dictionary or a dataclass without settings and checks of its own."""
    if not isinstance(annotation, type) or any(hasattr(annotation, name) for name in _OWN_CHECKS):
        return None
    if hasattr(annotation, "__required_keys__"):
        required: frozenset[str] = annotation.__required_keys__
    elif is_dataclass(annotation):
        # A default may be one of pydantic's, with constraints in it.
        if any(field.default is not MISSING or field.default_factory is not MISSING for field in fields(annotation)):
            return None
        required = frozenset(field.name for field in fields(annotation) if field.init)
        if len(required) < len(fields(annotation)):
            return None
    else:
        return None
    tests: dict[str, Test] = {}
    for name, hint in typing.get_type_hints(annotation, include_extras=True).items():
        test = _make(hint, True, (*around, annotation))  # noqa: FBT003  # inside a record are records
        if test is None:
            return None
        tests[name] = test

    def is_record(value: Any) -> bool:
        return (
            type(value) is dict
            and required <= value.keys()
            and all(test(value[name]) for name, test in tests.items() if name in value)
        )

    return is_record


def _pass(value: Any) -> bool:  # noqa: ARG001  # as every test
    return True
