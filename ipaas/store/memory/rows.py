"""The rows of the memory Store and their indexes.

Owns the mutable rows and the dictionaries that find them. Knows no rules. The other modules of this package change rows only
through here where an index hangs on the change, so that the indexes are right after every call.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ipaas.run import TERMINAL, Run, RunEvent
from ipaas.store.codec import decode, decode_error, decode_or_none, decode_trigger, from_us, from_us_or_none
from ipaas.store.rules import fence_lost, missing_run, missing_workflow
from ipaas.store.run_ids import RunIds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipaas.run import Lease, RunState, Tick
    from ipaas.store.contract import Version


@dataclass(slots=True)
class TriggerRow:
    """A trigger's schedule: when it began and its last instant in the ledger, in microseconds."""

    fingerprint: str
    begins_at: int
    last_due: int | None = None

    @property
    def since(self) -> int:
        """From when on instants are open."""
        return self.begins_at if self.last_due is None else max(self.begins_at, self.last_due)


@dataclass(slots=True)
class WorkflowRow:
    """A workflow; a removed one keeps its row, so that its state survives."""

    id: str
    version: str
    path: str
    description: str
    labels: str
    active: bool
    created_at: int
    updated_at: int
    removed: bool = False
    triggers: dict[str, TriggerRow] = field(default_factory=dict)


@dataclass(slots=True)
class RunRow:
    """A run. JSON is text and instants are microseconds, as in the databases."""

    seq: int
    id: str
    tenant: str
    workflow: str
    version: str
    state: RunState
    reason: str
    trigger: str
    inputs: str
    created_at: int
    parent: tuple[str, str] | None
    priority: int
    overlap: str
    slot: str
    slot_limit: int
    outputs: str | None = None
    error: str | None = None
    started_at: int | None = None
    finished_at: int | None = None
    owner: str = ""
    fence: int = 0
    recoveries: int = 0
    cancel_requested: bool = False
    lease_until: int | None = None
    events: list[RunEvent] = field(default_factory=list)
    steps: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    lines: list[tuple[Any, ...]] = field(default_factory=list)
    children: list[str] = field(default_factory=list)

    @property
    def order(self) -> tuple[int, int]:
        """The place in the queue: highest priority, then oldest."""
        return (-self.priority, self.seq)

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state not in TERMINAL

    def note(self, now: int, detail: str = "") -> None:
        """Write the event of a change that was just made."""
        self.events.append(
            RunEvent(
                run_id=self.id,
                sequence=len(self.events) + 1,
                at=from_us(now),
                state=self.state,
                fence=self.fence,
                detail=detail,
            )
        )

    def to_run(self, *, listed: bool = False) -> Run:
        """Return the word; a listed one carries no inputs and outputs."""
        return Run(
            id=self.id,
            tenant=self.tenant,
            workflow=self.workflow,
            version=self.version,
            state=self.state,
            reason=self.reason,
            trigger=decode_trigger(self.trigger),
            inputs={} if listed else decode(self.inputs),
            outputs=None if listed else decode_or_none(self.outputs),
            error=decode_error(self.error),
            created_at=from_us(self.created_at),
            started_at=from_us_or_none(self.started_at),
            finished_at=from_us_or_none(self.finished_at),
            parent=self.parent,
            priority=self.priority,
            owner=self.owner,
            fence=self.fence,
            recoveries=self.recoveries,
            cancel_requested=self.cancel_requested,
        )


