"""L1 to L6: what an owner may do, how it loses a run, and how a run is recovered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ipaas.errors import Conflict, FenceLost
from ipaas.run import LogLine, Outcome
from ipaas.store.contract import DEFAULT_TENANT, Change, Heartbeat
from ipaas.testing.store_conformance.world import StoreSuite, request, void

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ipaas.run import RunState


class LeaseSuite(StoreSuite):
    """What `LeaseStore` promises to owners."""

    async def test_l2_a_run_whose_lease_has_run_out_is_recovered(self, tmp_path: Path) -> None:
        """L2: a new owner gets it with a higher fence; it starts again and keeps its first start."""
        async with self.world(tmp_path) as world:
            run = await world.start_one(owner="a")
            world.clock.jump(29)
            assert await world.claim(owner="b") == []
            world.clock.jump(2)
            [claimed] = await world.claim(owner="b")
            assert (claimed.id, claimed.state, claimed.owner, claimed.fence, claimed.recoveries) == (
                run.id,
                "queued",
                "b",
                2,
                1,
            )
            again = await world.other.start(claimed.lease)
            assert (again.state, again.started_at) == ("running", run.started_at)
            assert await world.list_trail(run.id) == [
                ("queued", 0, ""),
                ("running", 1, ""),
                ("queued", 2, "lease of `a` ran out: recovery 1"),
                ("running", 2, ""),
            ]

    async def test_l2_a_run_that_was_claimed_and_never_started_is_recovered_too(self, tmp_path: Path) -> None:
        """L2: an owner that died between claim and start costs a lease, not the run."""
        async with self.world(tmp_path) as world:
            await world.submit()
            await world.claim(owner="a")
            world.clock.jump(31)
            [claimed] = await world.claim(owner="b")
            assert (claimed.owner, claimed.fence, claimed.recoveries) == ("b", 2, 1)

    async def test_l2_recoveries_take_their_place_in_the_order_and_keep_their_slot(self, tmp_path: Path) -> None:
        """L2: a recovery is ordered like any run, and needs no second place in its slot."""
        async with self.world(tmp_path) as world:
            lost = await world.start_one(slot="s", slot_limit=1)
            urgent = await world.submit(priority=1)
            waiting = await world.submit(slot="s", slot_limit=1)
            world.clock.jump(31)
            assert await world.claim_ids(1) == [urgent.run_id]
            assert await world.claim_ids() == [lost.id]
            await world.other.request_cancel(DEFAULT_TENANT, lost.id)
            assert await world.claim_ids() == [waiting.run_id]

    async def test_l2_a_run_recovered_three_times_becomes_dead_letter(self, tmp_path: Path) -> None:
        """L2: a run that takes its owners down is given up, frees its slot, and does not stop a claim."""
        async with self.world(tmp_path) as world:
            run = await world.start_one(slot="s", slot_limit=1)
            waiting = await world.submit(slot="s", slot_limit=1)
            for recovery in range(1, 4):
                world.clock.jump(31)
                [claimed] = await world.claim()
                assert (claimed.id, claimed.recoveries) == (run.id, recovery)
                await world.store.start(claimed.lease)
            world.clock.jump(31)
            assert await world.claim_ids() == [waiting.run_id]
            dead = await world.get(run.id)
            assert (dead.state, dead.reason) == ("dead_letter", "its owner was lost 4 times, the last was `a`")
            assert dead.finished_at is not None
            assert [state for state, _, _ in await world.list_trail(run.id)][-2:] == ["queued", "dead_letter"]

    async def test_l3_only_is_for_recoveries_too(self, tmp_path: Path) -> None:
        """L3: a lost run that is not named is left to others."""
        async with self.world(tmp_path) as world:
            first, second = await world.start_one(), await world.start_one()
            world.clock.jump(31)
            assert await world.claim_ids(only={second.id}) == [second.id]
            assert await world.claim_ids() == [first.id]

    async def test_every_write_with_a_void_lease_is_refused(self, tmp_path: Path) -> None:
        """A paused owner that wakes up after its run was given away writes nothing."""
        async with self.world(tmp_path) as world:
            paused = await world.start_one(owner="a")
            world.clock.jump(31)
            [claimed] = await world.claim(owner="b")
            running = await world.other.start(claimed.lease)
            line = LogLine(at=world.clock.now(), level="info", message="late")
            calls: list[Callable[[], Awaitable[object]]] = [
                lambda: world.store.start(paused.lease),
                lambda: world.store.finish(paused.lease, Outcome(state="succeeded"), [request()]),
                lambda: world.store.release(paused.lease),
                lambda: world.store.record_steps(paused.lease, [world.step("late")]),
                lambda: world.store.append_logs(paused.lease, [line]),
            ]
            for call in calls:
                with pytest.raises(FenceLost, match=paused.id):
                    await call()
            beat = await world.store.heartbeat("a", [paused.lease], lease_s=30)
            assert beat == Heartbeat(lost=frozenset({paused.id}))
            assert await world.get(paused.id) == running
            assert await world.list_states() == {paused.id: "running"}
            assert await world.other.list_steps(DEFAULT_TENANT, paused.id) == []

    async def test_a_lower_fence_of_the_same_owner_is_void(self, tmp_path: Path) -> None:
        """The fence decides, not the owner's name: a restarted server may have the same."""
        async with self.world(tmp_path) as world:
            await world.start_one(owner="a")
            world.clock.jump(31)
            [claimed] = await world.claim(owner="a")
            with pytest.raises(FenceLost):
                await world.store.start(void(claimed.lease))
            assert (await world.store.heartbeat("a", [void(claimed.lease)], lease_s=30)).lost == {claimed.id}
            assert (await world.store.start(claimed.lease)).state == "running"

    async def test_a_heartbeat_renews_leases(self, tmp_path: Path) -> None:
        """A run whose owner beats is not recovered; also one whose lease ran out before anybody noticed."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            for _ in range(3):
                world.clock.jump(31)
                assert (await world.store.heartbeat("a", [run.lease], lease_s=30)).lost == frozenset()
                world.clock.jump(29)
                assert await world.claim(owner="b") == []
            world.clock.jump(2)
            assert [r.id for r in await world.claim(owner="b")] == [run.id]

    async def test_a_heartbeat_says_what_is_lost(self, tmp_path: Path) -> None:
        """Finished runs, runs of others and unknown runs are lost; the rest is renewed all the same."""
        async with self.world(tmp_path) as world:
            ended = await world.start_one()
            await world.finish(ended)
            kept = await world.start_one()
            stranger = await world.start_one(owner="b")
            leases = [ended.lease, kept.lease, stranger.lease]
            assert (await world.store.heartbeat("a", leases, lease_s=30)).lost == {ended.id, stranger.id}
            assert (await world.store.heartbeat("a", [], lease_s=30)).lost == frozenset()

    async def test_l4_a_start_makes_a_run_running(self, tmp_path: Path) -> None:
        """L4: state and first start are written."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            assert (run.state, run.fence, run.owner) == ("running", 1, "a")
            assert run.started_at is not None
            assert await world.get(run.id) == run

    async def test_l4_a_second_start_with_one_lease_is_a_conflict(self, tmp_path: Path) -> None:
        """L4: the steps of a run must not walk twice at once."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            with pytest.raises(Conflict):
                await world.store.start(run.lease)

    async def test_l4_a_recovered_run_starts_although_its_workflow_is_off(self, tmp_path: Path) -> None:
        """L4: the flag decides whether a run begins; a run that had begun goes on."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            await world.store.set_active(DEFAULT_TENANT, "w", active=False)
            world.clock.jump(31)
            [claimed] = await world.claim(owner="b")
            assert (await world.store.start(claimed.lease)).state == "running"
            await world.store.apply(DEFAULT_TENANT, Change(remove=("w",)))
            world.clock.jump(31)
            [claimed] = await world.claim(owner="c")
            assert (await world.store.start(claimed.lease)).state == "running"
            assert (await world.get(run.id)).started_at == run.started_at

    async def test_l4_a_recovered_run_that_was_asked_to_end_does_not_start(self, tmp_path: Path) -> None:
        """L4: whoever takes over a run that somebody wants ended, ends it."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            await world.other.request_cancel(DEFAULT_TENANT, run.id, reason="stop")
            world.clock.jump(31)
            [claimed] = await world.claim(owner="b")
            ended = await world.store.start(claimed.lease)
            assert (ended.state, ended.reason) == ("cancelled", "stop")

    @pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled", "timed_out", "interrupted"])
    async def test_l5_an_end_is_final(self, tmp_path: Path, state: RunState) -> None:
        """L5: a second finish is refused, and nothing is overwritten."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            ended = await world.finish(run, state)
            assert ended.state == state
            others: list[RunState] = ["succeeded", "failed"]
            for other in others:
                with pytest.raises(FenceLost):
                    await world.store.finish(run.lease, Outcome(state=other), [request()])
            assert await world.get(run.id) == ended
            assert await world.list_states() == {run.id: state}

    async def test_l5_an_end_without_an_edge_is_a_conflict(self, tmp_path: Path) -> None:
        """L5: the state machine holds: no end that is none, and no success without a start."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            no_ends: list[RunState] = ["running", "queued", "waiting", "skipped", "dead_letter"]
            for state in no_ends:
                with pytest.raises(Conflict):
                    await world.finish(run, state)
            await world.submit()
            [claimed] = await world.claim()
            started_only: list[RunState] = ["succeeded", "failed", "timed_out", "interrupted"]
            for state in started_only:
                with pytest.raises(Conflict):
                    await world.finish(claimed, state)
            assert (await world.finish(claimed, "cancelled")).state == "cancelled"

    async def test_l5_followers_are_submitted_with_the_end(self, tmp_path: Path) -> None:
        """L5: they see the run as ended, and one whose workflow is gone is recorded, not lost."""
        async with self.world(tmp_path) as world:
            await world.put("gone")
            await world.store.apply(DEFAULT_TENANT, Change(remove=("gone",)))
            run = await world.start_one(slot="s", slot_limit=1)
            followers = [request(overlap="skip", slot="s", slot_limit=1, when_full="skip"), request("gone")]
            await world.store.finish(run.lease, Outcome(state="succeeded"), followers)
            assert list((await world.list_states()).values()) == ["succeeded", "queued", "skipped"]

    async def test_l5_a_cancelled_end_asks_the_children(self, tmp_path: Path) -> None:
        """L5: a child that came between the wish and the end is not left behind."""
        async with self.world(tmp_path) as world:
            parent = await world.start_one()
            child = await world.submit(parent=(parent.id, "call"))
            sibling = await world.start_one()
            await world.finish(parent, "cancelled")
            states = await world.list_states()
            assert states == {parent.id: "cancelled", child.run_id: "cancelled", sibling.id: "running"}

    async def test_l5_other_ends_leave_the_children_alone(self, tmp_path: Path) -> None:
        """L5: a child that nobody waits for outlives its parent's success."""
        async with self.world(tmp_path) as world:
            parent = await world.start_one()
            child = await world.submit(parent=(parent.id, "call"))
            await world.finish(parent)
            assert (await world.get(child.run_id)).state == "queued"

    async def test_l6_a_released_run_goes_back_to_its_place(self, tmp_path: Path) -> None:
        """L6: anyone may claim it, in its old order, without a recovery."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            later = await world.submit()
            await world.store.release(run.lease)
            back = await world.get(run.id)
            assert (back.state, back.owner) == ("queued", "")
            claimed = await world.claim(owner="b")
            assert [(r.id, r.fence, r.recoveries) for r in claimed] == [(run.id, 2, 0), (later.run_id, 1, 0)]
            assert (await world.store.start(claimed[0].lease)).started_at == run.started_at
            assert ("queued", 1, "released by `a`") in await world.list_trail(run.id)
            with pytest.raises(FenceLost):
                await world.store.release(run.lease)

    async def test_l6_a_release_frees_the_slot_for_the_best(self, tmp_path: Path) -> None:
        """L6: the place goes to whoever is first in order, the released run included."""
        async with self.world(tmp_path) as world:
            fields: dict[str, Any] = {"slot": "s", "slot_limit": 1}
            run = await world.start_one(**fields)
            urgent = await world.submit(priority=1, **fields)
            assert await world.claim_ids() == []
            await world.store.release(run.lease)
            assert await world.claim_ids() == [urgent.run_id]
            await world.other.request_cancel(DEFAULT_TENANT, urgent.run_id)
            assert await world.claim_ids() == [run.id]

    async def test_l6_releasing_a_run_that_was_asked_to_end_ends_it(self, tmp_path: Path) -> None:
        """L6: a run that nobody wants does not wait in the queue for a new owner."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            await world.other.request_cancel(DEFAULT_TENANT, run.id, reason="stop")
            await world.store.release(run.lease)
            ended = await world.get(run.id)
            assert (ended.state, ended.reason) == ("cancelled", "stop")
