"""Resume is re-execution: what the journal knows is not performed again, and what is in doubt is not repeated."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from ipaas.model import Effect, Retry, Step, Uses
from ipaas.run import Outcome
from ipaas.testing.build import (
    attempt,
    block,
    call_workflow,
    catch,
    for_each,
    parallel,
    repeat,
    step,
    switch,
    uses,
    workflow,
)
from ipaas.testing.scripted_host import ScriptedHost, fail, failure


def resume(host: ScriptedHost) -> ScriptedHost:
    """Return the host of the next execution, with what this one recorded."""
    return ScriptedHost(host.actions, effects=host.effects, earlier=host.journal)


class Crash:
    """An action `act` that is performed a given number of times, and then the process is gone."""

    def __init__(self, after: int, effect: Effect = "read") -> None:
        self.left = after
        self.host = ScriptedHost({"act": self.act}, effects={"act": effect})

    async def act(self, call: Any) -> Any:
        if self.left == 0:
            self.host.abandon()
            await trio.lowlevel.checkpoint()
        self.left -= 1
        return call.inputs.get("value", call.path)


async def act(call: Any) -> Any:
    return call.inputs.get("value", call.path)


def after_crash(crash: Crash) -> ScriptedHost:
    host = resume(crash.host)
    host.actions["act"] = act
    return host


async def test_finished_steps_return_their_recorded_result() -> None:
    """The second execution performs only what the first did not finish, and ends with the same outputs."""
    flow = workflow(
        step("one", uses("act", value=1)),
        step("two", uses("act", value=lambda scope: scope["steps"]["one"]["output"] + 1)),
        step("three", uses("act", value=lambda scope: scope["steps"]["two"]["output"] + 1)),
        outputs={"n": lambda scope: scope["steps"]["three"]["output"]},
    )
    crash = Crash(after=2)
    assert await crash.host.walk(flow) is None
    host = after_crash(crash)
    assert await host.walk(flow) == Outcome(state="succeeded", outputs={"n": 3})
    assert host.performed == ["three"]


async def test_a_read_under_way_is_performed_again_with_the_same_key() -> None:
    """The attempt keeps its number and its idempotency key."""
    flow = workflow(step("one", uses("act")))
    crash = Crash(after=0)
    await crash.host.walk(flow)
    host = after_crash(crash)
    await host.walk(flow)
    assert [(call.attempt, call.idempotency_key) for call in host.calls] == [(1, "run1/one")]


async def test_a_write_under_way_is_in_doubt_and_ends_the_run_interrupted() -> None:
    """It is not performed again; the outcome names the step; the handlers run and cannot repeat it."""
    flow = workflow(
        step("pay", uses("act")),
        on_failure=block(step("tell", uses("echo", value=lambda scope: scope["error"]["type"]))),
        cleanup=block(step("tidy", uses("echo"))),
    )
    crash = Crash(after=0, effect="write")
    await crash.host.walk(flow)
    host = after_crash(crash)
    outcome = await host.walk(flow)
    assert outcome is not None
    assert (outcome.state, outcome.reason) == ("interrupted", "the step `pay` is in doubt")
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.step, outcome.error.attempt) == ("in_doubt", "pay", 1)
    assert host.performed == ["on_failure/tell", "finally/tidy"]
    assert host.journal["on_failure/tell"].output == "in_doubt"


@pytest.mark.parametrize(
    "around",
    [
        lambda pay: step("pay", pay, on_error="continue"),
        lambda pay: step("pay", pay, retry=Retry(max_attempts=5)),
        lambda pay: step("try", attempt(step("pay", pay), catches=(catch(step("again", uses("act"))),))),
        lambda pay: step("both", parallel(a=block(step("pay", pay))), on_error="continue"),
        lambda pay: step("both", parallel(a=block(step("pay", pay))), retry=Retry(max_attempts=5)),
        lambda pay: step("each", pay, for_each=for_each([1], on_item_error="continue")),
    ],
)
async def test_no_key_of_the_language_goes_on_past_a_write_in_doubt(around: Callable[[Uses], Step]) -> None:
    """Neither `on_error`, `retry`, `catch` for everything nor `on_item_error` mends what only a person can find out."""
    flow = workflow(around(uses("act")))
    crash = Crash(after=0, effect="write")
    await crash.host.walk(flow)
    host = after_crash(crash)
    outcome = await host.walk(flow)
    assert outcome is not None
    assert outcome.state == "interrupted"
    assert host.performed == []


async def test_a_catch_may_name_in_doubt() -> None:
    """A file that says so has thought of it: its catch can look on the other side."""
    look = catch(step("look", uses("echo", value="was done")), errors=("in_doubt",))
    flow = workflow(step("try", attempt(step("pay", uses("act")), catches=(look,))))
    crash = Crash(after=0, effect="write")
    await crash.host.walk(flow)
    host = after_crash(crash)
    assert await host.walk(flow) == Outcome(state="succeeded")
    assert host.performed == ["try/look"]


async def test_a_write_that_waited_for_its_next_attempt_is_not_in_doubt(autojump_clock: MockClock) -> None:
    """Its last attempt had ended: the next one is made, with the next number."""
    host = ScriptedHost(effects={"act": "write"})

    host.actions["act"] = fail
    retry = Retry(max_attempts=3, delay_s=1000.0, jitter=False)
    flow = workflow(step("pay", uses("act", type="timeout"), retry=retry))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.walk, flow)
        await trio.sleep(1)
        host.abandon()
    again = resume(host)
    again.actions["act"] = act
    assert await again.walk(flow) == Outcome(state="succeeded")
    assert [call.attempt for call in again.calls] == [2]


async def test_a_recorded_failure_fails_again_without_being_performed() -> None:
    """The run had decided already; `on_error: continue` steps show the same error as then."""
    flow = workflow(step("bad", uses("fail", type="auth"), on_error="continue"), step("two", uses("act")))
    crash = Crash(after=0)
    await crash.host.walk(flow)
    host = after_crash(crash)
    assert await host.walk(flow) == Outcome(state="succeeded")
    assert host.performed == ["two"]


async def test_items_that_ended_are_not_performed_again() -> None:
    """A loop goes on where it was; its output is complete."""
    flow = workflow(step("each", uses("act", value=lambda scope: scope["item"]), for_each=for_each([1, 2, 3, 4])))
    crash = Crash(after=2)
    await crash.host.walk(flow)
    host = after_crash(crash)
    await host.walk(flow)
    assert host.performed == ["each[2]", "each[3]"]
    assert host.journal["each"].output == [1, 2, 3, 4]


async def test_steps_inside_finished_blocks_fill_the_scope_again() -> None:
    """Later expressions see inner steps of a block that had ended before the interruption."""
    flow = workflow(
        step("choose", switch((None, block(step("inner", uses("act", value=5)))))),
        step("after", uses("act", value=lambda scope: scope["steps"]["inner"]["output"])),
    )
    crash = Crash(after=1)
    await crash.host.walk(flow)
    host = after_crash(crash)
    await host.walk(flow)
    assert host.performed == ["after"]
    assert host.journal["after"].output == 5


async def test_a_block_goes_on_with_the_attempt_that_was_interrupted() -> None:
    """Its first attempt failed then, and its steps are not performed under the first attempt's paths again."""
    crash = Crash(after=2)
    crash.host.actions["fail_once"] = fail_first_attempt
    one = step("one", uses("act", value=1))
    both = parallel(a=block(one, step("mid", uses("fail_once")), step("two", uses("act", value=2))))
    flow = workflow(step("both", both, retry=Retry(max_attempts=2, delay_s=0.0)))
    await crash.host.walk(flow)
    host = after_crash(crash)
    assert await host.walk(flow) == Outcome(state="succeeded")
    assert host.performed == ["both.attempt2/two"]


