"""What the interpreter needs of a machine: the seam between the walk and the world.

Owns the `Host` protocol. The interpreter awaits nothing else; hosts (`live`, `dry`, later `recorded`) implement it. Knows words only.

Structured like trio, without naming it: `group` is a nursery, `deadline` and `shield` are cancel scopes. A cancel arrives as the runtime's
own exception, passes through the interpreter untouched, and is the reason that the interpreter catches `StepFailed` and nothing broader.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from ipaas.model import Deferred, Effect, Json, JsonObject, Schema, Step
    from ipaas.run import LogLevel, RunError, StepResult


class StepFailed(Exception):
    """A step failed for good in one attempt; `error` has everything a person and a retry need to know.

    Args:
        error: what happened.
        fatal: whether the action said that no retry will help, whatever the file says.
    """

    def __init__(self, error: RunError, *, fatal: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.fatal = fatal


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt at one action.

    Attributes:
        path: where in the run (`tell[3]`), without the attempt.
        inputs: evaluated; may hold `Deferred` values.
        idempotency_key: stable over attempts and resumes of this path.
        returns: schema that the output must meet besides the action's own, or None.
    """

    step: Step
    path: str
    attempt: int
    action: str
    inputs: Mapping[str, Json | Deferred]
    credential: str | None
    idempotency_key: str
    returns: Schema | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildCall:
    """One start of another workflow."""

    step: Step
    path: str
    attempt: int
    workflow: str
    inputs: JsonObject
    wait: bool


class Group(Protocol):
    """Tasks that live and die together."""

    async def start(self, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Start a task; waits while `limit` tasks of this group are under way."""
        ...


class Host(Protocol):
    """Performs what the interpreter decides. One host serves one run; its methods may be called from several of the run's tasks."""

    def now(self) -> datetime:
        """Wall time, aware, UTC."""
        ...

    def random(self) -> float:
        """Uniform in [0, 1), for jitter."""
        ...

    def effect(self, action: str) -> Effect:
        """What repeating this action does; decides the default retry."""
        ...

    def recorded(self, path: str) -> StepResult | None:
        """What an earlier, interrupted execution of this run recorded last under this path, or None.

        `running` without an error is an attempt under way at the interruption; with an error, a pause before the next attempt.
        """
        ...

    async def record(self, step: Step, result: StepResult) -> None:
        """Note that a step began (`running`) or ended. A `write` action's beginning and end are durable when this returns. All else
        is written later, in order and together with the next durable note at the latest, and does not wait: it may be called
        while a cancel passes through.
        """
        ...

    async def call(self, call: Call) -> Json:
        """Perform one attempt and return plain JSON that meets the schemas. Raises `StepFailed`, whatever the action did."""
        ...

    async def run_child(self, call: ChildCall) -> Json:
        """Start (and wait for) another workflow; returns its outputs, or `{run_id}`. Raises `StepFailed`. The same path and attempt
        is the same child, also in a later execution."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait (retry delay, pause of a loop)."""
        ...

    def deadline(self, seconds: float | None) -> AbstractAsyncContextManager[None]:
        """A scope that ends its body after that many seconds and then raises `TimeoutError`; None is no limit."""
        ...

    def shield(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """A scope for cleanup: a cancel reaches its body only that many seconds after it came, and is then a `TimeoutError`."""
        ...

    def is_abandoned(self) -> bool:
        """Whether this execution is given up but the run is not over (its lease is lost, the server stops): a cancel that passes
        through then runs no cleanup and records nothing, for another execution takes the run from here."""
        ...

    def group(self, limit: int | None = None) -> AbstractAsyncContextManager[Group]:
        """A nursery of at most `limit` tasks at a time. The first `StepFailed` of a task cancels the rest and leaves the block as
        itself, not in an exception group."""
        ...

    def log(self, level: LogLevel, message: str, *, path: str = "", attempt: int = 0) -> None:
        """Note a line in the run's log; never blocks, never raises."""
        ...
