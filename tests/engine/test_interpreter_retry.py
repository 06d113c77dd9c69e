"""Attempts: timeouts, retries, and what is noted of them."""

from typing import Any

import pytest
from trio.testing import MockClock

from ipaas.engine.host import StepFailed
from ipaas.errors import ErrorType
from ipaas.model import Effect, Retry
from ipaas.run import Outcome
from ipaas.testing.build import block, parallel, repeat, step, uses, workflow
from ipaas.testing.scripted_host import ScriptedHost, failure


def flaky(
    host: ScriptedHost, failures: int, type: ErrorType = "timeout", *, retry_after_s: float | None = None
) -> None:
    """An action that fails so many times before it succeeds."""
    left = failures

    async def act(call: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise failure(call, type, retry_after_s=retry_after_s)
        return f"attempt {call.attempt}"

    host.actions["flaky"] = act


async def test_reads_are_tried_three_times_on_transient_errors(autojump_clock: MockClock) -> None:
    """Without `retry`, two failures are survived, with growing pauses; the journal counts the attempts."""
    host = ScriptedHost()
    flaky(host, 2)
    outcome = await host.walk(workflow(step("get", uses("flaky"))))
    assert outcome == Outcome(state="succeeded")
    assert (host.journal["get"].output, host.journal["get"].attempts) == ("attempt 3", 3)
    assert host.slept == [0.5, 1.0]  # one and two seconds, jittered to their least
    assert [path for _, path, _ in host.lines] == ["get", "get"]


async def test_the_third_failure_is_the_last(autojump_clock: MockClock) -> None:
    """The error is that of the last attempt, and says which it was."""
    host = ScriptedHost()
    flaky(host, 3)
    outcome = await host.walk(workflow(step("get", uses("flaky"))))
    assert outcome is not None
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.attempt) == ("timeout", 3)


@pytest.mark.parametrize("effect, attempts", [("read", 3), ("idempotent", 3), ("write", 1)])
async def test_the_default_goes_by_the_actions_effect(effect: Effect, attempts: int, autojump_clock: MockClock) -> None:
    """What writes is tried once, unless the file says otherwise."""
    host = ScriptedHost(effects={"flaky": effect})
    flaky(host, 9)
    await host.walk(workflow(step("act", uses("flaky"))))
    assert len(host.calls) == attempts


async def test_the_file_may_say_that_a_write_is_tried_again(autojump_clock: MockClock) -> None:
    """`retry` wins over the default of the effect."""
    host = ScriptedHost(effects={"flaky": "write"})
    flaky(host, 1)
    retry = Retry(max_attempts=2, delay_s=4.0, backoff="constant", jitter=False)
    outcome = await host.walk(workflow(step("act", uses("flaky"), retry=retry)))
    assert outcome == Outcome(state="succeeded")
    assert host.slept == [4.0]


async def test_errors_that_no_retry_can_mend_are_not_repeated() -> None:
    """`not_found` is not among the transient types."""
    host = ScriptedHost()
    flaky(host, 9, "not_found")
    await host.walk(workflow(step("act", uses("flaky"))))
    assert len(host.calls) == 1


async def test_fatal_is_never_repeated() -> None:
    """Whatever the file says: the action knows that no retry helps."""

    async def act(call: Any) -> Any:
        raise StepFailed(failure(call, "timeout").error, fatal=True)

    host = ScriptedHost({"act": act})
    await host.walk(workflow(step("act", uses("act"), retry=Retry(max_attempts=5))))
    assert len(host.calls) == 1


async def test_retry_after_wins_over_the_delay(autojump_clock: MockClock) -> None:
    """The other side said when to come back."""
    host = ScriptedHost()
    flaky(host, 1, "rate_limited", retry_after_s=42.0)
    await host.walk(workflow(step("act", uses("flaky"), retry=Retry(max_attempts=2, jitter=False))))
    assert host.slept == [42.0]