async def fail_first_attempt(call: Any) -> Any:
    if "attempt2" not in call.path:
        raise failure(call, "auth" if call.attempt > 5 else "server_error")
    return None


async def test_what_a_failed_block_had_cancelled_is_not_performed_on_resume(autojump_clock: MockClock) -> None:
    """A branch that a sibling's failure cancelled stays cancelled, also when it is a write."""
    host = ScriptedHost(effects={"hang": "write"})

    async def hang(call: Any) -> Any:
        await trio.sleep_forever()

    async def crash(call: Any) -> Any:
        host.abandon()
        await trio.lowlevel.checkpoint()

    async def bad(call: Any) -> Any:
        await trio.sleep(1)
        raise failure(call, "auth")

    host.actions |= {"hang": hang, "bad": bad, "crash": crash}
    both = parallel(a=block(step("slow", uses("hang"))), b=block(step("bad", uses("bad"))))
    flow = workflow(
        step("both", both),
        on_failure=block(step("last", uses("crash"))),
    )
    assert await host.walk(flow) is None
    assert host.journal["both/slow"].status == "cancelled"
    again = resume(host)
    again.actions["crash"] = act
    outcome = await again.walk(flow)
    assert outcome is not None
    assert outcome.state == "failed"
    assert again.performed == ["on_failure/last"]


