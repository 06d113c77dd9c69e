"""J1 and J2: steps and log lines of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipaas.errors import FenceLost, Missing, StoreError
from ipaas.model import Place
from ipaas.run import LogLine, RunError, StepResult
from ipaas.store.contract import DEFAULT_TENANT
from ipaas.testing.store_conformance.world import StoreSuite, void

if TYPE_CHECKING:
    from pathlib import Path

    from ipaas.model import Json


class JournalSuite(StoreSuite):
    """What `JournalStore` and `StateStore` promise."""

    async def test_a_step_comes_back_as_it_was_recorded(self, tmp_path: Path) -> None:
        """Every field of a result is kept."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            result = StepResult(
                path="tell[3]",
                step="tell",
                status="failed",
                action="http.get",
                inputs={"url": "https://example.com", "n": [1, 2]},
                output={"ü": [True, None, 1.5, 10**30]},
                error=RunError(type="rate_limited", message="m", place=Place("w.yaml", 2, 3), retry_after_s=2.0),
                attempts=4,
                started_at=world.clock.now(),
                finished_at=world.clock.now(),
            )
            await world.store.record_steps(run.lease, [result, world.step("bare")])
            found = await world.other.list_steps(DEFAULT_TENANT, run.id)
            assert found == [result, world.step("bare", started_at=found[1].started_at)]

    async def test_steps_keep_the_order_of_first_recording(self, tmp_path: Path) -> None:
        """A later result replaces an earlier one of its path, whole and in its place."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            await world.store.record_steps(
                run.lease, [world.step("b", status="running", inputs={"i": 1}), world.step("a", status="running")]
            )
            await world.store.record_steps(run.lease, [world.step("c"), world.step("b", output={"o": 2})])
            found = await world.other.list_steps(DEFAULT_TENANT, run.id)
            shown = [(step.path, step.status, step.inputs, step.output) for step in found]
            assert shown == [
                ("b", "succeeded", None, {"o": 2}),
                ("a", "running", None, None),
                ("c", "succeeded", None, None),
            ]

    async def test_steps_survive_a_recovery(self, tmp_path: Path) -> None:
        """A new owner finds what the old one recorded."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            await world.store.record_steps(run.lease, [world.step("done", output=1)])
            world.clock.jump(31)
            [claimed] = await world.claim(owner="b")
            await world.other.record_steps((await world.other.start(claimed.lease)).lease, [world.step("more")])
            assert [step.path for step in await world.store.list_steps(DEFAULT_TENANT, run.id)] == ["done", "more"]

    async def test_j1_a_void_lease_records_nothing(self, tmp_path: Path) -> None:
        """J1: neither a lower fence nor a finished run takes steps or lines."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            line = LogLine(at=world.clock.now(), level="info", message="m")
            with pytest.raises(FenceLost):
                await world.store.record_steps(void(run.lease), [world.step("a")])
            await world.finish(run)
            with pytest.raises(FenceLost):
                await world.store.record_steps(run.lease, [world.step("a")])
            with pytest.raises(FenceLost):
                await world.store.append_logs(run.lease, [line])
            assert await world.other.list_steps(DEFAULT_TENANT, run.id) == []
            assert (await world.other.list_logs(DEFAULT_TENANT, run.id)).items == ()

    async def test_journals_of_unknown_runs_are_missing(self, tmp_path: Path) -> None:
        """A wrong id is told apart from a run without steps."""
        async with self.world(tmp_path) as world:
            for read in (world.other.list_steps, world.other.list_logs, world.other.list_events):
                with pytest.raises(Missing):
                    await read(DEFAULT_TENANT, "run_nowhere")

    async def test_j2_lines_keep_their_order_and_fields(self, tmp_path: Path) -> None:
        """J2: lines come back as written, over several calls, also with equal instants."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            at = world.clock.now()
            lines = [
                LogLine(at=at, level="info", message=f"{n}", step="s", attempt=n, fields={"n": n}) for n in range(7)
            ]
            for part in (lines[:3], lines[3:4], lines[4:]):
                await world.store.append_logs(run.lease, part)
            assert list((await world.other.list_logs(DEFAULT_TENANT, run.id)).items) == lines

    async def test_j2_a_reader_follows_a_run_that_still_writes(self, tmp_path: Path) -> None:
        """J2: the cursor is never None; reading on from it gives what came since, and nothing twice."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            seen: list[str] = []
            cursor = None
            for number in range(6):
                page = await world.other.list_logs(DEFAULT_TENANT, run.id, cursor=cursor, limit=2)
                seen += [line.message for line in page.items]
                cursor = page.cursor
                assert cursor is not None
                if number % 2 == 0:
                    lines = [LogLine(at=world.clock.now(), level="debug", message=f"{number}{x}") for x in "abc"]
                    await world.store.append_logs(run.lease, lines)
            page = await world.other.list_logs(DEFAULT_TENANT, run.id, cursor=cursor)
            assert seen + [line.message for line in page.items] == [f"{n}{x}" for n in (0, 2, 4) for x in "abc"]

    async def test_j2_the_store_keeps_ten_thousand_lines_and_says_so(self, tmp_path: Path) -> None:
        """J2: a run that logs in a loop does not fill the disk; the last line tells that more came."""
        async with self.world(tmp_path) as world:
            run = await world.start_one()
            at = world.clock.now()
            lines = [LogLine(at=at, level="info", message=f"{n}") for n in range(9_999)]
            await world.store.append_logs(run.lease, lines)
            whole = await world.other.list_logs(DEFAULT_TENANT, run.id, limit=20_000)
            assert (len(whole.items), whole.items[-1].message) == (9_999, "9998")
            for _ in range(3):
                await world.store.append_logs(run.lease, lines[:2])
            cut = await world.other.list_logs(DEFAULT_TENANT, run.id, limit=20_000)
            assert cut.items[:-1] == whole.items
            assert (cut.items[-1].level, "not kept" in cut.items[-1].message) == ("warning", True)

    @pytest.mark.parametrize("value", [0, False, "", [], {"a": [1]}, 1.5, "ü\u2028\x00"])
    async def test_state_comes_back_as_it_was_put(self, tmp_path: Path, value: Json) -> None:
        """Small values are kept by scope and key, falsy ones too, and deleted with None."""
        async with self.world(tmp_path) as world:
            assert await world.other.find_state(DEFAULT_TENANT, "s", "k") is None
            await world.store.put_state(DEFAULT_TENANT, "s", "k", "before")
            await world.store.put_state(DEFAULT_TENANT, "s", "k", value)
            assert await world.other.find_state(DEFAULT_TENANT, "s", "k") == value
            assert await world.other.find_state(DEFAULT_TENANT, "k", "s") is None
            await world.store.put_state(DEFAULT_TENANT, "s", "k", None)
            assert await world.other.find_state(DEFAULT_TENANT, "s", "k") is None

    async def test_a_state_value_over_64_kib_is_refused(self, tmp_path: Path) -> None:
        """A value is at most 64 KiB as JSON; a larger one leaves the old one in place."""
        async with self.world(tmp_path) as world:
            largest = "x" * (64 * 1024 - 2)
            await world.store.put_state(DEFAULT_TENANT, "s", "k", largest)
            with pytest.raises(StoreError, match="65537 bytes"):
                await world.store.put_state(DEFAULT_TENANT, "s", "k", largest + "x")
            assert await world.other.find_state(DEFAULT_TENANT, "s", "k") == largest

    async def test_deep_values_stay_readable(self, tmp_path: Path) -> None:
        """What was accepted can be read again, however deep; what is too deep is refused."""
        async with self.world(tmp_path) as world:
            for depth in (150, 210, 240):
                value = _nest(depth)
                await world.store.put_state(DEFAULT_TENANT, "s", "k", value)
                assert await world.other.find_state(DEFAULT_TENANT, "s", "k") == value
            with pytest.raises(StoreError):
                await world.store.put_state(DEFAULT_TENANT, "s", "k", _nest(2_000))


def _nest(depth: int) -> Json:
    value: Json = "leaf"
    for _ in range(depth):
        value = [value]
    return value