async def test_the_timeout_is_per_attempt(autojump_clock: MockClock) -> None:
    """Each attempt has the whole time; the error is `timeout`, and is retried like one."""
    host = ScriptedHost()

    async def hang(call: Any) -> Any:
        await host.clock.sleep(1000)

    host.actions["hang"] = hang
    retry = Retry(max_attempts=3, delay_s=0.0, jitter=False)
    begun = host.clock.monotonic()
    outcome = await host.walk(workflow(step("act", uses("hang"), timeout_s=10.0, retry=retry)))
    assert host.clock.monotonic() - begun == 30.0
    assert outcome is not None
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.step, outcome.error.attempt) == ("timeout", "act", 3)
    assert outcome.error.message == "`act` was not finished within 10s"


async def test_actions_have_a_minute_when_nothing_is_said(autojump_clock: MockClock) -> None:
    """A hanging action ends by itself."""
    host = ScriptedHost(effects={"hang": "write"})

    async def hang(call: Any) -> Any:
        await host.clock.sleep(1000)

    host.actions["hang"] = hang
    begun = host.clock.monotonic()
    await host.walk(workflow(step("act", uses("hang"))))
    assert host.clock.monotonic() - begun == 60.0


class TestBlocks:
    async def test_the_timeout_of_a_block_covers_one_whole_attempt(self, autojump_clock: MockClock) -> None:
        """Its steps are cancelled together, and it fails with its own id."""
        host = ScriptedHost()

        async def hang(call: Any) -> Any:
            await host.clock.sleep(1000)

        host.actions["hang"] = hang
        both = parallel(a=block(step("a", uses("hang"))), b=block(step("b", uses("hang"))))
        outcome = await host.walk(workflow(step("both", both, timeout_s=5.0)))
        assert outcome is not None
        assert outcome.error is not None
        assert (outcome.error.type, outcome.error.step) == ("timeout", "both")
        assert {host.journal["both/a"].status, host.journal["both/b"].status} == {"cancelled"}

    async def test_a_repeated_block_names_the_attempt_in_the_paths_inside(self, autojump_clock: MockClock) -> None:
        """The second attempt performs its steps anew, under paths of its own and with the same idempotency keys."""
        host = ScriptedHost()
        flaky(host, 1, "server_error")
        once = Retry(max_attempts=1)
        both = parallel(a=block(step("one", uses("echo", value=1)), step("two", uses("flaky"), retry=once)))
        outcome = await host.walk(workflow(step("both", both, retry=Retry(max_attempts=2))))
        assert outcome == Outcome(state="succeeded")
        assert host.performed == ["both/one", "both/two", "both.attempt2/one", "both.attempt2/two"]
        assert [call.idempotency_key for call in host.calls] == ["run1/both/one", "run1/both/two"] * 2

    async def test_iterations_inside_a_repeated_block_are_numbered_as_before(self, autojump_clock: MockClock) -> None:
        """`again.attempt2#0/round` is the first iteration of the second attempt."""
        host = ScriptedHost()
        flaky(host, 1, "server_error")
        again = repeat(
            lambda scope: scope["loop"]["index"] < 1, step("round", uses("flaky"), retry=Retry(max_attempts=1))
        )
        await host.walk(workflow(step("again", again, retry=Retry(max_attempts=2))))
        assert host.performed == ["again#0/round", "again.attempt2#0/round"]

    async def test_blocks_are_not_repeated_by_default(self) -> None:
        """Their steps have retries of their own."""
        host = ScriptedHost(effects={"flaky": "write"})
        flaky(host, 9)
        await host.walk(workflow(step("both", parallel(a=block(step("one", uses("flaky")))))))
        assert host.performed == ["both/one"]


async def test_a_pause_is_noted_as_one(autojump_clock: MockClock) -> None:
    """Between attempts the journal shows `running` with the error of the last one, so that nobody takes it for a call under way."""
    host = ScriptedHost()
    flaky(host, 1)
    await host.walk(workflow(step("get", uses("flaky"))))
    seen = [(result.status, result.attempts, result.error is not None) for result in host.recordings]
    assert seen == [("running", 1, False), ("running", 1, True), ("running", 2, False), ("succeeded", 2, False)]


async def test_a_long_path_gives_a_short_key() -> None:
    """Services refuse idempotency keys over 255 characters."""
    host = ScriptedHost()
    body = uses("echo")
    inner = step("s" * 64, body)
    for level in range(4):
        inner = step(f"{level}" * 60, parallel(b=block(inner)))
    await host.walk(workflow(inner))
    assert len(host.calls[0].path) > 255
    assert len(host.calls[0].idempotency_key) < 100
