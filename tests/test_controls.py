"""Text of others, as it may be shown."""

import pytest

from ipaas.controls import escape_controls


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x00\x1b[31m\x7f\x9b", "\\x00\\x1b[31m\\x7f\\x9b"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("\u202a\u202eabc\u2066\u2069", "\\u202a\\u202eabc\\u2066\\u2069"),
        ("\ud800\udc80\udfff", "\\ud800\\udc80\\udfff"),
    ],
    ids=["line-ends", "terminal", "separators", "direction", "surrogates"],
)
def test_control_characters_are_written_out(hostile: str, shown: str) -> None:
    """What could forge a line, move a cursor, turn text around or break an encoding leaves as an escape."""
    assert escape_controls(hostile) == shown


@pytest.mark.parametrize("text", ["", "plain", "größer, 日本語, 🎉", "a\u00a0b"])
def test_other_text_is_itself(text: str) -> None:
    """Letters of every script stay, and nothing is copied."""
    assert escape_controls(text) is text
