import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.definition.durations import format_duration, parse_duration
from ipaas.errors import InputError


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("500ms", 0.5),
        ("2s", 2.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("2d", 172_800.0),
        ("0s", 0.0),
        ("1m0s250ms", 60.25),
    ],
)
def test_durations_of_the_language_are_read(text: str, seconds: float) -> None:
    """The forms that the language names mean what they say."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text, hint",
    [
        ("30", "write the unit: `30s` for seconds, `30m` for minutes"),
        ("1.5h", "use whole numbers and smaller units: `1h30m`, `1500ms`"),
        ("5 m", "write `5m`"),
        ("30m1h", "write it like `500ms`, `2s`, `5m`, `1h30m`, `2d`, largest unit first"),
        ("", "write it like `500ms`, `2s`, `5m`, `1h30m`, `2d`, largest unit first"),
        ("-5s", "write it like `500ms`, `2s`, `5m`, `1h30m`, `2d`, largest unit first"),
        ("٣s", "write it like `500ms`, `2s`, `5m`, `1h30m`, `2d`, largest unit first"),
        ("3651d", "write at most `3650d`"),
    ],
)
def test_what_is_no_duration_is_refused_with_a_cure(text: str, hint: str) -> None:
    """Each common slip gets the notation that was meant."""
    with pytest.raises(InputError) as caught:
        parse_duration(text)
    assert caught.value.hint == hint


def test_a_refused_text_is_shown_on_one_line() -> None:
    """A line end inside the text does not break the message."""
    with pytest.raises(InputError) as caught:
        parse_duration("1\nh")
    assert caught.value.message == "`1 h` is not a duration"


@given(st.integers(0, 3650 * 86_400_000))
def test_what_is_formatted_is_read_back(milliseconds: int) -> None:
    """Formatting and parsing are inverse to the millisecond."""
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds
