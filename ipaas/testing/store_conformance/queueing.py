"""L1 to L3: which queued runs an owner is given, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipaas.store.contract import DEFAULT_TENANT
from ipaas.testing.store_conformance.world import StoreSuite

if TYPE_CHECKING:
    from pathlib import Path


class QueueSuite(StoreSuite):
    """What `claim` promises about runs that nobody owns yet."""

    async def test_l1_a_claim_gives_owner_and_fence(self, tmp_path: Path) -> None:
        """L1: a claimed run is still queued, is owned, and is not given again."""
        async with self.world(tmp_path) as world:
            submitted = await world.submit(inputs={"a": 1})
            [run] = await world.claim(owner="a")
            assert (run.id, run.state, run.owner, run.fence) == (submitted.run_id, "queued", "a", 1)
            assert run.inputs == {"a": 1}
            assert await world.get(run.id) == run
            assert await world.other.claim("b", limit=10, lease_s=30) == []

    async def test_l2_highest_priority_first_then_oldest(self, tmp_path: Path) -> None:
        """L2: the order of claims, and of the answer."""
        async with self.world(tmp_path) as world:
            ids = [(await world.submit(priority=priority)).run_id for priority in (0, 5, -1, 5, 0)]
            claimed = await world.claim_ids(3) + await world.claim_ids(3)
            assert claimed == [ids[place] for place in (1, 3, 0, 4, 2)]

    async def test_l2_limit_bounds_a_claim(self, tmp_path: Path) -> None:
        """L2: no more than `limit` are taken, and none for zero."""
        async with self.world(tmp_path) as world:
            for _ in range(5):
                await world.submit()
            assert [len(await world.claim(limit)) for limit in (0, 2, 2, 2, 2)] == [0, 2, 2, 1, 0]

    async def test_l2_a_slot_holds_no_more_than_its_limit(self, tmp_path: Path) -> None:
        """L2: claimed and running runs count; an end lets the next best in; others pass by."""
        async with self.world(tmp_path) as world:
            fields: dict[str, Any] = {"slot": "s", "slot_limit": 2}
            ids = [(await world.submit(**fields)).run_id for _ in range(3)]
            urgent = (await world.submit(priority=9, **fields)).run_id
            free = (await world.submit()).run_id
            first = await world.claim()
            assert [run.id for run in first] == [urgent, ids[0], free]
            assert await world.claim_ids() == []
            started = await world.store.start(first[1].lease)
            assert await world.claim_ids() == []
            await world.finish(started)
            assert await world.claim_ids() == [ids[1]]
            assert await world.claim_ids() == []
            await world.other.request_cancel(DEFAULT_TENANT, urgent)
            assert await world.claim_ids() == [ids[2]]

    async def test_l2_a_better_run_overtakes_those_that_a_full_slot_kept_out(self, tmp_path: Path) -> None:
        """L2: priority is asked when the place is free, not when it was taken."""
        async with self.world(tmp_path) as world:
            fields: dict[str, Any] = {"slot": "s", "slot_limit": 1}
            holder = await world.start_one(**fields)
            early = await world.submit(**fields)
            assert await world.claim_ids() == []
            late = await world.submit(priority=1, **fields)
            await world.finish(holder)
            assert await world.claim_ids() == [late.run_id]
            await world.other.request_cancel(DEFAULT_TENANT, late.run_id)
            assert await world.claim_ids() == [early.run_id]

    async def test_l2_a_cancelled_waiting_run_leaves_no_hole_in_its_slot(self, tmp_path: Path) -> None:
        """L2: when the run that would be next is cancelled, the one behind it is."""
        async with self.world(tmp_path) as world:
            fields: dict[str, Any] = {"slot": "s", "slot_limit": 1}
            holder = await world.start_one(**fields)
            second, third = [(await world.submit(**fields)).run_id for _ in range(2)]
            assert await world.claim_ids() == []
            await world.finish(holder)
            await world.other.request_cancel(DEFAULT_TENANT, second)
            assert await world.claim_ids() == [third]

    async def test_l2_runs_of_one_slot_may_have_different_limits(self, tmp_path: Path) -> None:
        """L2: each run is measured by its own limit, as when a new version of a workflow has another."""
        async with self.world(tmp_path) as world:
            holder = await world.start_one(slot="s", slot_limit=1)
            narrow = (await world.submit(slot="s", slot_limit=1)).run_id
            assert await world.claim_ids() == []
            wide = (await world.submit(slot="s", slot_limit=2)).run_id
            assert await world.claim_ids() == [wide]
            await world.finish(holder)
            assert await world.claim_ids() == []
            await world.other.request_cancel(DEFAULT_TENANT, wide)
            assert await world.claim_ids() == [narrow]

    async def test_l2_a_crowd_behind_a_full_slot_hides_nobody(self, tmp_path: Path) -> None:
        """L2: more kept-out runs than a claim takes do not keep the run behind them from its turn."""
        async with self.world(tmp_path) as world:
            for _ in range(30):
                await world.submit(slot="s", slot_limit=1)
            behind = await world.submit()
            first, second = await world.claim_ids(2), await world.claim_ids(2)
            assert (len(first), first[1], second) == (2, behind.run_id, [])

    async def test_l2_a_queued_run_waits_for_every_earlier_one(self, tmp_path: Path) -> None:
        """L2: `overlap: queue` starts one after the other in the order of submission, whatever their priority."""
        async with self.world(tmp_path) as world:
            ids = [(await world.submit(overlap="queue", priority=priority)).run_id for priority in (0, 1, 2)]
            for run_id in ids:
                [claimed] = await world.claim()
                assert claimed.id == run_id
                assert await world.claim() == []
                await world.finish(await world.store.start(claimed.lease))
            assert await world.claim() == []

    async def test_l2_a_queued_run_waits_for_runs_of_any_kind_but_not_of_other_workflows(self, tmp_path: Path) -> None:
        """L2: an earlier `allow` run stands before it; a later one does not wait for it."""
        async with self.world(tmp_path) as world:
            await world.put("x")
            await world.submit("x")
            earlier = await world.submit()
            waiting = await world.submit(overlap="queue")
            later = await world.submit()
            assert (await world.claim_ids())[1:] == [earlier.run_id, later.run_id]
            await world.other.request_cancel(DEFAULT_TENANT, earlier.run_id)
            assert await world.claim_ids() == [waiting.run_id]

    async def test_l2_the_second_in_line_moves_up_when_the_first_is_cancelled(self, tmp_path: Path) -> None:
        """L2: a cancelled waiting run does not leave those behind it waiting for ever."""
        async with self.world(tmp_path) as world:
            running = await world.start_one()
            first, second = [(await world.submit(overlap="queue")).run_id for _ in range(2)]
            await world.other.request_cancel(DEFAULT_TENANT, first)
            assert await world.claim_ids() == []
            await world.finish(running)
            assert await world.claim_ids() == [second]

    async def test_l2_a_run_that_replaces_others_waits_until_they_have_ended(self, tmp_path: Path) -> None:
        """L2: `overlap: cancel_running` never runs beside the run it asked to end."""
        async with self.world(tmp_path) as world:
            running = await world.start_one()
            new = await world.submit(overlap="cancel_running")
            assert await world.claim_ids() == []
            await world.finish(running, "cancelled")
            assert await world.claim_ids() == [new.run_id]

    async def test_l2_a_run_may_wait_for_its_line_and_its_slot(self, tmp_path: Path) -> None:
        """L2: both conditions hold before it is given away, whichever is met first."""
        async with self.world(tmp_path) as world:
            await world.put("x")
            earlier = await world.start_one()
            holder = await world.start_one("x", slot="s", slot_limit=1)
            both = await world.submit(overlap="queue", slot="s", slot_limit=1)
            await world.finish(earlier)
            assert await world.claim_ids() == []
            await world.finish(holder)
            assert await world.claim_ids() == [both.run_id]

    async def test_l3_only_takes_no_other_runs(self, tmp_path: Path) -> None:
        """L3: with `only`, named runs are taken in their order if they may start, and unknown names are nobody."""
        async with self.world(tmp_path) as world:
            ids = [(await world.submit(priority=priority)).run_id for priority in (0, 1, 2)]
            blocked = (await world.submit(overlap="queue")).run_id
            only = {ids[0], ids[1], blocked, "run_nowhere"}
            assert await world.claim_ids(only=only) == [ids[1], ids[0]]
            assert await world.claim_ids(only=set()) == []
            assert await world.claim_ids() == [ids[2]]

    async def test_l3_only_minds_the_slot(self, tmp_path: Path) -> None:
        """L3: a named run takes a place like any other."""
        async with self.world(tmp_path) as world:
            ids = [(await world.submit(slot="s", slot_limit=1)).run_id for _ in range(3)]
            assert await world.claim_ids(only={ids[1], ids[2]}) == [ids[1]]
            assert await world.claim_ids() == []
            await world.other.request_cancel(DEFAULT_TENANT, ids[1])
            assert await world.claim_ids() == [ids[0]]

    async def test_l2_places_that_come_free_are_offered_to_runs_of_every_limit(self, tmp_path: Path) -> None:
        """L2: a kept-out run with a narrow limit that is next in order does not hold up those with a wider one."""
        async with self.world(tmp_path) as world:
            for limit, priority in ((1, 1), (1, 0)):
                await world.submit(slot="s", slot_limit=limit, priority=priority)
            wide = [(await world.submit(slot="s", slot_limit=2, priority=priority)).run_id for priority in (0, 1, 0, 1)]
            first = await world.claim()
            for run in first:
                await world.finish(await world.store.start(run.lease))
            assert len(first) == 2
            assert await world.claim_ids() == [wide[3], wide[0]]
