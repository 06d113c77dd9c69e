from hypothesis import given
from hypothesis import strategies as st

from ipaas.cli.columns import align, fit_table

HEADERS = ["ID", "STATE", "TRIGGER", "WHY"]
ID = "run_01m854tnahg7esb5pfegxjaenq"
WHY = "out of stock: pens, ink, paper and more that nobody remembers"


def draw(width: int, *rows: list[str]) -> list[str]:
    return [line.text for line in fit_table(HEADERS, rows, width, spare=[2])]


def test_wide_terminal_has_everything_in_one_line() -> None:
    """With room for all, a row is a line."""
    assert draw(120, [ID, "failed", "daily", WHY]) == [
        f"{'ID':30}  STATE   TRIGGER  WHY",
        f"{ID}  failed  daily    {WHY}",
    ]


def test_spare_columns_give_way_first() -> None:
    """A column that a narrow terminal can do without is left out before the last one is moved, which is wrapped."""
    assert draw(60, [ID, "failed", "daily", WHY]) == [
        f"{'ID':30}  STATE   WHY",
        f"{ID}  failed  out of stock: pens,",
        f"{'':40}ink, paper and more",
        f"{'':40}that nobody",
        f"{'':40}remembers",
    ]


def test_long_text_goes_beneath_its_row() -> None:
    """Where no room is left beside the others, the last column stands beneath, and its header is left out."""
    assert draw(44, [ID, "queued", "daily", ""], [ID, "failed", "daily", WHY]) == [
        f"{'ID':30}  STATE",
        f"{ID}  queued",
        f"{ID}  failed",
        "    out of stock: pens, ink, paper and more",
        "    that nobody remembers",
    ]


@given(
    st.lists(st.lists(st.text("ab-/", min_size=1, max_size=40), min_size=4, max_size=4), max_size=4),
    st.integers(1, 200),
)
def test_no_cell_but_the_last_is_ever_broken(rows: list[list[str]], width: int) -> None:
    """Whatever the width, each cell that is shown is whole where its span says, and the first column is always shown."""
    seen = set()
    for line in fit_table(HEADERS, rows, width, spare=[2, 1]):
        cells = HEADERS if line.row is None else rows[line.row]
        for column, start, end in line.spans[:-1]:
            assert line.text[start:end] == cells[column]
            seen.add((line.row, column))
    assert {(row, 0) for row in [None, *range(len(rows))]} <= seen


@given(
    st.lists(st.lists(st.text("ab", max_size=15), min_size=4, max_size=4), max_size=4),
    st.text("ab ", max_size=200),
    st.integers(70, 200),
)
def test_what_fits_stays_inside(rows: list[list[str]], why: str, width: int) -> None:
    """When the columns can fit, no line is longer than the terminal is wide."""
    lines = fit_table(HEADERS, [[*row[:3], why] for row in rows], width, spare=[2])
    assert max(len(line.text) for line in lines) <= width


def test_align_of_nothing_is_nothing() -> None:
    """No rows, no lines."""
    assert align([]) == ""
