from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from trio.testing import MockClock

from ipaas.model import At, Cron, Every
from ipaas.run import TriggerInfo
from ipaas.store.contract import DEFAULT_TENANT, Change
from ipaas.testing.build import PythonTemplate, workflow
from ipaas.testing.wrapped_store import WrappedStore
from tests.engine.schedule_bench import HOURLY, MINUTELY, POLL_S, START, Bench, at, trigger


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_fires_on_time(bench: Bench, autojump_clock: MockClock) -> None:
    """Each instant becomes a tick and a queued run at that instant, and the runner is woken."""
    await bench.put_due(MINUTELY)
    await bench.schedule_until("12:03:30")
    assert await bench.read_ledger() == [("12:01:00", "fired"), ("12:02:00", "fired"), ("12:03:00", "fired")]
    assert [run.created_at for run in await bench.list_runs()] == [at("12:01"), at("12:02"), at("12:03")]
    assert bench.wakes == 3


async def test_run_knows_why_it_runs(bench: Bench, autojump_clock: MockClock) -> None:
    """The run carries trigger, due instant and version, and the tick carries the run."""
    await bench.put_due(Every(interval_s=3600))
    await bench.schedule_until("13:30")
    (run,) = await bench.list_runs()
    assert run.trigger == TriggerInfo(type="every", id="due0", scheduled_at=at("13:00"))
    assert run.version in bench.compiled
    assert [tick.run_id for tick in await bench.list_ticks()] == [run.id]


async def test_instant_is_met_to_the_moment(bench: Bench, autojump_clock: MockClock) -> None:
    """A schedule is not rounded to the poll: `every: 700ms` is met each time."""
    await bench.put_due(Every(interval_s=0.7))
    await bench.schedule_until(START + timedelta(seconds=7))
    created = [run.created_at for run in await bench.list_runs()]
    assert created == [tick.due_at for tick in await bench.list_ticks()]
    assert len(created) == 10


async def test_at_fires_once(bench: Bench, autojump_clock: MockClock) -> None:
    """A single instant runs once."""
    await bench.put_due(At(when=at("12:30")))
    await bench.schedule_until("18:00")
    assert await bench.read_ledger() == [("12:30:00", "fired")]


async def test_nothing_before_the_schedule_began(bench: Bench, autojump_clock: MockClock) -> None:
    """A schedule that is new expects no instant before it was synced, however long the server was off."""
    await bench.clock.sleep(3600)
    await bench.put_due(HOURLY, missed="all")
    await bench.schedule_until("14:30")
    assert await bench.read_ledger() == [("14:00:00", "fired")]


@pytest.mark.parametrize(
    "missed, expected",
    [
        ("none", ["missed", "missed", "missed"]),
        ("latest", ["missed", "missed", "caught_up"]),
        ("all", ["caught_up", "caught_up", "caught_up"]),
    ],
)
async def test_instants_that_passed_while_nothing_ran(
    bench: Bench, autojump_clock: MockClock, missed: str, expected: list[str]
) -> None:
    """After an outage each instant ends in the ledger by the trigger's `missed`, and those that are caught up run."""
    await bench.put_due(HOURLY, missed=missed)
    await bench.clock.sleep_until(at("15:20"))
    await bench.schedule_until("15:30")
    assert [tick.outcome for tick in await bench.list_ticks()] == expected
    assert len(await bench.list_runs()) == expected.count("caught_up")


async def test_restart_continues_where_the_ledger_ends(bench: Bench, autojump_clock: MockClock) -> None:
    """A scheduler that starts again finds its place by the ledger: nothing twice, nothing left out."""
    await bench.put_due(HOURLY, missed="all")
    await bench.schedule_until("13:30")
    await bench.clock.sleep_until(at("14:30"))
    await bench.schedule_until("15:30")
    assert await bench.read_ledger() == [("13:00:00", "fired"), ("14:00:00", "caught_up"), ("15:00:00", "fired")]


