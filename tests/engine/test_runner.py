"""Claiming, executing, limits, cancels, lost leases, crashes."""

import gc
import logging
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from ipaas.engine.machine import RunnerSettings
from ipaas.engine.request import make_request
from ipaas.errors import Missing, StoreUnavailable
from ipaas.model import Concurrency, Place, Problem
from ipaas.plugin import Json
from ipaas.run import Run, TriggerInfo
from ipaas.store.contract import DEFAULT_TENANT, RunFilter
from ipaas.testing.build import block, step, uses, workflow
from ipaas.testing.lab import Lab, make_action, make_lab
from ipaas.testing.wrapped_store import WrappedStore


async def give(ctx: Any, value: Json = None) -> Json:
    """Return the input."""
    return value


async def nap(ctx: Any, seconds: float = 10.0) -> None:
    """Take that long."""
    await trio.sleep(seconds)


async def hang(ctx: Any) -> None:
    """Never end."""
    await trio.sleep_forever()


def make(**keys: Any) -> Lab:
    return make_lab(
        make_action("t.give", give),
        make_action("t.nap", nap),
        make_action("t.hang", hang),
        make_action("t.write", nap, effect="write"),
        **keys,
    )


class Spy:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def run_changed(self, run: Any) -> None:
        self.seen.append(run.state)

    def step_changed(self, run: Any, result: Any) -> None:
        self.seen.append(f"{result.path} {result.status}")

    def line_logged(self, run: Any, line: Any) -> None:
        self.seen.append(line.message)


class Grumpy:
    """An observer that raises."""

    def run_changed(self, run: Any) -> None:
        raise ValueError("no")

    def step_changed(self, run: Any, result: Any) -> None:
        raise ValueError("no")

    def line_logged(self, run: Any, line: Any) -> None:
        raise ValueError("no")


async def test_a_run_is_executed_and_recorded() -> None:
    """State, outputs, steps and events are in the Store when the wait is over."""
    lab = make()
    await lab.put(
        workflow(
            step("one", uses("t.give", value=lambda scope: scope["inputs"]["n"] + 1)),
            inputs={"n": {"type": "integer"}},
            outputs={"n": lambda scope: scope["steps"]["one"]["output"]},
        )
    )
    async with lab.open_runner() as runner:
        run = await lab.execute(runner, "test", n=1)
    assert (run.state, run.outputs) == ("succeeded", {"n": 2})
    assert [event.state for event in await lab.store.list_events(DEFAULT_TENANT, run.id)] == [
        "queued",
        "running",
        "succeeded",
    ]
    assert (await lab.read_steps(run.id))["one"].inputs == {"value": 2}


async def test_observers_are_told_in_order_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    """One that raises is logged and costs neither the run nor the other observer."""
    lab, spy = make(), Spy()
    await lab.put(workflow(step("one", uses("t.give"))))
    async with lab.open_runner(observers=[Grumpy(), spy]) as runner:
        run = await lab.execute(runner, "test")
    assert run.state == "succeeded"
    assert spy.seen == ["running", "one running", "one succeeded", "succeeded"]
    assert {record.message for record in caplog.records if record.levelno == logging.ERROR} == {"an observer failed"}


