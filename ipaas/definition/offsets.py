"""From a position in a scalar's text to the position in the file.

Owns the arithmetic for plain, quoted and block scalars, also over folded lines and escapes. Relies on one law: every character
of a scalar that is not white space stands in the source once, in order, as itself or as an escape; only white space is folded,
stripped or added. So the n-th such character of the text is the n-th such character of the source.
Called through `Source.place_in` for errors inside expressions.
"""

from __future__ import annotations

import re
from array import array
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ipaas.definition.nodes import Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_WALKED: Final = 2000
"""Characters of a text that is walked through for each place; for a longer one a table is made."""

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.|\r?\n|\r)", re.DOTALL)
_BLANK_ESCAPES = frozenset(" \t\r\nabtnvfre0N_LP")
"""Escapes that mean white space or a control character; see `_is_blank`."""


def find_index(source: str, scalar: Scalar, offset: int) -> int:
    """Return the index in `source` of the character at `offset` of the scalar's text.

    White space maps to the place just behind the character before it, as far as the line goes; an offset behind the end
    maps to the last character's place.
    """
    body = _find_body(source, scalar) if scalar.style in ("", "'", '"') else -1
    if scalar.end - scalar.start - 2 * (body - scalar.start) == len(scalar.text):
        return body + min(offset, len(scalar.text))  # as long as in the source: nothing is escaped or stripped
    offset = min(offset, len(scalar.text))
    if len(scalar.text) > MAX_WALKED:
        return _look_up(source, scalar, offset)
    at_character = offset < len(scalar.text) and not _is_blank(scalar.text[offset])
    wanted = sum(not _is_blank(character) for character in scalar.text[:offset])
    if at_character:
        wanted += 1
    if wanted == 0:
        return _find_body(source, scalar)
    last = scalar.start
    for seen, (index, length) in enumerate(_list_characters(source, scalar), 1):
        if seen == wanted:
            return index if at_character else _step_right(source, scalar, offset, index + length)
        last = index
    return last


def _look_up(source: str, scalar: Scalar, offset: int) -> int:
    """Find the index in a table, so that thousands of places in one long text cost little more than one."""
    counts, indexes = _make_tables(source, scalar.text, scalar.style, scalar.start, scalar.end)
    wanted = counts[offset]
    at_character = offset < len(scalar.text) and not _is_blank(scalar.text[offset])
    if at_character:
        return indexes[wanted] if wanted < len(indexes) else scalar.start
    return indexes[wanted - 1] + 1 if 0 < wanted <= len(indexes) else _find_body(source, scalar)


@lru_cache(maxsize=2)
def _make_tables(source: str, text: str, style: str, start: int, end: int) -> tuple[array[int], array[int]]:
    """Return, for each offset, how many characters that are no white space come before it, and the index of each such one."""
    scalar = Scalar(value=None, text=text, style=style, line=1, column=1, start=start, end=end)
    counts = array("l", [0])
    for character in text:
        counts.append(counts[-1] + (not _is_blank(character)))
    return counts, array("l", [index for index, _ in _list_characters(source, scalar)])


def _step_right(source: str, scalar: Scalar, offset: int, index: int) -> int:
    """Go over the blanks of the text before `offset`, not beyond the line's end."""
    steps = len(scalar.text[:offset]) - len(scalar.text[:offset].rstrip())
    while steps and index < scalar.end and source[index] in " \t":
        index += 1
        steps -= 1
    return index


def _find_body(source: str, scalar: Scalar) -> int:
    """Return where the scalar's own text begins: behind its quote, or on the line below `|`."""
    if scalar.style in ("'", '"'):
        return scalar.start + 1
    if scalar.style in ("|", ">"):
        end = source.find("\n", scalar.start)
        return scalar.start if end < 0 else end + 1
    return scalar.start


def _list_characters(source: str, scalar: Scalar) -> Iterator[tuple[int, int]]:
    """Yield index and length in the source of each character that is not white space."""
    index, end = _find_body(source, scalar), scalar.end
    if scalar.style in ("'", '"'):
        end -= 1
    while index < end:
        character = source[index]
        length = 1
        if character == "'" and scalar.style == "'":
            length = 2
        elif character == "\\" and scalar.style == '"':
            escape = _ESCAPE.match(source, index)
            length = escape.end() - index if escape else 1
            if escape and _is_blank_escape(escape[1]):
                index += length
                continue
        if not _is_blank(character):
            yield index, length
        index += length


def _is_blank_escape(escape: str) -> bool:
    if escape[0] in "xuU" and len(escape) > 1:
        return _is_blank(chr(int(escape[1:], 16)))
    return escape[0] in _BLANK_ESCAPES


def _is_blank(character: str) -> bool:
    """White space, and what the escapes of YAML call control characters, so that both sides count alike."""
    return character.isspace() or character < " " or character in "\x7f\x85\xa0\ufeff"
