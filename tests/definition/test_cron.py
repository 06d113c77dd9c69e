from datetime import UTC, datetime

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from ipaas.definition.cron import normalize_cron
from ipaas.errors import InputError


@pytest.mark.parametrize(
    "text, plain",
    [
        ("0 7 * * mon-fri", "0 7 * * mon-fri"),
        ("  0   7 *  * MON ", "0 7 * * mon"),
        ("*/15 8-18/2 1,15 jan-mar *", "*/15 8-18/2 1,15 jan-mar *"),
        ("0 0 L * *", "0 0 l * *"),
        ("0 9 * * mon#2", "0 9 * * mon#2"),
        ("0 0 * * fri-mon", "0 0 * * fri-mon"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 30 2 mon", "0 0 30 2 mon"),
        ("@daily", "0 0 * * *"),
        ("0 0 * * 1-1", "0 0 * * 1"),
    ],
)
def test_expressions_are_put_into_one_form(text: str, plain: str) -> None:
    """Spaces, case, aliases and ranges of one do not matter; croniter would take `1-1` for every day."""
    assert normalize_cron(text) == plain


@pytest.mark.parametrize(
    "text, message, hint",
    [
        ("* * * * * *", "a cron expression has five fields, not 6", "write minute, hour, day of month, month, day of week: `0 7 * * mon-fri`; for seconds use `every: 10s`"),
        ("* * *", "a cron expression has five fields, not 3", "write minute, hour, day of month, month, day of week: `0 7 * * mon-fri`"),
        ("0 0 30 2 *", "`0 0 30 2 *` never fires: the month has no such day", "`L` is the last day of any month"),
        ("0 0 31 4,6,9,11 *", "`0 0 31 4,6,9,11 *` never fires: the month has no such day", "`L` is the last day of any month"),
        ("0 0 * 2 mon#5", "`0 0 * 2 mon#5` does not fire within five years: few Februaries have a fifth one", "write `#4`, or `L` as the day"),
        ("*/60 * * * *", "the step of `*/60` is wider than its range", "for longer intervals write the time itself, or use `every:`"),
        ("0-10/20 * * * *", "the step of `0-10/20` is wider than its range", "for longer intervals write the time itself, or use `every:`"),
        ("50-59/20 * * * *", "the step of `50-59/20` is wider than its range", "for longer intervals write the time itself, or use `every:`"),
        ("*/0 * * * *", "the step of `*/0` is 0", "for longer intervals write the time itself, or use `every:`"),
        ("0 25 * * *", "`25` is no hour", "write 0 to 23"),
        ("0 0 0 * *", "`0` is no day of month", "write 1 to 31"),
        ("R * * * *", "`r` is no minute", "write the time itself: a schedule is the same on every server"),
        ("H/5 * * * *", "`h` is no minute", "write the time itself: a schedule is the same on every server"),
        ("R(1-5) * * * *", "`r(1-5)` cannot be the minute", "write the time itself: a schedule is the same on every server"),
        ("0 0 15W * *", "`15w` cannot be the day of month", "nearest weekdays are not possible: choose a day, and ask for the weekday with `if:`"),
        ("0 0 * * 5L", "`5l` cannot be the day of week", "last weekdays are not possible: run on each, and ask for the date with `if:`"),
        ("0 0 ? * *", "`?` cannot be the day of month", "write `*`"),
        ("0 0 * * monday", "`monday` is no day of week", "did you mean `mon`?"),
        ("0 0 * * mno", "`mno` is no day of week", "did you mean `mon`?"),
        ("0 22-6 * * *", "the range `22-6` runs backwards", "write `22-23,0-6`"),
        ("0 0 * * mon#6", "`mon#6`: a month has a first to a fifth mon", "write 1 to 5 behind `#`"),
        ("0 0 * * mon#1,fri", "`mon#1,fri` mixes days with and without `#`", "make a trigger of each"),
        ("@dayly", "`@dayly` is not known", "did you mean `@daily`?"),
        ("0 " * 200, "the cron expression is longer than 256 characters", "make several triggers of it"),
    ],
)  # fmt: skip
def test_impossible_schedules_are_refused(text: str, message: str, hint: str) -> None:
    """What never fires, what is random and what croniter would misread is refused with a cure."""
    with pytest.raises(InputError) as caught:
        normalize_cron(text)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.tuples(number, number).map(sorted)
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.lists(number.map(str), min_size=1, max_size=3).map(",".join),
        pair.map(lambda two: f"{two[0]}-{two[1]}"),
        st.tuples(pair, st.integers(1, high)).map(lambda each: f"{each[0][0]}-{each[0][1]}/{each[1]}"),
        st.integers(1, high).map(lambda step: f"*/{step}"),
    )


@given(st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)).map(" ".join))
def test_what_passes_fires_within_five_years(text: str) -> None:
    """croniter finds an instant for whatever is not refused."""
    try:
        plain = normalize_cron(text)
    except InputError:
        return
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = croniter(plain, start).get_next(datetime)
    assert (found - start).days <= 5 * 366


@given(st.text(st.sampled_from("0123456789*/-,#lLwWrRhH? monfri@"), max_size=40) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises anything but an input error, and what passes is valid for croniter."""
    try:
        plain = normalize_cron(text)
    except InputError:
        return
    assert croniter.is_valid(plain)
