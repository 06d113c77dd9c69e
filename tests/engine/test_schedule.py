from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.engine.schedule import EPOCH, find_next, instants_after, instants_until, next_instants
from ipaas.errors import InputError
from ipaas.model import After, At, Cron, Every

moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def due(expression: str, zone: str, day: str, count: int) -> list[str]:
    """Return the first instants after a day begins, as the zone's clocks show them."""
    rules = ZoneInfo(zone)
    after = datetime.fromisoformat(day).replace(tzinfo=rules) - timedelta(seconds=1)
    found = next_instants(Cron(expression=expression, timezone=zone), after, count)
    return [each.astimezone(rules).strftime("%m-%d %H:%M %z") for each in found]


def test_time_that_a_gap_skips_runs_at_its_end() -> None:
    """02:30 does not come on the spring Sunday: it runs once, at 03:00."""
    assert due("30 2 * * *", "Europe/Berlin", "2026-03-28", 3) == [
        "03-28 02:30 +0100",
        "03-29 03:00 +0200",
        "03-30 02:30 +0200",
    ]


def test_times_that_one_gap_skips_are_one_instant() -> None:
    """Several wall times in one gap, and the one at its end, run once together."""
    assert due("*/15 2,3 * * *", "Europe/Berlin", "2026-03-29", 3) == [
        "03-29 03:00 +0200",
        "03-29 03:15 +0200",
        "03-29 03:30 +0200",
    ]


def test_time_that_comes_twice_runs_the_first_time() -> None:
    """02:30 comes twice on the autumn Sunday and runs once, in summer time."""
    assert due("30 2 * * *", "Europe/Berlin", "2026-10-25", 2) == ["10-25 02:30 +0200", "10-26 02:30 +0100"]


def test_every_hour_follows_elapsed_time_through_the_fold() -> None:
    """With `*` as the hour both passes of the autumn hour run."""
    assert due("30 * * * *", "Europe/Berlin", "2026-10-25T01:00", 4) == [
        "10-25 01:30 +0200",
        "10-25 02:30 +0200",
        "10-25 02:30 +0100",
        "10-25 03:30 +0100",
    ]


def test_every_hour_invents_nothing_in_the_gap() -> None:
    """With `*/2` as the hour, the skipped 02:00 is not made up for."""
    assert due("0 */2 * * *", "Europe/Berlin", "2026-03-29", 3) == [
        "03-29 00:00 +0100",
        "03-29 04:00 +0200",
        "03-29 06:00 +0200",
    ]


def test_half_hour_gap() -> None:
    """Lord Howe's clocks go from 02:00 to 02:30: 02:15 runs at 02:30."""
    assert due("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", 2) == ["10-04 02:30 +1100", "10-05 02:15 +1100"]


@pytest.mark.parametrize(
    "zone, day, first",
    [
        ("America/Sao_Paulo", "2018-11-04", "11-04 01:00 -0200"),
        ("Asia/Beirut", "2026-03-29", "03-29 01:00 +0300"),
        ("Africa/Cairo", "2026-04-24", "04-24 01:00 +0300"),
    ],
)
def test_midnight_gap(zone: str, day: str, first: str) -> None:
    """A day that begins at 01:00 still has its midnight run."""
    rules = ZoneInfo(zone)
    evening = datetime.fromisoformat(day).replace(tzinfo=rules) - timedelta(hours=3)
    found = find_next(Cron(expression="@daily", timezone=zone), evening)
    assert found is not None
    assert found.astimezone(rules).strftime("%m-%d %H:%M %z") == first


def test_day_that_never_was() -> None:
    """Samoa had no 30 December 2011: its run is due when the 31st begins."""
    assert due("0 7 30 12 *", "Pacific/Apia", "2011-01-01", 2) == ["12-31 00:00 +1400", "12-30 07:00 +1400"]


def test_winter_as_the_exception() -> None:
    """Ireland's standard time is summer's: the autumn hour is still read once, the first time."""
    assert due("30 1 * * *", "Europe/Dublin", "2026-10-25", 2) == ["10-25 01:30 +0100", "10-26 01:30 +0000"]


def test_either_day_is_enough() -> None:
    """With a day of month and a day of week, a day matches when either does, also for an nth weekday."""
    assert due("0 0 13 * fri", "UTC", "2026-02-01", 5) == [
        f"02-{day} 00:00 +0000" for day in ("06", "13", "20", "27")
    ] + ["03-06 00:00 +0000"]
    assert due("0 0 1 * fri#2", "UTC", "2026-02-01", 3) == [
        "02-01 00:00 +0000",
        "02-13 00:00 +0000",
        "03-01 00:00 +0000",
    ]


def test_leap_day_waits_eight_years_across_2100() -> None:
    """The longest pause of a cron is found."""
    found = find_next(Cron(expression="0 0 29 2 *", timezone="UTC"), datetime(2096, 3, 1, tzinfo=UTC))
    assert found == datetime(2104, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0 0 30 2 *", "R * * * *", "0 0 * *", "61 * * * *", "@reboot"])
def test_nonsense_is_refused(text: str) -> None:
    """What is not an expression, or never fires, is an error and not silence."""
    with pytest.raises(InputError):
        find_next(Cron(expression=text, timezone="UTC"), EPOCH)


def test_unknown_zone_is_refused() -> None:
    """A zone that is not there is an error and not UTC."""
    with pytest.raises(ZoneInfoNotFoundError):
        find_next(Cron(expression="@daily", timezone="Europe/Berlinn"), EPOCH)


def test_interval_is_aligned_to_the_epoch() -> None:
    """`every: 15m` is due at the quarters of the hour on every server, whenever it was started."""
    start = datetime(2026, 1, 1, 12, 7, 3, 1, tzinfo=UTC)
    assert next_instants(Every(interval_s=900), start, 2) == [
        start.replace(minute=m, second=0, microsecond=0) for m in (15, 30)
    ]


@given(moments, st.integers(1, 10**7).map(lambda ms: ms / 1000))
def test_interval_has_one_instant_in_each_interval(after: datetime, interval_s: float) -> None:
    """The next instant of an interval is at most one interval away, a multiple of it, and strictly later."""
    step = timedelta(seconds=interval_s)
    first, second = islice(instants_after(Every(interval_s=interval_s), after), 2)
    assert after < first <= after + step
    assert second - first == step
    assert (first - EPOCH) % step == timedelta(0)
    assert list(instants_until(Every(interval_s=interval_s), second, after)) == [second, first]


def test_single_instant_is_due_once() -> None:
    """`at` is due at its instant and at no other."""
    when = datetime(2026, 7, 1, 9, tzinfo=ZoneInfo("Asia/Tokyo"))
    timing = At(when=when)
    second = timedelta(seconds=1)
    assert next_instants(timing, when - second, 5) == [when]
    assert next_instants(timing, when, 5) == []
    assert list(instants_until(timing, when, when - second)) == [when]
    assert list(instants_until(timing, when - second, EPOCH)) == []
    assert next_instants(timing, EPOCH, 1)[0].tzinfo == UTC


def test_after_has_no_instants() -> None:
    """What another workflow starts is never due by itself."""
    timing = After(workflow="orders", states=frozenset({"succeeded"}))
    assert next_instants(timing, EPOCH, 3) == []
    assert list(instants_until(timing, datetime(2026, 1, 1, tzinfo=UTC), EPOCH)) == []
