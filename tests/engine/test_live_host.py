"""What the live host promises of the journal, of secrets, and of connectors that misbehave."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from ipaas.engine.machine import RunnerSettings
from ipaas.errors import AuthFailed, Fatal, RetryLater, StoreUnavailable
from ipaas.model import Retry
from ipaas.plugin import Json
from ipaas.run import StepResult
from ipaas.store.contract import DEFAULT_TENANT, Store
from ipaas.testing.build import block, parallel, step, uses, workflow
from ipaas.testing.lab import Lab, make_action, make_lab
from ipaas.testing.wrapped_store import WrappedStore
from tests.engine.hostile_pack import EXPECTED, leak_scope

ONCE = Retry(max_attempts=1)


async def beat(ctx: Any, value: Json = None) -> Json:
    """The canary's action."""
    await trio.sleep(1)
    return value


class TestHostileConnectors:
    @pytest.mark.parametrize("function, told", EXPECTED, ids=lambda each: getattr(each, "__name__", None))
    async def test_its_own_run_fails_and_says_what_and_where(
        self, function: Callable[..., Awaitable[object]], told: str, autojump_clock: MockClock
    ) -> None:
        """The step fails with `connector_bug`; the runner goes on, and a canary beside it is not touched."""
        lab = make_lab(make_action("bad.act", function), make_action("good.beat", beat))
        await lab.put(
            workflow(step("bad", uses("bad.act"), retry=ONCE), id="hostile"),
            workflow(*[step(f"beat{n}", uses("good.beat", value=n)) for n in range(3)], id="canary"),
        )
        async with lab.open_runner() as runner:
            canary = await lab.submit(runner, "canary")
            hostile = await lab.execute(runner, "hostile")
            after = await lab.execute(runner, "canary")
            beside = await runner.wait_finished(DEFAULT_TENANT, canary)
        assert hostile.state == "failed"
        assert hostile.error is not None
        assert hostile.error.type == "connector_bug"
        assert told in hostile.error.message
        assert (beside.state, after.state) == ("succeeded", "succeeded")

    async def test_a_cancel_scope_that_it_leaves_open_ends_with_its_task(self, autojump_clock: MockClock) -> None:
        """The next step's timeout, which is a scope too, works as ever."""
        lab = make_lab(make_action("bad.leak", leak_scope), make_action("good.beat", beat))
        await lab.put(
            workflow(step("bad", uses("bad.leak")), step("late", uses("good.beat"), timeout_s=0.5, retry=ONCE))
        )
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert run.error is not None
        assert (run.error.type, run.error.step) == ("timeout", "late")

    async def test_the_message_names_the_plugins_file_and_line(self, caplog: pytest.LogCaptureFixture) -> None:
        """The innermost frame of the plugin is in the message, the traceback only in the log, with everything that names the run."""

        async def act(ctx: Any) -> None:
            trio.Path(3)  # type: ignore[arg-type]  # raises inside the library

        lab = make_lab(make_action("bad.act", act))
        await lab.put(workflow(step("bad", uses("bad.act"))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert run.error is not None
        line = act.__code__.co_firstlineno + 1
        assert run.error.message.startswith("`bad.act` raised `TypeError`")
        assert run.error.message.endswith(f"test_live_host.py:{line})")
        assert "Traceback" not in run.error.message
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert record.exc_info is not None
        assert vars(record)["facts"] == {
            "tenant": "default",
            "workflow": "test",
            "run": run.id,
            "step": "bad",
            "attempt": 1,
            "action": "bad.act",
        }

    async def test_one_that_hangs_is_ended_by_its_timeout(self, autojump_clock: MockClock) -> None:
        """Also when it makes another exception of the cancel."""

        async def hang(ctx: Any) -> None:
            try:
                await trio.sleep_forever()
            except BaseException as cancelled:
                raise ValueError("hidden") from cancelled

        lab = make_lab(make_action("bad.hang", hang))
        await lab.put(workflow(step("bad", uses("bad.hang"), timeout_s=3.0, retry=ONCE)))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert run.error is not None
        assert (run.error.type, run.error.message) == ("timeout", "`bad` was not finished within 3s")

    async def test_what_it_does_to_its_inputs_and_outputs_stays_with_it(self) -> None:
        """Inputs and outputs are copies: neither a constant of the file nor a value in the scope can be changed."""
        kept: list[Any] = []

        async def spoil(ctx: Any, value: dict[str, Json]) -> Json:
            value["spoiled"] = True
            kept.append(value)
            return value

        async def look(ctx: Any, value: Json) -> Json:
            kept[0]["later"] = True
            return value

        lab = make_lab(make_action("bad.spoil", spoil), make_action("bad.look", look))
        constant = {"a": 1}
        await lab.put(
            workflow(
                step("spoil", uses("bad.spoil", value=lambda _: constant)),
                step("look", uses("bad.look", value=lambda scope: scope["steps"]["spoil"]["output"])),
                outputs={"seen": lambda scope: scope["steps"]["look"]["output"]},
            )
        )
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert run.outputs == {"seen": {"a": 1, "spoiled": True}}
        assert constant == {"a": 1}


class TestSteering:
    @pytest.mark.parametrize(
        "error, type",
        [
            (RetryLater("busy"), "rate_limited"),
            (AuthFailed("no"), "auth"),
            (Fatal("wrong", type="validation"), "validation"),
            (ExceptionGroup("from a nursery", [AuthFailed("no")]), "auth"),
            (TimeoutError(), "timeout"),
            (trio.TooSlowError(), "timeout"),
        ],
    )
    async def test_what_it_means_to_say_is_the_errors_type(
        self, error: Exception, type: str, autojump_clock: MockClock
    ) -> None:
        """Steering errors keep their type, also out of a nursery's group; a time-out of its own is a `timeout`."""

        async def act(ctx: Any) -> None:
            raise error

        lab = make_lab(make_action("t.act", act))
        await lab.put(workflow(step("x", uses("t.act"), retry=ONCE)))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert run.error is not None
        assert run.error.type == type

    async def test_retry_after_and_fatal_steer_the_retry(self, autojump_clock: MockClock) -> None:
        """A pause is as long as was asked for; `Fatal` ends the attempts whatever the file says."""
        begun: list[float] = []

        async def act(ctx: Any) -> None:
            begun.append(trio.current_time())
            if len(begun) == 1:
                raise RetryLater("busy", after_s=50)
            raise Fatal("no", type="rate_limited")

        lab = make_lab(make_action("t.act", act, effect="write"))
        await lab.put(workflow(step("x", uses("t.act"), retry=Retry(max_attempts=9, jitter=False))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert [round(each - begun[0]) for each in begun] == [0, 50]
        assert run.error is not None
        assert run.error.attempt == 2


class TestJournal:
    @pytest.fixture
    def watched(self) -> tuple[list[Any], Lab]:
        """A lab whose actions look into the Store while they act."""
        seen: list[Any] = []

        async def look(ctx: Any) -> None:
            results = await lab.store.list_steps(DEFAULT_TENANT, ctx.run.run_id)
            seen.append({result.path: result.status for result in results})

        lab = make_lab(make_action("t.read", look), make_action("t.write", look, effect="write"))
        return seen, lab

    async def test_the_intent_of_a_write_is_durable_before_it_acts(self, watched: tuple[list[Any], Lab]) -> None:
        """It finds itself `running` in the Store, after all that came before it."""
        seen, lab = watched
        await lab.put(workflow(step("before", uses("t.read")), step("pay", uses("t.write"))))
        async with lab.open_runner() as runner:
            await lab.execute(runner, "test")
        assert seen[1] == {"before": "succeeded", "pay": "running"}

    async def test_the_result_of_a_write_is_durable_before_the_run_goes_on(
        self, watched: tuple[list[Any], Lab]
    ) -> None:
        """The next step finds it in the Store."""
        seen, lab = watched
        await lab.put(workflow(step("pay", uses("t.write")), step("next", uses("t.read"))))
        async with lab.open_runner() as runner:
            await lab.execute(runner, "test")
        assert seen[1]["pay"] == "succeeded"

    async def test_a_read_costs_no_waiting(self, watched: tuple[list[Any], Lab]) -> None:
        """It finds nothing of itself in the Store: its notes are written with the next ones."""
        seen, lab = watched
        await lab.put(workflow(step("one", uses("t.read")), step("two", uses("t.read"))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert seen == [{}, {}]
        assert list(await lab.read_steps(run.id)) == ["one", "two"]

    async def test_notes_are_seen_while_the_run_goes_on(self, autojump_clock: MockClock) -> None:
        """A long read is in the Store as `running` after a fifth of a second, and so are log lines."""
        lab = make_lab(make_action("t.slow", slow))
        await lab.put(workflow(step("slow", uses("t.slow"))))
        async with lab.open_runner() as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(0.5)
            steps = await lab.read_steps(run_id)
            lines = await lab.read_log(run_id)
        assert steps["slow"].status == "running"
        assert [(line.message, line.step, line.attempt) for line in lines] == [("begun", "slow", 1)]

    async def test_deferred_inputs_are_kept_as_text(self) -> None:
        """The journal has inputs as a person wrote them, where an action evaluates them itself."""

        async def act(ctx: Any, each: Json) -> Json:
            return None

        lab = make_lab(make_action("t.act", act))
        await lab.put(workflow(step("x", uses("t.act", each={"deep": [1]}))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert (await lab.read_steps(run.id))["x"].inputs == {"each": {"deep": [1]}}


async def slow(ctx: Any) -> None:
    """Log a line and take ten seconds."""
    ctx.log.info("begun")
    await trio.sleep(10)


def redact(value: Json) -> Json:
    """Take the word `hunter2` out."""
    if isinstance(value, str):
        return value.replace("hunter2", "***")
    if isinstance(value, dict):
        return {name: redact(each) for name, each in value.items()}
    if isinstance(value, list):
        return [redact(each) for each in value]
    return value


class TestSecrets:
    async def test_a_secret_is_in_nothing_that_is_kept_or_told(self, caplog: pytest.LogCaptureFixture) -> None:
        """Inputs, outputs, log lines with their fields, errors, the run's own outputs, what observers see."""

        async def leak(ctx: Any, text: str) -> Json:
            ctx.log.info(ctx.credential["token"], field=ctx.credential["token"])
            if text == "fail":
                raise Fatal(f"refused {ctx.credential['token']}", hint=ctx.credential["token"])
            return {"echo": ctx.credential["token"], "text": text}

        told: list[str] = []

        class Spy:
            def run_changed(self, run: object) -> None:
                told.append(repr(run))

            def step_changed(self, run: object, result: object) -> None:
                told.append(repr(result))

            def line_logged(self, run: object, line: object) -> None:
                told.append(repr(line))

        lab = make_lab(
            make_action("t.leak", leak, credential=("token",)),
            credentials={"shop": {"token": "hunter2"}},
            redact=redact,
        )
        await lab.put(
            workflow(
                step("say", uses("t.leak", credential="shop", text="hunter2")),
                step("bad", uses("t.leak", credential="shop", text="fail"), on_error="continue"),
                outputs={"all": lambda scope: scope["steps"]["say"]["output"]},
            )
        )
        async with lab.open_runner(observers=[Spy()]) as runner:
            run = await lab.execute(runner, "test")
        kept = [repr(run), repr(await lab.read_steps(run.id)), repr(await lab.read_log(run.id))]
        assert run.outputs == {"all": {"echo": "***", "text": "***"}}
        assert not [text for text in [*kept, *told, caplog.text] if "hunter2" in text]

    async def test_later_steps_get_the_value_itself(self) -> None:
        """Redaction is for what is kept: the run goes on with what the action returned."""

        async def give(ctx: Any) -> Json:
            return "hunter2"

        async def measure(ctx: Any, text: str) -> Json:
            return len(text)

        lab = make_lab(make_action("t.give", give), make_action("t.measure", measure), redact=redact)
        await lab.put(
            workflow(
                step("give", uses("t.give")),
                step("measure", uses("t.measure", text=lambda scope: scope["steps"]["give"]["output"])),
            )
        )
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        steps = await lab.read_steps(run.id)
        assert (steps["give"].output, steps["measure"].output) == ("***", 7)

    async def test_a_missing_credential_says_how_to_set_it(self) -> None:
        """It is an `auth` error before anything is called."""
        lab = make_lab(make_action("t.beat", beat, credential=("token",)))
        await lab.put(workflow(step("x", uses("t.beat", credential="my-shop"))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert run.error is not None
        assert (run.error.type, run.error.hint) == ("auth", "set `IPAAS_CREDENTIAL_MY_SHOP` where ipaas runs")

    async def test_a_credential_cannot_be_kept_as_state(self) -> None:
        """State is written as it is, so a connector that keeps its credential there is refused, and nothing is written."""

        async def keep(ctx: Any) -> None:
            await ctx.state.put("login", {"token": ctx.credential["token"]})

        lab = make_lab(
            make_action("t.keep", keep, credential=("token",)),
            credentials={"shop": {"token": "hunter2"}},
            redact=redact,
        )
        await lab.put(workflow(step("x", uses("t.keep", credential="shop"))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert run.error is not None
        assert (run.state, run.error.type) == ("failed", "connector_bug")
        assert await lab.store.find_state(DEFAULT_TENANT, "test/t", "login") is None


class TestContext:
    async def test_an_action_knows_its_run_and_its_key(self) -> None:
        """The key is the same for every attempt of the step; state outlives the run."""
        keys: list[str] = []

        async def act(ctx: Any) -> Json:
            keys.append(ctx.idempotency_key)
            count = (await ctx.state.find("count") or 0) + 1
            await ctx.state.put("count", count)
            if ctx.run.attempt == 1:
                raise RetryLater("again", after_s=0)
            return [count, ctx.run.path, ctx.run.workflow]

        lab = make_lab(make_action("t.act", act))
        await lab.put(workflow(step("x", uses("t.act"), retry=Retry(max_attempts=2, delay_s=0.0))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
            again = await lab.execute(runner, "test")
        assert keys == [f"{run.id}/x"] * 2 + [f"{again.id}/x"] * 2
        assert (await lab.read_steps(again.id))["x"].output == [4, "x", "test"]

    async def test_an_action_that_is_gone_fails_the_step(self) -> None:
        """A plugin that was removed costs the runs that need it, with a message."""
        lab = make_lab()
        await lab.put(workflow(step("x", uses("gone.act"))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        assert run.error is not None
        assert run.error.message == "no plugin provides the action `gone.act` any more"

    async def test_log_lines_are_one_line_each_and_in_order(self) -> None:
        """Control characters are written out; fields that are not JSON are left out and said to be."""

        async def act(ctx: Any) -> None:
            ctx.log.warning("two\nlines \x1b[31mred", count=3)
            ctx.log.info("odd", field=object())

        lab = make_lab(make_action("t.act", act))
        await lab.put(workflow(step("x", uses("t.act"))))
        async with lab.open_runner() as runner:
            run = await lab.execute(runner, "test")
        first, second = await lab.read_log(run.id)
        assert (first.level, first.message, first.fields) == ("warning", "two\\nlines \\x1b[31mred", {"count": 3})
        assert "left out" in str(second.fields["fields"])


class TestStoreAway:
    async def test_log_lines_that_cannot_be_written_cost_only_themselves(self) -> None:
        """The run succeeds."""

        class NoLogs(WrappedStore):
            async def append_logs(self, *_: object) -> None:
                raise StoreUnavailable("disk is full")

        async def act(ctx: Any) -> None:
            ctx.log.info("lost")

        lab = make_lab(make_action("t.act", act))
        await lab.put(workflow(step("x", uses("t.act"))))
        async with lab.open_runner(store=NoLogs(lab.store)) as runner:
            run = await lab.execute(runner, "test")
        assert run.state == "succeeded"

    async def test_a_write_waits_for_a_store_that_is_away(self, autojump_clock: MockClock) -> None:
        """Nothing is done before its intent is durable; when the Store is back the run goes on."""
        acted: list[float] = []

        async def act(ctx: Any) -> None:
            acted.append(trio.current_time())

        back_at = trio.current_time() + 5
        lab = make_lab(make_action("t.act", act, effect="write"))
        await lab.put(workflow(step("x", uses("t.act"))))
        async with lab.open_runner(store=away_until(lab.store, back_at)) as runner:
            run = await lab.execute(runner, "test")
        assert run.state == "succeeded"
        assert len(acted) == 1
        assert acted[0] >= back_at

    async def test_a_run_that_cannot_be_noted_for_a_lease_is_given_up(self, autojump_clock: MockClock) -> None:
        """It does not act, and is taken over when the Store is back."""
        acted: list[float] = []

        async def act(ctx: Any) -> None:
            acted.append(trio.current_time())

        lab = make_lab(make_action("t.act", act, effect="write"), settings=RunnerSettings(lease_s=10.0))
        await lab.put(workflow(step("x", uses("t.act"))))
        async with lab.open_runner(store=away_until(lab.store, trio.current_time() + 60)) as runner:
            run_id = await lab.submit(runner, "test")
            await trio.sleep(20)
            assert (acted, runner.active) == ([], 0)
            run = await runner.wait_finished(DEFAULT_TENANT, run_id)
        assert (run.state, len(acted)) == ("succeeded", 1)
        assert run.recoveries >= 1


def away_until(store: Store, when: float) -> Store:
    """Return the Store, whose journal cannot be written before that time."""

    class Away(WrappedStore):
        async def record_steps(self, *args: Any) -> None:
            if trio.current_time() < when:
                raise StoreUnavailable("the database is locked")
            await store.record_steps(*args)

    return Away(store)


async def test_branches_write_their_notes_together(autojump_clock: MockClock) -> None:
    """Twenty writes at once need far fewer journal writes than forty: what waits is written with what is being written."""
    writes: list[int] = []

    class Counting(WrappedStore):
        async def record_steps(self, lease: Any, results: list[StepResult]) -> None:
            writes.append(len(results))
            await trio.sleep(0.01)
            await lab.store.record_steps(lease, results)

    lab = make_lab(make_action("t.beat", beat, effect="write"))
    branches = {f"b{n}": block(step(f"s{n}", uses("t.beat"))) for n in range(20)}
    await lab.put(workflow(step("all", parallel(**branches))))
    async with lab.open_runner(store=Counting(lab.store)) as runner:
        run = await lab.execute(runner, "test")
    assert run.state == "succeeded"
    assert sum(writes) >= 41
    assert len(writes) <= 8