async def test_what_is_over_the_limit_waits_in_the_store(autojump_clock: MockClock) -> None:
    """Never more than three are under way; the others are `queued` meanwhile, and all end."""
    running = most = 0

    async def count(ctx: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(1)
        running -= 1

    lab = make_lab(make_action("t.count", count), settings=RunnerSettings(limit=3))
    await lab.put(workflow(step("x", uses("t.count"))))
    async with lab.open_runner() as runner:
        ids = [await lab.submit(runner, "test") for _ in range(10)]
        await trio.sleep(0.5)
        queued = await lab.store.list_runs(DEFAULT_TENANT, RunFilter(states=frozenset({"queued"})))
        assert len(queued.items) == 7
        runs = [await runner.wait_finished(DEFAULT_TENANT, run_id) for run_id in ids]
    assert most == 3
    assert {run.state for run in runs} == {"succeeded"}


async def test_a_workflows_own_limit_holds(autojump_clock: MockClock) -> None:
    """`concurrency: {limit: 1}` makes runs of one workflow take turns, whatever else is free."""
    lab = make()
    await lab.put(workflow(step("x", uses("t.nap", seconds=5.0)), concurrency=Concurrency(limit=1)))
    begun = trio.current_time()
    async with lab.open_runner() as runner:
        ids = [await lab.submit(runner, "test") for _ in range(3)]
        for run_id in ids:
            await runner.wait_finished(DEFAULT_TENANT, run_id)
    assert 15.0 <= trio.current_time() - begun < 16.0


async def test_a_run_submitted_elsewhere_is_found_by_looking(autojump_clock: MockClock) -> None:
    """Nobody wakes the runner, and a second later the run is under way; its end is seen by a waiter of another runner too."""
    lab = make()
    await lab.put(workflow(step("x", uses("t.give"))))
    idle = lab.make_runner(owner="idle")
    async with lab.open_runner():
        await trio.sleep(10)
        run = await lab.execute(idle, "test")
    assert run.state == "succeeded"


async def test_own_only_leaves_other_runs_alone(autojump_clock: MockClock) -> None:
    """`ipaas run` on a shared database executes what it submitted and nothing else."""
    lab = make()
    await lab.put(workflow(step("x", uses("t.give"))))
    other = await lab.submit(lab.make_runner(owner="other"), "test")
    async with lab.open_runner(own_only=True) as runner:
        mine = await lab.execute(runner, "test")
        await trio.sleep(10)
    assert mine.state == "succeeded"
    assert (await lab.store.get_run(DEFAULT_TENANT, other)).state == "queued"


async def test_waiting_for_an_ended_run_keeps_nothing() -> None:
    """A server that is asked for many runs that are over does not grow with each."""
    lab = make()
    await lab.put(workflow(step("x", uses("t.give"))))
    async with lab.open_runner() as runner:
        run = await lab.execute(runner, "test")
        before = count_events()
        for _ in range(3):
            other = await lab.store.submit(
                DEFAULT_TENANT, [make_request(lab.find("test"), inputs={}, trigger=TriggerInfo())]
            )
            await lab.store.request_cancel(DEFAULT_TENANT, other[0].run_id)
            await runner.wait_finished(DEFAULT_TENANT, other[0].run_id)
        assert (await runner.wait_finished(DEFAULT_TENANT, run.id)).state == "succeeded"
        assert count_events() <= before


def count_events() -> int:
    gc.collect()
    return sum(isinstance(each, trio.Event) for each in gc.get_objects())


async def test_waiting_for_an_unknown_run_is_refused() -> None:
    """Nobody waits for ever for a typing error."""
    lab = make()
    async with lab.open_runner() as runner:
        with pytest.raises(Missing):
            await runner.wait_finished(DEFAULT_TENANT, "nothing")


class TestSwitchedOff:
    async def test_between_claim_and_start(self) -> None:
        """A workflow switched off after the claim does not run: its run is `skipped`, with the reason."""

        class SwitchOff(WrappedStore):
            async def claim(self, owner: str, **keys: Any) -> list[Run]:
                runs: list[Run] = await self.inner.claim(owner, **keys)
                if runs:
                    await self.inner.set_active(DEFAULT_TENANT, "test", active=False)
                return runs

        lab = make()
        await lab.put(workflow(step("x", uses("t.give"))))
        async with lab.open_runner(store=SwitchOff(lab.store)) as runner:
            run = await lab.execute(runner, "test")
        assert (run.state, run.reason) == ("skipped", "workflow is not active")
        assert await lab.read_steps(run.id) == {}

    def test_at_every_moment_around_the_start(self) -> None:
        """Whatever the moment, no start succeeds once the switch is off: checked by the order in which the Store answered."""
        for moment in range(300):
            answers: list[str] = []

            class Noting(WrappedStore):
                async def start(self, lease: Any) -> Run:
                    run: Run = await self.inner.start(lease)
                    self.inner_answers.append(f"start {run.state}")
                    return run

                inner_answers = answers

            async def main(moment: int = moment, answers: list[str] = answers, noting: type = Noting) -> list[str]:
                lab = make()
                await lab.put(workflow(step("x", uses("t.give"))))

                async def switch_off() -> None:
                    for _ in range(moment % 30):
                        await trio.lowlevel.checkpoint()
                    await lab.store.set_active(DEFAULT_TENANT, "test", active=False)
                    answers.append("off")

                async with lab.open_runner(store=noting(lab.store)) as runner, trio.open_nursery() as nursery:
                    nursery.start_soon(switch_off)
                    ids = [await lab.submit(runner, "test") for _ in range(5)]
                    return [(await runner.wait_finished(DEFAULT_TENANT, run_id)).state for run_id in ids]

            states = trio.run(main)
            assert "start running" not in answers[answers.index("off") :]
            assert set(states) <= {"succeeded", "skipped"}


class TestCancel:
    async def test_a_running_run_is_cancelled_with_its_cleanup(self, autojump_clock: MockClock) -> None:
        """The state is `cancelled` with the reason, the cleanup is done, the place is free."""
        lab = make(settings=RunnerSettings(limit=1))
        await lab.put(workflow(step("x", uses("t.hang")), cleanup=block(step("tidy", uses("t.nap", seconds=2.0)))))
        async with lab.open_runner() as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(1)
            await runner.request_cancel(DEFAULT_TENANT, run_id, reason="changed my mind")
            run = await runner.wait_finished(DEFAULT_TENANT, run_id)
            assert runner.active == 0
        assert (run.state, run.reason, run.outputs) == ("cancelled", "changed my mind", None)
        steps = await lab.read_steps(run_id)
        assert (steps["x"].status, steps["finally/tidy"].status) == ("cancelled", "succeeded")

    async def test_a_cancel_from_elsewhere_comes_with_the_heartbeat(self, autojump_clock: MockClock) -> None:
        """Another process asked the Store; within a heartbeat the run ends."""
        lab = make()
        await lab.put(workflow(step("x", uses("t.hang"))))
        async with lab.open_runner() as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(1)
            begun = trio.current_time()
            await lab.store.request_cancel(DEFAULT_TENANT, run_id)
            run = await runner.wait_finished(DEFAULT_TENANT, run_id)
        assert run.state == "cancelled"
        assert trio.current_time() - begun <= 5.0

    async def test_a_queued_run_is_cancelled_at_once(self, autojump_clock: MockClock) -> None:
        """It never starts, and whoever waits for it is told without polling."""
        lab = make(settings=RunnerSettings(limit=1))
        await lab.put(workflow(step("x", uses("t.nap"))))
        async with lab.open_runner() as runner:
            await lab.submit(runner, "test")
            queued = await lab.submit(runner, "test")
            await trio.sleep(1)
            await runner.request_cancel(DEFAULT_TENANT, queued)
            run = await runner.wait_finished(DEFAULT_TENANT, queued)
        assert (run.state, run.started_at) == ("cancelled", None)

    async def test_a_cleanup_that_hangs_does_not_keep_the_run(self, autojump_clock: MockClock) -> None:
        """Ten seconds after the cancel the run has ended."""
        lab = make()
        await lab.put(workflow(step("x", uses("t.hang")), cleanup=block(step("tidy", uses("t.hang")))))
        async with lab.open_runner() as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(1)
            begun = trio.current_time()
            await runner.request_cancel(DEFAULT_TENANT, run_id)
            run = await runner.wait_finished(DEFAULT_TENANT, run_id)
        assert run.state == "cancelled"
        assert trio.current_time() - begun == 10.0


class TestCrash:
    async def test_another_server_goes_on_from_the_journal(self, autojump_clock: MockClock) -> None:
        """After the lease has run out the run is claimed anew; finished steps are not performed again."""
        performed: list[str] = []

        async def act(ctx: Any) -> None:
            performed.append(ctx.run.path)
            if len(performed) == 2:
                await trio.sleep_forever()

        lab = make_lab(make_action("t.act", act))
        await lab.put(workflow(step("one", uses("t.act")), step("two", uses("t.act")), timeout_s=1000.0))
        async with lab.open_runner() as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(1)
        assert (await lab.store.get_run(DEFAULT_TENANT, run_id)).state == "running"
        async with lab.open_runner(owner="server2") as runner:
            run = await runner.wait_finished(DEFAULT_TENANT, run_id)
        assert (run.state, run.recoveries, run.owner) == ("succeeded", 1, "server2")
        assert performed == ["one", "two", "two"]

    async def test_a_write_under_way_ends_the_run_interrupted(self, autojump_clock: MockClock) -> None:
        """It is not repeated, and the run says which step it was."""
        lab = make()
        await lab.put(workflow(step("pay", uses("t.write"))))
        async with lab.open_runner() as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(1)
        async with lab.open_runner(owner="server2") as runner:
            run = await runner.wait_finished(DEFAULT_TENANT, run_id)
        assert (run.state, run.reason) == ("interrupted", "the step `pay` is in doubt")
        assert run.error is not None
        assert (run.error.type, run.error.step) == ("in_doubt", "pay")

    async def test_a_server_that_was_stopped_past_its_lease_writes_nothing(self, autojump_clock: MockClock) -> None:
        """Its heartbeats did not arrive; another server took the run over; the first one's execution ends without cleanup."""
        tidied: list[str] = []

        async def tidy(ctx: Any) -> None:
            tidied.append(str(trio.current_time()))

        class CutOff(WrappedStore):
            """Reachable for the first seconds, then not for a minute."""

            def check(self) -> None:
                if 2 < trio.current_time() - begun < 60:
                    raise StoreUnavailable("the network is down")

            async def heartbeat(self, *args: Any, **keys: Any) -> Any:
                self.check()
                return await self.inner.heartbeat(*args, **keys)

            async def claim(self, *args: Any, **keys: Any) -> Any:
                self.check()
                return await self.inner.claim(*args, **keys)

        lab = make_lab(make_action("t.nap", nap), make_action("t.tidy", tidy))
        await lab.put(
            workflow(
                step("x", uses("t.nap", seconds=100.0), timeout_s=500.0), cleanup=block(step("tidy", uses("t.tidy")))
            )
        )
        begun = trio.current_time()
        async with lab.open_runner(store=CutOff(lab.store)) as first, trio.open_nursery() as nursery:
            run_id = await lab.submit(first, "test")
            await trio.sleep(1)
            second = lab.make_runner(owner="server2")
            await nursery.start(second.run)
            run = await second.wait_finished(DEFAULT_TENANT, run_id)
            nursery.cancel_scope.cancel()
        assert (run.state, run.owner, len(tidied)) == ("succeeded", "server2", 1)
        fences = [event.fence for event in await lab.store.list_events(DEFAULT_TENANT, run_id)]
        assert fences == sorted(fences)

    async def test_a_server_that_claims_its_own_run_anew_does_not_execute_it_twice_at_once(
        self, autojump_clock: MockClock
    ) -> None:
        """The lease ran out although the process lives: the old execution ends first, the run is executed again, and succeeds."""
        running = most = 0

        async def act(ctx: Any) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                await trio.sleep(20)
            finally:
                running -= 1

        class NoHeartbeat(WrappedStore):
            async def heartbeat(self, *args: Any, **keys: Any) -> Any:
                if trio.current_time() - begun < 35:
                    raise StoreUnavailable("the database is locked")
                return await self.inner.heartbeat(*args, **keys)

        lab = make_lab(make_action("t.act", act))
        await lab.put(workflow(step("x", uses("t.act")), step("y", uses("t.act"))))
        begun = trio.current_time()
        async with lab.open_runner(store=NoHeartbeat(lab.store)) as runner:
            run = await lab.execute(runner, "test")
        assert (run.state, most) == ("succeeded", 1)
        assert run.recoveries >= 1

    async def test_a_store_that_is_away_at_the_end_is_asked_again(self, autojump_clock: MockClock) -> None:
        """The end of the run is written when the Store is back."""
        failures = iter([1, 2, 3])

        class AwayAtFinish(WrappedStore):
            async def finish(self, *args: Any, **keys: Any) -> Run:
                if next(failures, None):
                    raise StoreUnavailable("the database is locked")
                run: Run = await self.inner.finish(*args, **keys)
                return run

        lab = make()
        await lab.put(workflow(step("x", uses("t.give"))))
        async with lab.open_runner(store=AwayAtFinish(lab.store)) as runner:
            run = await lab.execute(runner, "test")
        assert (run.state, run.recoveries) == ("succeeded", 0)

    async def test_a_run_that_was_given_up_is_taken_again_with_own_only(self, autojump_clock: MockClock) -> None:
        """`ipaas run` does not wait for ever for a run that it could not finish: it goes on when the Store is back."""

        class AwayForLong(WrappedStore):
            async def finish(self, *args: Any, **keys: Any) -> Run:
                if trio.current_time() - begun < 60:
                    raise StoreUnavailable("the database is locked")
                run: Run = await self.inner.finish(*args, **keys)
                return run

        lab = make()
        await lab.put(workflow(step("x", uses("t.give"))))
        begun = trio.current_time()
        async with lab.open_runner(store=AwayForLong(lab.store), own_only=True) as runner:
            with trio.fail_after(600):
                run = await lab.execute(runner, "test")
        assert run.state == "succeeded"
        assert run.recoveries >= 1

    async def test_a_store_that_is_away_does_not_end_the_runner(self, autojump_clock: MockClock) -> None:
        """Claims and heartbeats fail for a while, and the runner goes on when the Store is back."""

        class Away(WrappedStore):
            async def claim(self, *args: Any, **keys: Any) -> list[Run]:
                if trio.current_time() - begun < 20:
                    raise StoreUnavailable("the database is locked")
                runs: list[Run] = await self.inner.claim(*args, **keys)
                return runs

        lab = make()
        await lab.put(workflow(step("x", uses("t.give"))))
        begun = trio.current_time()
        async with lab.open_runner(store=Away(lab.store)) as runner:
            run = await lab.execute(runner, "test")
        assert run.state == "succeeded"
        assert trio.current_time() - begun >= 20

    async def test_a_fault_of_ours_costs_one_run(self, caplog: pytest.LogCaptureFixture) -> None:
        """An expression that breaks the evaluator ends its run `failed`, with a log record; the next run succeeds."""

        def broken(scope: Any) -> Any:
            raise AttributeError("a fault in the evaluator")

        lab = make()
        await lab.put(
            workflow(step("x", uses("t.give", value=broken)), id="broken"),
            workflow(step("x", uses("t.give")), id="fine"),
        )
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "broken")
            fine = await lab.execute(runner, "fine")
        assert run.error is not None
        assert run.error.message == "ipaas itself failed: `AttributeError`: a fault in the evaluator"
        assert fine.state == "succeeded"
        assert "a run failed by a fault of ipaas" in caplog.messages


