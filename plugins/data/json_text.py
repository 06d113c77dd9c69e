"""JSON and JSON lines: text to value and back.

Owns what is accepted (RFC 8259, plus: no infinities, no half characters, bounded depth) and where a mistake is. Pure, and also
the place of `check_value`, which the other formats use on what they read. Knows nothing of actions.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from ipaas.plugin import Fatal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ipaas.plugin import Json

MAX_DEPTH: Final = 60
"""Levels of a parsed value. A step's output may have 64; a few are left for what a pipeline puts around it."""


def parse_json(text: str, *, line: int = 0) -> Json:
    """Return the value that the text is.

    Args:
        line: of the text within a larger one, for messages; 0 is none.

    Raises:
        Fatal: of type `validation`, with line and column.
    """
    try:
        value: Json = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {line or error.lineno} column {error.colno}"
        shown = f": {_excerpt(error.doc, error.pos)}" if error.doc.strip() else ": the text is empty"
        raise Fatal(f"not JSON at {where}, {error.msg.lower()}{shown}", type="validation", hint=_hint(text)) from None
    except RecursionError:
        raise _too_deep("JSON") from None
    except ValueError as error:  # NaN and its kin, or a number of more than 4300 digits
        raise Fatal(f"not JSON{f' at line {line}' if line else ''}: {error}", type="validation") from None
    check_value(value, "JSON")
    return value


def parse_json_lines(text: str) -> list[Json]:
    """Return one value for each line; blank lines are skipped.

    Raises:
        Fatal: of type `validation`, with line and column.
    """
    lines = text.removeprefix("\ufeff").split("\n")
    return [parse_json(line, line=number) for number, line in enumerate(lines, 1) if line.strip()]


def format_json(value: Json, *, indent: int = 0, sort_keys: bool = False) -> str:
    """Return the value as JSON text: in one line without spaces, or indented."""
    separators = (",", ": ") if indent else (",", ":")
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, indent=indent or None, sort_keys=sort_keys, separators=separators
    )


def format_json_lines(items: Sequence[Json]) -> str:
    """Return one line of JSON for each item, each ended by a line feed."""
    return "".join(f"{format_json(item)}\n" for item in items)


def check_value(value: Json, format_name: str) -> None:
    """Check a parsed value: finite numbers, whole characters, at most `MAX_DEPTH` levels. Takes no stack, however deep the value is.

    Raises:
        Fatal: of type `validation`.
    """
    level: list[Any] = [value]
    for depth in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                _check_texts((item,), format_name)
            elif kind is float:
                if not math.isfinite(item):
                    raise Fatal(
                        f"the {format_name} has a number that is too large", type="validation", hint="write it as text"
                    )
            elif kind is dict or kind is list:
                if depth == MAX_DEPTH:
                    raise _too_deep(format_name)
                if kind is dict:
                    _check_texts(item, format_name)
                inner.extend(item.values() if kind is dict else item)
        level = inner


def _check_texts(texts: Iterable[str], format_name: str) -> None:
    for text in texts:
        if text.isascii():
            continue
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(text[error.start]):04x}"
            raise Fatal(
                f"the {format_name} has half a character, `{half}` without its partner", type="validation"
            ) from None


def _too_deep(format_name: str) -> Fatal:
    return Fatal(
        f"the {format_name} has more than {MAX_DEPTH} levels", type="validation", hint="flatten it where it is made"
    )


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"`{name}` is not a JSON number")


def _excerpt(text: str, position: int) -> str:
    """Return a little of the text from where the mistake is."""
    rest = text[position : position + 20].split("\n", maxsplit=1)[0]
    return f"`{rest}`" if rest.strip() else "the text ends too early"


def _hint(text: str) -> str:
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start == "<":
        return "this looks like XML or HTML"
    if start == "{" and "}\n{" in text.replace("\r\n", "\n"):
        return "this looks like JSON lines: use `data.parse_json_lines`"
    return ""
