"""Transactions of the owners of runs (L4 to L6). Called by `SqlStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipaas.run import TERMINAL
from ipaas.store import rules
from ipaas.store.contract import Heartbeat
from ipaas.store.sql.admission import admit, close, let_in_kept_out, settle_end
from ipaas.store.sql.run_rows import (
    CANCEL_REQUESTED,
    OWNER,
    REASON,
    RUN,
    SEQ,
    SLOT,
    STATE,
    TENANT,
    WORKFLOW,
    change_run,
    note,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ipaas.run import Lease, Outcome
    from ipaas.store.codec import Encoded
    from ipaas.store.sql.transaction import Row, Stamp, Transaction

_START: Final = f"""
    UPDATE runs SET state = 'running', started_at = coalesce(started_at, ?), events = events + 1
    WHERE id = ? AND tenant = ? AND owner = ? AND fence = ? AND gate = 'held' AND state = 'queued' AND cancel_requested = 0
      AND (started_at IS NOT NULL OR EXISTS (
          SELECT 1 FROM workflows w
          WHERE w.tenant = runs.tenant AND w.id = runs.workflow AND w.active = 1 AND w.removed = 0))
    RETURNING {RUN}"""  # noqa: S608  # a constant of this package
_FINISH: Final = f"""
    UPDATE runs SET state = ?, reason = coalesce(?, reason), outputs = ?, error = ?, finished_at = ?, gate = 'closed',
                    lease_until = NULL, events = events + 1
    WHERE seq = ? RETURNING {RUN}"""  # noqa: S608  # a constant of this package
_FIND_LEASED: Final = f"SELECT {RUN} FROM runs WHERE id = ? AND tenant = ? AND owner = ? AND fence = ?"  # noqa: S608  # a constant
_IS_REMOVED: Final = "SELECT removed FROM workflows WHERE tenant = ? AND id = ?"
_RENEW: Final = """
    UPDATE runs SET lease_until = ? WHERE id = ? AND tenant = ? AND owner = ? AND fence = ? AND gate = 'held'
    RETURNING cancel_requested"""


def start(stamp: Stamp, lease: Lease) -> Transaction[Row]:
    """Make a claimed run `running`, or end it (L4). Returns the columns `RUN`."""
    rows = yield _START, (stamp.now, lease.run_id, lease.tenant, lease.owner, lease.fence)
    if rows:
        yield from note(stamp, rows[0], "")
        return rows[0]
    row = yield from _get_leased(lease)
    if row[STATE] == "cancelled":
        return row
    if row[STATE] in TERMINAL:
        raise rules.fence_lost(lease)
    if row[STATE] != "queued":
        raise rules.already_started(lease)
    if row[CANCEL_REQUESTED]:
        return (yield from close(stamp, row[SEQ], "cancelled", row[REASON]))
    # Neither asked to end nor started before: the one condition left is the workflow's flag.
    found = yield _IS_REMOVED, (row[TENANT], row[WORKFLOW])
    return (yield from close(stamp, row[SEQ], "skipped", rules.REMOVED if found[0][0] else rules.NOT_ACTIVE))


def heartbeat(stamp: Stamp, owner: str, leases: Collection[Lease], lease_us: int) -> Transaction[Heartbeat]:
    """Renew leases; say which are void and which runs somebody wants ended."""
    lost, cancelled = set(), set()
    for lease in leases:
        if lease.owner != owner:
            lost.add(lease.run_id)
            continue
        rows = yield _RENEW, (stamp.now + lease_us, lease.run_id, lease.tenant, lease.owner, lease.fence)
        if not rows:
            lost.add(lease.run_id)
        elif rows[0][0]:
            cancelled.add(lease.run_id)
    return Heartbeat(lost=frozenset(lost), cancelled=frozenset(cancelled))


def finish(
    stamp: Stamp,
    lease: Lease,
    outcome: Outcome,
    *,
    outputs: str | None,
    error: str | None,
    followers: Sequence[Encoded],
) -> Transaction[Row]:
    """Write a terminal state and record the runs that follow (L5). Returns the columns `RUN`."""
    row = yield from _get_unfinished(lease)
    rules.check_end(lease.run_id, row[STATE], outcome.state)
    # A cancelled run keeps the reason of whoever asked for it, unless its owner knows better.
    reason = None if outcome.state == "cancelled" and not outcome.reason else outcome.reason
    rows = yield _FINISH, (outcome.state, reason, outputs, error, stamp.now, row[SEQ])
    row = rows[0]
    yield from note(stamp, row, row[REASON])
    yield from settle_end(stamp, row)
    for encoded in followers:
        yield from admit(stamp, lease.tenant, encoded, removed_is_missing=False)
    return row


def release(stamp: Stamp, lease: Lease) -> Transaction[None]:
    """Give a run back to the queue, or end it when that was asked for."""
    row = yield from _get_unfinished(lease)
    if row[CANCEL_REQUESTED]:
        yield from close(stamp, row[SEQ], "cancelled", row[REASON])
        return
    assignments = "state = 'queued', gate = 'open', owner = '', lease_until = NULL"
    yield from change_run(stamp, row[SEQ], assignments, (), rules.release_detail(row[OWNER]))
    if row[SLOT]:
        yield from let_in_kept_out(row[TENANT], row[SLOT])


def _get_leased(lease: Lease) -> Transaction[Row]:
    """Return the columns `RUN` of the run whose newest claim gave this lease, ended or not. Raises `FenceLost`."""
    rows = yield _FIND_LEASED, (lease.run_id, lease.tenant, lease.owner, lease.fence)
    if not rows or not lease.owner:
        raise rules.fence_lost(lease)
    return rows[0]


def _get_unfinished(lease: Lease) -> Transaction[Row]:
    """Return the columns `RUN` of the unfinished run that a lease owns. Raises `FenceLost`."""
    row = yield from _get_leased(lease)
    if row[STATE] in TERMINAL:
        raise rules.fence_lost(lease)
    return row