async def test_quick_restart_is_no_miss(bench: Bench, autojump_clock: MockClock) -> None:
    """An instant that is handled within ten seconds was on time."""
    await bench.put_due(HOURLY, missed="none")
    await bench.clock.sleep_until(at("13:00:09"))
    await bench.schedule_until("13:30")
    assert await bench.read_ledger() == [("13:00:00", "fired")]


async def test_caught_up_runs_wait_for_each_other(bench: Bench, autojump_clock: MockClock) -> None:
    """With `missed: all` and the default overlap, all instants that passed run, and not only the first of them."""
    await bench.put_due(HOURLY, missed="all", overlap="skip")
    await bench.clock.sleep_until(at("15:20"))
    await bench.schedule_until("15:30")
    assert await bench.list_starts() == ["13:00:00", "14:00:00", "15:00:00"]


async def test_overlap_that_skips_is_in_the_ledger(bench: Bench, autojump_clock: MockClock) -> None:
    """A run that is skipped because an earlier one is not finished makes its tick `skipped`, with the reason."""
    await bench.put_due(MINUTELY, overlap="skip")
    await bench.schedule_until("12:02:30")
    first, second = await bench.list_ticks()
    assert (first.outcome, second.outcome) == ("fired", "skipped")
    assert first.run_id is not None
    assert first.run_id in second.reason


async def test_five_years_of_minutes_cost_a_hundred_rows(bench: Bench, autojump_clock: MockClock) -> None:
    """A long outage is summed up: the latest runs, a hundred rows are missed, and one more stands for all before."""
    await bench.put_due(MINUTELY)
    await bench.clock.sleep(5 * 365 * 86_400)
    await bench.schedule_until(bench.clock.now() + timedelta(seconds=5))
    ticks = await bench.list_ticks()
    assert [tick.outcome for tick in ticks] == ["missed"] * 101 + ["caught_up"]
    assert ticks[0].reason.endswith("stands for every instant from 2026-01-01T12:01:00Z on")


async def test_deactivated_workflow_starts_no_run(bench: Bench, autojump_clock: MockClock) -> None:
    """Once a workflow is switched off its schedule is silent; switched on again, what passed meanwhile is not expected."""
    await bench.put_due(MINUTELY, missed="all")
    async with bench.open_scheduler():
        await bench.clock.sleep_until(at("12:01:30"))
        await bench.store.set_active(DEFAULT_TENANT, "orders", active=False)
        await bench.clock.sleep_until(at("12:05:30"))
        await bench.store.set_active(DEFAULT_TENANT, "orders", active=True)
        await bench.clock.sleep_until(at("12:06:30"))
    assert await bench.read_ledger() == [("12:01:00", "fired"), ("12:06:00", "fired")]


async def test_switch_off_just_before_the_instant(bench: Bench, autojump_clock: MockClock) -> None:
    """A workflow that is switched off after the last look, before its instant, has a skipped tick and no run."""

    class SwitchOff(WrappedStore):
        async def record_ticks(self, *args: Any) -> Any:
            await self.inner.set_active(DEFAULT_TENANT, "orders", active=False)
            return await self.inner.record_ticks(*args)

    await bench.put_due(HOURLY)
    await bench.schedule_until("13:30", SwitchOff(bench.store))
    assert [(tick.outcome, tick.reason) for tick in await bench.list_ticks()] == [("skipped", "workflow is not active")]
    assert await bench.list_runs() == []


async def test_edit_takes_effect(bench: Bench, autojump_clock: MockClock) -> None:
    """A changed timing is followed from the next poll on, a removed workflow is not due any more."""
    await bench.put_due(HOURLY)
    async with bench.open_scheduler():
        await bench.clock.sleep_until(at("13:10"))
        await bench.put_due(Cron(expression="*/20 * * * *", timezone="UTC"))
        await bench.clock.sleep_until(at("13:50"))
        await bench.store.apply(DEFAULT_TENANT, Change(remove=("orders",)))
        await bench.clock.sleep_until(at("16:00"))
    assert await bench.read_ledger() == [("13:00:00", "fired"), ("13:20:00", "fired"), ("13:40:00", "fired")]


