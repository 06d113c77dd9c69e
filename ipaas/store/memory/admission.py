"""How a run enters the memory Store, and how it ends.

Owns R1 to R3 (deliveries, overlap, slots) and the changes that every end brings along: the slot is free, children are asked to end.
Knows rows only. Called by the runs, leases and ticks of this package, inside their own atomic step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipaas.run import Submitted
from ipaas.store import rules
from ipaas.store.memory.rows import RunRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipaas.run import RunState
    from ipaas.store.codec import Encoded
    from ipaas.store.memory.rows import Rows


def check_all(rows: Rows, tenant: str, requests: Iterable[Encoded], *, removed_is_missing: bool) -> None:
    """Raise `Missing` for the first request that names something unknown, before anything is changed."""
    accepted: set[tuple[str, str, str]] = set()
    for encoded in requests:
        request = encoded.request
        if request.delivery is not None:
            delivery = (tenant, request.workflow, request.delivery)
            if delivery in rows.deliveries or delivery in accepted:
                continue
            accepted.add(delivery)
        workflow = rows.find_workflow(tenant, request.workflow)
        if workflow is None or (workflow.removed and removed_is_missing):
            raise rules.missing_workflow(request.workflow)
        if (tenant, request.workflow, request.version) not in rows.versions:
            raise rules.missing_version(request.workflow, request.version)
        if encoded.parent_run is not None:
            rows.get_run(tenant, encoded.parent_run)


def admit(rows: Rows, now: int, tenant: str, encoded: Encoded) -> Submitted:
    """Record one run that `check_all` has let pass."""
    request = encoded.request
    if request.delivery is not None:
        first = rows.deliveries.get((tenant, request.workflow, request.delivery))
        if first is not None:
            return Submitted(run_id=first.id, created=False, state=first.state, reason=first.reason)
    reason = _refusal(rows, now, tenant, encoded)
    row = RunRow(
        seq=len(rows.runs) + 1,
        id=rows.ids.make(now),
        tenant=tenant,
        workflow=request.workflow,
        version=request.version,
        state="skipped" if reason else "queued",
        reason=reason,
        trigger=encoded.trigger,
        inputs=encoded.inputs,
        created_at=now,
        finished_at=now if reason else None,
        parent=request.parent,
        priority=request.priority,
        overlap=request.overlap,
        slot=encoded.slot,
        slot_limit=request.slot_limit,
    )
    rows.add_run(row)
    row.note(now, reason)
    if request.delivery is not None:
        rows.deliveries[tenant, request.workflow, request.delivery] = row
    return Submitted(run_id=row.id, created=True, state=row.state, reason=reason)


def _refusal(rows: Rows, now: int, tenant: str, encoded: Encoded) -> str:
    """Decide R2 and R3, ask others to end where the request says so, and return why the run is skipped, or nothing."""
    request = encoded.request
    workflow = rows.workflows[tenant][request.workflow]
    if workflow.removed:
        return rules.REMOVED
    if not workflow.active:
        return rules.NOT_ACTIVE
    if encoded.parent_run is not None and not rows.runs[encoded.parent_run].is_open:
        return rules.PARENT_ENDED
    ancestors = list_ancestors(rows, encoded.parent_run)
    if request.overlap in ("skip", "cancel_running"):
        others = [
            r for r in rows.open_by_workflow.get((tenant, request.workflow), {}).values() if r.id not in ancestors
        ]
        if others and request.overlap == "skip":
            return rules.overlap_reason(others[0].id)
        for other in others:
            ask_end(rows, now, other, rules.SUPERSEDED)
    if encoded.slot and request.when_full != "queue":
        sharers = rows.open_by_slot.get((tenant, encoded.slot), {}).values()
        if request.when_full == "skip":
            if len(sharers) >= request.slot_limit:
                return rules.full_reason(encoded.slot, request.slot_limit)
        else:
            staying = [r for r in sharers if not r.cancel_requested and r.id not in ancestors]
            for other in staying[: max(0, len(staying) - request.slot_limit + 1)]:
                ask_end(rows, now, other, rules.SUPERSEDED)
    return ""


def list_ancestors(rows: Rows, parent_run: str | None) -> set[str]:
    """Return the run, the one that asked for it, and so on: a child does not overlap with those that wait for it."""
    found: set[str] = set()
    while parent_run is not None and parent_run not in found:
        found.add(parent_run)
        parent = rows.runs[parent_run].parent
        parent_run = None if parent is None else parent[0]
    return found


def close(rows: Rows, now: int, row: RunRow, state: RunState, reason: str) -> None:
    """Write a terminal state: nothing counts the run any more, and the children of a cancelled run are asked to end."""
    rows.remove_open(row)
    row.state = state
    row.reason = reason
    row.finished_at = now
    row.note(now, reason)
    if state == "cancelled":
        ask_children(rows, now, row)


def ask_end(rows: Rows, now: int, row: RunRow, reason: str) -> None:
    """Ask for a run's end (R4). One that has ended, or was asked before, stays as it is."""
    if not row.is_open:
        return
    if row.state != "running":
        row.cancel_requested = True
        close(rows, now, row, "cancelled", reason)
        return
    if not row.cancel_requested:
        row.cancel_requested = True
        row.reason = reason
        row.note(now, rules.cancel_detail(reason))
    ask_children(rows, now, row)


def ask_children(rows: Rows, now: int, row: RunRow) -> None:
    """Ask all children of a run to end."""
    for child in row.children:
        ask_end(rows, now, rows.runs[child], rules.PARENT_CANCELLED)
