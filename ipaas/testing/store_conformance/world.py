"""What every conformance test begins with: two handles to one Store, a clock to set, and the shortest way to common states.

Owns `World` and `StoreSuite`. Knows the contract only.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ipaas.run import Outcome, RunRequest, StepResult
from ipaas.store.contract import DEFAULT_TENANT, Change, RunFilter, WorkflowText
from ipaas.testing.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from ipaas.clock import Clock
    from ipaas.run import Lease, Run, RunState, Submitted
    from ipaas.store.contract import Store

VERSION = "v1"


class World:
    """Two handles to one empty Store. `store` and `other` may be one object where a Store has one handle only."""

    def __init__(self, store: Store, other: Store, clock: VirtualClock) -> None:
        self.store = store
        self.other = other
        self.clock = clock

    async def put(self, *ids: str, tenant: str = DEFAULT_TENANT, **fields: Any) -> None:
        """Put workflows with these ids; `fields` are of `WorkflowText`."""
        await self.store.apply(tenant, Change(put=tuple(text(name, **fields) for name in ids)))

    async def submit(self, workflow: str = "w", *, tenant: str = DEFAULT_TENANT, **fields: Any) -> Submitted:
        """Submit one run; `fields` are of `RunRequest`."""
        [answer] = await self.store.submit(tenant, [request(workflow, **fields)])
        return answer

    async def claim(self, limit: int = 100, owner: str = "a", **options: Any) -> list[Run]:
        """Claim with a lease of 30 s."""
        return await self.store.claim(owner, limit=limit, lease_s=30, **options)

    async def claim_ids(self, limit: int = 100, owner: str = "a", **options: Any) -> list[str]:
        """Claim and return the ids."""
        return [run.id for run in await self.claim(limit, owner, **options)]

    async def start_one(self, workflow: str = "w", owner: str = "a", **fields: Any) -> Run:
        """Submit, claim and start one run. Nothing else may wait to be claimed."""
        submitted = await self.submit(workflow, **fields)
        return await self.start_queued(submitted.run_id, owner)

    async def start_queued(self, run_id: str, owner: str = "a") -> Run:
        """Claim and start one queued run."""
        [claimed] = await self.claim(1, owner, only=[run_id])
        return await self.store.start(claimed.lease)

    async def finish(self, run: Run, state: RunState = "succeeded") -> Run:
        """Finish a run that was started."""
        return await self.store.finish(run.lease, Outcome(state=state))

    async def get(self, run_id: str) -> Run:
        """Read a run through the other handle."""
        return await self.other.get_run(DEFAULT_TENANT, run_id)

    async def list_states(self) -> dict[str, str]:
        """Return the state of every run by id, oldest first."""
        page = await self.other.list_runs(DEFAULT_TENANT, RunFilter(), limit=10_000)
        return {run.id: run.state for run in reversed(page.items)}

    async def list_trail(self, run_id: str) -> list[tuple[str, int, str]]:
        """Return state, fence and detail of a run's events."""
        return [(e.state, e.fence, e.detail) for e in await self.other.list_events(DEFAULT_TENANT, run_id)]

    def step(self, path: str, **fields: Any) -> StepResult:
        """Make a step result that began now; `fields` are of `StepResult`."""
        given: dict[str, Any] = {"status": "succeeded", "started_at": self.clock.now(), **fields}
        return StepResult(path=path, step=path, **given)


def text(workflow: str, **fields: Any) -> WorkflowText:
    """Make a workflow's text; `fields` are of `WorkflowText`."""
    given: dict[str, Any] = {"version": VERSION, "path": f"{workflow}.yaml", "source": "steps: []", **fields}
    return WorkflowText(id=workflow, **given)


def request(workflow: str = "w", **fields: Any) -> RunRequest:
    """Make a request; `fields` are of `RunRequest`."""
    return RunRequest(workflow=workflow, **{"version": VERSION, **fields})


def void(lease: Lease) -> Lease:
    """Return a lease that a newer claim has made void."""
    return type(lease)(tenant=lease.tenant, run_id=lease.run_id, owner=lease.owner, fence=lease.fence - 1)


class StoreSuite:
    """What the parts of the suite share: the one method that a backend's test overrides."""

    def open_stores(self, folder: Path, clock: Clock) -> AbstractAsyncContextManager[tuple[Store, Store]]:
        """Return a context manager over two handles to one new, empty Store that keeps its files, if any, in `folder`."""
        raise NotImplementedError

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[World]:
        """Open a world whose default tenant has the workflow `w`."""
        clock = VirtualClock()
        async with self.open_stores(folder, clock) as (store, other):
            world = World(store, other, clock)
            await world.put("w")
            yield world
