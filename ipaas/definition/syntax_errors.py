"""What the CEL parser says about text that it cannot read, in plain words.

Owns `Fault` and the translation of the parser's messages, which list every token that the grammar would take. Knows the mistakes that
people bring along from other languages (`and`, `=`, `|`). Called by `syntax`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an expression; `at` is an offset into its text, `code` that of the problem it becomes."""

    at: int
    message: str
    hint: str = ""
    code: str = "bad-expression"


_LINE: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_TOKEN: Final = re.compile(r"'(.*?)'(?: expecting .*)?\Z", re.DOTALL)
_WANTED: Final = re.compile(r"expecting '(.+?)'\Z")

_WORD: Final = re.compile(r"\w+|\S")

_MEANT: Final = {
    "and": "write `&&`", "or": "write `||`", "not": "write `!`", "is": "write `==`",
    "if": "write `condition ? value : other`", "else": "write `condition ? value : other`",
    "=": "write `==` to compare", "=>": "write `list.map(x, …)` or `list.filter(x, …)`", "->": "write `list.map(x, …)`",
    "|": "write `||` for “or”, or call a function: `size(x)` instead of `x | size`", "&": "write `&&`",
    "?": "write `a.?b.orValue(c)` for a value that may be missing", "$": "names stand alone: `inputs.x`, without `$`",
    "^": "call `math.bitXor(a, b)`", "~": "call `math.bitNot(a)`", "@": "names begin with a letter", ";": "write one expression only",
    "**": "there is no power; multiply", "in": "put a field of this name in backticks: ``x.`in` ``",
    "...": "join lists with `+`, objects with `merge(a, b)`", "in ": "put a field of this name in backticks: ``x.`in` ``",
}  # fmt: skip
"""Signs and words of other languages, and what to write here."""

_RESERVED_HINT: Final = 'it is a reserved word of the expression language; as a field it may be written `x["{0}"]`'


def explain_syntax_error(report: str, text: str) -> Fault:
    """Return the first fault of a parser's report as an offset and words."""
    if "recursion" in report:
        return Fault(
            0,
            "the expression is nested more than 32 deep",
            "split it over several steps with `flow.set`; long sums are short with `sum([…])`, long texts with `[…].join()`",
        )
    faults = [(int(line), int(column), what) for line, column, what in _LINE.findall(report)]
    placed = [fault for fault in faults if 0 < fault[0] <= text.count("\n") + 1]
    if not placed:
        return Fault(0, "the expression cannot be read", "compare it with docs/expressions.md")
    line, column, what = placed[0]
    at = _find_offset(text, line, column)
    return _explain(what.removesuffix(" [INVALID_ARGUMENT]"), at, text)


def _find_offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return min(start + column - 1, len(text))


def _explain(what: str, at: int, text: str) -> Fault:
    found = _TOKEN.search(what)
    token = found[1] if found else ""
    if what.startswith("reserved identifier: "):
        word = what.removeprefix("reserved identifier: ")
        return Fault(at, f"`{word}` cannot be a name", _MEANT.get(word, _RESERVED_HINT.format(word)))
    if what.startswith("invalid"):
        return Fault(at, "the number does not fit into 64 bits", "write it as a text, or with a fraction: `1e20`")
    if what.startswith("token recognition error"):
        return _explain_character(at, text)
    if "<EOF>" in token or "'<EOF>'" in what:
        missing = re.match(r"missing '(.+?)' at", what) or _WANTED.search(what)
        sign = missing[1] if missing else "}" if "{'}', ','}" in what else ")" if "{')', ','}" in what else ""
        if sign == ":":
            return Fault(at, "`:` is missing", "write `condition ? value : other`")
        if sign:
            return Fault(at, f"`{sign}` is missing", f"close it with `{sign}`")
        return Fault(at, "the expression ends too early", "write what comes behind the last sign")
    if what.startswith("no viable alternative"):
        next_word = _WORD.match(text, at)
        token = next_word[0] if next_word else token
    shown = " ".join(token[:40].split())
    before = text[:at].split()
    hint = _MEANT.get(token, "")
    if not hint and before:
        hint = _MEANT.get(before[-1], "") if before[-1] in ("not", "=", "=>", "|") else ""
    if not hint and token.startswith(('"', "'")):
        hint = "join texts with `+`"
    if not hint and what.startswith("mismatched input ':'"):
        hint = "take a part with `slice(list, from, to)` or `text.substring(from, to)`"
    if not hint and text.lstrip().startswith("{"):
        hint = "write `${{ … }}` around an expression in text, and nothing around a bare one"
    return Fault(at, f"`{shown}` is not expected here" if shown else "this is not expected here", hint)


def _explain_character(at: int, text: str) -> Fault:
    character = text[at : at + 1]
    if character in ("'", '"'):
        escape = re.search(r"\\(?![abfnrtv\\'\"?`xXuU0-7])", text[at:])
        if escape:
            hint = "write `\\\\` for a backslash, or put `r` before the quote"
            return Fault(at + escape.start(), f"`{escape[0]}{text[at + escape.end() :][:1]}` is not an escape", hint)
        hint = f"close it with `{character}`; a text over several lines has three quotes"
        return Fault(at, "the text that begins here is not closed", hint)
    pair = text[at : at + 2]
    sign = pair if pair in _MEANT else character
    shown = sign if sign.isprintable() else f"U+{ord(character):04X}"
    hint = _MEANT.get(sign, "")
    if text[max(0, at - 2) : at] in ("==", "!="):
        return Fault(at, "`===` is not an operator", "write `==`")
    if not hint and character.isalpha():
        hint = 'a name has the letters a-z, digits and `_`; as a field it may be written `x["…"]`'
    return Fault(at, f"`{shown}` is not expected here", hint)
