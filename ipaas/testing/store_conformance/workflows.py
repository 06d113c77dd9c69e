"""W1 to W7: workflows, versions, the active flag and the beginning of schedules."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ipaas.errors import Missing
from ipaas.run import Tick
from ipaas.store.contract import DEFAULT_TENANT, Change
from ipaas.testing.store_conformance.world import StoreSuite, World, request, text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from pathlib import Path


class WorkflowSuite(StoreSuite):
    """What `WorkflowStore` promises."""

    async def test_a_workflow_comes_back_as_it_was_put(self, tmp_path: Path) -> None:
        """Every field of a text is kept."""
        async with self.world(tmp_path) as world:
            await world.put(
                "full", version="v9", path="a/full.yaml", source="id: full\n", description="d", labels={"x": "y"}
            )
            found = await world.other.get_workflow(DEFAULT_TENANT, "full")
            shown = (found.id, found.version, found.path, found.source, found.description, found.labels, found.active)
            assert shown == ("full", "v9", "a/full.yaml", "id: full\n", "d", {"x": "y"}, True)
            assert await world.other.find_workflow(DEFAULT_TENANT, "full") == found

    async def test_an_unknown_workflow_is_missing_by_name(self, tmp_path: Path) -> None:
        """`get_workflow` raises with the id, `find_workflow` answers None."""
        async with self.world(tmp_path) as world:
            with pytest.raises(Missing, match="`nowhere`"):
                await world.other.get_workflow(DEFAULT_TENANT, "nowhere")
            assert await world.other.find_workflow(DEFAULT_TENANT, "nowhere") is None

    async def test_w1_a_new_id_is_active_as_its_text_says(self, tmp_path: Path) -> None:
        """W1: `active` of the text counts once."""
        async with self.world(tmp_path) as world:
            await world.put("on", active=True)
            await world.put("off", active=False)
            active = [(await world.other.get_workflow(DEFAULT_TENANT, name)).active for name in ("on", "off")]
            assert active == [True, False]

    @pytest.mark.parametrize("remove_between", [False, True])
    async def test_w1_an_operators_choice_outlives_later_puts(self, tmp_path: Path, *, remove_between: bool) -> None:
        """W1: neither a new text nor a removal and return switches a workflow on again."""
        async with self.world(tmp_path) as world:
            await world.store.set_active(DEFAULT_TENANT, "w", active=False)
            if remove_between:
                await world.store.apply(DEFAULT_TENANT, Change(remove=("w",)))
            await world.put("w", version="v2", active=True)
            found = await world.other.get_workflow(DEFAULT_TENANT, "w")
            assert (found.version, found.active) == ("v2", False)

    async def test_w2_an_older_text_is_kept_for_the_runs_pinned_to_it(self, tmp_path: Path) -> None:
        """W2: a run's version can be read after newer texts came and the workflow went."""
        async with self.world(tmp_path) as world:
            submitted = await world.submit()
            await world.put("w", version="v2", source="steps: [x]")
            await world.store.apply(DEFAULT_TENANT, Change(remove=("w",)))
            run = await world.get(submitted.run_id)
            kept = await world.other.get_version(DEFAULT_TENANT, "w", run.version)
            assert (kept.version, kept.source) == ("v1", "steps: []")

    async def test_w2_putting_what_is_there_changes_nothing(self, tmp_path: Path) -> None:
        """W2: neither the revision nor the times move, and a schedule goes on."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            before = await _look(world)
            world.clock.jump(60)
            await world.put("w", triggers={"t": "f"})
            assert await _look(world) == before

    async def test_w2_an_unknown_version_is_missing(self, tmp_path: Path) -> None:
        """W2: what was never put is `Missing`, to readers and to `submit`."""
        async with self.world(tmp_path) as world:
            with pytest.raises(Missing):
                await world.other.get_version(DEFAULT_TENANT, "w", "v2")
            with pytest.raises(Missing):
                await world.submit(version="v2")

    async def test_w3_a_removed_workflow_is_gone_and_its_queued_runs_do_not_start(self, tmp_path: Path) -> None:
        """W3: not listed, not found, no watermarks, no new runs, and no start of those it had."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            submitted = await world.submit()
            await world.store.apply(DEFAULT_TENANT, Change(remove=("w", "never there")))
            assert (await world.other.list_workflows(DEFAULT_TENANT)).items == ()
            assert await world.other.find_workflow(DEFAULT_TENANT, "w") is None
            assert await world.other.list_watermarks(DEFAULT_TENANT) == []
            with pytest.raises(Missing):
                await world.submit()
            with pytest.raises(Missing):
                await world.store.set_active(DEFAULT_TENANT, "w", active=True)
            run = await world.start_queued(submitted.run_id)
            assert (run.state, run.reason) == ("skipped", "workflow was removed")

    async def test_w4_no_start_succeeds_after_switching_off(self, tmp_path: Path) -> None:
        """W4: a run that was claimed before does not start after; it is `skipped` with the reason."""
        async with self.world(tmp_path) as world:
            await world.submit()
            [claimed] = await world.claim()
            await world.other.set_active(DEFAULT_TENANT, "w", active=False)
            run = await world.store.start(claimed.lease)
            assert (run.state, run.reason, run.started_at) == ("skipped", "workflow is not active", None)
            assert await world.get(run.id) == run
            assert await world.list_trail(run.id) == [("queued", 0, ""), ("skipped", 1, "workflow is not active")]

    async def test_w4_a_run_that_has_started_goes_on(self, tmp_path: Path) -> None:
        """W4: switching off ends no run that runs; it can still be finished."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            await world.other.set_active(DEFAULT_TENANT, "w", active=False)
            assert (await world.store.heartbeat("a", [run.lease], lease_s=30)).cancelled == frozenset()
            assert (await world.finish(run)).state == "succeeded"

    async def test_w5_switching_on_begins_the_schedule_anew(self, tmp_path: Path) -> None:
        """W5: instants that passed while off are not expected, and a tick of one starts nothing."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            await world.store.set_active(DEFAULT_TENANT, "w", active=False)
            passed = world.clock.now() + timedelta(minutes=30)
            world.clock.jump(3600)
            before = world.clock.now()
            await world.store.set_active(DEFAULT_TENANT, "w", active=True)
            [watermark] = await world.other.list_watermarks(DEFAULT_TENANT)
            assert before <= watermark.since <= world.clock.now()
            tick = Tick(workflow="w", trigger="t", due_at=passed, outcome="fired")
            [(recorded, submitted)] = await world.store.record_ticks(DEFAULT_TENANT, [(tick, request())])
            assert (recorded.outcome, submitted) == ("skipped", None)

    async def test_w5_switching_on_what_is_on_changes_nothing(self, tmp_path: Path) -> None:
        """W5: only a change begins schedules anew and raises the revision."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            before = await _look(world)
            world.clock.jump(3600)
            await world.store.set_active(DEFAULT_TENANT, "w", active=True)
            assert await _look(world) == before

    async def test_w6_switching_off_may_ask_for_the_end_of_unfinished_runs(self, tmp_path: Path) -> None:
        """W6: queued runs are cancelled at once, running ones are told at the next heartbeat."""
        async with self.world(tmp_path) as world:
            running = await world.start_one()
            queued = await world.submit()
            await world.put("bystander")
            other = await world.submit("bystander")
            await world.other.set_active(DEFAULT_TENANT, "w", active=False, cancel_running=True)
            assert await world.list_states() == {
                running.id: "running",
                queued.run_id: "cancelled",
                other.run_id: "queued",
            }
            assert (await world.store.heartbeat("a", [running.lease], lease_s=30)).cancelled == {running.id}

    async def test_w7_a_schedule_begins_when_its_timing_is_new(self, tmp_path: Path) -> None:
        """W7: a changed fingerprint and a new id begin anew, an unchanged one goes on, one that is gone is not expected."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"same": "f", "changed": "f", "dropped": "f"})
            first = await _since(world)
            world.clock.jump(3600)
            await world.put("w", version="v2", triggers={"same": "f", "changed": "g", "new": "f"})
            second = await _since(world)
            assert set(second) == {"same", "changed", "new"}
            assert second["same"] == first["same"]
            assert second["changed"] == second["new"] > first["changed"]

    async def test_w7_a_schedule_begins_anew_when_its_workflow_comes_back(self, tmp_path: Path) -> None:
        """W7: instants that passed while the workflow was removed are not expected."""
        async with self.world(tmp_path) as world:
            await world.put("w", triggers={"t": "f"})
            first = await _since(world)
            await world.store.apply(DEFAULT_TENANT, Change(remove=("w",)))
            world.clock.jump(3600)
            await world.put("w", triggers={"t": "f"})
            assert (await _since(world))["t"] > first["t"]

    async def test_the_revision_rises_with_each_change_and_only_then(self, tmp_path: Path) -> None:
        """`get_revision` moves with every `apply` and `set_active` that changed something, in one tenant."""
        async with self.world(tmp_path) as world:
            revisions = [await world.other.get_revision(DEFAULT_TENANT)]
            changes: list[Callable[[], Awaitable[object]]] = [
                lambda: world.store.apply(DEFAULT_TENANT, Change(put=(text("w", description="new"),))),
                lambda: world.store.set_active(DEFAULT_TENANT, "w", active=False),
                lambda: world.store.apply(DEFAULT_TENANT, Change(remove=("w",))),
                lambda: world.store.apply(DEFAULT_TENANT, Change(put=(text("w"),))),
            ]
            for change in changes:
                await change()
                revisions.append(await world.other.get_revision(DEFAULT_TENANT))
            assert revisions == sorted(set(revisions))
            await world.store.apply(DEFAULT_TENANT, Change())
            await world.store.apply(DEFAULT_TENANT, Change(remove=("never there",)))
            await world.submit()
            await world.put("w", tenant="second")
            assert await world.other.get_revision(DEFAULT_TENANT) == revisions[-1]
            assert await world.other.get_revision("third") == 0


async def _since(world: World) -> dict[str, datetime]:
    return {mark.trigger: mark.since for mark in await world.other.list_watermarks(DEFAULT_TENANT)}


async def _look(world: World) -> object:
    workflow = await world.other.get_workflow(DEFAULT_TENANT, "w")
    return workflow, await world.other.get_revision(DEFAULT_TENANT), await _since(world)