class TestDrain:
    async def test_runs_may_end_within_the_grace(self, autojump_clock: MockClock) -> None:
        """Nothing new is claimed, what is under way ends, and the runner returns."""
        lab = make(settings=RunnerSettings(limit=1))
        await lab.put(workflow(step("x", uses("t.nap", seconds=5.0))))
        runner = lab.make_runner()
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.run)
            first = await lab.submit(runner, "test")
            second = await lab.submit(runner, "test")
            await trio.sleep(1)
            assert await runner.drain(30) is True
        assert (await lab.store.get_run(DEFAULT_TENANT, first)).state == "succeeded"
        assert (await lab.store.get_run(DEFAULT_TENANT, second)).state == "queued"

    async def test_what_does_not_end_is_given_back_and_goes_on_elsewhere(self, autojump_clock: MockClock) -> None:
        """It is `queued` again, without cleanup, and the next server goes on from the journal; that is no recovery."""
        performed: list[str] = []

        async def act(ctx: Any) -> None:
            performed.append(ctx.run.path)

        lab = make_lab(make_action("t.act", act), make_action("t.nap", nap))
        await lab.put(
            workflow(
                step("one", uses("t.act")),
                step("two", uses("t.nap", seconds=50.0)),
                cleanup=block(step("tidy", uses("t.act"))),
            )
        )
        runner = lab.make_runner()
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.run)
            run_id = await lab.submit(runner, "test")
            await trio.sleep(1)
            begun = trio.current_time()
            await runner.drain(20)
            assert trio.current_time() - begun == 20
        run = await lab.store.get_run(DEFAULT_TENANT, run_id)
        assert (run.state, performed) == ("queued", ["one"])
        async with lab.open_runner(owner="server2") as again:
            run = await again.wait_finished(DEFAULT_TENANT, run_id)
        assert (run.state, run.recoveries) == ("succeeded", 0)
        assert performed == ["one", "finally/tidy"]

    async def test_a_step_that_cannot_be_ended_does_not_keep_the_server(self, autojump_clock: MockClock) -> None:
        """A connector that keeps its cancel out loses its run to the next server, and the caller hears that a task is left."""
        let_go = trio.Event()

        async def cling(ctx: Any) -> None:
            with trio.CancelScope(shield=True):
                await let_go.wait()

        lab = make_lab(make_action("t.cling", cling, effect="write"), make_action("t.nap", nap))
        await lab.put(
            workflow(step("pay", uses("t.cling")), id="clings"), workflow(step("x", uses("t.nap", seconds=50.0)))
        )
        runner = lab.make_runner()
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.run)
            stuck = await lab.submit(runner, "clings")
            other = await lab.submit(runner, "test")
            await trio.sleep(1)
            begun = trio.current_time()
            assert await runner.drain(20) is False
            assert trio.current_time() - begun == 20 + lab.settings.cleanup_s
            states = [(await lab.store.get_run(DEFAULT_TENANT, run_id)).state for run_id in (stuck, other)]
            assert states == ["queued", "queued"]
            async with lab.open_runner(owner="server2") as again:
                run = await again.wait_finished(DEFAULT_TENANT, stuck)
            let_go.set()
        assert run.error is not None
        assert (run.state, run.recoveries, run.error.step) == ("interrupted", 0, "pay")

    async def test_a_write_under_way_is_in_doubt_on_the_next_server(self, autojump_clock: MockClock) -> None:
        """Nobody knows whether the request that was broken off had arrived."""
        lab = make()
        await lab.put(workflow(step("pay", uses("t.write", seconds=50.0))))
        runner = lab.make_runner()
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.run)
            run_id = await lab.submit(runner, "test")
            await trio.sleep(1)
            await runner.drain(0)
        async with lab.open_runner(owner="server2") as again:
            run = await again.wait_finished(DEFAULT_TENANT, run_id)
        assert run.state == "interrupted"

    @pytest.mark.parametrize("when", range(40))
    async def test_nothing_is_left_running_whenever_it_is_told_to_stop(self, when: int) -> None:
        """At every moment around submit, claim and start, a drain without grace leaves each run ended or queued."""
        lab = make(settings=RunnerSettings(limit=3))
        await lab.put(workflow(step("x", uses("t.write", seconds=0.0)), step("y", uses("t.give"))))
        runner = lab.make_runner()
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.run)
            ids = [await lab.submit(runner, "test") for _ in range(5)]
            for _ in range(when):
                await trio.lowlevel.checkpoint()
            await runner.drain(0)
        states = {(await lab.store.get_run(DEFAULT_TENANT, run_id)).state for run_id in ids}
        assert states <= {"queued", "succeeded"}
        async with lab.open_runner(owner="server2") as again:
            ended = {(await again.wait_finished(DEFAULT_TENANT, run_id)).state for run_id in ids}
        assert ended <= {"succeeded", "interrupted"}


