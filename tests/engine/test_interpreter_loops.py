"""`for_each`: where, limit, on_item_error, scope, order."""

from collections.abc import Mapping
from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

from ipaas.run import Outcome
from ipaas.testing.build import block, for_each, parallel, step, switch, uses, workflow
from ipaas.testing.scripted_host import ScriptedHost, failure


def item(scope: Mapping[str, Any]) -> Any:
    return scope["item"]


async def test_each_item_is_performed_and_outputs_keep_item_order() -> None:
    """`output` is the list of outputs, `items` tells index, item, status, output and error."""
    host = ScriptedHost()
    outcome = await host.walk(
        workflow(
            step("tell", uses("echo", value=lambda scope: scope["item"] * 10), for_each=for_each([1, 2])),
            outputs={
                "out": lambda scope: scope["steps"]["tell"]["output"],
                "items": lambda scope: scope["steps"]["tell"]["items"],
            },
        )
    )
    assert outcome == Outcome(
        state="succeeded",
        outputs={
            "out": [10, 20],
            "items": [
                {"index": 0, "item": 1, "status": "succeeded", "output": 10, "error": None},
                {"index": 1, "item": 2, "status": "succeeded", "output": 20, "error": None},
            ],
        },
    )
    assert list(host.journal) == ["tell", "tell[0]", "tell[1]"]


async def test_where_is_asked_per_item_and_indexes_are_those_of_the_list() -> None:
    """Items that `where` holds back leave no trace; the others keep their own index."""
    host = ScriptedHost()
    loop = for_each([5, 1, 7], name="order", where=lambda scope: scope["order"] > 2)
    await host.walk(workflow(step("tell", uses("echo", value=lambda scope: scope["loop"]["index"]), for_each=loop)))
    assert host.performed == ["tell[0]", "tell[2]"]
    assert host.journal["tell"].output == [0, 2]


async def test_if_is_evaluated_once_before_the_loop() -> None:
    """A condition that does not hold skips the whole loop; its list is not even evaluated."""
    host = ScriptedHost()
    loop = for_each(lambda scope: scope["nowhere"])
    after = step("after", uses("echo", value=lambda scope: scope["steps"]["tell"]["items"]))
    outcome = await host.walk(workflow(step("tell", uses("echo"), condition=False, for_each=loop), after))
    assert outcome == Outcome(state="succeeded")
    assert host.performed == ["after"]
    assert host.journal["after"].output == []


async def test_items_are_a_list_also_when_the_condition_fails() -> None:
    """What later steps may count on is there: a loop that never began has no items, not none at all."""
    host = ScriptedHost()
    tell = step(
        "tell",
        uses("echo"),
        condition=lambda scope: scope["nowhere"],
        for_each=for_each([1]),
        on_error="continue",
    )
    outcome = await host.walk(workflow(tell, outputs={"items": lambda scope: scope["steps"]["tell"]["items"]}))
    assert outcome == Outcome(state="succeeded", outputs={"items": []})


async def test_an_empty_list_succeeds_with_an_empty_output() -> None:
    """No items are no failure."""
    host = ScriptedHost()
    await host.walk(workflow(step("tell", uses("echo"), for_each=for_each([]))))
    assert (host.journal["tell"].status, host.journal["tell"].output) == ("succeeded", [])


async def test_anything_but_a_list_is_an_error_with_its_kind() -> None:
    """`null` and objects are not silently taken for something else."""
    outcome = await ScriptedHost().walk(workflow(step("tell", uses("echo"), for_each=for_each(None))))
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.error.message == "`for_each` needs a list, and `formula` is null"


