"""Making up a text that a regular expression matches, for samples.

Owns `find_match`. Pure and deterministic; asks Python's own parser of regular expressions what the pattern is made of, takes the first
way through it, and believes the result only if it really matches. Called by `sample`.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]  # the standard library's parser has no public name
from re import _parser as parser  # type: ignore[attr-defined]  # as above
from typing import Any, Final

MAX_CHARS: Final = 1_000
"""A longer match is of no use to a reader."""

_CATEGORIES: Final = {
    codes.CATEGORY_DIGIT: "1",
    codes.CATEGORY_NOT_DIGIT: "a",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_SPACE: "a",
    codes.CATEGORY_WORD: "a",
    codes.CATEGORY_NOT_WORD: " ",
}
_PREFERRED: Final = "a1A-_. "
"""What stands for "any character but …"."""


@lru_cache(maxsize=256)
def find_match(pattern: str) -> str | None:
    """Return a text in which the pattern is found, or None when none was found easily."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pattern's style
            text = _Writer().write(parser.parse(pattern))
            return text if len(text) <= MAX_CHARS and re.search(pattern, text) else None
    except (re.error, RecursionError, OverflowError, _TooLong, KeyError, TypeError, ValueError):
        return None


class _TooLong(Exception):
    """The match would be longer than anybody reads."""


class _Writer:
    """Writes the plainest match; remembers what groups matched, for references back."""

    def __init__(self) -> None:
        self._groups: dict[int, str] = {}

    def write(self, parts: Any) -> str:
        text = ""
        for code, value in parts:
            text += self._write_part(code, value)
            if len(text) > MAX_CHARS:
                raise _TooLong
        return text

    def _write_part(self, code: Any, value: Any) -> str:
        if code is codes.LITERAL:
            return chr(int(value))
        if code is codes.NOT_LITERAL:
            return _pick(lambda character: ord(character) != value)
        if code is codes.ANY:
            return "a"
        if code is codes.IN:
            return _write_set(value)
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            least, _, inner = value
            if least > MAX_CHARS:
                raise _TooLong
            return str(self.write(inner) * int(least))
        if code is codes.BRANCH:
            return self.write(value[1][0])
        if code is codes.SUBPATTERN:
            text = self.write(value[3])
            if value[0] is not None:
                self._groups[value[0]] = text
            return text
        if code is codes.GROUPREF:
            return self._groups[int(value)]
        if code is codes.ATOMIC_GROUP:
            return self.write(value)
        return ""  # positions and look-arounds take no characters; the final search judges them


def _write_set(members: Any) -> str:
    if members[0][0] is codes.NEGATE:
        return _pick(lambda character: not any(_is_in(character, member) for member in members[1:]))
    code, value = members[0]
    if code is codes.LITERAL:
        return chr(int(value))
    if code is codes.RANGE:
        return chr(int(value[0]))
    return str(_CATEGORIES[value])


def _is_in(character: str, member: Any) -> bool:
    code, value = member
    if code is codes.LITERAL:
        return bool(ord(character) == value)
    if code is codes.RANGE:
        return bool(value[0] <= ord(character) <= value[1])
    return bool(character == _CATEGORIES[value])


def _pick(fits: Any) -> str:
    return next((character for character in _PREFERRED if fits(character)), "~")
