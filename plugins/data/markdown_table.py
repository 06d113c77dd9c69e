"""A list of objects as a Markdown table.

Owns the escaping and the alignment (GitHub Flavored Markdown, section 4.10). Pure; knows nothing of actions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from .csv_text import collect_columns, write_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.plugin import Json

_LINE_END: Final = re.compile(r"\r\n|\r|\n")


def format_markdown_table(items: Sequence[dict[str, Any]], *, columns: Sequence[str] = ()) -> str:
    """Return the table with a header, or empty text when there are no columns. Columns that hold only numbers are set to the right.

    Args:
        columns: which, in which order; empty is every key, in the order in which they first come.
    """
    names = list(columns) or collect_columns(items)
    if not names:
        return ""
    lines = [_write_row(names), _write_row([_rule([item.get(name) for item in items]) for name in names])]
    lines += [_write_row([write_cell(item.get(name)) for name in names]) for item in items]
    return "".join(f"{line}\n" for line in lines)


def _write_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_LINE_END.sub('<br>', cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _rule(values: Sequence[Json]) -> str:
    """Return the cell below the header: `---:` sets the column to the right."""
    present = [value for value in values if value is not None]
    is_numeric = bool(present) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in present
    )
    return "---:" if is_numeric else "---"
