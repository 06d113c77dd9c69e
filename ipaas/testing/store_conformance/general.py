"""G1 to G6: what holds for every method."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import trio

from ipaas.errors import Missing, StoreError
from ipaas.run import LogLine, Outcome, Tick, TriggerInfo
from ipaas.store.contract import DEFAULT_TENANT, Change, RunFilter
from ipaas.testing.store_conformance.world import StoreSuite, request, text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


class GeneralSuite(StoreSuite):
    """Atomic, durable, apart by tenant, stamped, plain errors, stable pages."""

    async def test_g1_a_call_in_a_cancelled_scope_writes_nothing(self, tmp_path: Path) -> None:
        """G1: a call that raises `Cancelled` has not been done."""
        async with self.world(tmp_path) as world:
            with trio.CancelScope() as scope:
                scope.cancel()
                await world.submit()
            assert scope.cancelled_caught
            assert await world.list_states() == {}

    async def test_g1_cancelled_calls_wrote_nothing_and_returned_ones_wrote_all(self, tmp_path: Path) -> None:
        """G1: of many calls under way when the cancel comes, those that return are done wholly and the others not at all."""
        async with self.world(tmp_path) as world:
            returned: set[str] = set()
            scopes = [trio.CancelScope() for _ in range(60)]

            async def submit(number: int) -> None:
                with scopes[number]:
                    pair = [request(trigger=TriggerInfo(id=f"{number}.{part}")) for part in (1, 2)]
                    answers = await world.store.submit(DEFAULT_TENANT, pair)
                    returned.update(answer.run_id for answer in answers)
                # The first to be answered cancels its neighbours, wherever they are: waiting, under way, or done.
                for scope in scopes[number % 7 :: 3]:
                    scope.cancel()

            async with trio.open_nursery() as nursery:
                for number in range(len(scopes)):
                    nursery.start_soon(submit, number)
            assert set(await world.list_states()) == returned
            assert len(returned) > 0

    async def test_g1_a_submit_that_raises_records_none_of_its_runs(self, tmp_path: Path) -> None:
        """G1: one bad request undoes the good ones before it."""
        async with self.world(tmp_path) as world:
            with pytest.raises(Missing):
                await world.store.submit(DEFAULT_TENANT, [request("w"), request("nowhere")])
            assert await world.list_states() == {}

    async def test_g1_a_finish_with_an_impossible_follower_leaves_the_run_running(self, tmp_path: Path) -> None:
        """G1: the end and the followers are one transaction."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            with pytest.raises(Missing):
                await world.store.finish(run.lease, Outcome(state="succeeded"), [request(), request("nowhere")])
            assert await world.list_states() == {run.id: "running"}
            assert (await world.finish(run)).state == "succeeded"

    async def test_g1_steps_and_lines_that_json_cannot_say_leave_nothing_behind(self, tmp_path: Path) -> None:
        """G1 and G5: a bad value is a `StoreError`, and its good neighbours are not written either."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            with pytest.raises(StoreError):
                await world.store.record_steps(run.lease, [world.step("good"), world.step("bad", output="\ud800")])
            good = LogLine(at=world.clock.now(), level="info", message="good")
            with pytest.raises(StoreError):
                await world.store.append_logs(run.lease, [good, replace(good, fields={"bad": "\ud800"})])
            assert await world.other.list_steps(DEFAULT_TENANT, run.id) == []
            assert (await world.other.list_logs(DEFAULT_TENANT, run.id)).items == ()

    async def test_g1_ticks_that_raise_leave_the_ledger_as_it_was(self, tmp_path: Path) -> None:
        """G1: one impossible request undoes the ticks before it."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            due = world.clock.now() + timedelta(hours=1)
            good = Tick(workflow="w", trigger="t", due_at=due, outcome="fired")
            bad = replace(good, due_at=due + timedelta(hours=1))
            with pytest.raises(Missing):
                await world.store.record_ticks(DEFAULT_TENANT, [(good, request()), (bad, request(version="never put"))])
            assert (await world.other.list_ticks(DEFAULT_TENANT, "w")).items == ()
            assert await world.list_states() == {}

    async def test_g2_another_handle_sees_what_a_returned_call_wrote(self, tmp_path: Path) -> None:
        """G2: what is acknowledged is there for everybody, not only for the handle that wrote it."""
        async with self.world(tmp_path) as world:
            submitted = await world.submit(inputs={"a": [1, 2.5, None, "ü"]})
            assert (await world.other.get_run(DEFAULT_TENANT, submitted.run_id)).inputs == {"a": [1, 2.5, None, "ü"]}

    async def test_g2_values_are_kept_apart_from_the_callers_objects(self, tmp_path: Path) -> None:
        """G2: changing an object after the call does not change what was written."""
        async with self.world(tmp_path) as world:
            inputs = {"items": [1]}
            submitted = await world.submit(inputs=inputs)
            inputs["items"].append(2)
            first = await world.get(submitted.run_id)
            assert first.inputs == {"items": [1]}

    async def test_g3_another_tenants_ids_are_missing(self, tmp_path: Path) -> None:
        """G3: every read and write with the wrong tenant is `Missing`, and nothing is changed."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            store = world.other
            calls: list[Callable[[], Awaitable[object]]] = [
                lambda: store.get_run("stranger", run.id),
                lambda: store.request_cancel("stranger", run.id),
                lambda: store.list_events("stranger", run.id),
                lambda: store.list_steps("stranger", run.id),
                lambda: store.list_logs("stranger", run.id),
                lambda: store.get_workflow("stranger", "w"),
                lambda: store.get_version("stranger", "w", "v1"),
                lambda: store.set_active("stranger", "w", active=False),
                lambda: store.submit("stranger", [request("w")]),
            ]
            for call in calls:
                with pytest.raises(Missing):
                    await call()
            assert await world.get(run.id) == run

    async def test_g3_tenants_with_the_same_names_do_not_meet(self, tmp_path: Path) -> None:
        """G3: workflows, deliveries, slots, ledgers and state of two tenants are apart."""
        async with self.world(tmp_path) as world:
            await world.put("w", tenant="second", description="theirs")
            first = await world.submit(delivery="d", slot="s", slot_limit=1, overlap="skip")
            second = await world.submit(delivery="d", slot="s", slot_limit=1, overlap="skip", tenant="second")
            assert (first.created, second.created, second.state) == (True, True, "queued")
            assert await world.claim_ids() == [first.run_id, second.run_id]
            await world.store.put_state("second", "scope", "key", 2)
            assert await world.other.find_state(DEFAULT_TENANT, "scope", "key") is None
            assert (await world.other.get_workflow(DEFAULT_TENANT, "w")).description == ""
            await world.store.set_active("second", "w", active=False)
            assert (await world.other.get_workflow(DEFAULT_TENANT, "w")).active is True
            assert [run.id for run in (await world.other.list_runs("second", RunFilter())).items] == [second.run_id]

    async def test_g3_a_lease_with_the_wrong_tenant_is_void(self, tmp_path: Path) -> None:
        """G3: a lease names its tenant, and another tenant's does not write."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            stolen = replace(run.lease, tenant="stranger")
            with pytest.raises(StoreError):
                await world.store.finish(stolen, Outcome(state="succeeded"))
            assert (await world.store.heartbeat("a", [stolen], lease_s=30)).lost == {run.id}
            assert (await world.get(run.id)).state == "running"

    async def test_tenants_are_listed_while_they_have_a_workflow_or_a_run(self, tmp_path: Path) -> None:
        """`list_tenants` names tenants with something to look at."""
        async with self.world(tmp_path) as world:
            await world.put("only", tenant="gone")
            await world.store.apply("gone", Change(remove=("only",)))
            await world.put("w", tenant="busy")
            await world.submit(tenant="busy")
            await world.store.apply("busy", Change(remove=("w",)))
            assert await world.other.list_tenants() == ["busy", DEFAULT_TENANT]

    async def test_g4_the_store_stamps_with_its_own_clock_to_the_microsecond(self, tmp_path: Path) -> None:
        """G4: created, started and finished are instants of the Store's clock, aware and in order."""
        async with self.world(tmp_path) as world:
            world.clock.jump(0.000001)
            marks = [world.clock.now()]
            submitted = await world.submit()
            marks.append(world.clock.now())
            world.clock.jump(60)
            run = await world.finish(await world.start_queued(submitted.run_id))
            marks.append(world.clock.now())
            assert run.started_at is not None
            assert run.finished_at is not None
            assert marks[0] <= run.created_at <= marks[1] < run.started_at <= run.finished_at <= marks[2]
            assert run.created_at.utcoffset() == timedelta(0)

    @pytest.mark.parametrize("cursor", ["nonsense", "-1", "1 OR 1=1", "99999999999999999999"])
    async def test_g5_a_cursor_that_no_page_gave_is_a_store_error(self, tmp_path: Path, cursor: str) -> None:
        """G5: a wrong cursor is refused plainly."""
        async with self.world(tmp_path) as world:
            submitted = await world.submit()
            with pytest.raises(StoreError):
                await world.store.list_runs(DEFAULT_TENANT, RunFilter(), cursor=cursor)
            with pytest.raises(StoreError):
                await world.store.list_ticks(DEFAULT_TENANT, "w", cursor=cursor)
            with pytest.raises(StoreError):
                await world.store.list_logs(DEFAULT_TENANT, submitted.run_id, cursor=cursor)

    async def test_g6_pages_of_runs_neither_repeat_nor_drop(self, tmp_path: Path) -> None:
        """G6: runs that come in between two pages do not move the pages."""
        async with self.world(tmp_path) as world:
            ids = [(await world.submit()).run_id for _ in range(7)]
            seen: list[str] = []
            cursor = None
            while True:
                page = await world.other.list_runs(DEFAULT_TENANT, RunFilter(workflow="w"), cursor=cursor, limit=3)
                seen += [run.id for run in page.items]
                cursor = page.cursor
                if cursor is None:
                    break
                await world.submit()
            assert seen == ids[::-1]

    async def test_g6_pages_of_workflows_are_by_id(self, tmp_path: Path) -> None:
        """G6: a workflow that comes in behind the cursor is not seen, one before it is."""
        async with self.world(tmp_path) as world:
            await world.put("b", "d", "f")
            first = await world.other.list_workflows(DEFAULT_TENANT, limit=2)
            await world.put("a", "e")
            second = await world.other.list_workflows(DEFAULT_TENANT, limit=2, cursor=first.cursor)
            third = await world.other.list_workflows(DEFAULT_TENANT, limit=2, cursor=second.cursor)
            found = [[workflow.id for workflow in page.items] for page in (first, second, third)]
            assert found == [["b", "d"], ["e", "f"], ["w"]]
            assert third.cursor is None

    async def test_g6_a_page_that_is_just_full_is_the_last(self, tmp_path: Path) -> None:
        """G6: the last page has no cursor, also when nothing is left over."""
        async with self.world(tmp_path) as world:
            await world.store.apply(DEFAULT_TENANT, Change(put=(text("x"),)))
            page = await world.other.list_workflows(DEFAULT_TENANT, limit=2)
            assert ([workflow.id for workflow in page.items], page.cursor) == (["w", "x"], None)