async def test_a_run_whose_text_no_longer_compiles_fails_with_the_problem() -> None:
    """A plugin changed under it: the run says where and what does not fit, and the runner goes on."""
    lab = make()
    await lab.put(workflow(step("x", uses("t.give"))))
    place = Place("pipelines/test.yaml", 4, 11)
    lab.broken[lab.find("test").version] = Problem(place, "unknown action `t.give`", "unknown-action")
    async with lab.open_runner() as runner:
        run = await lab.execute(runner, "test")
    assert run.state == "failed"
    assert run.error is not None
    assert (run.error.type, run.error.place) == ("validation", place)
    assert run.error.message == "the workflow does not pass the checks any more: unknown action `t.give`"


async def test_a_thousand_runs_of_many_servers_are_each_executed_once(autojump_clock: MockClock) -> None:
    """Four runners on one Store share the queue: every run ends, every step is performed once."""
    performed: list[str] = []

    async def act(ctx: Any) -> None:
        performed.append(ctx.run.run_id)
        await trio.sleep(0.1)

    lab = make_lab(make_action("t.act", act, effect="write"), settings=RunnerSettings(limit=50))
    await lab.put(workflow(step("x", uses("t.act"))))
    runners = [lab.make_runner(owner=f"server{n}") for n in range(4)]
    async with trio.open_nursery() as nursery:
        for runner in runners:
            await nursery.start(runner.run)
        ids = [await lab.submit(runners[n % 4], "test") for n in range(1000)]
        states = {(await runners[0].wait_finished(DEFAULT_TENANT, run_id)).state for run_id in ids}
        nursery.cancel_scope.cancel()
    assert states == {"succeeded"}
    assert sorted(performed) == sorted(ids)