async def test_a_block_that_timed_out_stays_so_on_resume(autojump_clock: MockClock) -> None:
    """The write that its timeout had cancelled is neither repeated nor in doubt: the file said what happens then."""
    host = ScriptedHost(effects={"hang": "write"})

    async def hang(call: Any) -> Any:
        await trio.sleep_forever()

    async def crash(call: Any) -> Any:
        host.abandon()
        await trio.lowlevel.checkpoint()

    host.actions |= {"hang": hang, "crash": crash}
    flow = workflow(
        step(
            "timed",
            switch((None, block(step("first", uses("echo", value=1)), step("late", uses("hang"))))),
            timeout_s=1.0,
            on_error="continue",
        ),
        step("last", uses("crash")),
    )
    assert await host.walk(flow) is None
    again = resume(host)
    again.actions["crash"] = act
    assert await again.walk(flow) == Outcome(state="succeeded")
    assert again.performed == ["last"]


async def test_pauses_of_a_loop_are_not_waited_for_again(autojump_clock: MockClock) -> None:
    """A poll of many rounds goes on at once after the rounds that the journal knows."""
    crash = Crash(after=3)
    flow = workflow(
        step("poll", repeat(lambda scope: scope["loop"]["index"] < 5, step("check", uses("act")), every_s=60.0))
    )
    await crash.host.walk(flow)
    host = after_crash(crash)
    await host.walk(flow)
    assert host.performed == ["poll#3/check", "poll#4/check"]
    assert host.slept == [60.0]


async def test_a_child_is_asked_for_again_under_the_same_path_and_attempt() -> None:
    """The host finds it by that name; nothing is in doubt, for a child is a run of its own."""
    host = ScriptedHost()

    async def crash(call: Any) -> Any:
        host.abandon()
        await trio.lowlevel.checkpoint()

    async def child(call: Any) -> Any:
        return {"n": 1}

    host.children = crash
    flow = workflow(step("sub", call_workflow("other")))
    await host.walk(flow)
    again = resume(host)
    again.children = child
    assert await again.walk(flow) == Outcome(state="succeeded")
    assert [(call.path, call.attempt) for call in host.child_calls] == [("sub", 1)]
    assert [(call.path, call.attempt) for call in again.child_calls] == [("sub", 1)]


FLOW = workflow(
    step("a", uses("act", value=2)),
    step("each", switch((None, block(step("x", uses("act", value=lambda scope: scope["item"])), step("y", uses("act", value=lambda scope: scope["steps"]["x"]["output"] * 2))))), for_each=for_each([1, 2, 3])),
    step("try", attempt(step("bad", uses("fail", type="auth")), catches=(catch(step("mend", uses("act", value=9))),), cleanup=block(step("tidy", uses("act"))))),
    step("again", repeat(lambda scope: scope["loop"]["index"] < 2, step("round", uses("act", value=lambda scope: scope["loop"]["index"])))),
    step("both", parallel(l=block(step("l", uses("act", value=1))), r=block(step("r", uses("act", value=2))))),
    outputs={name: lambda scope, name=name: scope["steps"][name]["output"] for name in ("each", "try", "again", "both")},
    cleanup=block(step("end", uses("act"))),
)  # fmt: skip


@given(crashes=st.lists(st.integers(0, 8), max_size=6))
def test_however_often_it_crashes_the_outcome_is_the_same_and_nothing_finished_is_repeated(crashes: list[int]) -> None:
    """A law: over any sequence of crashes each finished step is performed once, and the outputs are those of a run without any."""

    async def run() -> None:
        whole = ScriptedHost({"act": act})
        expected = await whole.walk(FLOW)
        host, finished = ScriptedHost({"act": act}), []
        for left in crashes:
            crash = Crash(after=left)
            crash.host.earlier = host.earlier | host.journal
            if await crash.host.walk(FLOW) is not None:
                break
            finished += [
                path for path, result in crash.host.journal.items() if result.status == "succeeded" and result.action
            ]
            host = ScriptedHost({"act": act}, earlier=crash.host.earlier | crash.host.journal)
        assert await host.walk(FLOW) == expected
        assert not set(host.performed) & set(finished)

    trio.run(run)
