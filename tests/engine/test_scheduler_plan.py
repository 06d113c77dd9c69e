from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.engine.schedule import instants_until
from ipaas.engine.tick_plan import FIRES, MAX_CAUGHT_UP, MAX_MISSED_ROWS, overlap_of, plan_ticks
from ipaas.model import Every, Trigger
from ipaas.run import Tick
from tests.engine.schedule_bench import HOURLY, MINUTELY, at, trigger

Missed = Literal["none", "latest", "all"]

NOON = at("12:00")


def plan(due: Trigger, since: datetime, now: datetime) -> list[Tick]:
    return plan_ticks("orders", due, since, now, 10)


def outcomes(ticks: list[Tick]) -> list[tuple[str, str]]:
    return [(f"{tick.due_at:%H:%M}", tick.outcome) for tick in ticks]


def test_nothing_is_due() -> None:
    """Between two instants there is nothing to plan, and an instant at the watermark is done with."""
    assert plan(trigger(HOURLY), NOON, at("12:59:59")) == []


def test_tick_names_its_trigger() -> None:
    """A tick says which instant of which trigger it is."""
    (tick,) = plan(trigger(HOURLY), NOON, at("13:00:01"))
    assert tick == Tick(workflow="orders", trigger="due", due_at=at("13:00"), outcome="fired")


@pytest.mark.parametrize("missed", ["none", "latest", "all"])
def test_grace_is_on_time(missed: Missed) -> None:
    """An instant is on time for ten seconds, whatever `missed` says."""
    assert outcomes(plan(trigger(HOURLY, missed=missed), NOON, at("13:00:10"))) == [("13:00", "fired")]
    assert outcomes(plan(trigger(HOURLY, missed=missed), NOON, at("13:00:11"))) != [("13:00", "fired")]


def test_later_instant_that_runs_on_time_stands_for_the_missed_ones() -> None:
    """`latest` starts one run for all: when the newest instant is on time, it is that one."""
    ticks = plan(trigger(HOURLY), NOON, at("15:00:05"))
    assert outcomes(ticks) == [("13:00", "missed"), ("14:00", "missed"), ("15:00", "fired")]
    assert ticks[0].reason == "nothing ran at the time, and a later instant runs in its place"


def test_caught_up_says_how_late() -> None:
    """A run that is started late says by how much."""
    ticks = plan(trigger(HOURLY, missed="all"), NOON, at("14:30:05"))
    assert [tick.reason for tick in ticks] == ["1h30m5s late", "30m5s late"]


def test_none_says_why() -> None:
    """`none` starts nothing, and says so."""
    (tick,) = plan(trigger(HOURLY, missed="none"), NOON, at("13:30"))
    assert (tick.outcome, tick.reason) == ("missed", "nothing ran at the time, and the trigger catches up none")


@pytest.mark.parametrize("missed", ["latest", "all"])
def test_window_bounds_catching_up(missed: Missed) -> None:
    """An instant that is longer ago than `missed_window` is missed, and the reason names the window."""
    due = trigger(HOURLY, missed=missed, missed_window_s=5400.0)
    ticks = plan(due, NOON, at("15:40"))
    assert outcomes(ticks)[:2] == [("13:00", "missed"), ("14:00", "missed")]
    assert outcomes(ticks)[2] == ("15:00", "caught_up")
    assert ticks[0].reason == "nothing ran at the time, and it is more than 1h30m ago"


def test_window_includes_its_edge() -> None:
    """An instant that is exactly the window ago is still caught up."""
    due = trigger(HOURLY, missed_window_s=3540.0)
    assert outcomes(plan(due, NOON, at("13:59"))) == [("13:00", "caught_up")]
    assert outcomes(plan(due, NOON, at("13:59:01"))) == [("13:00", "missed")]