async def test_new_version_runs_with_the_old_schedule(bench: Bench, autojump_clock: MockClock) -> None:
    """An edit that leaves the timing alone keeps the schedule's place, and the next run has the new text."""
    await bench.put_due(HOURLY)
    async with bench.open_scheduler():
        await bench.clock.sleep_until(at("13:30"))
        await bench.put_due(HOURLY, overlap="queue")
        await bench.clock.sleep_until(at("14:30"))
    first, second = await bench.list_runs()
    assert first.version != second.version
    assert await bench.read_ledger() == [("13:00:00", "fired"), ("14:00:00", "fired")]


async def test_two_schedulers_make_one_run_of_an_instant(bench: Bench, autojump_clock: MockClock) -> None:
    """Two schedulers on one Store never start an instant twice."""
    await bench.put_due(MINUTELY, Every(interval_s=90))
    async with bench.open_scheduler(), bench.open_scheduler():
        await bench.clock.sleep_until(at("12:10:45"))
    ticks = await bench.list_ticks()
    assert len({(tick.trigger, tick.due_at) for tick in ticks}) == len(ticks) == 10 + 7
    assert len(await bench.list_runs()) == len(ticks)


async def test_tenants_have_their_own_schedules(bench: Bench, autojump_clock: MockClock) -> None:
    """Every tenant's schedules run, one that comes later too, and one that has nothing left stops."""
    await bench.put_due(MINUTELY)
    async with bench.open_scheduler():
        await bench.clock.sleep_until(at("12:01:30"))
        await bench.put(workflow(id="theirs", triggers=(trigger(HOURLY),)), tenant="other")
        await bench.put(workflow(id="gone", triggers=(trigger(HOURLY),)), tenant="short")
        await bench.clock.sleep_until(at("12:30"))
        await bench.store.apply("short", Change(remove=("gone",)))
        await bench.clock.sleep_until(at("13:00:30"))
    assert [tick.due_at for tick in await bench.list_ticks("theirs", "other")] == [at("13:00")]
    assert await bench.list_ticks("gone", "short") == []
    assert len(await bench.list_ticks()) == 60


async def test_trigger_inputs_reach_the_run(bench: Bench, autojump_clock: MockClock) -> None:
    """A trigger's inputs are computed at the instant, with defaults for the rest."""
    inputs = PythonTemplate({"day": lambda scope: scope["trigger"]["scheduled_at"]})
    schema = workflow(inputs={"day": {"type": "string"}, "size": {"type": "integer", "default": 3}}).inputs
    await bench.put(replace(workflow(id="orders", triggers=(trigger(HOURLY, inputs=inputs),)), inputs=schema))
    await bench.schedule_until("13:30")
    (listed,) = await bench.list_runs()
    run = await bench.store.get_run(DEFAULT_TENANT, listed.id)
    assert run.inputs == {"day": "2026-01-01T13:00:00Z", "size": 3}


async def test_many_at_once(bench: Bench, autojump_clock: MockClock) -> None:
    """A thousand schedules that are due at the same instant all run."""
    await bench.put(*(workflow(id=f"w{number}", triggers=(trigger(HOURLY),)) for number in range(1000)))
    await bench.schedule_until("13:00:30")
    runs = await bench.list_runs()
    assert len({run.workflow for run in runs}) == len(runs) == 1000


async def test_idle_schedules_ask_the_store_little(bench: Bench, autojump_clock: MockClock) -> None:
    """However many schedules there are, an idle minute costs a few questions for the revision and nothing else."""
    await bench.put(*(workflow(id=f"w{number}", triggers=(trigger(HOURLY),)) for number in range(300)))

    class Counting(WrappedStore):
        def __init__(self, inner: Any) -> None:
            super().__init__(inner)
            self.calls: list[str] = []

        def __getattr__(self, name: str) -> Any:
            self.calls.append(name)
            return getattr(self.inner, name)

    store = Counting(bench.store)
    async with bench.open_scheduler(store):
        await bench.clock.sleep(10)
        store.calls.clear()
        await bench.clock.sleep(60)
    assert set(store.calls) == {"list_tenants", "get_revision"}
    assert len(store.calls) <= 2 * (60 / POLL_S + 1)
