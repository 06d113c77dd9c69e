"""R1 to R5: what `submit` decides, and how a run is asked to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ipaas.errors import Missing
from ipaas.model import Place
from ipaas.run import Outcome, RunError, TriggerInfo
from ipaas.store.contract import DEFAULT_TENANT, RunFilter
from ipaas.testing.store_conformance.world import StoreSuite, request

if TYPE_CHECKING:
    from pathlib import Path


class RunSuite(StoreSuite):
    """What `RunStore` promises."""

    async def test_a_run_comes_back_as_it_was_asked_for(self, tmp_path: Path) -> None:
        """Every field of a request is kept, times in the trigger to the microsecond."""
        async with self.world(tmp_path) as world:
            trigger = TriggerInfo(type="cron", id="t", scheduled_at=world.clock.now(), data={"k": [1, {"x": None}]})
            submitted = await world.submit(inputs={"n": 2**70, "x": 0.1}, trigger=trigger, priority=-3)
            run = await world.get(submitted.run_id)
            shown = (
                run.tenant,
                run.workflow,
                run.version,
                run.state,
                run.trigger,
                run.inputs,
                run.priority,
                run.parent,
            )
            assert shown == (DEFAULT_TENANT, "w", "v1", "queued", trigger, {"n": 2**70, "x": 0.1}, -3, None)
            assert (run.owner, run.fence, run.recoveries, run.cancel_requested, run.started_at) == (
                "",
                0,
                0,
                False,
                None,
            )

    async def test_run_ids_rise_in_the_order_of_submission(self, tmp_path: Path) -> None:
        """Ids are unique and sort by creation, within a millisecond and over handles that take turns."""
        async with self.world(tmp_path) as world:
            ids = [answer.run_id for answer in await world.store.submit(DEFAULT_TENANT, [request()] * 50)]
            world.clock.jump(1)
            ids += [answer.run_id for answer in await world.other.submit(DEFAULT_TENANT, [request()] * 50)]
            assert ids == sorted(set(ids))
            assert {len(name) for name in ids} == {30}

    async def test_an_outcome_comes_back_as_it_was_written(self, tmp_path: Path) -> None:
        """Outputs, reason and error with its place are kept."""
        async with self.world(tmp_path) as world:
            error = RunError(
                type="timeout",
                message="m",
                step="a[3]",
                attempt=2,
                place=Place("w.yaml", 3, 9),
                hint="h",
                retry_after_s=1.5,
            )
            run = await world.start_one()
            await world.store.finish(run.lease, Outcome(state="failed", outputs={"o": 1}, error=error, reason="r"))
            ended = await world.get(run.id)
            assert (ended.state, ended.outputs, ended.error, ended.reason) == ("failed", {"o": 1}, error, "r")

    async def test_listed_runs_carry_no_inputs_and_outputs(self, tmp_path: Path) -> None:
        """A list of runs does not load what may be large."""
        async with self.world(tmp_path) as world:
            run = await world.start_one(inputs={"a": 1})
            await world.store.finish(run.lease, Outcome(state="succeeded", outputs={"b": 2}))
            [listed] = (await world.other.list_runs(DEFAULT_TENANT, RunFilter())).items
            assert (listed.id, listed.inputs, listed.outputs) == (run.id, {}, None)

    async def test_runs_are_listed_by_workflow_state_and_parent(self, tmp_path: Path) -> None:
        """Each field of a filter narrows the list; an empty filter matches all."""
        async with self.world(tmp_path) as world:
            await world.put("x")
            running = await world.start_one()
            child = await world.submit("x", parent=(running.id, "call"))
            queued = await world.submit()
            failed = await world.start_queued((await world.submit("x")).run_id)
            await world.finish(failed, "failed")
            ids = {"running": running.id, "child": child.run_id, "queued": queued.run_id, "failed": failed.id}
            wanted = {
                "all": (RunFilter(), ["failed", "queued", "child", "running"]),
                "workflow": (RunFilter(workflow="x"), ["failed", "child"]),
                "unfinished": (RunFilter(states=frozenset({"queued", "running"})), ["queued", "child", "running"]),
                "failed": (RunFilter(states=frozenset({"failed", "timed_out"})), ["failed"]),
                "mixed": (RunFilter(states=frozenset({"failed", "queued"})), ["failed", "queued", "child"]),
                "parent": (RunFilter(parent=running.id), ["child"]),
                "both": (RunFilter(workflow="x", states=frozenset({"queued"})), ["child"]),
                "nothing": (RunFilter(workflow="w", states=frozenset({"failed"})), []),
            }
            for where, names in wanted.values():
                page = await world.other.list_runs(DEFAULT_TENANT, where)
                assert [run.id for run in page.items] == [ids[name] for name in names]

    async def test_every_change_of_a_run_is_an_event(self, tmp_path: Path) -> None:
        """Events are numbered from 1 and carry the fence under which they were written."""
        async with self.world(tmp_path) as world:
            run = await world.finish(await world.start_one())
            events = await world.other.list_events(DEFAULT_TENANT, run.id)
            assert [(e.run_id, e.sequence, e.state, e.fence) for e in events] == [
                (run.id, 1, "queued", 0),
                (run.id, 2, "running", 1),
                (run.id, 3, "succeeded", 1),
            ]
            assert [e.at for e in events] == [run.created_at, run.started_at, run.finished_at]

    async def test_r1_the_same_delivery_is_the_same_run(self, tmp_path: Path) -> None:
        """R1: a delivery is accepted once per workflow; a repetition answers with the run as it is now."""
        async with self.world(tmp_path) as world:
            await world.put("x")
            first = await world.submit(delivery="d")
            await world.start_queued(first.run_id)
            again = await world.submit(delivery="d", inputs={"other": True})
            elsewhere = await world.submit("x", delivery="d")
            nameless = [await world.submit(), await world.submit()]
            assert (again.run_id, again.created, again.state) == (first.run_id, False, "running")
            assert elsewhere.created
            assert len({first.run_id, elsewhere.run_id, *(answer.run_id for answer in nameless)}) == 4

    async def test_r1_a_delivery_twice_in_one_call_is_one_run(self, tmp_path: Path) -> None:
        """R1: later requests of a call see the earlier ones."""
        async with self.world(tmp_path) as world:
            answers = await world.store.submit(DEFAULT_TENANT, [request(delivery="d"), request(delivery="d")])
            assert [answer.created for answer in answers] == [True, False]
            assert len(await world.list_states()) == 1

    async def test_r1_a_skipped_run_keeps_its_delivery(self, tmp_path: Path) -> None:
        """R1: what was skipped once is not run when it is delivered again."""
        async with self.world(tmp_path) as world:
            blocking = await world.start_one()
            skipped = await world.submit(overlap="skip", delivery="d")
            await world.finish(blocking)
            again = await world.submit(overlap="skip", delivery="d")
            assert (again.run_id, again.created, again.state, again.reason) == (
                skipped.run_id,
                False,
                "skipped",
                skipped.reason,
            )

    async def test_r2_an_unknown_workflow_is_missing(self, tmp_path: Path) -> None:
        """R2: nothing is recorded for an id that nobody put."""
        async with self.world(tmp_path) as world:
            with pytest.raises(Missing, match="`nowhere`"):
                await world.submit("nowhere")

    @pytest.mark.parametrize("state", ["queued", "running"])
    async def test_r2_skip_records_a_skipped_run_beside_an_unfinished_one(self, tmp_path: Path, state: str) -> None:
        """R2: `overlap: skip` names the run that stands in the way; after its end the next one is queued."""
        async with self.world(tmp_path) as world:
            first = await world.submit()
            if state == "running":
                await world.start_queued(first.run_id)
            skipped = await world.submit(overlap="skip")
            run = await world.get(skipped.run_id)
            assert (run.state, run.reason) == ("skipped", f"run `{first.run_id}` is not finished")
            assert run.finished_at == run.created_at
            assert await world.list_trail(run.id) == [("skipped", 0, run.reason)]
            if state == "queued":
                await world.start_queued(first.run_id)
            await world.finish(await world.get(first.run_id))
            assert (await world.submit(overlap="skip")).state == "queued"

    async def test_r2_a_parent_does_not_stand_in_its_childs_way(self, tmp_path: Path) -> None:
        """R2: runs that wait for the new one are no overlap, and are not asked to end."""
        async with self.world(tmp_path) as world:
            parent = await world.start_one()
            child = await world.submit(parent=(parent.id, "call"), overlap="skip")
            assert child.state == "queued"
            grandchild = await world.submit(parent=(child.run_id, "call"), overlap="cancel_running")
            assert grandchild.state == "queued"
            assert await world.list_states() == {
                parent.id: "running",
                child.run_id: "queued",
                grandchild.run_id: "queued",
            }
            assert (await world.get(parent.id)).cancel_requested is False
            assert await world.claim_ids() == [child.run_id, grandchild.run_id]

    async def test_r2_cancel_running_asks_the_others_to_end(self, tmp_path: Path) -> None:
        """R2: `overlap: cancel_running` ends queued runs at once and asks running ones."""
        async with self.world(tmp_path) as world:
            running = await world.start_one()
            queued = await world.submit()
            new = await world.submit(overlap="cancel_running")
            assert await world.list_states() == {
                running.id: "running",
                queued.run_id: "cancelled",
                new.run_id: "queued",
            }
            assert (await world.store.heartbeat("a", [running.lease], lease_s=30)).cancelled == {running.id}
            assert (await world.get(queued.run_id)).reason == "a newer run takes its place"

    async def test_r2_when_full_skip_counts_unfinished_runs_of_the_slot(self, tmp_path: Path) -> None:
        """R2: a slot with `slot_limit` unfinished runs skips the next one, and says so."""
        async with self.world(tmp_path) as world:
            fields: dict[str, Any] = {"slot": "s", "slot_limit": 2, "when_full": "skip"}
            states = [(await world.submit(**fields)).state for _ in range(3)]
            elsewhere = await world.submit(**{**fields, "slot": "t"})
            assert (states, elsewhere.state) == (["queued", "queued", "skipped"], "queued")

    async def test_r2_when_full_cancel_running_makes_room_for_one(self, tmp_path: Path) -> None:
        """R2: as many of the oldest are asked to end as make room; runs asked before count as leaving."""
        async with self.world(tmp_path) as world:
            fields: dict[str, Any] = {"slot": "s", "slot_limit": 2, "when_full": "cancel_running"}
            runs = [await world.start_one(**fields) for _ in range(2)]
            fourth = [await world.submit(**fields) for _ in range(2)]
            asked = [(await world.get(run.id)).cancel_requested for run in runs]
            assert asked == [True, True]
            assert [(await world.get(answer.run_id)).state for answer in fourth] == ["queued", "queued"]

    async def test_r3_an_inactive_workflows_run_is_recorded_skipped(self, tmp_path: Path) -> None:
        """R3: a run that was asked for is not silently lost, and does not run."""
        async with self.world(tmp_path) as world:
            await world.store.set_active(DEFAULT_TENANT, "w", active=False)
            answer = await world.submit()
            assert (answer.created, answer.state, answer.reason) == (True, "skipped", "workflow is not active")
            assert await world.claim() == []

    async def test_r4_a_queued_run_is_cancelled_at_once(self, tmp_path: Path) -> None:
        """R4: it cannot be claimed any more, and the reason is kept."""
        async with self.world(tmp_path) as world:
            submitted = await world.submit()
            run = await world.other.request_cancel(DEFAULT_TENANT, submitted.run_id, reason="not wanted")
            assert (run.state, run.reason, run.cancel_requested) == ("cancelled", "not wanted", True)
            assert run.finished_at is not None
            assert await world.claim() == []
            assert await world.list_trail(run.id) == [("queued", 0, ""), ("cancelled", 0, "not wanted")]

    async def test_r4_a_claimed_run_is_cancelled_at_once_and_its_start_says_so(self, tmp_path: Path) -> None:
        """R4 and L4: the owner learns at its start that there is nothing to do."""
        async with self.world(tmp_path) as world:
            await world.submit()
            [claimed] = await world.claim()
            await world.other.request_cancel(DEFAULT_TENANT, claimed.id)
            run = await world.store.start(claimed.lease)
            assert (run.state, run.started_at) == ("cancelled", None)

    async def test_r4_a_running_runs_owner_is_told_at_its_heartbeat(self, tmp_path: Path) -> None:
        """R4: the run stays running until its owner ends it; asking twice is asking once."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            assert (await world.store.heartbeat("a", [run.lease], lease_s=30)).cancelled == frozenset()
            asked = await world.other.request_cancel(DEFAULT_TENANT, run.id, reason="stop")
            await world.other.request_cancel(DEFAULT_TENANT, run.id, reason="again")
            assert (asked.state, asked.cancel_requested) == ("running", True)
            for _ in range(2):
                assert (await world.store.heartbeat("a", [run.lease], lease_s=30)).cancelled == {run.id}
            ended = await world.store.finish(run.lease, Outcome(state="cancelled"))
            assert (ended.state, ended.reason) == ("cancelled", "stop")
            assert await world.list_trail(run.id) == [
                ("queued", 0, ""),
                ("running", 1, ""),
                ("running", 1, "cancel requested: stop"),
                ("cancelled", 1, "stop"),
            ]

    async def test_r4_a_finished_run_stays_as_it_is(self, tmp_path: Path) -> None:
        """R4: terminal is final for people too."""
        async with self.world(tmp_path) as world:
            run = await world.finish(await world.start_one())
            assert await world.other.request_cancel(DEFAULT_TENANT, run.id) == run
            assert len(await world.list_trail(run.id)) == 3

    async def test_r4_children_are_asked_too(self, tmp_path: Path) -> None:
        """R4: the cancel goes down to children and their children, each as its own state wants it."""
        async with self.world(tmp_path) as world:
            parent = await world.start_one()
            child = await world.start_one(parent=(parent.id, "call"))
            grandchild = await world.submit(parent=(child.id, "call"))
            ended = await world.finish(await world.start_one(parent=(parent.id, "other")))
            await world.other.request_cancel(DEFAULT_TENANT, parent.id)
            states = await world.list_states()
            assert states == {
                parent.id: "running",
                child.id: "running",
                grandchild.run_id: "cancelled",
                ended.id: "succeeded",
            }
            beat = await world.store.heartbeat("a", [parent.lease, child.lease], lease_s=30)
            assert beat.cancelled == {parent.id, child.id}

    async def test_r5_a_child_of_an_ended_run_is_skipped(self, tmp_path: Path) -> None:
        """R5: an owner that does not know yet that its run is over starts no orphans."""
        async with self.world(tmp_path) as world:
            parent = await world.finish(await world.start_one())
            child = await world.submit(parent=(parent.id, "call"))
            assert (child.state, child.reason) == ("skipped", "the run that asked for it has ended")

    async def test_r2_an_unknown_parent_is_missing(self, tmp_path: Path) -> None:
        """R2: a child of nobody is refused."""
        async with self.world(tmp_path) as world:
            with pytest.raises(Missing):
                await world.submit(parent=("run_nowhere", "call"))

    async def test_r1_a_repeated_delivery_is_not_asked_whether_it_could_run(self, tmp_path: Path) -> None:
        """R1: a delivery that was accepted answers with its run, also in the same call, whatever the repetition says."""
        async with self.world(tmp_path) as world:
            pair = [request(delivery="d"), request(delivery="d", version="never put")]
            first, again = await world.store.submit(DEFAULT_TENANT, pair)
            assert (again.run_id, again.created) == (first.run_id, False)
            later = await world.submit(delivery="d", version="never put")
            assert (later.run_id, later.created) == (first.run_id, False)
