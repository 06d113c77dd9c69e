"""CSV: text to a list of objects and back, as RFC 4180 and spreadsheets have it.

Owns header, quoting, ragged rows and what counts as a number. Pure; knows nothing of actions.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final

from ipaas.plugin import Fatal

from .json_text import format_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.plugin import Json

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")
"""JSON's number; so `007`, a post code or a telephone number that begins with 0, stays text."""

_MAX_WHOLE: Final = 2**53
"""Beyond it JSON readers lose digits, so a column of long identifiers stays text."""

_MAX_CELL: Final = 16 * 1024 * 1024
"""Characters in a cell. The parser's own limit is 128 KiB, and cells that hold documents are longer; the text is bounded before."""

Row = dict[str, "Json"]


def parse_csv(
    text: str,
    *,
    delimiter: str = ",",
    quote: str = '"',
    columns: Sequence[str] = (),
    numbers: bool | Sequence[str] = False,
) -> list[Row]:
    """Return one object for each row, its keys the column names. Blank lines are skipped, a byte order mark too.

    Args:
        text: its first row is the header, unless `columns` names the columns.
        delimiter: one character.
        quote: one character, doubled within a quoted cell.
        columns: names for text without a header row.
        numbers: true turns each column that holds only numbers (and empty cells, which become null) into numbers;
            a list of names does so for these columns and refuses anything else in them.

    Raises:
        Fatal: of type `validation`, with the line of the text.
    """
    check_marks(delimiter, quote)
    rows = _read_rows(text.removeprefix("\ufeff"), delimiter, quote)
    if columns:
        names = list(columns)
    elif rows:
        names = rows.pop(0)[1]
    else:
        return []
    _check_names(names, "`columns`" if columns else "the header")
    for line, cells in rows:
        if len(cells) != len(names):
            raise Fatal(
                f"line {line} has {_count(len(cells), 'cell')}, {'`columns`' if columns else 'the header'} has {len(names)}",
                type="validation",
                hint=_ragged_hint(names, delimiter),
            )
    converted = _convert_columns(names, rows, numbers)
    if not converted:
        return [dict(zip(names, cells, strict=True)) for _, cells in rows]
    found: list[Row] = []
    for index, (_, cells) in enumerate(rows):
        row: Row = dict(zip(names, cells, strict=True))
        for name, column in converted.items():
            row[name] = column[index]
        found.append(row)
    return found


def _read_rows(text: str, delimiter: str, quote: str) -> list[tuple[int, list[str]]]:
    """Return each row that is not blank with the line on which it begins, from 1."""
    csv.field_size_limit(_MAX_CELL)  # one value for the whole process, always this one
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            if cells:
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise Fatal(
            f"not CSV at line {line}: {error}",
            type="validation",
            hint=f"write a {quote} within a quoted cell twice, and close each quoted cell",
        ) from None
    return rows


def _convert_columns(
    names: Sequence[str], rows: Sequence[tuple[int, list[str]]], wanted: bool | Sequence[str]
) -> dict[str, list[Json]]:
    """Return the columns that become numbers."""
    if wanted is False:
        return {}
    required = [] if isinstance(wanted, bool) else list(wanted)
    for name in required:
        if name not in names:
            listed = ", ".join(f"`{known}`" for known in names)
            raise Fatal(
                f"`numbers` names the column `{name}`, which is not there",
                type="validation",
                hint=f"the columns are {listed}",
            )
    converted: dict[str, list[Json]] = {}
    for position, name in enumerate(names):
        if required and name not in required:
            continue
        column: list[Json] = []
        for line, cells in rows:
            cell = cells[position].strip()
            number = _to_number(cell)
            if number is None and cell:
                if required:
                    raise Fatal(
                        f"line {line} has `{cell[:40]}` in the column `{name}`, which is not a number",
                        type="validation",
                        hint="leave the column out of `numbers`, or mend the row",
                    )
                break
            column.append(number)
        else:
            if any(value is not None for value in column) or required:
                converted[name] = column
    return converted


def _to_number(cell: str) -> int | float | None:
    """Return the number that the cell is, or None when it is none or would lose digits."""
    if _NUMBER.fullmatch(cell) is None:
        return None
    if cell.lstrip("-").isdigit():
        whole = int(cell) if len(cell) <= 17 else _MAX_WHOLE + 1
        return whole if abs(whole) <= _MAX_WHOLE else None
    fraction = float(cell)
    return None if fraction in (float("inf"), float("-inf")) else fraction


def _check_names(names: Sequence[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Fatal(
                f"{where} has the column `{name}` twice",
                type="validation",
                hint="rename one; `columns` gives names to text without a header",
            )
        seen.add(name)


def _ragged_hint(names: Sequence[str], delimiter: str) -> str:
    if len(names) == 1:
        for other in (";", "\t", ",", "|"):
            if other != delimiter and other in names[0]:
                shown = "\\t" if other == "\t" else other
                return f'the cells seem to be parted by `{shown}`: set `delimiter: "{shown}"`'
    return f"quote cells that contain `{delimiter}`, and give each row the same number of cells"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def format_csv(
    items: Sequence[dict[str, Any]],
    *,
    columns: Sequence[str] = (),
    delimiter: str = ",",
    quote: str = '"',
    header: bool = True,
) -> str:
    """Return the objects as CSV, lines ended by a line feed. Null and missing are empty; lists and objects are written as JSON.

    Args:
        columns: which, in which order, other keys being left out; empty is every key, in the order in which they first come.

    Raises:
        Fatal: of type `validation` when delimiter, quote or columns are impossible.
    """
    check_marks(delimiter, quote)
    names = list(columns) or collect_columns(items)
    _check_names(names, "`columns`")
    if not names:
        return ""
    rows = [[write_cell(item.get(name)) for name in names] for item in items]
    # The standard library's writer leaves a lone carriage return bare, which no reader takes as part of the cell.
    special = re.compile(f"[{re.escape(delimiter + quote)}\r\n\ufeff]")
    lines: list[str] = []
    for row in [names, *rows] if header else rows:
        cells = [f"{quote}{cell.replace(quote, quote * 2)}{quote}" if special.search(cell) else cell for cell in row]
        lines.append(delimiter.join(cells) or quote * 2)
    return "".join(f"{line}\n" for line in lines)


def collect_columns(items: Sequence[dict[str, Any]]) -> list[str]:
    """Return every key of the objects, in the order in which they first come."""
    names: dict[str, None] = {}
    for item in items:
        for name in item:
            names.setdefault(name)
    return list(names)


def write_cell(value: Json) -> str:
    """Return the value as a cell: text as it is, null empty, everything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else format_json(value)


def check_marks(delimiter: str, quote: str) -> None:
    """Raise `Fatal` of type `validation` unless the two are single, different characters that are no line ends."""
    for name, mark in (("delimiter", delimiter), ("quote", quote)):
        if len(mark) != 1 or mark in "\r\n\0":
            raise Fatal(f"`{name}` is `{mark!r}`, not one character", type="validation", hint='a tab is written "\\t"')
    if delimiter == quote:
        raise Fatal("`delimiter` and `quote` are the same character", type="validation")
