"""How answers look: JSON for programs, tables for people.

Owns `to_plain` (our values as JSON), `print_json`, `print_table`, `print_facts` and what a terminal is; how a table is fitted to a
terminal is in `ipaas.cli.columns`. Knows words only. Every command prints through it. Answers go to standard output; `say` writes what is said about them to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

from ipaas.cli.columns import align, fit_table
from ipaas.cli.secrets import get_redactor
from ipaas.controls import escape_controls
from ipaas.model import Deferred, Place

STATE_STYLES: Final = {
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "interrupted": "red",
    "dead_letter": "red",
    "cancelled": "yellow",
    "skipped": "dim",
    "running": "cyan",
    "waiting": "cyan",
    "queued": "dim",
    "active": "green",
    "inactive": "yellow",
}
"""State → rich style."""


def is_terminal(stream: IO[str]) -> bool:
    """Return whether a person looks at the stream and it can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def to_plain(value: object) -> object:
    """Return our values as plain JSON: dataclasses as objects, times in ISO 8601 with `Z`, places as `file:line:column`."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Place | Path):
        return str(value)
    if isinstance(value, Deferred):
        return value.text
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(part) for key, part in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(str(part) for part in value)
    if isinstance(value, list | tuple):
        return [to_plain(part) for part in value]
    return value


def to_json_text(value: object) -> str:
    """Return indented JSON without an end of line; secrets are taken out, what a terminal could obey is escaped."""
    plain: Any = to_plain(value)
    text = json.dumps(get_redactor()(plain), indent=2, ensure_ascii=False)
    return "\n".join(escape_json_line(line) for line in text.split("\n"))


def escape_json_line(line: str) -> str:
    r"""Escape what JSON allows bare but a terminal or a decoder does not (`\x7f`, `\u202e`, lone surrogates), as JSON does."""
    escaped = escape_controls(line)
    if escaped is line:
        return line
    return "".join(char if escape_controls(char) is char else f"\\u{ord(char):04x}" for char in line)


def show_text(text: str) -> str:
    """Return text as one line that may be printed: without secrets, with control characters written out."""
    return escape_controls(get_redactor().text(text))


def print_json(value: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(to_json_text(value) + "\n")


def say(text: str) -> None:
    """Say something about the answer, on standard error."""
    sys.stderr.write("".join(f"{show_text(line)}\n" for line in text.splitlines()))


def print_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    styles: Mapping[int, Mapping[str, str]] | None = None,
    spare: Sequence[int] = (),
) -> None:
    """Print rows in columns, aligned: on a terminal fitted to its width, elsewhere whole.

    A cell is never broken, so that an id can be copied. Only the last column, which is text of any length, gives way: see `fit_table`.

    Args:
        headers: one a column.
        rows: cells as text, as many as headers.
        styles: column index → cell text → rich style, for a terminal.
        spare: columns that a narrow terminal may do without, the first one first.
    """
    cells = [[show_text(cell) for cell in row] for row in rows]
    if not is_terminal(sys.stdout):
        sys.stdout.write(align([list(headers), *cells]))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for line in fit_table(headers, cells, console.width, spare):
        text = Text(line.text, style="bold" if line.row is None else "")
        for column, start, end in line.spans if line.row is not None else ():
            text.stylize((styles or {}).get(column, {}).get(line.text[start:end], ""), start, end)
        console.print(text, soft_wrap=True)


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and values, one a line; empty values are left out."""
    sys.stdout.write(align([[f"{name}:", show_text(value)] for name, value in facts.items() if value]))


def show_time(when: datetime | None) -> str:
    """Return a time as people read it, in UTC: `2026-03-01 12:00:00Z`."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if when is not None else ""


def show_duration(duration: timedelta | float | None) -> str:
    """Return a duration (or seconds) as people read it: `340ms`, `2.5s`, `3m05s`, `2h10m`."""
    if duration is None:
        return ""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"
