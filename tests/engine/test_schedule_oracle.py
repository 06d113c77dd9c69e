from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from ipaas.engine.schedule import instants_after, instants_until
from ipaas.model import Cron
from tests.engine.cron_oracle import first_minute, list_due
from tests.engine.zone_changes import list_changes, list_zones

SPRINGY = (
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "America/Caracas",
    "Asia/Pyongyang",
    "Antarctica/Troll",
)
"""Zones that are known for trouble: midnight gaps, half hours, two hours, days that never were, winter as the exception."""


def days_of_interest() -> st.SearchStrategy[tuple[str, datetime]]:
    """Draw a zone, and an instant that is mostly near one of its changes."""
    zones = st.one_of(st.sampled_from(SPRINGY), st.sampled_from(list_zones()))

    def instants(zone: str) -> st.SearchStrategy[tuple[str, datetime]]:
        changes = list_changes(zone) or (datetime(2026, 1, 1, tzinfo=UTC),)
        near = st.builds(
            lambda change, hours: change + timedelta(hours=hours), st.sampled_from(changes), st.integers(-30, 6)
        )
        anywhere = st.datetimes(datetime(1973, 1, 1), datetime(2036, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
        return st.tuples(st.just(zone), st.one_of(near, near, anywhere))

    return zones.flatmap(instants)


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    """Draw one field of a cron expression: number, list, range, step."""
    number = st.integers(low, high)
    span = st.tuples(number, number).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: f"{pair[0]}-{pair[1]}")
    step = st.builds(lambda width: f"*/{width}", st.integers(1, high - low))
    return st.one_of(
        st.just("*"), number.map(str), span, step, st.lists(number.map(str), min_size=2, max_size=3).map(",".join)
    )


expressions = st.tuples(
    fields(0, 59),
    st.one_of(fields(0, 23), fields(0, 4)),
    st.one_of(st.just("*"), st.just("*"), fields(1, 28)),
    st.just("*"),
    st.one_of(st.just("*"), st.just("*"), fields(0, 6)),
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(days_of_interest(), expressions, st.integers(1, 60))
def test_instants_are_those_of_a_walk_over_every_minute(
    place: tuple[str, datetime], expression: str, hours: int
) -> None:
    """In any zone, near any change, an expression is due exactly when a minute-by-minute reading of the rule says so."""
    zone, near = place
    begin = first_minute(near)
    end = begin + timedelta(hours=hours)
    found = takewhile(lambda each: each <= end, instants_after(Cron(expression=expression, timezone=zone), begin))
    assert list(found) == list_due(expression, zone, begin, end)


@settings(max_examples=150, deadline=None)
@given(days_of_interest(), expressions, st.integers(1, 60 * 24))
def test_backwards_is_forwards_reversed(place: tuple[str, datetime], expression: str, hours: int) -> None:
    """Reading the instants of a stretch from its end gives the same ones."""
    zone, begin = place
    end = begin + timedelta(hours=hours)
    timing = Cron(expression=expression, timezone=zone)
    forwards = list(islice(takewhile(lambda each: each <= end, instants_after(timing, begin)), 200))
    if len(forwards) == 200:
        end = forwards[-1]
    assert list(instants_until(timing, end, begin))[::-1] == forwards


@settings(max_examples=100, deadline=None)
@given(days_of_interest(), expressions, st.integers(0, 59_999_999))
def test_every_instant_is_the_next_one_of_any_moment_before_it(
    place: tuple[str, datetime], expression: str, microseconds: int
) -> None:
    """Where the search begins does not matter: from anywhere between two instants the later one is next."""
    zone, begin = place
    timing = Cron(expression=expression, timezone=zone)
    first, second = islice(instants_after(timing, begin), 2)
    assert next(instants_after(timing, first)) == second
    between = max(first, second - timedelta(microseconds=microseconds + 1))
    assert next(instants_after(timing, between)) == second


def simulate(expression: str, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """Return what cronsim says, in UTC, each instant once."""
    found: Iterable[datetime] = (each.astimezone(UTC) for each in CronSim(expression, begin.astimezone(ZoneInfo(zone))))
    return sorted({each for each in takewhile(lambda each: each <= end, found) if each > begin})


def compare_around_changes(expression: str, zone: str, step: int) -> Iterator[datetime]:
    """Yield the changes of a zone in 20 years, every `step`th, around which cronsim does not agree."""
    timing = Cron(expression=expression, timezone=zone)
    days = timedelta(days=2)
    changes = [each for each in list_changes(zone) if 2008 <= each.year <= 2028]
    for change in changes[len(zone) % step :: step]:
        begin, end = change - days, change + days
        found = list(takewhile(lambda each, end=end: each <= end, instants_after(timing, begin)))  # type: ignore[misc]  # mypy loses `end`
        if found != simulate(expression, zone, begin, end):
            yield change


@pytest.mark.parametrize("expression", ["30 2 * * *", "0,30 0-3 * * *", "15 23,0 * * *"])
def test_fixed_times_agree_with_cronsim_in_every_zone(expression: str) -> None:
    """Around the changes of every zone, an independent library that follows Debian's rule names the same instants."""
    wrong = {zone: list(compare_around_changes(expression, zone, 5)) for zone in list_zones()}
    assert {zone: changes for zone, changes in wrong.items() if changes} == {}


@pytest.mark.parametrize("expression", ["10 * * * *", "*/20 * * * *", "15 */3 * * *"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney", "Europe/Dublin"])
def test_elapsed_times_agree_with_cronsim(expression: str, zone: str) -> None:
    """Schedules that follow elapsed time agree too, where cronsim can: it loops for ever in some zones that skip midnight, and loses
    its way where clocks change by half an hour."""
    assert list(compare_around_changes(expression, zone, 1)) == []


@pytest.mark.parametrize(
    "expression",
    [
        "0 7 * * 1-5",
        "30 2 1,15 * *",
        "0 0 13 * 5",
        "*/7 4 * 2 *",
        "0 12 29 2 *",
        "5 4 31 * *",
        "0 0 L * *",
        "45 23 * * 1#1",
    ],
)
def test_years_agree_with_cronsim(expression: str) -> None:
    """Over ten years an independent library names the same instants, leap days, last days and weekdays included."""
    zone = "UTC" if expression.startswith("*") else "America/New_York"  # Debian lets `*` minutes run twice in autumn
    begin, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    timing = Cron(expression=expression, timezone=zone)
    found = list(takewhile(lambda each: each <= end, instants_after(timing, begin)))
    assert found == simulate(expression, zone, begin, end)
