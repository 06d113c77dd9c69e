"""Rows of text in columns, and how they are fitted to a terminal.

Owns `align` and `fit_table`. Pure; knows nothing of values, styles and streams. `ipaas.cli.output` prints what it returns.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GAP: Final = 2
"""Blanks between two columns."""
MIN_LAST: Final = 20
"""Characters that the last column must have beside the others; with fewer it goes beneath."""
INDENT: Final = "    "
"""Before what stands beneath a row."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table.

    Attributes:
        text: without an end of line.
        row: index of the row it belongs to; None for the headers.
        spans: (column, start, end) of each cell in the text.
    """

    text: str
    row: int | None
    spans: tuple[tuple[int, int, int], ...] = ()


def align(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines with aligned columns, two blanks apart, no blanks at the end."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def fit_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], width: int, spare: Sequence[int] = ()
) -> Iterator[Line]:
    """Yield the lines of a table for a terminal.

    Columns of `spare` are left out as long as the rest is too wide. The last column is wrapped in what the others leave of the line;
    when that is too little, it goes beneath its row. Nothing else is ever broken: what is still too wide is left to the terminal.

    Args:
        headers: one a column.
        rows: cells of one line each.
        width: of the terminal, in characters.
        spare: columns to do without, the first one first.
    """
    last = len(headers) - 1
    widths = [max(len(row[column]) for row in [headers, *rows]) for column in range(len(headers))]
    wanted = min(widths[last], MIN_LAST)
    shown = list(range(last))

    def measure() -> int:
        return sum(widths[column] + GAP for column in shown)

    beneath = measure() - sum(widths[column] + GAP for column in spare) + wanted > width
    room = width + GAP if beneath else width - wanted
    for column in spare:
        if measure() > room:
            shown.remove(column)
    start = measure()
    for index, row in enumerate([headers, *rows], start=-1):
        text = "".join(row[column].ljust(widths[column] + GAP) for column in shown)
        ends = accumulate(widths[column] + GAP for column in shown)
        spans = [(column, end - widths[column] - GAP, row[column]) for column, end in zip(shown, ends, strict=True)]
        first, *more = (
            ["", *_wrap(row[last], width - len(INDENT))] if beneath else _wrap(row[last], width - start) or [""]
        )
        yield Line(
            (text + first).rstrip(),
            index if index >= 0 else None,
            tuple((column, at, at + len(cell)) for column, at, cell in [*spans, (last, start, first)]),
        )
        if index >= 0:  # headers that have no room are left out
            yield from (Line((INDENT if beneath else " " * start) + part, index) for part in more)


def _wrap(text: str, width: int) -> list[str]:
    """Break text between words; ids and paths stay whole as long as they fit."""
    return textwrap.wrap(text, max(width, MIN_LAST), break_on_hyphens=False)
