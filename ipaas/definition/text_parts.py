"""Text with `${{ }}` in it, cut into parts.

Owns where an expression begins and ends inside a text, and how a literal `${{` is written: `$${{`. Knows of CEL only what it takes to find
the end: quotes and braces. Called by `expressions`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ipaas.definition.syntax_errors import Fault

OPENING: Final = "${{"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of plain text, or the inside of one `${{ }}`; `at` is its offset in the whole text."""

    at: int
    text: str
    is_expression: bool


@lru_cache(maxsize=4096)
def split_text(text: str) -> tuple[Part, ...] | Fault:
    """Return the parts of a text, or the fault that an expression is not closed. Adjacent plain parts are one."""
    parts: list[Part] = []
    plain, plain_at, position = "", 0, 0
    while True:
        found = text.find(OPENING, position)
        if found < 0:
            plain += text[position:]
            break
        if found > 0 and text[found - 1] == "$" and found > position:
            plain += text[position : found - 1] + OPENING
            position = found + len(OPENING)
            continue
        plain += text[position:found]
        if plain:
            parts.append(Part(plain_at, plain, is_expression=False))
        start = found + len(OPENING)
        end = _find_end(text, start)
        if end is None:
            return Fault(found, "`${{` is not closed", "close it with `}}`, or write `$${{` when it is meant as text")
        inner = text[start:end]
        lead = len(inner) - len(inner.lstrip())
        parts.append(Part(start + lead, inner.strip(), is_expression=True))
        position = plain_at = end + 2
        plain = ""
    if plain or not parts:
        parts.append(Part(plain_at, plain, is_expression=False))
    return tuple(parts)


def is_mixed(text: str) -> bool:
    """Whether a text with `${{ }}` in it has more than exactly one, so that its value is always a text."""
    parts = split_text(text.strip())
    return not isinstance(parts, Fault) and OPENING in text and len(parts) > 1


_TOKEN: Final = re.compile(
    r"""[rR]?[bB]?[rR]?(?P<long>\"\"\"|''')
    |(?P<raw>[rR][bB]?|[bB][rR])(?:\"[^\"\n]*\"|'[^'\n]*')
    |\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'
    |`[^`\n]*`|\}\}|[{}]|[A-Za-z_0-9]+|[\s.,()\[\]<>=!&|?:+*/%-]+|.""",
    re.VERBOSE | re.DOTALL,
)


def _find_end(text: str, start: int) -> int | None:
    """Return where the `}}` that closes an expression begins, skipping those in quotes and of nested objects."""
    depth, position = 0, start
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None  # the last alternative takes any character
        sign = match[0]
        if match["long"]:
            closing = text.find(match["long"], match.end())
            if closing < 0:
                return None
            position = closing + 3
            continue
        if sign == "{":
            depth += 1
        elif sign == "}":
            depth -= 1
        elif sign == "}}":
            if depth <= 0:
                return position
            depth -= 1
            position += 1
            continue
        position = match.end()
    return None
