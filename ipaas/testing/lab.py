"""A runner with everything around it, for tests: a Store, workflows built by hand, actions that are Python functions.

Owns `Lab`. The Store, the runner and the live host are the real ones; only the text of a workflow is left out, so that a test says what it
means in one place. Knows the engine and the Store; nothing imports it but tests.
"""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import trio

from ipaas.engine.machine import RunnerSettings
from ipaas.engine.request import make_request
from ipaas.engine.runner import Runner
from ipaas.engine.workflows import Workflows
from ipaas.errors import ProblemsFound
from ipaas.plugin.action import Action
from ipaas.run import TriggerInfo
from ipaas.store.contract import DEFAULT_TENANT, Change, WorkflowText
from ipaas.store.memory import MemoryStore
from ipaas.testing.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from ipaas.clock import Clock
    from ipaas.engine.observer import Observer
    from ipaas.model import Effect, Json, Problem, Workflow
    from ipaas.plugin.http_pool import HttpPool
    from ipaas.run import LogLine, Run, StepResult
    from ipaas.store.contract import Store, Version


def make_action(
    name: str, function: Callable[..., Awaitable[object]], *, effect: Effect = "read", credential: tuple[str, ...] = ()
) -> Action:
    """Return the action `<connector>.<action>` that a function is."""
    connector, _, action = name.partition(".")
    return Action(connector=connector, action=action, function=function, effect=effect, credential=credential)


@dataclass(slots=True)
class Lab:
    """Workflows, actions and a Store; `open_runner` executes runs in it, as often as a test wants servers.

    Attributes:
        compiled: what the texts in the Store stand for, by version.
        broken: versions that do not compile (any more), with the problem.
    """

    store: Store
    clock: Clock
    actions: Mapping[str, Action]
    settings: RunnerSettings = field(default_factory=RunnerSettings)
    pool: HttpPool | None = None
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    redact: Callable[[Json], Json] = lambda value: value
    compiled: dict[str, Workflow] = field(default_factory=dict)
    broken: dict[str, Problem] = field(default_factory=dict)

    async def put(self, *workflows: Workflow) -> None:
        """Sync workflows into the Store; each gets a version of its own."""
        texts = []
        for workflow in workflows:
            source = f"{workflow.id} {secrets.token_hex(4)}"
            version = sha256(source.encode()).hexdigest()
            self.compiled[version] = replace(workflow, version=version, source=source)
            texts.append(WorkflowText(id=workflow.id, version=version, path=workflow.path, source=source))
        await self.store.apply(DEFAULT_TENANT, Change(put=tuple(texts)))

    def find(self, workflow: str) -> Workflow:
        """Return the workflow that was put last under this id."""
        return [each for each in self.compiled.values() if each.id == workflow][-1]

    def make_runner(
        self,
        *,
        owner: str = "server1",
        store: Store | None = None,
        observers: Sequence[Observer] = (),
        own_only: bool = False,
    ) -> Runner:
        """Return a runner on the lab's Store, or on one that wraps it."""

        def compile_version(version: Version) -> Workflow:
            if version.version in self.broken:
                raise ProblemsFound([self.broken[version.version]])
            return self.compiled[version.version]

        return Runner(
            store=store or self.store,
            workflows=Workflows(store or self.store, compile_version),
            actions=self.actions,
            pool=self.pool,
            clock=self.clock,
            owner=owner,
            settings=self.settings,
            credentials=lambda _, name: self.credentials.get(name),
            redact=self.redact,
            observers=observers,
            own_only=own_only,
        )

    @asynccontextmanager
    async def open_runner(self, **keys: Any) -> AsyncIterator[Runner]:
        """Run a runner for the length of the block; at its end it is cancelled at once, as a crash would."""
        runner = self.make_runner(**keys)
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.run)
            yield runner
            nursery.cancel_scope.cancel()

    async def submit(self, runner: Runner, workflow: str, **inputs: Json) -> str:
        """Submit a run through a runner and return its id."""
        request = make_request(self.find(workflow), inputs=inputs, trigger=TriggerInfo())
        (submitted,) = await runner.submit(DEFAULT_TENANT, [request])
        return submitted.run_id

    async def execute(self, runner: Runner, workflow: str, **inputs: Json) -> Run:
        """Submit a run, wait until it has ended, and return it."""
        return await runner.wait_finished(DEFAULT_TENANT, await self.submit(runner, workflow, **inputs))

    async def read_steps(self, run_id: str) -> dict[str, StepResult]:
        """Return the journal of a run by path."""
        return {result.path: result for result in await self.store.list_steps(DEFAULT_TENANT, run_id)}

    async def read_log(self, run_id: str) -> list[LogLine]:
        """Return the log of a run."""
        return list((await self.store.list_logs(DEFAULT_TENANT, run_id)).items)


def make_lab(*actions: Action, **keys: Any) -> Lab:
    """Return a lab on a memory Store with virtual time; `keys` are those of `Lab`."""
    clock = keys.pop("clock", None) or VirtualClock()
    store = keys.pop("store", None) or MemoryStore(clock)
    return Lab(store=store, clock=clock, actions={action.name: action for action in actions}, **keys)