def test_latest_looks_back_without_end() -> None:
    """Without a window the latest instant is caught up however long ago it was."""
    due = trigger(Every(interval_s=86_400 * 365))
    ticks = plan(due, at("12:00") - timedelta(days=500), NOON)
    assert [tick.outcome for tick in ticks][-1] == "caught_up"


def test_all_looks_back_one_day() -> None:
    """Without a window `all` catches up the instants of one day."""
    ticks = plan(trigger(HOURLY, missed="all"), NOON - timedelta(days=3), NOON + timedelta(minutes=30))
    assert [tick.outcome for tick in ticks].count("caught_up") == 24
    assert ticks[0].reason == "nothing ran at the time, and it is more than 1d ago"


def test_bound_of_caught_up_runs() -> None:
    """One trigger starts at most a day of minutes at once; what is beyond that is missed and says so."""
    due = trigger(Every(interval_s=10), missed="all")
    ticks = plan(due, NOON - timedelta(hours=6), NOON)
    assert [tick.outcome for tick in ticks].count("missed") == MAX_MISSED_ROWS + 1
    assert sum(tick.outcome in FIRES for tick in ticks) == MAX_CAUGHT_UP
    assert ticks[1].reason == f"nothing ran at the time, and {MAX_CAUGHT_UP} later instants run"


def test_one_row_stands_for_the_rest() -> None:
    """The row that stands for older instants names the first of them."""
    ticks = plan(trigger(MINUTELY, missed="none"), NOON - timedelta(days=1500), at("12:00:30"))
    assert len(ticks) == MAX_MISSED_ROWS + 1
    assert ticks[0].due_at == at("10:20")
    assert ticks[0].reason.endswith("; stands for every instant from 2021-11-23T12:01:00Z on")


def test_last_row_stands_only_for_others() -> None:
    """A hundred and one missed instants have a row each, and none claims to stand for more."""
    ticks = plan(trigger(MINUTELY, missed="none"), at("12:00"), at("13:41"))
    assert len(ticks) == 101
    assert not any("stands for" in tick.reason for tick in ticks)


@pytest.mark.parametrize(
    "missed, overlap, outcome, expected",
    [
        ("all", "skip", "caught_up", "queue"),
        ("all", "skip", "fired", "skip"),
        ("all", "cancel_running", "caught_up", "cancel_running"),
        ("latest", "skip", "caught_up", "skip"),
    ],
)
def test_overlap_of_caught_up_runs(
    missed: Missed, overlap: str, outcome: Literal["fired", "caught_up"], expected: str
) -> None:
    """Only what `missed: all` catches up waits instead of being skipped."""
    tick = Tick(workflow="orders", trigger="due", due_at=NOON, outcome=outcome)
    assert overlap_of(trigger(HOURLY, missed=missed, overlap=overlap), tick) == expected


@given(
    st.sampled_from(["none", "latest", "all"]),
    st.one_of(st.none(), st.floats(0, 1e7)),
    st.integers(1, 100_000),
    st.integers(0, 10**6),
    st.lists(st.floats(0.1, 10**5), max_size=4),
)
def test_no_instant_is_silent_and_none_comes_twice(
    missed: Missed, window_s: float | None, interval_s: int, start_s: int, pauses: list[float]
) -> None:
    """However often a scheduler looks, every instant ends in the ledger once: in a row of its own, or in one that stands for it."""
    due = trigger(Every(interval_s=interval_s), missed=missed, missed_window_s=window_s)
    begin = since = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=start_s)
    now = begin
    seen: list[datetime] = []
    for pause_s in pauses:
        now += timedelta(seconds=pause_s)
        ticks = plan(due, since, now)
        assert sum(tick.outcome in FIRES for tick in ticks) <= MAX_CAUGHT_UP
        if ticks and "stands for" in ticks[0].reason:
            seen += list(instants_until(due.timing, ticks[0].due_at, since))[:0:-1]
        seen += [tick.due_at for tick in ticks]
        since = ticks[-1].due_at if ticks else since
    assert seen == list(instants_until(due.timing, now, begin))[::-1]
