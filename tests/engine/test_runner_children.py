"""`run_workflow`: runs that start runs."""

from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from ipaas.engine.machine import RunnerSettings
from ipaas.model import Concurrency, Retry, RunWorkflow
from ipaas.plugin import Json
from ipaas.run import Run
from ipaas.store.contract import DEFAULT_TENANT, RunFilter
from ipaas.testing.build import PythonTemplate, block, call_workflow, for_each, parallel, step, uses, workflow
from ipaas.testing.lab import Lab, make_action, make_lab

NUMBER = {"n": {"type": "integer"}}


async def double(ctx: Any, n: int) -> Json:
    """Return twice the number."""
    return n * 2


async def nap(ctx: Any, seconds: float = 10.0) -> None:
    """Take that long."""
    await trio.sleep(seconds)


def make(**keys: Any) -> Lab:
    return make_lab(make_action("t.double", double), make_action("t.nap", nap), **keys)


CHILD = workflow(
    step("twice", uses("t.double", n=lambda scope: scope["inputs"]["n"])),
    id="child",
    inputs=NUMBER,
    outputs={"n": lambda scope: scope["steps"]["twice"]["output"]},
)
SLEEPY = workflow(step("nap", uses("t.nap")), id="sleepy")


async def list_children(lab: Lab, parent: str) -> list[Run]:
    return list((await lab.store.list_runs(DEFAULT_TENANT, RunFilter(parent=parent))).items)


async def test_the_childs_outputs_come_back() -> None:
    """The child is a run of its own, with parent, trigger and validated inputs."""
    lab = make()
    parent = workflow(
        step("sub", call_workflow("child", n=lambda scope: scope["inputs"]["n"])),
        inputs=NUMBER,
        outputs={"n": lambda scope: scope["steps"]["sub"]["output"]["n"]},
    )
    await lab.put(CHILD, parent)
    async with lab.open_runner() as runner:
        run = await lab.execute(runner, "test", n=21)
        (child,) = await list_children(lab, run.id)
        child = await lab.store.get_run(DEFAULT_TENANT, child.id)
    assert run.outputs == {"n": 42}
    assert child.parent == (run.id, "sub")
    assert (child.trigger.type, dict(child.trigger.data)) == ("workflow", {"workflow": "test", "run_id": run.id})


async def test_with_a_single_place_parents_and_children_do_not_lock_up(autojump_clock: MockClock) -> None:
    """Four levels of children, several parents, one place: each gives its place back while it waits."""
    lab = make(settings=RunnerSettings(limit=1))
    levels = [workflow(step("sub", call_workflow(f"level{n + 1}")), id=f"level{n}") for n in range(3)]
    await lab.put(*levels, workflow(step("nap", uses("t.nap", seconds=1.0)), id="level3"))
    async with lab.open_runner() as runner:
        ids = [await lab.submit(runner, "level0") for _ in range(3)]
        states = [(await runner.wait_finished(DEFAULT_TENANT, run_id)).state for run_id in ids]
    assert states == ["succeeded"] * 3


async def test_children_in_loops_and_branches(autojump_clock: MockClock) -> None:
    """Each item and each branch has its own child; a limit of two places is enough."""
    lab = make(settings=RunnerSettings(limit=2))
    item = call_workflow("child", n=lambda scope: scope["item"])
    loop = step("each", item, for_each=for_each([1, 2, 3], limit=3))
    both = parallel(a=block(loop), b=block(step("other", call_workflow("sleepy"))))
    await lab.put(CHILD, SLEEPY, workflow(step("both", both)))
    async with lab.open_runner() as runner:
        run = await lab.execute(runner, "test")
        steps = await lab.read_steps(run.id)
        children = await list_children(lab, run.id)
    assert steps["both/each"].output == [{"n": 2}, {"n": 4}, {"n": 6}]
    assert sorted(child.parent[1] for child in children if child.parent) == [
        "both/each[0]",
        "both/each[1]",
        "both/each[2]",
        "both/other",
    ]


async def test_a_child_that_is_not_waited_for_goes_on_alone(autojump_clock: MockClock) -> None:
    """The parent ends with the run id, long before the child."""
    lab = make()
    await lab.put(SLEEPY, workflow(step("sub", call_workflow("sleepy", wait=False))))
    async with lab.open_runner() as runner:
        run = await lab.execute(runner, "test")
        (child,) = await list_children(lab, run.id)
        assert (await lab.read_steps(run.id))["sub"].output == {"run_id": child.id}
        assert child.state in ("queued", "running")
        assert (await runner.wait_finished(DEFAULT_TENANT, child.id)).state == "succeeded"