async def test_at_most_limit_items_are_under_way() -> None:
    """With limit 3 the fourth item begins only when one of the first three has ended."""
    running, most = 0, 0

    async def count(call: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.testing.wait_all_tasks_blocked()
        running -= 1
        return call.path

    host = ScriptedHost({"count": count})
    await host.walk(workflow(step("tell", uses("count"), for_each=for_each(list(range(10)), limit=3))))
    assert most == 3
    assert host.journal["tell"].output == [f"tell[{index}]" for index in range(10)]


async def test_outputs_keep_item_order_whatever_ends_first(autojump_clock: MockClock) -> None:
    """The slowest item comes first in the list, because it was first in the list that was given."""
    host = ScriptedHost()

    async def nap(call: Any) -> Any:
        await host.clock.sleep(call.inputs["value"])
        return call.inputs["value"]

    host.actions["nap"] = nap
    await host.walk(workflow(step("tell", uses("nap", value=item), for_each=for_each([3, 1, 2], limit=3))))
    assert host.journal["tell"].output == [3, 1, 2]


class TestItemErrors:
    async def test_the_first_failing_item_fails_the_step_and_cancels_the_others(
        self, autojump_clock: MockClock
    ) -> None:
        """The error names the item's path, and later items are not begun."""
        host = ScriptedHost()

        async def maybe(call: Any) -> Any:
            if call.inputs["value"] == 2:
                raise failure(call, "auth")
            await host.clock.sleep(100)

        host.actions["maybe"] = maybe
        loop = for_each([1, 2, 3, 4], limit=2)
        outcome = await host.walk(workflow(step("tell", uses("maybe", value=item), for_each=loop, timeout_s=500.0)))
        assert outcome is not None
        assert outcome.error is not None
        assert outcome.error.step == "tell[1]"
        assert {path: result.status for path, result in host.journal.items()} == {
            "tell": "failed",
            "tell[0]": "cancelled",
            "tell[1]": "failed",
        }

    async def test_with_on_item_error_continue_the_output_is_null_there(self) -> None:
        """The step succeeds, `items` tells what failed, and the log says how many."""
        host = ScriptedHost()

        async def maybe(call: Any) -> Any:
            if call.inputs["value"] == 2:
                raise failure(call, "auth")
            return call.inputs["value"]

        host.actions["maybe"] = maybe
        loop = for_each([1, 2, 3], on_item_error="continue")
        await host.walk(
            workflow(
                step("tell", uses("maybe", value=item), for_each=loop),
                step(
                    "after",
                    uses("echo", value=lambda scope: [each["status"] for each in scope["steps"]["tell"]["items"]]),
                ),
            )
        )
        assert host.journal["tell"].output == [1, None, 3]
        assert host.journal["after"].output == ["succeeded", "failed", "succeeded"]
        assert host.lines == [("warning", "tell", "1 of 3 items failed; the run goes on")]

    async def test_a_failing_where_is_the_failure_of_its_item(self) -> None:
        """With `continue` the other items go on."""
        host = ScriptedHost()
        loop = for_each([{"n": 1}, {}, {"n": 3}], where=lambda scope: scope["item"]["n"] > 0, on_item_error="continue")
        await host.walk(workflow(step("tell", uses("echo", value=1), for_each=loop)))
        assert host.journal["tell"].output == [1, None, 1]
        assert host.journal["tell[1]"].error is not None

    async def test_each_item_has_its_own_attempts(self, autojump_clock: MockClock) -> None:
        """An item that fails once is tried again; the others are performed once."""
        host = ScriptedHost()
        failed: list[str] = []

        async def flaky(call: Any) -> Any:
            if call.inputs["value"] == 2 and not failed:
                failed.append(call.path)
                raise failure(call, "timeout")
            return call.attempt

        host.actions["flaky"] = flaky
        await host.walk(workflow(step("tell", uses("flaky", value=item), for_each=for_each([1, 2, 3]))))
        assert host.journal["tell"].output == [1, 2, 1]
        assert [call.idempotency_key for call in host.calls if call.path == "tell[1]"] == ["run1/tell[1]"] * 2

    async def test_a_failed_loop_with_on_error_continue_shows_the_items_so_far(self) -> None:
        """`items` has what ended, although the output is null."""
        host = ScriptedHost()

        async def maybe(call: Any) -> Any:
            if call.inputs["value"] == 2:
                raise failure(call, "auth")
            return call.inputs["value"]

        host.actions["maybe"] = maybe
        await host.walk(
            workflow(
                step("tell", uses("maybe", value=item), for_each=for_each([1, 2, 3]), on_error="continue"),
                step("after", uses("echo", value=lambda scope: len(scope["steps"]["tell"]["items"]))),
            )
        )
        assert host.journal["after"].output == 2


async def test_items_of_a_block_do_not_see_each_other() -> None:
    """Inner steps belong to their item: two items under way at once each see their own, and the outside sees none."""
    host = ScriptedHost()
    inner = switch(
        (
            None,
            block(
                step("inner", uses("echo", value=item)),
                step("twice", uses("echo", value=lambda scope: [scope["item"], scope["steps"]["inner"]["output"]])),
            ),
        )
    )
    await host.walk(
        workflow(
            step("each", inner, for_each=for_each(list(range(20)), limit=5)),
            step("outside", uses("echo", value=lambda scope: "inner" in scope["steps"])),
        )
    )
    assert host.journal["each"].output == [[n, n] for n in range(20)]
    assert "each[3]/twice" in host.journal
    assert host.journal["outside"].output is False


async def test_loops_nest_in_blocks() -> None:
    """A loop inside a parallel branch inside a loop has all three in its path."""
    host = ScriptedHost()
    inner = step("in", uses("echo", value=item), for_each=for_each([7, 8]))
    outer = step("out", parallel(b=block(inner)), for_each=for_each([1]))
    await host.walk(workflow(outer))
    assert host.performed == ["out[0]/in[0]", "out[0]/in[1]"]
    assert host.journal["out"].output == [{"b": [7, 8]}]


async def test_a_loop_that_never_waits_lets_other_tasks_run() -> None:
    """Ten thousand items that `where` holds back do not hold up the rest of the process."""
    others = 0

    async def other(done: trio.Event) -> None:
        nonlocal others
        while not done.is_set():
            others += 1
            await trio.lowlevel.checkpoint()

    done = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other, done)
        loop = for_each(list(range(10_000)), where=lambda _: False)
        await ScriptedHost().walk(workflow(step("none", uses("echo"), for_each=loop)))
        done.set()
    assert others >= 100
