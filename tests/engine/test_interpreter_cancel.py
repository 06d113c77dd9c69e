"""A cancel goes straight to the cleanup; giving a run up does not even do that."""

from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

from ipaas.model import Retry, Workflow
from ipaas.testing.build import attempt, block, for_each, parallel, step, uses, workflow
from ipaas.testing.scripted_host import ScriptedHost, failure


class Hanging:
    """A host with an action that waits for ever and says when it began."""

    def __init__(self) -> None:
        self.begun = trio.Event()

        async def hang(call: Any) -> Any:
            self.begun.set()
            await trio.sleep_forever()

        self.host = ScriptedHost({"hang": hang})

    async def cancel_during(self, flow: Workflow) -> object:
        """Walk, cancel once the action hangs, and return the outcome."""
        outcome: list[object] = []

        async def walk() -> None:
            outcome.append(await self.host.walk(flow))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(walk)
            await self.begun.wait()
            self.host.cancel()
        return outcome[0]


async def test_a_cancel_ends_the_step_and_runs_finally_only(autojump_clock: MockClock) -> None:
    """No outcome comes back, `on_failure` does not run, the step is `cancelled` and the cleanup done."""
    hanging = Hanging()
    outcome = await hanging.cancel_during(
        workflow(
            step("slow", uses("hang")),
            step("never", uses("echo")),
            on_failure=block(step("sad", uses("echo"))),
            cleanup=block(step("tidy", uses("echo", value=1))),
        )
    )
    assert outcome is None
    assert {path: result.status for path, result in hanging.host.journal.items()} == {
        "slow": "cancelled",
        "finally/tidy": "succeeded",
    }


async def test_a_cancel_skips_retries(autojump_clock: MockClock) -> None:
    """A step in the pause before its next attempt makes none."""
    host = ScriptedHost()
    paused = trio.Event()

    async def act(call: Any) -> Any:
        paused.set()
        raise failure(call, "timeout")

    host.actions["act"] = act
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.walk, workflow(step("act", uses("act"), retry=Retry(max_attempts=9, delay_s=1000.0))))
        await paused.wait()
        host.cancel()
    assert len(host.calls) == 1
    assert host.journal["act"].status == "cancelled"


async def test_the_cleanup_of_a_try_runs_from_the_inside_out(autojump_clock: MockClock) -> None:
    """Inner cleanup comes before outer, outer before the workflow's, all out of the cancel's reach."""
    hanging = Hanging()
    inner = step("inner", attempt(step("slow", uses("hang")), cleanup=block(step("first", uses("echo")))))
    outer = step("outer", attempt(inner, cleanup=block(step("second", uses("echo")))))
    await hanging.cancel_during(workflow(outer, cleanup=block(step("third", uses("echo")))))
    assert hanging.host.performed[1:] == ["outer/inner/first", "outer/second", "finally/third"]


async def test_a_cleanup_that_takes_too_long_is_ended(autojump_clock: MockClock) -> None:
    """Ten seconds after the cancel the run is over, whatever its cleanup does."""
    hanging = Hanging()

    async def slow(call: Any) -> Any:
        await trio.sleep_forever()

    hanging.host.actions["slow"] = slow
    tidy = step("tidy", uses("slow"), timeout_s=50_000.0)
    begun = trio.current_time()
    outcome = await hanging.cancel_during(workflow(step("act", uses("hang")), cleanup=block(tidy)))
    assert outcome is None
    assert trio.current_time() - begun == 10.0
    assert hanging.host.journal["finally/tidy"].status == "cancelled"
    assert [line[2] for line in hanging.host.lines] == ["the cleanup was ended 10 s after the cancel"]


async def test_a_cancel_during_the_cleanup_leaves_it_its_time(autojump_clock: MockClock) -> None:
    """The steps had succeeded and the cleanup is under way: it is finished, and so is the run."""
    host = ScriptedHost()
    begun = trio.Event()

    async def slow(call: Any) -> Any:
        begun.set()
        await trio.sleep(5)
        return "tidied"

    host.actions["slow"] = slow
    outcomes = []

    async def walk() -> None:
        outcomes.append(await host.walk(workflow(step("act", uses("echo")), cleanup=block(step("tidy", uses("slow"))))))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(walk)
        await begun.wait()
        host.cancel()
    assert host.journal["finally/tidy"].output == "tidied"
    assert outcomes[0] is not None


