import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ipaas.cli.board import MAX_CHILDREN, Board, Row, split_path
from ipaas.cli.live import draw_rows
from ipaas.run import RunError, StepResult, StepStatus

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def result(
    path: str, status: StepStatus = "succeeded", *, message: str = "", attempts: int = 1, seconds: float = 1
) -> StepResult:
    return StepResult(
        path=path,
        step=path,
        status=status,
        action="flow.log",
        attempts=attempts,
        error=RunError(type="timeout", message=message) if message else None,
        started_at=START,
        finished_at=None if status == "running" else START + timedelta(seconds=seconds),
    )


def rows(*results: StepResult) -> list[Row]:
    board = Board()
    for each in results:
        board.update(each)
    return board.list_rows(START + timedelta(seconds=3))


@pytest.mark.parametrize(
    "path, parts",
    [
        ("orders", ["orders"]),
        ("tell[3]", ["tell", "[3]"]),
        ("both/left", ["both", "/left"]),
        ("poll#2/check", ["poll", "#2", "/check"]),
        ("tell[3]/deep#1/x[0]", ["tell", "[3]", "/deep", "#1", "/x", "[0]"]),
    ],
)
def test_path_is_split_at_each_level(path: str, parts: list[str]) -> None:
    """Sums of the parts are the paths of the parents."""
    assert split_path(path) == parts


@given(st.lists(st.sampled_from(["a", "/b", "[1]", "#2"]), min_size=1))
def test_parts_add_up_to_the_path(parts: list[str]) -> None:
    """Nothing of a path is lost."""
    path = "a" + "".join(parts)
    assert "".join(split_path(path)) == path


def test_children_hang_under_their_parents() -> None:
    """Items, branches and iterations are indented under their step, in order of appearance."""
    labels = [
        (row.depth, row.label)
        for row in rows(result("a"), result("b/left"), result("a[0]"), result("b"), result("b/right"), result("c#1/x"))
    ]
    assert labels == [(0, "a"), (1, "[0]"), (0, "b"), (1, "left"), (1, "right"), (0, "c"), (1, "#1"), (2, "x")]


def test_row_tells_state_time_and_error() -> None:
    """A row has status, action, duration, tries and the error; a running one counts up to now."""
    assert rows(result("a", "failed", message="slow", attempts=3), result("b", "running")) == [
        Row(0, "a", "failed", "flow.log", "1.0s", 3, "slow"),
        Row(0, "b", "running", "flow.log", "3.0s", 1, ""),
    ]


def test_newest_result_counts() -> None:
    """A step that was running and ended has one row."""
    assert [row.status for row in rows(result("a", "running"), result("a", "succeeded"))] == ["succeeded"]


def test_many_items_are_folded() -> None:
    """Of many items those that run or failed are shown, the rest is counted."""
    items = [result(f"a[{index}]") for index in range(100)]
    items[7] = result("a[7]", "failed", message="x")
    items[42] = result("a[42]", "running")
    shown = rows(result("a", "running"), *items)
    assert len(shown) == 1 + MAX_CHILDREN + 1
    assert {"[7]", "[42]"} <= {row.label for row in shown}
    assert shown[0].note == "99 done of 100 begun"
    assert shown[-1] == Row(1, "…", note="and 92 succeeded")


def draw(board_rows: list[Row], *, unicode: bool = True, height: int | None = None, colour: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=80, force_terminal=colour, color_system="standard" if colour else None)
    console.print(draw_rows([("w", row) for row in board_rows], unicode=unicode, height=height))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_drawing_has_signs_for_states() -> None:
    """Each status has its sign, also where only ASCII can be shown."""
    board_rows = rows(result("a"), result("b", "failed", message="slow", attempts=2))
    assert draw(board_rows) == ["✓ a  flow.log  1.0s", "✗ b  flow.log  1.0s  2 tries  slow"]
    assert draw(board_rows, unicode=False) == ["+ a  flow.log  1.0s", "x b  flow.log  1.0s  2 tries  slow"]


def test_drawing_fits_the_terminal() -> None:
    """When there are more rows than lines, the first are left out and counted."""
    lines = draw(rows(*(result(name) for name in "abcdef")), height=3)
    assert lines[0] == "… 3 more lines"
    assert len(lines) == 4


def test_message_cannot_bring_markup_or_escapes() -> None:
    """An upstream's error text is shown as text: no rich markup, no escape sequence."""
    (line,) = draw(rows(result("a", "failed", message="[red]x[/] \x1b[2J")))
    assert line.endswith("[red]x[/] \\x1b[2J")
