import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from ipaas.engine.scheduler import Scheduler
from ipaas.engine.system_clock import SystemClock
from ipaas.engine.workflows import Workflows
from ipaas.errors import StoreError
from ipaas.model import Cron, Every, InputSpec
from ipaas.run import Tick
from ipaas.store import open_store
from ipaas.testing.build import PythonTemplate, workflow
from ipaas.testing.faulty_store import FaultyStore
from ipaas.testing.wrapped_store import WrappedStore
from tests.engine.schedule_bench import HOURLY, MINUTELY, PLACE, Bench, at, trigger


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_outage_is_bridged(bench: Bench, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """While the Store is away schedules wait, which is logged once; when it is back every instant is in the ledger."""
    await bench.put_due(HOURLY, missed="all")
    store = FaultyStore(bench.store)
    with caplog.at_level(logging.INFO, "ipaas.scheduler"):
        async with bench.open_scheduler(store):
            await bench.clock.sleep_until(at("13:30"))
            store.away = True
            await bench.clock.sleep_until(at("16:30"))
            store.away = False
            await bench.clock.sleep_until(at("17:30"))
    assert await bench.read_ledger() == [
        ("13:00:00", "fired"),
        ("14:00:00", "caught_up"),
        ("15:00:00", "caught_up"),
        ("16:00:00", "caught_up"),
        ("17:00:00", "fired"),
    ]
    actions = [getattr(each, "facts")["action"] for each in caplog.records]  # noqa: B009  # not a field of LogRecord
    assert actions == ["schedules_held_up", "instants_missed", "schedules_resumed"]
    assert 0 < store.refused < 3 * 3600 / 10 + 10


async def test_outage_at_the_instant(bench: Bench, autojump_clock: MockClock) -> None:
    """A Store that goes away between the look and the write loses nothing: the instant is written as soon as it is back."""
    await bench.put_due(HOURLY)

    class AwayOnce(WrappedStore):
        refused = 0

        async def record_ticks(self, *args: Any) -> Any:
            self.refused += 1
            if self.refused <= 3:
                return await FaultyStoreAway(self.inner).record_ticks(*args)
            return await self.inner.record_ticks(*args)

    class FaultyStoreAway(FaultyStore):
        def __init__(self, inner: Any) -> None:
            super().__init__(inner)
            self.away = True

    await bench.schedule_until("13:30", AwayOnce(bench.store))
    (run,) = await bench.list_runs()
    assert await bench.read_ledger() == [("13:00:00", "fired")]
    assert run.created_at == at("13:00") + timedelta(seconds=0.5 + 1 + 2)


async def test_fault_of_the_store_does_not_end_the_loop(
    bench: Bench, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that nobody foresaw is logged with its stack and tried again."""

    class Raising(WrappedStore):
        calls = 0

        async def get_revision(self, tenant: str) -> int:
            self.calls += 1
            if self.calls == 10:
                raise ZeroDivisionError("a bug")
            revision: int = await self.inner.get_revision(tenant)
            return revision

    await bench.put_due(MINUTELY)
    await bench.schedule_until("12:04:30", Raising(bench.store))
    assert len(await bench.list_runs()) == 4
    assert [each.exc_info is not None for each in caplog.records if each.levelno == logging.ERROR] == [True]


async def test_clock_set_forward_misses_and_catches_up(bench: Bench, autojump_clock: MockClock) -> None:
    """Instants that the clock was set past are missed ones: none is left out and none runs twice."""
    await bench.put_due(HOURLY, missed="all")
    async with bench.open_scheduler():
        await bench.clock.sleep_until(at("13:30"))
        bench.clock.jump(2 * 3600)
        await bench.clock.sleep_until(at("16:30"))
    assert await bench.read_ledger() == [
        ("13:00:00", "fired"),
        ("14:00:00", "caught_up"),
        ("15:00:00", "caught_up"),
        ("16:00:00", "fired"),
    ]


async def test_clock_set_back_repeats_nothing(bench: Bench, autojump_clock: MockClock) -> None:
    """Instants that come again because the clock was set back have run already."""
    await bench.put_due(HOURLY)
    async with bench.open_scheduler():
        await bench.clock.sleep_until(at("14:30"))
        bench.clock.jump(-3600)
        await bench.clock.sleep_until(at("15:30"))
    assert await bench.list_starts() == ["13:00:00", "14:00:00", "15:00:00"]


async def test_clock_that_was_a_year_ahead(bench: Bench, autojump_clock: MockClock) -> None:
    """A clock that was wrongly a year ahead and set right does not silence the schedule for a year."""
    await bench.put_due(HOURLY)
    async with bench.open_scheduler():
        await bench.clock.sleep_until(at("13:30"))
        bench.clock.jump(365 * 86_400)
        await bench.clock.sleep(60)
        bench.clock.jump(-365 * 86_400)
        await bench.clock.sleep_until(at("15:30"))
    assert (await bench.list_starts())[-2:] == ["14:00:00", "15:00:00"]


async def test_clock_set_right_while_the_server_was_off(bench: Bench, autojump_clock: MockClock) -> None:
    """A ledger that ends in the future does not silence the schedule until then."""
    await bench.put_due(HOURLY)
    bench.clock.jump(30 * 86_400)
    await bench.schedule_until(bench.clock.now() + timedelta(hours=1))
    bench.clock.jump(-30 * 86_400)
    async with bench.open_scheduler():
        await bench.clock.sleep_until(at("14:30"))
        await bench.put(workflow(id="another"))
        await bench.clock.sleep_until(at("15:30"))
    assert (await bench.list_starts())[-2:] == ["14:00:00", "15:00:00"]


async def test_trigger_that_cannot_be_computed_costs_itself(
    bench: Bench, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A schedule in a zone that this machine does not know is logged once; the others run, and an edit mends it."""
    lost = Cron(expression="0 * * * *", timezone="Mars/Olympus")
    await bench.put(workflow(id="mars", triggers=(trigger(lost),)))
    await bench.put_due(HOURLY)
    async with bench.open_scheduler():
        await bench.clock.sleep_until(at("13:30"))
        await bench.put(workflow(id="third"))
        await bench.clock.sleep_until(at("14:30"))
        await bench.put(workflow(id="mars", triggers=(trigger(HOURLY),)))
        await bench.clock.sleep_until(at("15:30"))
    assert await bench.read_ledger() == [("13:00:00", "fired"), ("14:00:00", "fired"), ("15:00:00", "fired")]
    assert await bench.read_ledger("mars") == [("15:00:00", "fired")]
    assert [getattr(each, "facts")["workflow"] for each in caplog.records] == ["mars"]  # noqa: B009  # not a field of LogRecord


async def test_broken_workflow_costs_itself(bench: Bench, autojump_clock: MockClock) -> None:
    """A workflow that does not compile on this server keeps no other from running."""
    await bench.put(workflow(id="broken", triggers=(trigger(HOURLY),)))
    bench.compiled.clear()
    await bench.put_due(HOURLY)
    await bench.schedule_until("13:30")
    assert await bench.read_ledger() == [("13:00:00", "fired")]
    assert await bench.read_ledger("broken") == []


async def test_run_that_cannot_be_made_is_skipped_with_the_reason(bench: Bench, autojump_clock: MockClock) -> None:
    """An instant whose inputs do not fit is skipped in the ledger, and says why."""
    spec = InputSpec(name="region", schema={"type": "string"}, place=PLACE, required=True)
    wrong = trigger(HOURLY, inputs=PythonTemplate({"region": 5}))
    worse = trigger(HOURLY, id="worse", inputs=PythonTemplate({"region": lambda scope: scope["trigger"]["nothing"]}))
    await bench.put(replace(workflow(id="orders", triggers=(wrong, worse)), inputs=(spec,)))
    await bench.schedule_until("13:30")
    first, second = await bench.list_ticks()
    assert (first.outcome, second.outcome) == ("skipped", "skipped")
    assert first.reason.startswith("its run could not be made: input `region` of workflow `orders`: ")
    assert second.reason.startswith("its run could not be made: pipelines/test.yaml:1:1: the inputs of trigger `worse`")


async def test_run_that_the_store_refuses_is_skipped_alone(bench: Bench, autojump_clock: MockClock) -> None:
    """Of many instants in one write, only that which the Store cannot keep is skipped."""

    class Picky(WrappedStore):
        async def record_ticks(self, tenant: str, ticks: Any) -> Any:
            if any(tick.workflow == "bad" and request is not None for tick, request in ticks):
                raise StoreError("`x` is not JSON")
            return await self.inner.record_ticks(tenant, ticks)

    await bench.put(*(workflow(id=name, triggers=(trigger(HOURLY),)) for name in ("bad", "orders")))
    await bench.schedule_until("14:30", Picky(bench.store))
    assert await bench.read_ledger() == [("13:00:00", "fired"), ("14:00:00", "fired")]
    assert [(tick.outcome, tick.reason) for tick in await bench.list_ticks("bad")] == [
        ("skipped", "its run could not be recorded: `x` is not JSON")
    ] * 2


async def test_trigger_whose_ticks_cannot_be_written_costs_itself(bench: Bench, autojump_clock: MockClock) -> None:
    """A trigger of which the Store takes nothing at all is taken out; the others go on."""

    class Pickier(WrappedStore):
        async def record_ticks(self, tenant: str, ticks: Any) -> Any:
            if any(tick.workflow == "bad" for tick, _ in ticks):
                raise StoreError("no")
            return await self.inner.record_ticks(tenant, ticks)

    await bench.put(*(workflow(id=name, triggers=(trigger(HOURLY),)) for name in ("bad", "orders")))
    await bench.schedule_until("14:30", Pickier(bench.store))
    assert await bench.read_ledger() == [("13:00:00", "fired"), ("14:00:00", "fired")]
    assert await bench.read_ledger("bad") == []


async def test_long_catch_up_survives_a_crash_in_the_middle(bench: Bench, autojump_clock: MockClock) -> None:
    """When the process ends between two writes of a long catch-up, the next one goes on with the rest."""

    class Dying(WrappedStore):
        calls = 0

        async def record_ticks(self, *args: Any) -> list[tuple[Tick, Any]]:
            self.calls += 1
            if self.calls == 3:
                await trio.sleep_forever()  # the process hangs here until it is killed
            answer: list[tuple[Tick, Any]] = await self.inner.record_ticks(*args)
            return answer

    await bench.put_due(MINUTELY, missed="all")
    await bench.clock.sleep_until(at("22:00:30"))
    await bench.schedule_until("22:00:40", Dying(bench.store))
    assert len(await bench.list_runs()) == 400
    await bench.schedule_until("22:00:50")
    assert [tick.due_at for tick in await bench.list_ticks()] == [
        at("12:01") + timedelta(minutes=n) for n in range(600)
    ]
    assert len(await bench.list_runs()) == 600


async def test_two_servers_on_one_database(tmp_path: Path) -> None:
    """Two schedulers on one SQLite file and the machine's own clock make one run of each instant and leave none out."""
    clock = SystemClock()
    interval_s = 0.05
    url = f"sqlite:///{tmp_path}/ipaas.db"
    async with open_store(url, clock) as one, open_store(url, clock) as other:
        bench = Bench(store=one)
        await bench.put_due(Every(interval_s=interval_s), missed="all")
        enough = trio.Event()
        woken: list[int] = []

        def wake() -> None:
            woken.append(1)
            if len(woken) == 20:
                enough.set()

        async with trio.open_nursery() as nursery:
            for store in (one, other):
                workflows = Workflows(store, bench.compile)
                await nursery.start(Scheduler(store=store, workflows=workflows, clock=clock, wake=wake).run)
            await enough.wait()
            nursery.cancel_scope.cancel()
        ticks = await bench.list_ticks()
        runs = await bench.list_runs()
    step = timedelta(seconds=interval_s)
    assert [tick.due_at for tick in ticks] == [ticks[0].due_at + number * step for number in range(len(ticks))]
    assert {tick.outcome for tick in ticks} <= {"fired", "caught_up"}
    assert sorted(str(tick.run_id) for tick in ticks) == sorted(run.id for run in runs)
    assert len(ticks) >= 20
