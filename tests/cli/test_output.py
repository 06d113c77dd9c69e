import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.cli.output import (
    print_facts,
    print_json,
    print_table,
    show_duration,
    show_time,
    to_json_text,
    to_plain,
)
from ipaas.controls import escape_controls
from ipaas.model import Place
from ipaas.run import RunError

WHEN = datetime(2026, 3, 1, 13, 0, 0, 5000, tzinfo=timezone(timedelta(hours=1)))


def test_values_become_plain_json() -> None:
    """Dataclasses are objects, times are UTC with `Z`, places are `file:line:column`, sets are sorted lists."""
    error = RunError(type="timeout", message="slow", place=Place("a.yaml", 3, 5))
    assert to_plain({"error": error, "at": WHEN, "states": frozenset({"b", "a"})}) == {
        "error": {
            "type": "timeout",
            "message": "slow",
            "step": "",
            "attempt": 0,
            "place": "a.yaml:3:5",
            "hint": "",
            "retry_after_s": None,
        },
        "at": "2026-03-01T12:00:00.005000Z",
        "states": ["a", "b"],
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    )
)
def test_printed_json_is_the_value_and_moves_no_cursor(value: object) -> None:
    """What is printed reads back as the value, and no line has a character that a terminal obeys."""
    text = to_json_text(value)
    assert json.loads(text) == value
    assert all(escape_controls(line) == line for line in text.split("\n"))


def test_table_in_a_pipe_is_aligned_text(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe a table is aligned columns without colours, and control characters are written out."""
    print_table(["ID", "STATE"], [["orders", "active"], ["a\x1b[31m", ""]], styles={1: {"active": "green"}})
    assert capsys.readouterr().out == "ID         STATE\norders     active\na\\x1b[31m\n"


def test_empty_table_shows_its_headers(capsys: pytest.CaptureFixture[str]) -> None:
    """No rows: the headers alone, so that it is clear what there is none of."""
    print_table(["ID", "STATE"], [])
    assert capsys.readouterr().out == "ID  STATE\n"


def test_facts_leave_out_what_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    """Names and values are aligned; an empty value has no line."""
    print_facts({"id": "orders", "labels": "", "description": "x"})
    assert capsys.readouterr().out == "id:           orders\ndescription:  x\n"


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list is `[]`, with one end of line."""
    print_json([])
    assert capsys.readouterr().out == "[]\n"


@pytest.mark.parametrize(
    "seconds, expected",
    [
        (0, "0ms"),
        (0.34, "340ms"),
        (0.9996, "1.0s"),
        (2.5, "2.5s"),
        (59.96, "1m00s"),
        (185, "3m05s"),
        (3600, "1h00m"),
        (7800, "2h10m"),
    ],
)
def test_durations_read_easily(seconds: float, expected: str) -> None:
    """A duration has the unit that fits it, and rounding never shows `60.0s`."""
    assert show_duration(timedelta(seconds=seconds)) == expected


def test_time_is_shown_in_utc() -> None:
    """Times of tables are UTC and say so."""
    assert show_time(WHEN) == "2026-03-01 12:00:00Z"
    assert show_time(None) == ""
    assert show_time(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01 00:00:00Z"
