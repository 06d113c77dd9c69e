"""The Store: what must survive, as small protocols by consumer, with numbered guarantees.

Owns the contract that `memory` and `sqlite` (and later `postgres`) keep, and that `ipaas.testing.StoreConformance` proves number by
number. Knows nothing of workflows' meaning: it keeps text, rows and leases. Called by the engine, `ipaas.sync` and the command line.

For every method of every protocol:

- **G1 atomic.** A call is wholly done or wholly undone, also when it is cancelled, when it raises, and when the process dies. A
  call that raises `trio.Cancelled` wrote nothing; one that had begun when the cancel came returns, and the cancel comes at the
  caller's next checkpoint.
- **G2 durable.** When a call returns, what it wrote survives a kill -9 and a power cut (`memory`: the life of the object).
- **G3 tenant.** A tenant sees and changes its own rows only; another tenant's id is `Missing`. Methods without a tenant belong
  to the server that works for all of them.
- **G4 stamped.** The Store stamps times itself, from its own clock, in UTC with microseconds; callers pass only instants that
  mean something else (a due instant).
- **G5 plain errors.** Only `StoreError` kinds come out; `StoreUnavailable` means nothing was written. A value that JSON cannot
  say, or a cursor that no page gave, is a `StoreError` too.
- **G6 pages.** `list_x` is newest first unless it says otherwise, bounded by `limit`, and a cursor neither repeats nor drops a row
  that was there when the first page was read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from ipaas.model import Json
    from ipaas.run import (
        Lease,
        LogLine,
        Outcome,
        Run,
        RunEvent,
        RunRequest,
        RunState,
        StepResult,
        Submitted,
        Tick,
    )

DEFAULT_TENANT = "default"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list; `cursor` is opaque and None on the last page."""

    items: tuple[T, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowText:
    """A workflow as `sync` puts it in.

    Attributes:
        version: SHA-256 of `source`, hex.
        path: of the file, for places in messages.
        active: becomes the state only when the id is new.
        triggers: each trigger's id with a fingerprint of its timing; a changed fingerprint begins a new schedule.
    """

    id: str
    version: str
    path: str
    source: str = field(repr=False)
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    active: bool = True
    triggers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWorkflow:
    """A workflow as the Store has it; `active` is the operator's, not the file's."""

    id: str
    version: str
    path: str
    source: str = field(repr=False)
    description: str
    labels: Mapping[str, str]
    active: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One kept text of a workflow, to which runs are pinned."""

    workflow: str
    version: str
    path: str
    source: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one `sync` does: texts to put, ids to remove."""

    put: tuple[WorkflowText, ...] = ()
    remove: tuple[str, ...] = ()


class WorkflowStore(Protocol):
    """Workflows and their versions. Used by sync, the scheduler, the runner and the command line."""

    async def apply(self, tenant: str, change: Change) -> None:
        """Put and remove workflows in one transaction.

        W1: a new id is active as its text says; an id that is or ever was there keeps its state (also after a removal).
        W2: every put text is kept as a version for as long as a run refers to it. Putting what is there changes nothing.
        W3: a removed workflow is not listed, not active, and its queued runs are refused at their start.
        W7: a trigger's schedule begins when its id or its fingerprint is new, and when its workflow comes back after a removal.
        """
        ...

    async def get_workflow(self, tenant: str, workflow: str) -> StoredWorkflow:
        """Return it, or raise `Missing` naming the id."""
        ...

    async def find_workflow(self, tenant: str, workflow: str) -> StoredWorkflow | None:
        """Return it or None."""
        ...

    async def list_workflows(self, tenant: str, *, cursor: str | None = None, limit: int = 100) -> Page[StoredWorkflow]:
        """Return a page, by id."""
        ...

    async def get_version(self, tenant: str, workflow: str, version: str) -> Version:
        """Return a kept text, or raise `Missing`."""
        ...

    async def set_active(
        self, tenant: str, workflow: str, *, active: bool, cancel_running: bool = False
    ) -> StoredWorkflow:
        """Switch a workflow on or off, ordered against every `start`.

        W4: once this has returned with `active=False`, no `start` of the workflow succeeds, whoever claimed the run.
        W5: switching on begins each trigger's schedule anew: instants that passed while off are not expected. Setting what is
            set already changes nothing.
        W6: `cancel_running` asks for the end of its unfinished runs in the same transaction.
        """
        ...

    async def get_revision(self, tenant: str) -> int:
        """Return a number that rises with every `apply` and `set_active` that changed something; cheap."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list; empty fields match all."""

    workflow: str = ""
    states: frozenset[RunState] = frozenset()
    parent: str = ""


class RunStore(Protocol):
    """Runs as people and triggers see them."""

    async def submit(self, tenant: str, requests: Sequence[RunRequest]) -> list[Submitted]:
        """Record runs, all in one transaction, and answer in order.

        R1: a `delivery` already accepted for the workflow answers with the first run as it is now, `created=False`.
        R2: `overlap` and `when_full` are decided here: `skip` records a run `skipped(reason)`, `cancel_running` asks the others to
            end and queues behind them, `queue` queues behind them (`claim` enforces both), `allow` ignores them. A slot is full
            when it has `slot_limit` unfinished runs; `cancel_running` asks as many of the oldest to end as make room for one. The
            runs that wait for a child (its parent, the parent's parent) are never counted as others and never asked to end. An
            unknown or removed workflow, an unknown version and an unknown parent are `Missing`.
        R3: an inactive workflow's run is recorded `skipped("workflow is not active")`.
        R5: a child of a run that has ended is recorded `skipped`.
        """
        ...

    async def get_run(self, tenant: str, run_id: str) -> Run:
        """Return it, or raise `Missing`."""
        ...

    async def list_runs(
        self, tenant: str, where: RunFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page[Run]:
        """Return a page, newest first; listed runs carry no inputs and outputs."""
        ...

    async def request_cancel(self, tenant: str, run_id: str, *, reason: str = "") -> Run:
        """Ask for a run's end. R4: queued (claimed or not) or waiting becomes `cancelled` at once, running is told at its
        owner's next heartbeat, terminal stays as it is. Children of an unfinished run are asked too."""
        ...

    async def list_events(self, tenant: str, run_id: str) -> list[RunEvent]:
        """Return all changes of a run, oldest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What an owner learns when it renews: run ids it no longer owns, and run ids whose end was asked for."""

    lost: frozenset[str] = frozenset()
    cancelled: frozenset[str] = frozenset()


class LeaseStore(Protocol):
    """Runs as their owner sees them. Every write carries a lease; a void one raises `FenceLost` and writes nothing."""

    async def claim(self, owner: str, *, limit: int, lease_s: float, only: Collection[str] | None = None) -> list[Run]:
        """Take up to `limit` runs that may start now, highest priority first, then oldest; never waits.

        L1: a run is given to one owner at a time; each claim raises its fence.
        L2: eligible are queued runs whose slot has room (`slot_limit`, counting claimed and unfinished runs of the slot) and that
            are not behind an earlier unfinished run of their workflow (with `overlap` `queue` or `cancel_running`), and unfinished
            runs whose lease has run out (a recovery: it keeps its place in the slot, is `queued` again until its start,
            `recoveries` rises, events say so). A run that was recovered three times becomes `dead_letter` instead.
        L3: with `only`, no other runs are taken.
        """
        ...

    async def start(self, lease: Lease) -> Run:
        """The start write: make a claimed run `running`, in one statement that re-checks the workflow's active flag.

        L4: the answer's state is `running`, or `skipped` when the workflow is switched off or removed, or `cancelled` when that was
            asked for meanwhile. A run recovered while running starts again and keeps its `started_at`; for it the flag is not
            asked again: it did start. A second start with one lease is a `Conflict`.
        """
        ...

    async def heartbeat(self, owner: str, leases: Collection[Lease], *, lease_s: float) -> Heartbeat:
        """Renew all leases in one transaction; say which are lost and which runs somebody wants ended. A lease that has run out
        and that nobody took over is renewed too."""
        ...

    async def finish(self, lease: Lease, outcome: Outcome, followers: Sequence[RunRequest] = ()) -> Run:
        """Write the terminal state and submit the runs that follow from it, in one transaction.

        L5: terminal is final: a second finish raises `FenceLost`. The slot is free when this returns. An end that the state
            machine has no edge to is a `Conflict` (a run that was claimed but not started can only be `cancelled`, `skipped` or
            `dead_letter`). `cancelled` without a reason keeps the reason of whoever asked, and asks the children to end.
            Followers are submitted after the end; one whose workflow was removed meanwhile is recorded `skipped`.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Give a claimed or running run back to the queue, to be claimed by anyone (a server that drains).

        L6: it keeps its place by priority and age, frees its slot, and is no recovery. One whose end was asked for is `cancelled`.
        """
        ...


class JournalStore(Protocol):
    """What happened inside a run."""

    async def record_steps(self, lease: Lease, results: Sequence[StepResult]) -> None:
        """Write step results by path; a later one replaces an earlier one of the same path. A result with status `running` is an
        intent: the step may have acted. J1: refused with `FenceLost` when the lease is void."""
        ...

    async def list_steps(self, tenant: str, run_id: str) -> list[StepResult]:
        """Return all results, in the order in which their paths were first recorded."""
        ...

    async def append_logs(self, lease: Lease, lines: Sequence[LogLine]) -> None:
        """Append lines. J2: lines keep their order; the Store keeps at most 10 000 lines a run and says so in the last
        of them."""
        ...

    async def list_logs(
        self, tenant: str, run_id: str, *, cursor: str | None = None, limit: int = 1000
    ) -> Page[LogLine]:
        """Return a page, oldest first. The cursor is never None, so that a reader can follow a run that still writes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """From when on a trigger's instants are open: the later of its schedule's beginning and its last tick. Exclusive."""

    workflow: str
    trigger: str
    since: datetime


class TickStore(Protocol):
    """The tick ledger. Used by the scheduler."""

    async def list_watermarks(self, tenant: str) -> list[Watermark]:
        """Return one for each trigger of each active workflow."""
        ...

    async def record_ticks(
        self, tenant: str, ticks: Sequence[tuple[Tick, RunRequest | None]]
    ) -> list[tuple[Tick, Submitted | None]]:
        """Write ticks, each with the run it starts, in one transaction, and answer with what now stands in the ledger.

        T1: (tenant, workflow, trigger, due_at) is unique: an instant already recorded answers with the first record and starts
            nothing (None in place of `Submitted`). T2: a run that `submit` skipped makes the tick `skipped` with the same reason; otherwise `run_id` is filled in.
        T3: a tick of a workflow that is not active or removed, or of a trigger that is gone, or of an instant not after its
            schedule's beginning (W5, W7), is `skipped`.
        """
        ...

    async def list_ticks(
        self, tenant: str, workflow: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[Tick]:
        """Return a page of the ledger, latest instant first."""
        ...


class StateStore(Protocol):
    """Small values that connectors keep between runs (`ctx.state`), by scope and key."""

    async def find_state(self, tenant: str, scope: str, key: str) -> Json:
        """Return the value or None."""
        ...

    async def put_state(self, tenant: str, scope: str, key: str, value: Json) -> None:
        """Write a value of at most 64 KiB as JSON, or delete it with None."""
        ...


class Store(WorkflowStore, RunStore, LeaseStore, JournalStore, TickStore, StateStore, Protocol):
    """All of it. Made by `ipaas.store.open_store(url, clock)`, an async context manager that owns its tasks and connections."""

    async def list_tenants(self) -> list[str]:
        """Return every tenant that has a workflow or a run."""
        ...
