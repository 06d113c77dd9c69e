"""The board on a terminal, redrawn while a run goes on.

Owns the drawing with rich and the observer that feeds the board. Imported only when there is a terminal to draw on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.live import Live
from rich.table import Table
from rich.text import Text

from ipaas.cli.board import Board
from ipaas.cli.output import STATE_STYLES, show_text

if TYPE_CHECKING:
    from rich.console import Console

    from ipaas.cli.board import Row
    from ipaas.clock import Clock
    from ipaas.run import LogLine, Run, StepResult

REDRAW_S: Final = 0.1
"""Seconds between two drawings: smooth enough for durations, a few per cent of a core."""

_SIGNS: Final = {"running": "▸", "succeeded": "✓", "failed": "✗", "skipped": "-", "cancelled": "■"}
_PLAIN_SIGNS: Final = {"running": ">", "succeeded": "+", "failed": "x", "skipped": "-", "cancelled": "#"}


class LiveBoard:
    """An observer that draws one run and the runs that it starts. `keep_drawing` runs beside the run, in the same thread.

    Args:
        console: a terminal.
        clock: says until when running steps have been running.
    """

    def __init__(self, console: Console, clock: Clock) -> None:
        self._clock = clock
        self._boards: dict[str, tuple[str, Board]] = {}
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def run_changed(self, run: Run) -> None:
        """Begin a board for a run that is new; a run that it starts gets its own."""
        self._boards.setdefault(run.id, (run.workflow, Board()))

    def step_changed(self, run: Run, result: StepResult) -> None:
        """Take a result."""
        self.run_changed(run)
        self._boards[run.id][1].update(result)

    def line_logged(self, run: Run, line: LogLine) -> None:
        """Print a step's log line above the board."""
        text = Text(f"{line.level:<7} ", style={"warning": "yellow", "error": "red"}.get(line.level, "dim"))
        text.append(show_text(f"{line.step}: {line.message}" if line.step else line.message), style="default")
        self._live.console.print(text)

    async def keep_drawing(self) -> None:
        """Redraw until cancelled; then take the drawing away."""
        with self._live as live:
            while True:
                live.update(self.draw(), refresh=True)
                await self._clock.sleep(REDRAW_S)

    def draw(self) -> Table:
        """Return everything as it is now."""
        now = self._clock.now()
        several = len(self._boards) > 1
        rows: list[tuple[str, Row | None]] = []
        for workflow, board in self._boards.values():
            rows += [(workflow, None)] if several else []
            rows += [(workflow, row) for row in board.list_rows(now)]
        return draw_rows(
            rows, unicode=self._live.console.encoding.startswith("utf"), height=self._live.console.height - 2
        )


def draw_rows(rows: list[tuple[str, Row | None]], *, unicode: bool, height: int | None = None) -> Table:
    """Return rows as a table.

    Args:
        rows: (workflow, row); a row of None is the workflow's own line.
        unicode: whether the terminal can show signs beyond ASCII.
        height: lines that fit; what is over is left out at the top, because the end is where things happen.
    """
    table = Table.grid(padding=(0, 2))
    signs = _SIGNS if unicode else _PLAIN_SIGNS
    left_out = max(0, len(rows) - height) if height is not None else 0
    if left_out:
        table.add_row(Text(f"… {left_out} more lines" if unicode else f"... {left_out} more lines", style="dim"))
    for workflow, row in rows[left_out:]:
        if row is None:
            table.add_row(Text(workflow, style="bold"))
            continue
        style = STATE_STYLES.get(row.status, "")
        name = Text("  " * row.depth + f"{signs.get(row.status, ' ')} ", style=style)
        name.append(show_text(row.label), style="default")
        tries = f"{row.attempts} tries" if row.attempts > 1 else ""
        note = Text(show_text(row.note), style=style or "dim", overflow="ellipsis", no_wrap=True)
        table.add_row(name, Text(row.action, style="dim"), Text(row.took), Text(tries, style="yellow"), note)
    return table
