"""When a failed attempt is repeated, and after how long.

Owns the retry rule, all of it pure: randomness comes in as a number, waiting is the caller's. Knows words only. Called by the
interpreter after each failed attempt, and by loops that wait for a Store to come back.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final

from ipaas.model import Retry

if TYPE_CHECKING:
    from ipaas.model import Effect
    from ipaas.run import RunError

READ_ATTEMPTS: Final = 3
"""Attempts at an action that may be repeated, when the file does not say."""

MAX_RETRY_AFTER_S: Final = 3600.0
"""Somebody who asks for more than an hour is not waited for: coming back earlier would be refused, and a run would hold its place
for nothing. The step fails with the time that was asked for in its error."""

RETRY_AFTER_SPREAD: Final = 0.1
"""`Retry-After` is never undercut; up to a tenth is added, so that all who were told the same do not come back at once."""

_MAX_DOUBLINGS: Final = 62  # any delay is beyond every cap by then, and a float does not overflow


def effective_retry(retry: Retry | None, effect: Effect) -> Retry:
    """Return what the file says, else the default: what only reads or may safely be repeated is tried three times, a write once."""
    if retry is not None:
        return retry
    return Retry(max_attempts=1 if effect == "write" else READ_ATTEMPTS)


def next_delay_s(retry: Retry, attempt: int, error: RunError, random: float) -> float | None:
    """Return the seconds to wait before the next attempt, or None when there is to be none.

    Args:
        retry: the rule.
        attempt: the attempt that failed, from 1.
        error: how it failed; its `retry_after_s` wins over the rule's delay.
        random: uniform in [0, 1).
    """
    if attempt >= retry.max_attempts or error.type not in retry.errors:
        return None
    asked_s = error.retry_after_s
    if asked_s is not None and isfinite(asked_s) and asked_s >= 0:
        if asked_s > MAX_RETRY_AFTER_S:
            return None
        return asked_s * (1 + RETRY_AFTER_SPREAD * random) if retry.jitter else asked_s
    delay_s = backoff_delay_s(retry, attempt)
    return delay_s * (0.5 + 0.5 * random) if retry.jitter else delay_s


def backoff_delay_s(retry: Retry, attempt: int) -> float:
    """Return the rule's own delay after failed attempt `attempt` (from 1), capped, before jitter takes up to half of it away."""
    if retry.backoff == "constant":
        factor = 1
    elif retry.backoff == "linear":
        factor = attempt
    else:
        factor = 2 ** min(attempt - 1, _MAX_DOUBLINGS)
    return min(retry.delay_s * factor, retry.max_delay_s)