class Rows:
    """All rows of one memory Store. Belongs to one trio run; no method waits, so each is atomic."""

    def __init__(self) -> None:
        self.ids = RunIds()
        self.revisions: dict[str, int] = {}
        self.workflows: dict[str, dict[str, WorkflowRow]] = {}
        self.versions: dict[tuple[str, str, str], Version] = {}
        self.runs: dict[str, RunRow] = {}
        self.by_tenant: dict[str, list[RunRow]] = {}
        self.deliveries: dict[tuple[str, str, str], RunRow] = {}
        self.open_by_workflow: dict[tuple[str, str], dict[int, RunRow]] = {}
        self.open_by_slot: dict[tuple[str, str], dict[int, RunRow]] = {}
        self.held: dict[tuple[str, str], int] = {}
        self.leased: dict[int, RunRow] = {}
        self.ledger: dict[tuple[str, str], dict[tuple[int, str], Tick]] = {}
        self.state: dict[tuple[str, str, str], str] = {}
        self._queue: list[tuple[int, int, RunRow]] = []

    def find_workflow(self, tenant: str, workflow: str) -> WorkflowRow | None:
        """Return the row, removed or not."""
        return self.workflows.get(tenant, {}).get(workflow)

    def get_workflow(self, tenant: str, workflow: str) -> WorkflowRow:
        """Return the row of a workflow that is there; removed ones are not."""
        row = self.find_workflow(tenant, workflow)
        if row is None or row.removed:
            raise missing_workflow(workflow)
        return row

    def get_run(self, tenant: str, run_id: str) -> RunRow:
        """Return a tenant's run."""
        row = self.runs.get(run_id)
        if row is None or row.tenant != tenant:
            raise missing_run(run_id)
        return row

    def find_leased(self, lease: Lease) -> RunRow | None:
        """Return the unfinished run that this lease owns, or None when it is void."""
        row = self.runs.get(lease.run_id)
        if row is None or not row.is_open or not is_leased_by(row, lease):
            return None
        return row

    def get_leased(self, lease: Lease) -> RunRow:
        """Return the unfinished run that this lease owns. Raises `FenceLost` when it is void."""
        row = self.find_leased(lease)
        if row is None:
            raise fence_lost(lease)
        return row

    def add_run(self, row: RunRow) -> None:
        """Put a new run into the rows and indexes; `seq` must be the newest."""
        self.runs[row.id] = row
        self.by_tenant.setdefault(row.tenant, []).append(row)
        if row.parent is not None:
            self.runs[row.parent[0]].children.append(row.id)
        if row.is_open:
            self.open_by_workflow.setdefault((row.tenant, row.workflow), {})[row.seq] = row
            if row.slot:
                self.open_by_slot.setdefault((row.tenant, row.slot), {})[row.seq] = row
            self.enqueue(row)

    def enqueue(self, row: RunRow) -> None:
        """Let a run wait to be claimed."""
        insort(self._queue, (*row.order, row))

    def list_queued(self) -> Iterator[RunRow]:
        """Iterate over the runs that wait to be claimed, in their order. Take from a list: claiming changes the queue."""
        return (row for _, _, row in self._queue)

    def hold(self, row: RunRow, lease_until: int) -> None:
        """Take a run out of the queue and give its slot's place and a lease to it."""
        if row.seq not in self.leased:
            self._dequeue(row)
            self.leased[row.seq] = row
            if row.slot:
                self.held[row.tenant, row.slot] = self.held.get((row.tenant, row.slot), 0) + 1
        row.lease_until = lease_until

    def unhold(self, row: RunRow) -> None:
        """Take lease and place away, or take the run out of the queue: afterwards it waits for nothing."""
        row.lease_until = None
        if self.leased.pop(row.seq, None) is None:
            self._dequeue(row)
        elif row.slot:
            self.held[row.tenant, row.slot] -= 1

    def remove_open(self, row: RunRow) -> None:
        """Take an ended run out of everything that lists unfinished ones."""
        self.unhold(row)
        del self.open_by_workflow[row.tenant, row.workflow][row.seq]
        if row.slot:
            del self.open_by_slot[row.tenant, row.slot][row.seq]

    def _dequeue(self, row: RunRow) -> None:
        place = bisect_left(self._queue, row.order, key=lambda entry: entry[:2])
        if place < len(self._queue) and self._queue[place][2] is row:
            del self._queue[place]


def is_leased_by(row: RunRow, lease: Lease) -> bool:
    """Whether the newest claim of the run gave this lease."""
    return row.tenant == lease.tenant and row.owner == lease.owner and row.fence == lease.fence and bool(row.owner)
