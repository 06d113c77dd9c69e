"""Runs as their owner sees them, in memory (L1 to L6). Knows rows only; part of `MemoryStore`."""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING

import trio

from ipaas.store import rules
from ipaas.store.codec import encode_error, encode_or_none, encode_request, to_us
from ipaas.store.contract import Heartbeat
from ipaas.store.memory.admission import admit, check_all, close, list_ancestors
from ipaas.store.memory.rows import Rows, RunRow, is_leased_by

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ipaas.clock import Clock
    from ipaas.run import Lease, Outcome, Run, RunRequest


class MemoryLeases:
    """The `LeaseStore` of a memory Store. Each method is one checkpoint and then one atomic step."""

    _rows: Rows
    _clock: Clock

    async def claim(self, owner: str, *, limit: int, lease_s: float, only: Collection[str] | None = None) -> list[Run]:
        """See `LeaseStore.claim`."""
        await trio.lowlevel.checkpoint()
        rows = self._rows
        now = to_us(self._clock.now())
        if only is None:
            leased, queued = list(rows.leased.values()), rows.list_queued()
        else:
            wanted = [row for run_id in only if (row := rows.runs.get(run_id)) is not None and row.is_open]
            leased = [row for row in wanted if row.seq in rows.leased]
            queued = iter(sorted((row for row in wanted if row.seq not in rows.leased), key=_order))
        lost = [row for row in leased if row.lease_until is not None and row.lease_until <= now]
        for row in lost:
            if row.recoveries >= rules.MAX_RECOVERIES:
                _give_up(rows, now, row)
        recovered = sorted((row for row in lost if row.is_open), key=_order)
        chosen: list[RunRow] = []
        taking: dict[tuple[str, str], int] = {}
        for row in merge(recovered, queued, key=_order):
            if len(chosen) >= limit:
                break
            if row.seq not in rows.leased:
                slot = (row.tenant, row.slot)
                if not _may_start(rows, row, taking.get(slot, 0)):
                    continue
                taking[slot] = taking.get(slot, 0) + 1
            chosen.append(row)
        return [_take(rows, now, row, owner, now + round(lease_s * 1e6)) for row in chosen]

    async def start(self, lease: Lease) -> Run:
        """See `LeaseStore.start`."""
        await trio.lowlevel.checkpoint()
        rows = self._rows
        row = rows.runs.get(lease.run_id)
        if row is None or not is_leased_by(row, lease):
            raise rules.fence_lost(lease)
        if row.state == "cancelled":
            return row.to_run()
        if not row.is_open:
            raise rules.fence_lost(lease)
        if row.state != "queued":
            raise rules.already_started(lease)
        now = to_us(self._clock.now())
        workflow = rows.workflows[row.tenant][row.workflow]
        if row.cancel_requested:
            close(rows, now, row, "cancelled", row.reason)
        elif row.started_at is None and workflow.removed:
            close(rows, now, row, "skipped", rules.REMOVED)
        elif row.started_at is None and not workflow.active:
            close(rows, now, row, "skipped", rules.NOT_ACTIVE)
        else:
            row.state = "running"
            if row.started_at is None:
                row.started_at = now
            row.note(now)
        return row.to_run()

    async def heartbeat(self, owner: str, leases: Collection[Lease], *, lease_s: float) -> Heartbeat:
        """See `LeaseStore.heartbeat`."""
        await trio.lowlevel.checkpoint()
        lease_until = to_us(self._clock.now()) + round(lease_s * 1e6)
        lost, cancelled = set(), set()
        for lease in leases:
            row = self._rows.find_leased(lease) if lease.owner == owner else None
            if row is None:
                lost.add(lease.run_id)
                continue
            row.lease_until = lease_until
            if row.cancel_requested:
                cancelled.add(lease.run_id)
        return Heartbeat(lost=frozenset(lost), cancelled=frozenset(cancelled))

    async def finish(self, lease: Lease, outcome: Outcome, followers: Sequence[RunRequest] = ()) -> Run:
        """See `LeaseStore.finish`."""
        await trio.lowlevel.checkpoint()
        encoded = [encode_request(request) for request in followers]
        outputs, error = encode_or_none(outcome.outputs), encode_error(outcome.error)
        rows = self._rows
        row = rows.get_leased(lease)
        rules.check_end(row.id, row.state, outcome.state)
        check_all(rows, row.tenant, encoded, removed_is_missing=False)
        now = to_us(self._clock.now())
        row.outputs, row.error = outputs, error
        asked = row.reason if outcome.state == "cancelled" else ""
        close(rows, now, row, outcome.state, outcome.reason or asked)
        for one in encoded:
            admit(rows, now, row.tenant, one)
        return row.to_run()

    async def release(self, lease: Lease) -> None:
        """See `LeaseStore.release`."""
        await trio.lowlevel.checkpoint()
        row = self._rows.get_leased(lease)
        now = to_us(self._clock.now())
        if row.cancel_requested:
            close(self._rows, now, row, "cancelled", row.reason)
            return
        self._rows.unhold(row)
        self._rows.enqueue(row)
        row.state = "queued"
        row.owner = ""
        row.note(now, rules.release_detail(lease.owner))


def _order(row: RunRow) -> tuple[int, int]:
    return row.order


def _may_start(rows: Rows, row: RunRow, taking: int) -> bool:
    """Whether a queued run may start beside those that run, and `taking` more of its slot."""
    if row.slot and rows.held.get((row.tenant, row.slot), 0) + taking >= row.slot_limit:
        return False
    if row.overlap not in rules.WAITS_FOR_EARLIER:
        return True
    ancestors = list_ancestors(rows, None if row.parent is None else row.parent[0])
    for other in rows.open_by_workflow[row.tenant, row.workflow].values():
        if other.seq >= row.seq:
            break
        if other.id not in ancestors:
            return False
    return True


def _take(rows: Rows, now: int, row: RunRow, owner: str, lease_until: int) -> Run:
    """Give a run to its new owner; one that had an owner is a recovery."""
    last = row.owner if row.seq in rows.leased else ""
    rows.hold(row, lease_until)
    row.owner = owner
    row.fence += 1
    if last:
        row.recoveries += 1
        row.state = "queued"
        row.note(now, rules.recovery_detail(last, row.recoveries))
    return row.to_run()


def _give_up(rows: Rows, now: int, row: RunRow) -> None:
    """Make a run that loses its owners again and again `dead_letter`."""
    if row.state == "running":
        row.state = "queued"
        row.note(now, rules.lost_detail(row.owner))
    close(rows, now, row, "dead_letter", rules.dead_letter_reason(row.owner))
