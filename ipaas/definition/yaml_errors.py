"""What the YAML parser says, in plain words and with a cure.

Owns the translation of libyaml's messages. `source` calls it with the one syntax error that a text can have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ipaas.definition.nodes import shorten

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from yaml import MarkedYAMLError

QUOTE: Final = "put the value in quotes"
SPACE: Final = "write a space behind the `:`"
QUOTE_EXPRESSION: Final = 'inside `{ }` and `[ ]` write expressions in quotes: `"${{ … }}"`'


@dataclass(frozen=True, slots=True)
class Explained:
    """A syntax error; line and column from 1."""

    line: int
    column: int
    message: str
    hint: str


_Make: TypeAlias = "Callable[[str, str], Explained]"


def explain_yaml_error(error: MarkedYAMLError, lines: list[str]) -> Explained:
    """Return what is wrong, where, and how to mend it. `lines` are the source's."""
    mark = error.problem_mark or error.context_mark
    start = error.context_mark or mark
    line = min(mark.line if mark else 0, max(0, len(lines) - 1))
    column = mark.column if mark and line == mark.line else 0
    begun = (start.line, start.column) if start else (line, column)
    text = lines[line] if lines else ""
    if _is_tab_indented(text) and "quoted" not in (error.context or ""):
        return Explained(line + 1, 1, "a tab indents this line", "indent with spaces: YAML takes no tabs there")
    return _translate(error.problem or "", error.context or "", (line, column), begun, lines)


def _is_tab_indented(text: str) -> bool:
    return "\t" in text[: len(text) - len(text.lstrip(" \t"))]


def _translate(problem: str, context: str, at: tuple[int, int], begun: tuple[int, int], lines: list[str]) -> Explained:
    line, column = at
    text = lines[line] if line < len(lines) else ""
    character = text[column : column + 1]

    def here(message: str, hint: str = "") -> Explained:
        return Explained(line + 1, column + 1, message, hint)

    def there(message: str, hint: str = "") -> Explained:
        return Explained(begun[0] + 1, begun[1] + 1, message, hint)

    opened = lines[begun[0]] if begun[0] < len(lines) else ""
    if "quoted scalar" in context and "unexpected" in problem:
        return there("the quote that opens here is never closed", f"close it with `{opened[begun[1] : begun[1] + 1]}`")
    if "cannot start any token" in problem:
        return here(f"{'a backtick' if character == '`' else f'`{character}`'} cannot begin a value", QUOTE)
    if "mapping values are not allowed" in problem:
        return _explain_colon(here, text, column, lines[:line])
    if "could not find expected ':'" in problem:
        key = opened[begun[1] :].strip()
        hint = SPACE if _is_glued(key) else "write `key: value`, or indent the line to continue the value above"
        return there(f"`{shorten(key)}` has no `: ` in it", hint)
    if "',' or ']'" in problem or "',' or '}'" in problem:
        close = "]" if "]" in problem else "}"
        opener, noun = ("[", "list") if close == "]" else ("{", "object")
        expression = any("${{" in each for each in lines[begun[0] : line + 1])
        hint = QUOTE_EXPRESSION if expression else f"close it with `{close}`, and put a `,` between its parts"
        return here(f"the {noun} that `{opener}` opens in line {begun[0] + 1} does not go on like this", hint)
    if "did not find expected key" in problem:
        if column and text[:column].rstrip().endswith(('"', "'")):
            return here(
                f"`{shorten(text[column:])}` stands behind a closed quote",
                "put the whole value in quotes, and double the quotes inside it",
            )
        return here(
            f"this line does not go on with the object begun in line {begun[0] + 1}",
            "check the indentation: the keys of one object begin in the same column",
        )
    if "did not find expected '-' indicator" in problem:
        return here(
            f"this line does not go on with the list begun in line {begun[0] + 1}",
            "check the indentation: the items of one list begin with `- ` in the same column",
        )
    if "block sequence entries are not allowed" in problem:
        return here("a list cannot begin here", "begin it on the next line, or put the value in quotes")
    if "mapping keys are not allowed" in problem:
        return here("`?` cannot begin a key here", QUOTE)
    if "unknown escape" in problem:
        shown = text[column : column + 2]
        return here(f"`{shown}` means nothing in double quotes", f"write `\\{shown}`, or use single quotes")
    if "hexdecimal" in problem or "invalid Unicode character escape" in problem:
        return there(
            "an escape in double quotes names no character", "write the character itself, or use single quotes"
        )
    return _translate_rest(problem, context, here, there, opened[begun[1] : begun[1] + 1])


def _is_glued(text: str) -> bool:
    return re.match(r"[\w-]+:[^\s/]", text) is not None


def _explain_colon(here: _Make, text: str, column: int, above: list[str]) -> Explained:
    before = text[:column]
    if ": " in before or (before.lstrip().startswith("- ") and before.count(":")):
        return here("a second `: ` in one value", QUOTE)
    if "? " in before:
        return here("`: ` ends the text before it", QUOTE)
    previous = next((each.strip() for each in reversed(above) if each.strip()), "")
    if _is_glued(previous):
        return here(f"a key cannot stand here: the line above it, `{shorten(previous)}`, has no `: `", SPACE)
    return here("a key cannot stand here", "check the indentation of this line and of the value above it")


def _translate_rest(problem: str, context: str, here: _Make, there: _Make, sign: str) -> Explained:
    if "anchor" in context or "alias" in context:
        return there(f"`{sign}` begins {'an alias' if sign == '*' else 'an anchor'}, but no name follows", QUOTE)
    if "tag" in context or "tag handle" in problem or "URI" in problem:
        return there("`!` begins a tag, and tags are not allowed", QUOTE)
    if "block scalar" in context:
        return here("behind `|` or `>` nothing may stand on the same line", "begin the text on the next line, indented")
    if "node content" in problem:
        return here("a value is missing here", "write it, or remove the sign before it")
    if "document start" in problem or "document end" in problem or "stream end" in problem:
        return here(
            "the document has ended before this", "check the indentation: the outermost keys begin in the first column"
        )
    if "directive" in context or "directive" in problem:
        return here("`%` begins a directive, and directives are not allowed", QUOTE)
    if "simple key" in problem or "simple key" in context:
        return there("a key is too long or runs over several lines", "write it on one line")
    if "tab" in problem:
        return here("a tab stands where spaces must", "indent with spaces")
    if "plain" in context or "whitespace" in problem or "line break" in problem:
        return here("this character cannot stand here", QUOTE)
    return here("this is not YAML", "check quotes, brackets and indentation")
