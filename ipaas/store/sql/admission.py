"""How a run enters the database, and how it ends.

Owns R1 to R3 (deliveries, overlap, slots), the gates that keep claims cheap, and the changes that every end brings along. Called by the
runs, leases and ticks of this package, inside their transaction.

A run is claimed through the index of open gates alone. So whatever may let a run in moves its gate at once: an end lets in the best
run that its slot kept out and the oldest that waited behind it. What an open gate allows, `claim` checks once more against the slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipaas.run import Submitted
from ipaas.store import rules
from ipaas.store.sql.run_rows import INSERT_EVENT, SEQ, SLOT, STATE, TENANT, WORKFLOW, change_run

if TYPE_CHECKING:
    from ipaas.run import RunState
    from ipaas.store.codec import Encoded
    from ipaas.store.sql.transaction import Row, Stamp, Transaction

_FIND_DELIVERY: Final = "SELECT id, state, reason FROM runs WHERE tenant = ? AND workflow = ? AND delivery = ?"
_FIND_WORKFLOW: Final = """
    SELECT active, removed, EXISTS (SELECT 1 FROM versions WHERE tenant = ? AND workflow = ? AND version = ?)
    FROM workflows WHERE tenant = ? AND id = ?"""
_FIND_PARENT: Final = "SELECT gate, parent_run FROM runs WHERE tenant = ? AND id = ?"
_LIST_OPEN: Final = "SELECT seq, id FROM runs WHERE tenant = ? AND workflow = ? AND gate <> 'closed' ORDER BY seq"
_LIST_EARLIER: Final = """
    SELECT id FROM runs WHERE tenant = ? AND workflow = ? AND gate <> 'closed' AND seq < ? ORDER BY seq LIMIT ?"""
_LIST_SHARERS: Final = """
    SELECT seq, id, cancel_requested FROM runs WHERE tenant = ? AND slot = ? AND slot <> '' AND gate <> 'closed' ORDER BY seq"""
_COUNT_HELD: Final = """
    SELECT count(*) FROM runs WHERE tenant = ? AND slot = ? AND slot <> '' AND gate <> 'closed' AND gate = 'held'"""
_FIND_BEHIND: Final = """
    SELECT seq, slot, slot_limit, parent_run FROM runs WHERE tenant = ? AND workflow = ? AND gate = 'queue' ORDER BY seq LIMIT 1"""
_FIND_KEPT_OUT: Final = """
    SELECT seq, slot_limit FROM runs
    WHERE tenant = ? AND slot = ? AND slot <> '' AND gate <> 'closed' AND gate = 'slot' AND slot_limit > ?
    ORDER BY slot_limit, rank, seq LIMIT 1"""
_SET_GATE: Final = "UPDATE runs SET gate = ? WHERE seq = ?"
_NEWEST: Final = (1 << 63) - 1
"""A key behind every key there is."""
_INSERT: Final = """
    INSERT INTO runs (id, tenant, workflow, version, state, gate, reason, rank, overlap, slot, slot_limit, delivery,
                      parent_run, parent_step, created_at, finished_at, trigger_info, inputs)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq"""
_FIND_TO_END: Final = "SELECT state, gate, cancel_requested FROM runs WHERE seq = ?"
_LIST_CHILDREN: Final = "SELECT seq FROM runs WHERE parent_run = (SELECT id FROM runs WHERE seq = ?) ORDER BY seq"


def admit(stamp: Stamp, tenant: str, encoded: Encoded, *, removed_is_missing: bool) -> Transaction[Submitted]:
    """Record one run (R1 to R3). Raises `Missing` for an unknown workflow, version or parent."""
    request = encoded.request
    if request.delivery is not None:
        rows = yield _FIND_DELIVERY, (tenant, request.workflow, request.delivery)
        if rows:
            run_id, state, reason = rows[0]
            return Submitted(run_id=run_id, created=False, state=state, reason=reason)
    rows = yield _FIND_WORKFLOW, (tenant, request.workflow, request.version, tenant, request.workflow)
    if not rows or (rows[0][1] and removed_is_missing):
        raise rules.missing_workflow(request.workflow)
    active, removed, has_version = rows[0]
    if not has_version:
        raise rules.missing_version(request.workflow, request.version)
    parent_ended = False
    ancestors: set[str] = set()
    if encoded.parent_run is not None:
        parent = yield _FIND_PARENT, (tenant, encoded.parent_run)
        if not parent:
            raise rules.missing_run(encoded.parent_run)
        parent_ended = parent[0][0] == "closed"
        ancestors = yield from list_ancestors(tenant, encoded.parent_run)
    if removed:
        reason = rules.REMOVED
    elif not active:
        reason = rules.NOT_ACTIVE
    elif parent_ended:
        reason = rules.PARENT_ENDED
    else:
        reason = yield from _settle_overlap(stamp, tenant, encoded, ancestors)
    state = "skipped" if reason else "queued"
    gate = "closed" if reason else (yield from _find_gate(tenant, encoded, ancestors))
    run_id = stamp.ids.make(stamp.now)
    rows = yield (
        _INSERT,
        (
            run_id,
            tenant,
            request.workflow,
            request.version,
            state,
            gate,
            reason,
            -request.priority,
            request.overlap,
            encoded.slot,
            request.slot_limit,
            request.delivery,
            encoded.parent_run,
            encoded.parent_step,
            stamp.now,
            stamp.now if reason else None,
            encoded.trigger,
            encoded.inputs,
        ),
    )
    yield INSERT_EVENT, (rows[0][0], 1, stamp.now, state, 0, reason)
    return Submitted(run_id=run_id, created=True, state="skipped" if reason else "queued", reason=reason)


def _settle_overlap(stamp: Stamp, tenant: str, encoded: Encoded, ancestors: set[str]) -> Transaction[str]:
    """Decide R2: ask others to end where the request says so, and return why the run is skipped, or nothing."""
    request = encoded.request
    if request.overlap in ("skip", "cancel_running"):
        rows = yield _LIST_OPEN, (tenant, request.workflow)
        others = [row for row in rows if row[1] not in ancestors]
        if others and request.overlap == "skip":
            return rules.overlap_reason(others[0][1])
        for other in others:
            yield from ask_end(stamp, other[0], rules.SUPERSEDED)
    if encoded.slot and request.when_full != "queue":
        sharers = yield _LIST_SHARERS, (tenant, encoded.slot)
        if request.when_full == "skip":
            if len(sharers) >= request.slot_limit:
                return rules.full_reason(encoded.slot, request.slot_limit)
        else:
            staying = [row for row in sharers if not row[2] and row[1] not in ancestors]
            for other in staying[: max(0, len(staying) - request.slot_limit + 1)]:
                yield from ask_end(stamp, other[0], rules.SUPERSEDED)
    return ""


def _find_gate(tenant: str, encoded: Encoded, ancestors: set[str]) -> Transaction[str]:
    """Return the gate of a new run; every unfinished run of its workflow is an earlier one."""
    request = encoded.request
    if request.overlap in rules.WAITS_FOR_EARLIER:
        rows = yield _LIST_EARLIER, (tenant, request.workflow, _NEWEST, len(ancestors) + 1)
        if any(row[0] not in ancestors for row in rows):
            return "queue"
    return (yield from find_slot_gate(tenant, encoded.slot, request.slot_limit))


def find_slot_gate(tenant: str, slot: str, slot_limit: int) -> Transaction[str]:
    """Return `open`, or `slot` when the slot has no room."""
    if not slot:
        return "open"
    held = yield from count_held(tenant, slot)
    return "open" if held < slot_limit else "slot"


def count_held(tenant: str, slot: str) -> Transaction[int]:
    """Return how many runs hold a place of the slot."""
    rows = yield _COUNT_HELD, (tenant, slot)
    return int(rows[0][0])


def list_ancestors(tenant: str, parent_run: str | None) -> Transaction[set[str]]:
    """Return the run, the one that asked for it, and so on: a child does not overlap with those that wait for it."""
    found: set[str] = set()
    while parent_run is not None and parent_run not in found:
        found.add(parent_run)
        rows = yield _FIND_PARENT, (tenant, parent_run)
        parent_run = rows[0][1] if rows else None
    return found


def close(stamp: Stamp, seq: int, state: RunState, reason: str, *, asked: bool = False) -> Transaction[Row]:
    """Write a terminal state without a result, and all that an end brings along. Returns the columns `RUN`."""
    assignments = "state = ?, reason = ?, finished_at = ?, gate = 'closed', lease_until = NULL"
    if asked:
        assignments += ", cancel_requested = 1"
    row = yield from change_run(stamp, seq, assignments, (state, reason, stamp.now), reason)
    yield from settle_end(stamp, row)
    return row


def settle_end(stamp: Stamp, row: Row) -> Transaction[None]:
    """Let in those that an end makes room for; ask the children of a cancelled run to end. Takes the columns `RUN`."""
    yield from _let_in_behind(row[TENANT], row[WORKFLOW])
    if row[SLOT]:
        yield from let_in_kept_out(row[TENANT], row[SLOT])
    if row[STATE] == "cancelled":
        yield from _ask_children(stamp, row[SEQ])


def _let_in_behind(tenant: str, workflow: str) -> Transaction[None]:
    """Open the gate of the oldest run that waits behind earlier ones, if none is left. No later one can be free before it."""
    rows = yield _FIND_BEHIND, (tenant, workflow)
    if not rows:
        return
    seq, slot, slot_limit, parent_run = rows[0]
    ancestors = yield from list_ancestors(tenant, parent_run)
    rows = yield _LIST_EARLIER, (tenant, workflow, seq, len(ancestors) + 1)
    if any(row[0] not in ancestors for row in rows):
        return
    gate = yield from find_slot_gate(tenant, slot, slot_limit)
    yield _SET_GATE, (gate, seq)


def let_in_kept_out(tenant: str, slot: str) -> Transaction[None]:
    """Open the gate of the best run that the slot kept out and that now has room, for each limit that runs of the slot have.

    As many of the best as could be taken always stand at an open gate: a place that comes free can be used by one more run of each
    limit. Runs of one slot differ in their limit while an older version of their workflow still has some.
    """
    limit = yield from count_held(tenant, slot)
    while rows := (yield _FIND_KEPT_OUT, (tenant, slot, limit)):
        seq, limit = rows[0]
        yield _SET_GATE, ("open", seq)


def ask_end(stamp: Stamp, seq: int, reason: str) -> Transaction[None]:
    """Ask for a run's end (R4). One that has ended, or was asked before, stays as it is."""
    rows = yield _FIND_TO_END, (seq,)
    state, gate, cancel_requested = rows[0]
    if gate == "closed":
        return
    if state != "running":
        yield from close(stamp, seq, "cancelled", reason, asked=True)
        return
    if not cancel_requested:
        yield from change_run(stamp, seq, "cancel_requested = 1, reason = ?", (reason,), rules.cancel_detail(reason))
    yield from _ask_children(stamp, seq)


def _ask_children(stamp: Stamp, seq: int) -> Transaction[None]:
    children = yield _LIST_CHILDREN, (seq,)
    for child in children:
        yield from ask_end(stamp, child[0], rules.PARENT_CANCELLED)