async def test_a_cancel_during_a_cleanup_that_hangs_ends_it_in_time(autojump_clock: MockClock) -> None:
    """The time counts from the cancel, not from the beginning of the cleanup."""
    host = ScriptedHost()
    begun = trio.Event()

    async def hang(call: Any) -> Any:
        begun.set()
        await trio.sleep_forever()

    host.actions["hang"] = hang
    tidy = step("tidy", uses("hang"), timeout_s=50_000.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.walk, workflow(step("act", uses("echo")), cleanup=block(tidy)))
        await begun.wait()
        await trio.sleep(100)
        host.cancel()
        cancelled_at = trio.current_time()
    assert trio.current_time() - cancelled_at == 10.0
    assert host.journal["finally/tidy"].status == "cancelled"


async def test_a_cancel_ends_all_items_and_branches(autojump_clock: MockClock) -> None:
    """Everything that was under way is `cancelled`, nothing new begins."""
    hanging = Hanging()
    loop = step("loop", uses("hang"), for_each=for_each([1, 2, 3], limit=2))
    await hanging.cancel_during(workflow(step("both", parallel(a=block(loop), b=block(step("other", uses("hang")))))))
    statuses = {path: result.status for path, result in hanging.host.journal.items()}
    assert set(statuses.values()) == {"cancelled"}
    assert "both/loop[2]" not in statuses


async def test_on_error_continue_does_not_survive_a_cancel(autojump_clock: MockClock) -> None:
    """A cancel is not an error of the step."""
    hanging = Hanging()
    await hanging.cancel_during(workflow(step("slow", uses("hang"), on_error="continue"), step("never", uses("echo"))))
    assert hanging.host.performed == ["slow"]


async def test_giving_up_runs_no_cleanup_and_notes_nothing(autojump_clock: MockClock) -> None:
    """Another execution takes the run from here: for it, the step is still `running`."""
    host = ScriptedHost()
    begun = trio.Event()

    async def hang(call: Any) -> Any:
        begun.set()
        await trio.sleep_forever()

    host.actions["hang"] = hang
    inner = attempt(step("slow", uses("hang")), cleanup=block(step("first", uses("echo"))))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.walk, workflow(step("try", inner), cleanup=block(step("tidy", uses("echo")))))
        await begun.wait()
        host.abandon()
    assert host.performed == ["try/slow"]
    assert {result.status for result in host.journal.values()} == {"running"}


async def test_giving_up_ends_a_cleanup_too(autojump_clock: MockClock) -> None:
    """A lost lease means that nothing may act any more."""
    host = ScriptedHost()
    begun = trio.Event()

    async def hang(call: Any) -> Any:
        begun.set()
        await trio.sleep_forever()

    host.actions["hang"] = hang
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.walk, workflow(step("act", uses("echo")), cleanup=block(step("tidy", uses("hang")))))
        await begun.wait()
        host.abandon()
    assert host.journal["finally/tidy"].status == "running"


async def test_the_cleanup_inside_a_cancelled_branch_runs(autojump_clock: MockClock) -> None:
    """A sibling's failure cancels a branch; the branch's own cleanup still runs."""
    host = ScriptedHost()
    begun = trio.Event()

    async def hang(call: Any) -> Any:
        begun.set()
        await trio.sleep_forever()

    async def fail_then(call: Any) -> Any:
        await begun.wait()
        raise failure(call, "auth")

    host.actions |= {"hang": hang, "fail_then": fail_then}
    careful = step("careful", attempt(step("slow", uses("hang")), cleanup=block(step("tidy", uses("echo")))))
    both = parallel(a=block(careful), b=block(step("bad", uses("fail_then"))))
    outcome = await host.walk(workflow(step("both", both)))
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.error.step == "both/bad"
    assert host.journal["both/careful/tidy"].status == "succeeded"


async def test_the_cleanup_inside_a_timed_out_block_runs(autojump_clock: MockClock) -> None:
    """A block's timeout is a cancel for what is inside."""
    host = ScriptedHost()

    async def hang(call: Any) -> Any:
        await trio.sleep_forever()

    host.actions["hang"] = hang
    careful = attempt(step("slow", uses("hang")), cleanup=block(step("tidy", uses("echo"))))
    outcome = await host.walk(workflow(step("careful", careful, timeout_s=5.0)))
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.error.type == "timeout"
    assert host.journal["careful/tidy"].status == "succeeded"
