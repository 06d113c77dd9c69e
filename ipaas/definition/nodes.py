"""The tree of a YAML document: values with their places.

Owns `Scalar`, `Sequence`, `Mapping` and the resolution of plain scalars by the YAML 1.2 core schema. Each node carries its plain
JSON as `value`, so that a schema check needs no second walk. `source` builds nodes, the compiler reads them, nobody changes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from ipaas.model import Json


@dataclass(slots=True, eq=False, kw_only=True)
class Scalar:
    """A text, number, boolean or null.

    Attributes:
        value: what it means; text for everything that is quoted.
        text: what it says, unquoted and unfolded.
        style: `''` plain, `'`, `"`, `|` or `>`.
        start: index of its first character in the source, quote or `|` included.
        end: index after its last character.
    """

    value: Json
    text: str
    style: str
    line: int
    column: int
    start: int
    end: int


@dataclass(slots=True, eq=False, kw_only=True)
class Sequence:
    """A list."""

    line: int
    column: int
    items: list[Node] = field(default_factory=list)
    value: list[Json] = field(default_factory=list)


@dataclass(slots=True, eq=False, kw_only=True)
class Mapping:
    """An object; `keys` has the keys' own nodes, for their places."""

    line: int
    column: int
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)
    value: dict[str, Json] = field(default_factory=dict)


Node: TypeAlias = "Scalar | Sequence | Mapping"

CONSTANTS: Final[dict[str, Json]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
"""Plain scalars with a meaning of their own. Source: YAML 1.2.2, section 10.3.2."""

MAX_INTEGER: Final = 2**63 - 1
"""Larger numbers are refused: expressions and most receivers would change their digits."""

_NUMBER_STARTS: Final = frozenset("+-.0123456789")
_DECIMAL = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)


def resolve_plain(text: str) -> Json:
    """Return what a plain scalar means in the YAML 1.2 core schema: `014` is fourteen, `0o14` twelve, `12:30` and `yes` are text.

    Raises:
        ValueError: it is a number that JSON does not have; the message is for people.
    """
    if text in CONSTANTS:
        return CONSTANTS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _DECIMAL.fullmatch(text):
        return _bound(text, 10)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if abs(number) == float("inf"):
            raise ValueError(f"the number `{shorten(text)}` is too large")
        return number
    if _OCTAL.fullmatch(text):
        return _bound(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return _bound(text[2:], 16)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"`{text}` is no number that JSON has")
    return text


def _bound(digits: str, radix: int) -> int:
    # Python refuses to read more than 4 300 digits, and reading that many is slow.
    number = int(digits, radix) if len(digits) <= 64 else MAX_INTEGER + 1
    if abs(number) > MAX_INTEGER:
        raise ValueError(f"the number `{shorten(digits)}` has more digits than a 64-bit integer")
    return number


def shorten(text: str, limit: int = 40) -> str:
    """Return a text short enough for a message, on one line."""
    line = " ".join(text[: limit * 2].split())
    return line if len(line) <= limit and len(text) <= limit * 2 else f"{line[: limit - 1]}…"
