"""Whatever an action returned, as plain JSON, or the reason why it is not.

Owns the walk over a returned value. Pure. Knows nothing of schemas; called by `action` after each call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from ipaas.errors import StepError

if TYPE_CHECKING:
    from typing import TypeAlias

    from ipaas.model import Json

    Path: TypeAlias = "tuple[Path, str | int] | None"

MAX_DEPTH: Final = 64
"""As deep as a pipeline file may be; the expression library crashes on very deep values."""
MAX_NODES: Final = 5_000_000
"""Small objects that share parts can unfold without end; a 10 MiB body has at most this many values."""

_CURES: Final[dict[str, str]] = {
    "bytes": "decode it to text or encode it as base64",
    "bytearray": "decode it to text or encode it as base64",
    "date": "return `value.isoformat()`",
    "datetime": "return `value.isoformat()`",
    "Decimal": "return `str(value)` or `float(value)`",
    "set": "return `sorted(value)`",
    "frozenset": "return `sorted(value)`",
    "UUID": "return `str(value)`",
    "coroutine": "await it",
}


class TooLarge(Exception):
    """The value has more parts than the caller wants to spend time on: no failure, it goes another way."""


def to_plain_json(value: object, most: int = MAX_NODES) -> Json:
    """Return a copy made of `dict`, `list`, `str`, `int`, `float`, `bool` and None only.

    Dataclasses, pydantic models, tuples, mappings and enums are converted; nothing else is guessed.

    Args:
        most: values to copy before giving up.

    Raises:
        TooLarge: there are more than `most`, and that is less than `MAX_NODES`.
        StepError: of type `connector_bug`, naming the path within the value and what stands there.
    """
    return _Walk(most).copy(value, 0, None)


class _Walk:
    """One walk; counts values, so that a value that unfolds without end is noticed."""

    __slots__ = ("most", "nodes")

    def __init__(self, most: int) -> None:
        self.most = most
        self.nodes = 0

    def copy(self, value: Any, depth: int, path: Path) -> Json:
        kind = type(value)
        if kind is str:
            if not value.isascii():
                _check_unicode(value, path)
            return value  # type: ignore[no-any-return]  # `kind` says that it is a `str`
        if value is None or kind is bool or kind is int:
            return value  # type: ignore[no-any-return]  # a JSON scalar, as just tested
        if kind is float:
            if math.isfinite(value):
                return value  # type: ignore[no-any-return]  # a finite `float`, as just tested
            raise _not_json(path, f"the number `{value}`", "return null or leave the field out")
        if depth >= MAX_DEPTH:
            what = f"more than {MAX_DEPTH} levels, or a value that contains itself"
            raise _not_json(_shorten(path), what, "return a flatter value")
        if kind is dict:
            return self.copy_object(value, depth, path)
        if kind is list or kind is tuple:
            return self.copy_list(value, depth, path)
        # One level is spent on a conversion, so that a type which converts to itself ends like a cycle.
        return self.copy(_convert(value, path), depth + 1, path)

    def copy_list(self, value: list[Any] | tuple[Any, ...], depth: int, path: Path) -> Json:
        self.count(len(value), path)
        return [self.copy(item, depth + 1, (path, index)) for index, item in enumerate(value)]

    def copy_object(self, value: dict[Any, Any], depth: int, path: Path) -> Json:
        self.count(len(value), path)
        plain: dict[str, Json] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise _not_json(path, f"the key `{key!r}`, which is not text", "use text as keys")
            name = str.__str__(key)
            if not name.isascii():
                _check_unicode(name, path)
            plain[name] = self.copy(item, depth + 1, (path, name))
        return plain

    def count(self, nodes: int, path: Path) -> None:
        self.nodes += nodes
        if self.nodes > self.most:
            if self.most < MAX_NODES:
                raise TooLarge
            raise _not_json(_shorten(path), f"more than {MAX_NODES} values", "return less")


def _check_unicode(text: str, path: Path) -> None:
    """Raise when the text holds half a character, which no database and no other program can read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _not_json(path, "text with a lone surrogate", "decode bytes with `errors='replace'`") from None


def _convert(value: Any, path: Path) -> Any:
    """Return something nearer to plain JSON, of one of the exact types that the walk knows, or raise."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if callable(dump := getattr(type(value), "model_dump", None)):
        return dump(value, mode="json", by_alias=True)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return list(value)
    name = type(value).__name__
    raise _not_json(path, f"a `{name}`", _CURES.get(name, "return plain JSON"))


def _shorten(path: Path) -> Path:
    """Return only the first four steps of a path that is deep because something is wrong with it."""
    steps: list[str | int] = []
    while path is not None:
        path, step = path
        steps.append(step)
    short: Path = None
    for step in reversed(steps[-4:]):
        short = (short, step)
    return short


def _render(path: Path) -> str:
    parts: list[str] = []
    while path is not None:
        path, step = path
        parts.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "".join(reversed(parts)).removeprefix(".")


def _not_json(path: Path, what: str, cure: str) -> StepError:
    where = f" at `{_render(path)}`" if path else ""
    return StepError(f"the connector returned a value that is not JSON{where}: {what}", type="connector_bug", hint=cure)
