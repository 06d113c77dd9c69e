from dataclasses import replace
from math import inf, nan
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.engine.backoff import MAX_RETRY_AFTER_S, effective_retry, next_delay_s
from ipaas.model import Effect, Retry
from ipaas.run import RunError

RULE = Retry(max_attempts=100, delay_s=2.0, max_delay_s=60.0, jitter=False)


def failure(retry_after_s: float | None = None) -> RunError:
    return RunError(type="rate_limited", message="too many requests", retry_after_s=retry_after_s)


@pytest.mark.parametrize("effect, attempts", [("read", 3), ("idempotent", 3), ("write", 1)])
def test_default_depends_on_the_effect(effect: Effect, attempts: int) -> None:
    """Without a rule in the file, what may be repeated is tried three times and a write once."""
    assert effective_retry(None, effect).max_attempts == attempts


def test_rule_in_the_file_wins_over_the_effect() -> None:
    """A write is retried when the file says so."""
    assert effective_retry(RULE, "write") == RULE


@pytest.mark.parametrize(
    "backoff, expected",
    [
        ("constant", [2, 2, 2, 2, 2, 2]),
        ("linear", [2, 4, 6, 8, 10, 12]),
        ("exponential", [2, 4, 8, 16, 32, 60]),
    ],
)
def test_delays_grow_by_the_kind_of_backoff(
    backoff: Literal["constant", "linear", "exponential"], expected: list[float]
) -> None:
    """Without jitter the delays are exactly those of the rule, capped at the longest delay."""
    rule = Retry(max_attempts=7, delay_s=2.0, backoff=backoff, max_delay_s=60.0, jitter=False)
    assert [next_delay_s(rule, attempt, failure(), 0.7) for attempt in range(1, 7)] == expected


def test_last_attempt_is_the_last() -> None:
    """After `max_attempts` attempts there is no further one."""
    rule = Retry(max_attempts=2)
    assert next_delay_s(rule, 1, failure(), 0.0) is not None
    assert next_delay_s(rule, 2, failure(), 0.0) is None


def test_error_that_the_rule_does_not_name_is_not_retried() -> None:
    """Only the named error types are retried, whatever the other side asks for."""
    error = RunError(type="validation", message="`total` is not a number", retry_after_s=1.0)
    assert next_delay_s(RULE, 1, error, 0.0) is None


def test_retry_after_wins_over_the_delay() -> None:
    """What the other side asks for replaces the rule's delay, also when it is longer than the longest delay or zero."""
    assert next_delay_s(RULE, 1, failure(300.0), 0.0) == 300.0
    assert next_delay_s(RULE, 1, failure(0.0), 0.0) == 0.0


def test_retry_after_beyond_an_hour_ends_the_attempts() -> None:
    """Nobody is waited for longer than an hour."""
    assert next_delay_s(RULE, 1, failure(MAX_RETRY_AFTER_S), 0.0) == MAX_RETRY_AFTER_S
    assert next_delay_s(RULE, 1, failure(MAX_RETRY_AFTER_S + 1), 0.0) is None


@pytest.mark.parametrize("nonsense", [-1.0, nan, inf])
def test_nonsense_in_retry_after_is_ignored(nonsense: float) -> None:
    """A `Retry-After` that is no length of time leaves the rule's delay."""
    assert next_delay_s(RULE, 1, failure(nonsense), 0.0) == 2.0


rules = st.builds(
    Retry,
    max_attempts=st.integers(1, 10**6),
    delay_s=st.floats(0, 1e6),
    backoff=st.sampled_from(["constant", "linear", "exponential"]),
    max_delay_s=st.floats(0, 1e6),
)
randoms = st.floats(0, 1, exclude_max=True)


@given(rules, st.integers(1, 10**6), randoms)
def test_jittered_delay_stays_within_the_rule(rule: Retry, attempt: int, random: float) -> None:
    """Jitter takes at most half away and never exceeds the longest delay."""
    delay_s = next_delay_s(rule, attempt, failure(), random)
    plain = next_delay_s(replace(rule, jitter=False), attempt, failure(), 0)
    if attempt >= rule.max_attempts:
        assert delay_s is None
    else:
        assert delay_s is not None
        assert plain is not None
        assert plain / 2 <= delay_s <= plain <= rule.max_delay_s


@given(st.floats(0, MAX_RETRY_AFTER_S), randoms)
def test_retry_after_is_never_undercut(asked_s: float, random: float) -> None:
    """Jitter only adds to what the other side asked for, a tenth at most."""
    delay_s = next_delay_s(Retry(max_attempts=2), 1, failure(asked_s), random)
    assert delay_s is not None
    assert asked_s <= delay_s <= asked_s * 1.1
