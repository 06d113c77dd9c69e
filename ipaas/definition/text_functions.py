"""Functions on texts and bytes: CEL's own, its strings extension, and encodings.

Source: cel-spec, doc/langdef.md (string functions); cel-go, ext/strings.go (positions and limits). Called through `functions`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ipaas.definition.functions import describe
from ipaas.definition.patterns import find_fault, is_match
from ipaas.definition.values import Budget, Failure, kind_of, name_kind, write_number, write_text

if TYPE_CHECKING:
    from ipaas.definition.values import Value

_ASCII_LOWER: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_ASCII_UPPER: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIRECTIVE: Final = re.compile(r"%(?:\.(\d{1,2}))?(.)", re.DOTALL)


def check_position(value: float, length: int, what: str = "text") -> int:
    """Return a position in a text or list of that length, the end included."""
    if value != int(value):
        raise Failure("a position must be a whole number", "round it with `int(x)`")
    position = int(value)
    if not 0 <= position <= length:
        raise Failure(f"position {position} is outside the {what}, which has {length}", "ask `size(x)` first")
    return position


def _matches(_budget: Budget, text: str, pattern: str) -> bool:
    fault = find_fault(pattern)
    if fault is not None:
        raise Failure(f"the pattern is not a regular expression: {fault}", "the syntax is RE2's, without look-around")
    return is_match(pattern, text)


def _char_at(_budget: Budget, text: str, at: float) -> str:
    position = check_position(at, len(text))
    return text[position : position + 1]


def _index_of(_budget: Budget, text: str, part: str, start: float = 0) -> int:
    return text.find(part, check_position(start, len(text)))


def _last_index_of(_budget: Budget, text: str, part: str, start: float | None = None) -> int:
    end = len(text) if start is None else check_position(start, len(text)) + len(part)
    return text.rfind(part, 0, end)


def _substring(_budget: Budget, text: str, start: float, end: float | None = None) -> str:
    first = check_position(start, len(text))
    last = len(text) if end is None else check_position(end, len(text))
    if first > last:
        raise Failure(f"the part begins at {first}, behind its end at {last}", "give the smaller position first")
    return text[first:last]


def _replace(budget: Budget, text: str, old: str, new: str, limit: float = -1) -> str:
    times = text.count(old) if limit < 0 else min(text.count(old), int(limit))
    budget.spend_text(max(0, len(text) + times * (len(new) - len(old))))
    return text.replace(old, new, times)


def _split(budget: Budget, text: str, separator: str, limit: float = -1) -> list[str]:
    if limit == 0:
        return []
    parts = list(text) if not separator else text.split(separator, int(limit) - 1 if limit > 0 else -1)
    if not separator and 0 < limit < len(parts):
        parts = [*parts[: int(limit) - 1], text[int(limit) - 1 :]]
    budget.spend(len(parts))
    return parts


def _join(budget: Budget, items: list[Value], separator: str = "") -> str:
    for index, item in enumerate(items):
        if not isinstance(item, str):
            raise Failure(
                f"`join` cannot take {name_kind(kind_of(item))}, which is item {index}",
                'make texts first: `list.map(x, string(x)).join(", ")`',
            )
    budget.spend_text(sum(len(item) for item in items) + len(separator) * len(items))
    return separator.join(items)


def _quote(budget: Budget, text: str) -> str:
    import json

    budget.spend_text(len(text))
    return json.dumps(text, ensure_ascii=False)


def _format(budget: Budget, pattern: str, values: list[Value]) -> str:
    """Fill in `%s %d %f %e %x %X %o %b %%`. Source: cel-go, ext/formatting.go."""
    waiting = list(values)
    parts: list[str] = []
    end = 0
    for match in _DIRECTIVE.finditer(pattern):
        parts += (pattern[end : match.start()],)
        end = match.end()
        if match[2] == "%":
            parts.append("%")
            continue
        if not waiting:
            raise Failure("the text has more `%` than there are values", "write `%%` for a percent sign")
        parts.append(_format_one(budget, match[2], int(match[1]) if match[1] else None, waiting.pop(0)))
        budget.spend_text(len(parts[-1]))
    if "%" in pattern[end:]:
        raise Failure("the text ends behind `%`", "write `%%` for a percent sign")
    text = "".join((*parts, pattern[end:]))
    budget.spend_text(len(text))
    return text


def _format_one(budget: Budget, sign: str, digits: int | None, value: Any) -> str:
    if sign == "s":
        return write_text(value, budget)
    kind = kind_of(value)
    if sign in "dfe" and kind != "number":
        raise Failure(f"`%{sign}` cannot show {name_kind(kind)}", "write `%s`")
    if sign == "d":
        return write_number(value)
    if sign in "fe":
        return format(float(value), f".{6 if digits is None else digits}{sign}")
    if sign in "xX" and kind in ("string", "bytes"):
        text: str = (value.encode() if kind == "string" else value).hex()
        return text.upper() if sign == "X" else text
    if sign in "xXob" and kind in ("number", "bool") and value == int(value):
        return format(int(value), sign)
    if sign in "xXob":
        raise Failure(f"`%{sign}` cannot show {name_kind(kind)} like this one", "give it a whole number")
    raise Failure(f"`%{sign}` is not known in `format`", "use `%s`, `%d`, `%f`, `%e`, `%x`, `%o`, `%b` or `%%`")


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _base64_encode(budget: Budget, value: str | bytes) -> str:
    budget.spend_text(len(value) * 2)
    return base64.b64encode(_as_bytes(value)).decode()


def _read_base64(budget: Budget, text: str) -> bytes:
    """Read both alphabets, with and without `=` and line ends: all of them are met in practice."""
    budget.spend_text(len(text))
    plain = "".join(text.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Failure("the text is not Base64", "look at the value in the step's output") from None


def _base64_decode(budget: Budget, text: str) -> str:
    return read_utf8(_read_base64(budget, text))


def read_utf8(data: bytes) -> str:
    """Return bytes as text, or fail."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Failure("the bytes are not UTF-8 text", "keep them as Base64") from None


