"""T1 to T3: the tick ledger and its watermarks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ipaas.run import Tick
from ipaas.store.contract import DEFAULT_TENANT, Change
from ipaas.testing.store_conformance.world import StoreSuite, World, request

if TYPE_CHECKING:
    from pathlib import Path


class TickSuite(StoreSuite):
    """What `TickStore` promises."""

    async def test_t1_an_instant_is_recorded_once(self, tmp_path: Path) -> None:
        """T1: the second record of an instant answers with the first and starts nothing."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f", "u": "f"})
            [(first, submitted)] = await world.store.record_ticks(DEFAULT_TENANT, [(_tick(world, 1), request())])
            assert submitted is not None
            assert (first.outcome, first.run_id) == ("fired", submitted.run_id)
            again = _tick(world, 1, outcome="missed", reason="late")
            assert await world.other.record_ticks(DEFAULT_TENANT, [(again, request())]) == [(first, None)]
            elsewhere = _tick(world, 1, trigger="u")
            [(_, other)] = await world.other.record_ticks(DEFAULT_TENANT, [(elsewhere, request())])
            assert other is not None
            assert list(await world.list_states()) == [submitted.run_id, other.run_id]

    async def test_t1_an_instant_twice_in_one_call_starts_one_run(self, tmp_path: Path) -> None:
        """T1: later ticks of a call see the earlier ones."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            pair = [(_tick(world, 1), request()), (_tick(world, 1), request())]
            [(first, one), (second, none)] = await world.store.record_ticks(DEFAULT_TENANT, pair)
            assert (first == second, one is not None, none) == (True, True, None)
            assert len(await world.list_states()) == 1

    async def test_t2_a_skipped_run_makes_a_skipped_tick(self, tmp_path: Path) -> None:
        """T2: the ledger gives the same reason as the run."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            running = await world.start_one()
            [(tick, submitted)] = await world.store.record_ticks(
                DEFAULT_TENANT, [(_tick(world, 1), request(overlap="skip"))]
            )
            assert submitted is not None
            assert submitted.state == "skipped"
            assert (tick.outcome, tick.reason) == ("skipped", f"run `{running.id}` is not finished")
            assert tick.run_id is None

    async def test_t2_an_instant_without_a_run_is_recorded_as_told(self, tmp_path: Path) -> None:
        """T2: silence is not an outcome: missed instants stand in the ledger with their reason."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            missed = _tick(world, 1, outcome="missed", reason="nothing ran")
            assert await world.store.record_ticks(DEFAULT_TENANT, [(missed, None)]) == [(missed, None)]
            assert (await world.other.list_ticks(DEFAULT_TENANT, "w")).items == (missed,)

    async def test_t2_a_caught_up_instant_names_its_run(self, tmp_path: Path) -> None:
        """T2: the outcome that the scheduler gives stays; the run is filled in."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            tick = _tick(world, 1, outcome="caught_up")
            [(recorded, submitted)] = await world.store.record_ticks(DEFAULT_TENANT, [(tick, request(delivery="t@1"))])
            assert submitted is not None
            assert (recorded.outcome, recorded.run_id) == ("caught_up", submitted.run_id)

    async def test_t3_nothing_starts_for_what_is_off_or_gone(self, tmp_path: Path) -> None:
        """T3: inactive and removed workflows, unknown ones and dropped triggers give `skipped` with the reason, and no run."""
        async with self.world(tmp_path) as world:
            for name in ("off", "removed", "w"):
                await world.put(name, triggers={"t": "f"})
            await world.store.set_active(DEFAULT_TENANT, "off", active=False)
            await world.store.apply(DEFAULT_TENANT, Change(remove=("removed",)))
            ticks = [_tick(world, 1, workflow=name) for name in ("off", "removed", "never there")]
            ticks.append(_tick(world, 1, trigger="dropped"))
            answers = await world.store.record_ticks(DEFAULT_TENANT, [(tick, request(tick.workflow)) for tick in ticks])
            assert [(tick.outcome, tick.reason, submitted) for tick, submitted in answers] == [
                ("skipped", "workflow is not active", None),
                ("skipped", "workflow was removed", None),
                ("skipped", "workflow is not known", None),
                ("skipped", "trigger is gone", None),
            ]
            assert await world.list_states() == {}

    async def test_t3_an_instant_before_the_schedule_starts_nothing(self, tmp_path: Path) -> None:
        """T3: a scheduler that planned with an older timing cannot fire what the new one does not expect."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            planned = _tick(world, 1)
            world.clock.jump(7200)
            await world.put("w", version="v2", triggers={"t": "g"})
            [(tick, submitted)] = await world.store.record_ticks(DEFAULT_TENANT, [(planned, request())])
            assert (tick.outcome, tick.reason, submitted) == ("skipped", "the schedule began after this instant", None)

    async def test_watermarks_follow_the_latest_tick(self, tmp_path: Path) -> None:
        """A trigger is open from its last recorded instant on, whatever became of it and in whichever order they came."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f", "u": "f"})
            before = {mark.trigger: mark.since for mark in await world.other.list_watermarks(DEFAULT_TENANT)}
            late, early = _tick(world, 2, outcome="missed"), _tick(world, 1)
            await world.store.record_ticks(DEFAULT_TENANT, [(late, None), (early, request())])
            marks = await world.other.list_watermarks(DEFAULT_TENANT)
            assert [(mark.workflow, mark.trigger, mark.since) for mark in marks] == [
                ("w", "t", late.due_at),
                ("w", "u", before["u"]),
            ]

    async def test_watermarks_are_of_active_workflows(self, tmp_path: Path) -> None:
        """What is off or removed has no open instants."""
        async with self.world(tmp_path) as world:
            await world.put("off", "gone", "on", triggers={"t": "f"})
            await world.store.set_active(DEFAULT_TENANT, "off", active=False)
            await world.store.apply(DEFAULT_TENANT, Change(remove=("gone",)))
            assert [mark.workflow for mark in await world.other.list_watermarks(DEFAULT_TENANT)] == ["on"]

    async def test_g6_the_ledger_is_listed_latest_instant_first(self, tmp_path: Path) -> None:
        """G6: pages go back in time; instants that two triggers share are not lost between pages."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f", "u": "f"})
            ticks = [_tick(world, hour, trigger=name, outcome="missed") for hour in (1, 2, 3) for name in "tu"]
            await world.store.record_ticks(DEFAULT_TENANT, [(tick, None) for tick in ticks])
            seen: list[Tick] = []
            cursor = None
            while True:
                page = await world.other.list_ticks(DEFAULT_TENANT, "w", cursor=cursor, limit=1)
                seen += page.items
                cursor = page.cursor
                if cursor is None:
                    break
            assert seen == ticks[::-1]


def _tick(world: World, hours: float, **fields: str) -> Tick:
    """Make a tick that is due so many hours after the world began, on the full hour."""
    due = world.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)
    given = {"workflow": "w", "trigger": "t", "outcome": "fired", **fields}
    return Tick(due_at=due, **given)  # type: ignore[arg-type]  # the fields' literals are given by name
