"""A host for tests of the interpreter: actions are Python functions, the journal is a dictionary, time is virtual.

Owns `ScriptedHost`. Its scopes and groups are those of live runs; nothing else of the machine is there. Knows the engine's contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from ipaas.engine.host import StepFailed
from ipaas.engine.interpreter import interpret
from ipaas.engine.live_scopes import Deadline, Shields, TaskGroup
from ipaas.run import Run, RunError, TriggerInfo
from ipaas.testing.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from ipaas.engine.host import Call, ChildCall, Group
    from ipaas.errors import ErrorType
    from ipaas.model import Effect, Json, Step, Workflow
    from ipaas.run import LogLevel, Outcome, StepResult

    Act = Callable[[Call], Awaitable[Any]]


class ScriptedHost:
    """Performs actions from a table of functions and remembers everything. One for each run.

    Args:
        actions: by name; each takes the `Call` and returns the output.
        effects: what repeating them does; `read` for those that are not named.
        earlier: what an earlier execution recorded.
    """

    def __init__(
        self,
        actions: Mapping[str, Act] | None = None,
        *,
        effects: Mapping[str, Effect] | None = None,
        earlier: Mapping[str, StepResult] | None = None,
    ) -> None:
        self.actions = {"echo": echo, "fail": fail, **(actions or {})}
        self.effects = dict(effects or {})
        self.earlier = dict(earlier or {})
        self.clock = VirtualClock()
        self.calls: list[Call] = []
        self.child_calls: list[ChildCall] = []
        self.children: Callable[[ChildCall], Awaitable[Json]] = _no_children
        self.recordings: list[StepResult] = []
        self.lines: list[tuple[LogLevel, str, str]] = []
        self.slept: list[float] = []
        self.scope = trio.CancelScope()
        self.chance = 0.0
        self._shields = Shields()
        self._abandoned = False

    @property
    def journal(self) -> dict[str, StepResult]:
        """The newest recording of each path, in the order in which the paths came up."""
        return {result.path: result for result in self.recordings}

    @property
    def performed(self) -> list[str]:
        """The paths of all calls, in order."""
        return [call.path for call in self.calls]

    async def walk(self, workflow: Workflow, *, env: Mapping[str, str] | None = None, **inputs: Json) -> Outcome | None:
        """Interpret the workflow as a run named `run1` and return its outcome, or None when it was cancelled or abandoned."""
        run = Run(
            id="run1",
            tenant="default",
            workflow=workflow.id,
            version=workflow.version,
            state="running",
            trigger=TriggerInfo(),
            inputs=inputs,
            created_at=self.now(),
            started_at=self.now(),
        )
        with self.scope:
            return await interpret(workflow, run, self, env=env or {})
        return None

    def cancel(self) -> None:
        """Cancel the run, as a person does."""
        self.scope.cancel()
        self._shields.note_cancel()

    def abandon(self) -> None:
        """Give the run up, as a crash of this process would."""
        self._abandoned = True
        self.scope.cancel()
        self._shields.give_up()

    def now(self) -> datetime:
        """Wall time of the virtual clock."""
        return self.clock.now()

    def random(self) -> float:
        """What `chance` says."""
        return self.chance

    def effect(self, action: str) -> Effect:
        """What the table says, else `read`."""
        return self.effects.get(action, "read")

    def recorded(self, path: str) -> StepResult | None:
        """What the earlier execution recorded."""
        return self.earlier.get(path)

    async def record(self, step: Step, result: StepResult) -> None:
        """Remember."""
        self.recordings.append(result)

    async def call(self, call: Call) -> Json:
        """Perform the function of that name."""
        self.calls.append(call)
        output: Json = await self.actions[call.action](call)
        return output

    async def run_child(self, call: ChildCall) -> Json:
        """Ask `children`."""
        self.child_calls.append(call)
        return await self.children(call)

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time; pauses longer than none are remembered."""
        if seconds:
            self.slept.append(seconds)
        await self.clock.sleep(seconds)

    def deadline(self, seconds: float | None) -> AbstractAsyncContextManager[None]:
        """A scope of live runs."""
        return Deadline(seconds)

    def shield(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """A scope of live runs."""
        return self._shields.make(seconds)

    def is_abandoned(self) -> bool:
        """Whether `abandon` was called."""
        return self._abandoned

    def group(self, limit: int | None = None) -> AbstractAsyncContextManager[Group]:
        """A group of live runs."""
        return TaskGroup(limit)

    def log(self, level: LogLevel, message: str, *, path: str = "", attempt: int = 0) -> None:
        """Remember."""
        self.lines.append((level, path, message))


async def echo(call: Call) -> Json:
    """Return the input `value`, after one checkpoint."""
    await trio.lowlevel.checkpoint()
    value: Any = call.inputs.get("value")
    return value  # type: ignore[no-any-return]  # the tests put JSON there


async def fail(call: Call) -> Json:
    """Fail with the type that the input `type` names, `server_error` otherwise."""
    await trio.lowlevel.checkpoint()
    kind: Any = call.inputs.get("type", "server_error")
    raise failure(call, kind)


def failure(call: Call, type: ErrorType = "server_error", *, retry_after_s: float | None = None) -> StepFailed:
    """Return the failure of a call."""
    return StepFailed(
        RunError(
            type=type,
            message="it went wrong",
            step=call.path,
            attempt=call.attempt,
            place=call.step.place,
            retry_after_s=retry_after_s,
        )
    )


async def _no_children(call: ChildCall) -> Json:
    raise AssertionError(call.path)
