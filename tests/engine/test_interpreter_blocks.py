"""`needs`, `parallel`, `switch`, `while`, `try`, `run_workflow`."""

from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

from ipaas.run import Outcome
from ipaas.testing.build import attempt, block, call_workflow, catch, parallel, repeat, step, switch, uses, workflow
from ipaas.testing.scripted_host import ScriptedHost, failure


class Gate:
    """Actions that say when they begin and wait until they are let go."""

    def __init__(self) -> None:
        self.begun: dict[str, trio.Event] = {}
        self.open: dict[str, trio.Event] = {}

    def _event(self, events: dict[str, trio.Event], name: str) -> trio.Event:
        return events.setdefault(name, trio.Event())

    async def act(self, call: Any) -> Any:
        self._event(self.begun, call.path).set()
        await self._event(self.open, call.path).wait()
        return call.path

    async def wait_begun(self, path: str) -> None:
        await self._event(self.begun, path).wait()

    def let_go(self, path: str) -> None:
        self._event(self.open, path).set()


class TestGraph:
    async def test_each_step_starts_as_soon_as_its_needs_have_ended(self, autojump_clock: MockClock) -> None:
        """`join` waits for both of its needs, `after_a` for `a` only, though `b` is still under way."""
        gate = Gate()
        host = ScriptedHost({"gate": gate.act})
        graph = workflow(
            step("a", uses("gate")),
            step("b", uses("gate")),
            step("after_a", uses("gate"), needs=("a",)),
            step("join", uses("gate"), needs=("b", "after_a")),
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(host.walk, graph)
            await gate.wait_begun("a")
            await gate.wait_begun("b")
            gate.let_go("a")
            await gate.wait_begun("after_a")
            gate.let_go("after_a")
            await trio.testing.wait_all_tasks_blocked()
            assert "join" not in gate.begun
            gate.let_go("b")
            await gate.wait_begun("join")
            gate.let_go("join")
        assert {path: result.status for path, result in host.journal.items()} == dict.fromkeys(
            ["a", "b", "after_a", "join"], "succeeded"
        )

    async def test_a_skipped_need_counts_as_ended(self) -> None:
        """What needs a skipped step runs, as it would in a sequence."""
        host = ScriptedHost()
        outcome = await host.walk(
            workflow(step("no", uses("echo"), condition=False), step("then", uses("echo", value=1), needs=("no",)))
        )
        assert outcome == Outcome(state="succeeded")
        assert host.performed == ["then"]

    async def test_a_failure_cancels_the_others_and_starts_nothing_more(self, autojump_clock: MockClock) -> None:
        """The run fails with the step's own error; what was under way is cancelled."""
        gate = Gate()
        host = ScriptedHost({"gate": gate.act})
        outcome = await host.walk(
            workflow(
                step("bad", uses("fail", type="auth")),
                step("slow", uses("gate")),
                step("never", uses("echo"), needs=("bad",)),
            )
        )
        assert outcome is not None
        assert outcome.error is not None
        assert outcome.error.step == "bad"
        assert host.journal["slow"].status == "cancelled"
        assert "never" not in host.journal


class TestParallel:
    async def test_branches_run_at_once_and_give_their_last_outputs(self) -> None:
        """Both branches are under way before either ends; paths are nested under the block's id."""
        gate = Gate()
        host = ScriptedHost({"gate": gate.act})
        both = parallel(
            left=block(step("l1", uses("gate")), step("l2", uses("echo", value="L"))),
            right=block(step("r1", uses("gate"))),
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(host.walk, workflow(step("both", both)))
            await gate.wait_begun("both/l1")
            await gate.wait_begun("both/r1")
            gate.let_go("both/l1")
            gate.let_go("both/r1")
        assert host.journal["both"].output == {"left": "L", "right": "both/r1"}

    async def test_the_first_failure_cancels_the_other_branches(self, autojump_clock: MockClock) -> None:
        """The block fails with the error of the inner step, and the other branch is `cancelled`."""
        gate = Gate()
        host = ScriptedHost({"gate": gate.act})
        both = parallel(bad=block(step("b1", uses("fail", type="auth"))), slow=block(step("s1", uses("gate"))))
        outcome = await host.walk(workflow(step("both", both)))
        assert outcome is not None
        assert outcome.error is not None
        assert outcome.error.step == "both/b1"
        assert host.journal["both/s1"].status == "cancelled"
        assert host.journal["both"].status == "failed"

    async def test_with_on_error_continue_every_branch_goes_to_its_end(self) -> None:
        """The failure is told after the other branches are done; the run goes on with output null."""
        gate = Gate()
        host = ScriptedHost({"gate": gate.act})
        both = parallel(bad=block(step("b1", uses("fail", type="auth"))), slow=block(step("s1", uses("gate"))))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                host.walk,
                workflow(
                    step("both", both, on_error="continue"),
                    step("after", uses("echo", value=lambda scope: scope["steps"]["s1"]["output"])),
                ),
            )
            await gate.wait_begun("both/s1")
            await trio.testing.wait_all_tasks_blocked()
            gate.let_go("both/s1")
        assert host.journal["both"].status == "failed"
        assert host.journal["both/s1"].status == "succeeded"
        assert host.journal["after"].output == "both/s1"


class TestSwitch:
    async def test_the_first_case_that_holds_runs(self) -> None:
        """Later cases are not even evaluated."""
        host = ScriptedHost()
        choose = switch(
            (lambda _: False, block(step("no", uses("echo")))),
            (lambda _: True, block(step("yes", uses("echo", value="chosen")))),
            (lambda scope: scope["boom"], block(step("late", uses("echo")))),
        )
        await host.walk(workflow(step("choose", choose)))
        assert host.performed == ["choose/yes"]
        assert host.journal["choose"].output == "chosen"

    async def test_else_runs_when_nothing_holds(self) -> None:
        """The case without a condition always holds."""
        host = ScriptedHost()
        choose = switch((False, block(step("no", uses("echo")))), (None, block(step("other", uses("echo", value=2)))))
        await host.walk(workflow(step("choose", choose)))
        assert host.journal["choose"].output == 2

    async def test_without_a_match_the_output_is_null(self) -> None:
        """Nothing runs and nothing fails."""
        host = ScriptedHost()
        outcome = await host.walk(workflow(step("choose", switch((False, block(step("no", uses("echo"))))))))
        assert outcome == Outcome(state="succeeded")
        assert host.journal["choose"].output is None


class TestWhile:
    async def test_it_repeats_while_the_condition_holds(self) -> None:
        """Iterations are numbered from 0 in paths and in `loop.index`; the output is that of the last one."""
        host = ScriptedHost()
        again = repeat(
            lambda scope: scope["loop"]["index"] < 3,
            step("round", uses("echo", value=lambda scope: scope["loop"]["index"])),
        )
        await host.walk(workflow(step("again", again)))
        assert host.performed == ["again#0/round", "again#1/round", "again#2/round"]
        assert host.journal["again"].output == 2

    async def test_the_condition_sees_the_last_iteration(self) -> None:
        """A poll ends when its own step says that it is ready."""
        answers = iter(["wait", "wait", "ready"])

        async def poll(call: Any) -> Any:
            return next(answers)

        host = ScriptedHost({"poll": poll})
        again = repeat(
            lambda scope: "check" not in scope["steps"] or scope["steps"]["check"]["output"] != "ready",
            step("check", uses("poll")),
        )
        await host.walk(workflow(step("again", again)))
        assert host.journal["again"].output == "ready"

    async def test_pauses_are_between_iterations_only(self, autojump_clock: MockClock) -> None:
        """Three iterations have two pauses: none before the first, none after the last."""
        host = ScriptedHost()
        again = repeat(lambda scope: scope["loop"]["index"] < 3, step("round", uses("echo")), every_s=30.0)
        await host.walk(workflow(step("again", again)))
        assert host.slept == [30.0, 30.0]

    async def test_more_than_max_is_an_error(self) -> None:
        """A condition that still holds after `max` iterations is `limit_exceeded`."""
        host = ScriptedHost()
        outcome = await host.walk(workflow(step("again", repeat(True, step("round", uses("echo")), max=2))))
        assert outcome is not None
        assert outcome.error is not None
        assert (outcome.error.type, outcome.error.step) == ("limit_exceeded", "again")
        assert host.performed == ["again#0/round", "again#1/round"]

    async def test_exactly_max_iterations_are_no_error(self) -> None:
        """A condition that stops holding after the last allowed iteration is satisfied."""
        again = repeat(lambda scope: scope["loop"]["index"] < 2, step("round", uses("echo")), max=2)
        assert await ScriptedHost().walk(workflow(step("again", again))) == Outcome(state="succeeded")

    async def test_no_iteration_gives_null(self) -> None:
        """A condition that never holds runs nothing."""
        host = ScriptedHost()
        await host.walk(workflow(step("again", repeat(False, step("round", uses("echo"))))))
        assert (host.performed, host.journal["again"].output) == ([], None)


class TestTry:
    async def test_the_first_catch_that_names_the_type_mends_it(self) -> None:
        """The error has the name that `as` gives it, and the output is that of the catch."""
        host = ScriptedHost()
        body = attempt(
            step("risky", uses("fail", type="not_found")),
            catches=(
                catch(step("other", uses("echo")), errors=("auth",)),
                catch(step("mend", uses("echo", value=lambda scope: scope["e"])), errors=("not_found",), name="e"),
                catch(step("late", uses("echo"))),
            ),
            cleanup=block(step("tidy", uses("echo", value="tidied"))),
        )
        outcome = await host.walk(workflow(step("careful", body)))
        assert outcome == Outcome(state="succeeded")
        assert host.performed == ["careful/risky", "careful/mend", "careful/tidy"]
        seen = host.journal["careful"].output
        assert isinstance(seen, dict)
        assert (seen["type"], seen["step"], seen["attempt"]) == ("not_found", "careful/risky", 1)

    async def test_without_a_failure_only_the_cleanup_follows(self) -> None:
        """The output is that of the tried steps, never of the cleanup."""
        host = ScriptedHost()
        body = attempt(
            step("fine", uses("echo", value=1)),
            catches=(catch(step("mend", uses("echo"))),),
            cleanup=block(step("tidy", uses("echo", value=2))),
        )
        await host.walk(workflow(step("careful", body)))
        assert host.performed == ["careful/fine", "careful/tidy"]
        assert host.journal["careful"].output == 1

    async def test_an_error_that_no_catch_names_passes_after_the_cleanup(self) -> None:
        """The cleanup runs, and the block fails with the original error."""
        host = ScriptedHost()
        body = attempt(
            step("risky", uses("fail", type="auth")),
            catches=(catch(step("mend", uses("echo")), errors=("timeout",)),),
            cleanup=block(step("tidy", uses("echo"))),
        )
        outcome = await host.walk(workflow(step("careful", body)))
        assert outcome is not None
        assert outcome.error is not None
        assert outcome.error.type == "auth"
        assert host.performed == ["careful/risky", "careful/tidy"]

    async def test_a_failing_catch_is_the_new_error_and_the_cleanup_runs(self) -> None:
        """As in every language that has `try`."""
        host = ScriptedHost()
        body = attempt(
            step("risky", uses("fail", type="auth")),
            catches=(catch(step("mend", uses("fail", type="validation"))),),
            cleanup=block(step("tidy", uses("echo"))),
        )
        outcome = await host.walk(workflow(step("careful", body)))
        assert outcome is not None
        assert outcome.error is not None
        assert outcome.error.type == "validation"
        assert host.performed[-1] == "careful/tidy"

    async def test_a_failing_cleanup_fails_what_had_succeeded(self) -> None:
        """The block fails with the cleanup's error."""
        body = attempt(step("fine", uses("echo")), cleanup=block(step("tidy", uses("fail", type="auth"))))
        outcome = await ScriptedHost().walk(workflow(step("careful", body)))
        assert outcome is not None
        assert outcome.error is not None
        assert outcome.error.step == "careful/tidy"


class TestRunWorkflow:
    async def test_the_childs_outputs_are_the_output(self) -> None:
        """The host is asked with the evaluated inputs and the path."""
        host = ScriptedHost()

        async def child(call: Any) -> Any:
            return {"doubled": call.inputs["n"] * 2}

        host.children = child
        await host.walk(workflow(step("sub", call_workflow("other", n=lambda scope: scope["inputs"]["n"]))), n=4)
        assert host.journal["sub"].output == {"doubled": 8}
        assert [(call.workflow, call.path, call.wait) for call in host.child_calls] == [("other", "sub", True)]

    async def test_a_failing_child_fails_the_step_and_is_not_tried_again(self) -> None:
        """A child may have written anything: it is repeated only when the file says so."""
        host = ScriptedHost()

        async def child(call: Any) -> Any:
            raise failure(call, "timeout")

        host.children = child
        outcome = await host.walk(workflow(step("sub", call_workflow("other"))))
        assert outcome is not None
        assert outcome.state == "failed"
        assert len(host.child_calls) == 1