def _url_encode(budget: Budget, text: str) -> str:
    budget.spend_text(len(text) * 3)
    return quote(text, safe="")


def _reverse(_budget: Budget, value: Any) -> Any:
    return value[::-1]


FUNCTIONS: Final = (
    describe("contains", "method", "string string -> bool", lambda _, text, part: part in text),
    describe("startsWith", "method", "string string -> bool", lambda _, text, part: text.startswith(part)),
    describe("endsWith", "method", "string string -> bool", lambda _, text, part: text.endswith(part)),
    describe("matches", "both", "string string -> bool", _matches),
    describe("charAt", "method", "string number -> string", _char_at),
    describe("indexOf", "method", "string string number? -> int", _index_of),
    describe("lastIndexOf", "method", "string string number? -> int", _last_index_of),
    describe("lowerAscii", "method", "string -> string", lambda _, text: text.translate(_ASCII_LOWER)),
    describe("upperAscii", "method", "string -> string", lambda _, text: text.translate(_ASCII_UPPER)),
    describe("trim", "method", "string -> string", lambda _, text: text.strip()),
    describe("substring", "method", "string number number? -> string", _substring),
    describe("replace", "method", "string string string number? -> string", _replace),
    describe("split", "method", "string string number? -> list", _split),
    describe("join", "method", "list string? -> string", _join),
    describe("format", "method", "string list -> string", _format),
    describe("reverse", "method", "string|list -> $0", _reverse),
    describe("strings.quote", "function", "string -> string", _quote),
    describe("base64_encode", "both", "string|bytes -> string", _base64_encode),
    describe("base64_decode", "both", "string -> string", _base64_decode),
    describe("base64.encode", "function", "bytes -> string", _base64_encode),
    describe("base64.decode", "function", "string -> bytes", _read_base64),
    describe("sha256", "both", "string|bytes -> string", lambda _, value: hashlib.sha256(_as_bytes(value)).hexdigest()),
    describe("url_encode", "both", "string -> string", _url_encode),
)
