"""A Store, a clock and workflows built by hand, with a scheduler over them, for tests of schedules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import trio

from ipaas.engine.scheduler import Scheduler
from ipaas.engine.workflows import Workflows
from ipaas.errors import ProblemsFound
from ipaas.model import At, Cron, Every, Place, Problem, Timing, Trigger, Workflow
from ipaas.run import Run, Tick
from ipaas.store.contract import DEFAULT_TENANT, Change, RunFilter, Version, WorkflowText
from ipaas.store.memory import MemoryStore
from ipaas.testing import VirtualClock
from ipaas.testing.build import workflow

PLACE = Place("pipelines/test.yaml", 2, 3)
START = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)

POLL_S = 10.0  # a longer one than usual: tests walk through hours of polls

MINUTELY = Cron(expression="* * * * *", timezone="UTC")
HOURLY = Cron(expression="0 * * * *", timezone="UTC")


def trigger(timing: Timing, **keys: Any) -> Trigger:
    return Trigger(**{"id": "due", "place": PLACE, "timing": timing, "overlap": "allow", **keys})


def at(clock: str, day: int = 1) -> datetime:
    return datetime.fromisoformat(f"2026-01-{day:02} {clock}").replace(tzinfo=UTC)


def fingerprint(timing: Timing) -> str:
    match timing:
        case Cron() | Every() | At():
            return repr(timing)
        case _:
            return "after"


@dataclass
class Bench:
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    store: Any = None
    compiled: dict[str, Workflow] = field(default_factory=dict)
    wakes: int = 0

    def __post_init__(self) -> None:
        self.store = self.store or MemoryStore(self.clock)

    async def put(self, *workflows: Workflow, tenant: str = DEFAULT_TENANT) -> None:
        """Sync workflows into the Store."""
        texts = []
        for number, each in enumerate(workflows, len(self.compiled)):
            source = f"{each.id} {number}"
            version = sha256(source.encode()).hexdigest()
            self.compiled[version] = replace(each, version=version, source=source)
            timings = {one.id: fingerprint(one.timing) for one in each.triggers}
            texts.append(WorkflowText(id=each.id, version=version, path="p.yaml", source=source, triggers=timings))
        await self.store.apply(tenant, Change(put=tuple(texts)))

    async def put_due(self, *timings: Timing, **keys: Any) -> None:
        """Sync one workflow, `orders`, that is due by these timings."""
        triggers = [trigger(timing, **{"id": f"due{number}", **keys}) for number, timing in enumerate(timings)]
        await self.put(workflow(id="orders", triggers=tuple(triggers)))

    def compile(self, version: Version) -> Workflow:
        if version.version not in self.compiled:
            raise ProblemsFound([Problem(PLACE, "it is not known here", "unknown")])
        return self.compiled[version.version]

    def make_scheduler(self, store: Any = None) -> Scheduler:
        def wake() -> None:
            self.wakes += 1

        store = store or self.store
        workflows = Workflows(store, self.compile)
        return Scheduler(store=store, workflows=workflows, clock=self.clock, wake=wake, poll_s=POLL_S)

    @asynccontextmanager
    async def open_scheduler(self, store: Any = None) -> AsyncIterator[Scheduler]:
        """Run a scheduler for the length of the block; at its end it is cancelled at once, as a crash would."""
        scheduler = self.make_scheduler(store)
        async with trio.open_nursery() as nursery:
            await nursery.start(scheduler.run)
            yield scheduler
            nursery.cancel_scope.cancel()

    async def schedule_until(self, clock: str | datetime, store: Any = None) -> None:
        """Run a scheduler until the wall clock shows an instant."""
        async with self.open_scheduler(store):
            await self.clock.sleep_until(at(clock) if isinstance(clock, str) else clock)

    async def list_ticks(self, workflow_id: str = "orders", tenant: str = DEFAULT_TENANT) -> list[Tick]:
        """Return the whole ledger, the earliest instant first."""
        found: list[Tick] = []
        cursor = None
        while True:
            page = await self.store.list_ticks(tenant, workflow_id, cursor=cursor, limit=1000)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                return found[::-1]

    async def read_ledger(self, workflow_id: str = "orders") -> list[tuple[str, str]]:
        """Return time of day and outcome of each tick."""
        return [(f"{tick.due_at:%H:%M:%S}", tick.outcome) for tick in await self.list_ticks(workflow_id)]

    async def list_runs(self, tenant: str = DEFAULT_TENANT) -> list[Run]:
        """Return all runs, the first one first."""
        page = await self.store.list_runs(tenant, RunFilter(), limit=5000)
        return list(page.items)[::-1]

    async def list_starts(self) -> list[str]:
        """Return the time of day for which each run was scheduled, if it was not skipped."""
        runs = await self.list_runs()
        return [f"{run.trigger.scheduled_at:%H:%M:%S}" for run in runs if run.state == "queued"]