class TestFailure:
    async def test_a_failing_child_fails_the_step_with_its_error_and_run_id(self) -> None:
        """The type is the child's, the message names its run, the place is the step's."""

        async def bad(ctx: Any) -> None:
            raise ValueError("broken")

        lab = make_lab(make_action("t.bad", bad))
        await lab.put(
            workflow(step("x", uses("t.bad")), id="child"), workflow(step("sub", call_workflow("child"), line=8))
        )
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
            (child,) = await list_children(lab, run.id)
        assert run.error is not None
        assert (run.error.type, run.error.step) == ("connector_bug", "sub")
        assert run.error.message.startswith(
            f"run `{child.id}` of `child` ended failed: `t.bad` raised `ValueError`: broken"
        )
        assert run.error.hint == f"`ipaas runs show {child.id}` shows what happened there"
        assert run.error.place is not None
        assert run.error.place.line == 8

    @pytest.mark.parametrize(
        "given, message",
        [({}, "workflow `child` needs the input `n`"), ({"n": 1, "m": 2}, "workflow `child` has no input `m`")],
    )
    async def test_inputs_that_do_not_fit_are_a_validation_error(self, given: dict[str, Json], message: str) -> None:
        """Nothing is started."""
        lab = make()
        await lab.put(CHILD, workflow(step("sub", RunWorkflow(workflow="child", inputs=PythonTemplate(given)))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
            assert await list_children(lab, run.id) == []
        assert run.error is not None
        assert (run.error.type, run.error.message) == ("validation", message)

    async def test_a_workflow_that_is_gone_is_not_found(self) -> None:
        """It was removed after the parent was checked."""
        lab = make()
        await lab.put(workflow(step("sub", call_workflow("child"))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert run.error is not None
        assert run.error.type == "not_found"

    async def test_a_child_that_is_switched_off_fails_the_step(self) -> None:
        """Disabled means disabled on this path too."""
        lab = make()
        await lab.put(CHILD, workflow(step("sub", call_workflow("child", n=1))))
        await lab.store.set_active(DEFAULT_TENANT, "child", active=False)
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert run.error is not None
        assert run.error.type == "client_error"
        assert run.error.message.endswith("was skipped: workflow is not active")

    async def test_a_second_attempt_starts_a_second_child(self, autojump_clock: MockClock) -> None:
        """When the file says `retry`, the failed child stays what it is and a new one is tried."""
        tries: list[str] = []

        async def flaky(ctx: Any) -> None:
            tries.append(ctx.run.run_id)
            if len(tries) == 1:
                raise TimeoutError

        lab = make_lab(make_action("t.flaky", flaky))
        once = Retry(max_attempts=1)
        await lab.put(
            workflow(step("x", uses("t.flaky"), retry=once), id="child"),
            workflow(step("sub", call_workflow("child"), retry=Retry(max_attempts=2))),
        )
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
            children = await list_children(lab, run.id)
        assert run.state == "succeeded"
        assert sorted(child.state for child in children) == ["failed", "succeeded"]


class TestCancel:
    async def test_a_cancelled_parent_cancels_its_children_at_once(self, autojump_clock: MockClock) -> None:
        """Down to the grandchild, well before the next heartbeat."""
        lab = make(settings=RunnerSettings(heartbeat_s=1000.0, lease_s=5000.0))
        await lab.put(
            workflow(step("nap", uses("t.nap", seconds=500.0), timeout_s=900.0), id="leaf"),
            workflow(step("sub", call_workflow("leaf")), id="middle"),
            workflow(step("sub", call_workflow("middle"))),
        )
        async with lab.open_runner() as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(5)
            begun = trio.current_time()
            await runner.request_cancel(DEFAULT_TENANT, run_id, reason="enough")
            parent = await runner.wait_finished(DEFAULT_TENANT, run_id)
            (middle,) = await list_children(lab, run_id)
            (leaf,) = await list_children(lab, middle.id)
            ended = await runner.wait_finished(DEFAULT_TENANT, leaf.id)
            assert trio.current_time() - begun < 1
            middle = await runner.wait_finished(DEFAULT_TENANT, middle.id)
        assert {parent.state, middle.state, ended.state} == {"cancelled"}

    async def test_a_timeout_of_the_step_cancels_the_child(self, autojump_clock: MockClock) -> None:
        """The step fails with `timeout`; the child does not go on unwatched."""
        lab = make()
        await lab.put(SLEEPY, workflow(step("sub", call_workflow("sleepy"), timeout_s=2.0)))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
            (child,) = await list_children(lab, run.id)
            child = await runner.wait_finished(DEFAULT_TENANT, child.id)
        assert run.error is not None
        assert run.error.type == "timeout"
        assert (child.state, child.reason) == ("cancelled", f"run `{run.id}` no longer waits for it")

    async def test_a_cancelled_child_is_an_error_of_that_type(self, autojump_clock: MockClock) -> None:
        """Somebody cancelled only the child: the parent can catch that."""
        lab = make()
        await lab.put(SLEEPY, workflow(step("sub", call_workflow("sleepy"))))
        async with lab.open_runner() as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(3)
            (child,) = await list_children(lab, run_id)
            await runner.request_cancel(DEFAULT_TENANT, child.id)
            run = await runner.wait_finished(DEFAULT_TENANT, run_id)
        assert run.error is not None
        assert run.error.type == "cancelled"


class TestResume:
    async def test_a_parent_finds_its_child_and_starts_no_second_one(self, autojump_clock: MockClock) -> None:
        """The server dies while both are under way; afterwards there is still one child, and its outputs come back."""
        performed: list[str] = []

        async def act(ctx: Any, n: int) -> Json:
            performed.append(ctx.run.run_id)
            if len(performed) == 1:
                await trio.sleep_forever()
            return n * 2

        lab = make_lab(make_action("t.double", act))
        parent = workflow(
            step("sub", call_workflow("child", n=4)), outputs={"n": lambda scope: scope["steps"]["sub"]["output"]["n"]}
        )
        await lab.put(CHILD, parent)
        async with lab.open_runner() as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(3)
        async with lab.open_runner(owner="server2") as runner:
            run = await runner.wait_finished(DEFAULT_TENANT, run_id)
        (child,) = await list_children(lab, run_id)
        assert (run.state, run.outputs, child.recoveries) == ("succeeded", {"n": 8}, 1)

    async def test_a_child_that_ended_meanwhile_gives_its_outputs(self, autojump_clock: MockClock) -> None:
        """The parent's server dies, the child ends on another server, the parent goes on with its outputs."""
        lab = make()
        await lab.put(SLEEPY, workflow(step("sub", call_workflow("sleepy"))))
        other = lab.make_runner(owner="server2")
        async with trio.open_nursery() as nursery:
            async with lab.open_runner(own_only=True) as first:
                run_id = await lab.submit(first, "test")
                await trio.sleep(1)
                (child,) = await list_children(lab, run_id)
            await nursery.start(other.run)
            run = await other.wait_finished(DEFAULT_TENANT, run_id)
            nursery.cancel_scope.cancel()
        assert run.state == "succeeded"
        assert len(await list_children(lab, run_id)) == 1
        assert child.parent == (run_id, "sub")

    async def test_a_drain_gives_parents_back_that_wait_for_queued_children(self, autojump_clock: MockClock) -> None:
        """Nobody claims their children here any more, so the grace is not spent on them."""
        lab = make()
        one_at_a_time = Concurrency(limit=1)
        nap = step("nap", uses("t.nap", seconds=15.0))
        await lab.put(
            workflow(nap, id="child", concurrency=one_at_a_time), workflow(step("sub", call_workflow("child")))
        )
        runner = lab.make_runner()
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.run)
            ids = [await lab.submit(runner, "test") for _ in range(2)]
            await trio.sleep(3)
            nursery.start_soon(runner.drain, 30.0)
            await trio.sleep(1)
            soon = sorted([(await lab.store.get_run(DEFAULT_TENANT, run_id)).state for run_id in ids])
        later = sorted([(await lab.store.get_run(DEFAULT_TENANT, run_id)).state for run_id in ids])
        assert (soon, later) == (["queued", "running"], ["queued", "succeeded"])

    async def test_a_parent_of_a_child_in_doubt_is_interrupted_too(self, autojump_clock: MockClock) -> None:
        """Repeating the child would repeat its write."""
        lab = make_lab(make_action("t.write", nap, effect="write"))
        await lab.put(
            workflow(step("pay", uses("t.write")), id="child"),
            workflow(step("sub", call_workflow("child"), retry=Retry(max_attempts=5), on_error="continue")),
        )
        async with lab.open_runner() as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(2)
        async with lab.open_runner(owner="server2") as runner:
            run = await runner.wait_finished(DEFAULT_TENANT, run_id)
        assert run.state == "interrupted"
        assert len(await list_children(lab, run_id)) == 1
