"""Rows of the table `runs`: which columns make a `Run`, and how a change of one writes its event.

Owns the column list and the word made of it. Called by every module of this package that touches runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ipaas.run import Run
from ipaas.store.codec import decode, decode_error, decode_or_none, decode_trigger, from_us, from_us_or_none
from ipaas.store.rules import fence_lost, missing_run

if TYPE_CHECKING:
    from ipaas.run import Lease
    from ipaas.store.sql.transaction import Row, Stamp, Transaction

_COLUMNS: Final = (
    *(
        "seq",
        "events",
        "slot",
        "id",
        "tenant",
        "workflow",
        "version",
        "state",
        "reason",
        "trigger_info",
        "inputs",
        "outputs",
    ),
    *("error", "created_at", "started_at", "finished_at", "parent_run", "parent_step", "rank", "owner", "fence"),
    *("recoveries", "cancel_requested"),
)
RUN: Final = ", ".join(_COLUMNS)
"""The columns that `decode_run` takes."""

LISTED_RUN: Final = RUN.replace("inputs, outputs", "'{}', NULL")
"""The same for lists, which carry no inputs and outputs."""

# Where single columns stand in `RUN`, for the rules that look at a row without making a word of it.
SEQ: Final = _COLUMNS.index("seq")
SLOT: Final = _COLUMNS.index("slot")
TENANT: Final = _COLUMNS.index("tenant")
WORKFLOW: Final = _COLUMNS.index("workflow")
STATE: Final = _COLUMNS.index("state")
REASON: Final = _COLUMNS.index("reason")
OWNER: Final = _COLUMNS.index("owner")
CANCEL_REQUESTED: Final = _COLUMNS.index("cancel_requested")
_EVENTS: Final = _COLUMNS.index("events")
_FENCE: Final = _COLUMNS.index("fence")

INSERT_EVENT: Final = "INSERT INTO run_events (run_seq, sequence, at, state, fence, detail) VALUES (?, ?, ?, ?, ?, ?)"

_FIND_SEQ: Final = "SELECT seq FROM runs WHERE id = ? AND tenant = ?"
_FIND_HELD: Final = "SELECT seq FROM runs WHERE id = ? AND tenant = ? AND owner = ? AND fence = ? AND gate = 'held'"


def decode_run(row: Row) -> Run:
    """Return the run of the columns `RUN`."""
    (
        _,
        _,
        _,
        run_id,
        tenant,
        workflow,
        version,
        state,
        reason,
        trigger,
        inputs,
        outputs,
        error,
        created_at,
        started_at,
        finished_at,
        parent_run,
        parent_step,
        rank,
        owner,
        fence,
        recoveries,
        cancel_requested,
    ) = row
    return Run(
        id=run_id,
        tenant=tenant,
        workflow=workflow,
        version=version,
        state=state,
        reason=reason,
        trigger=decode_trigger(trigger),
        inputs=decode(inputs),
        outputs=decode_or_none(outputs),
        error=decode_error(error),
        created_at=from_us(created_at),
        started_at=from_us_or_none(started_at),
        finished_at=from_us_or_none(finished_at),
        parent=None if parent_run is None else (parent_run, parent_step),
        priority=-rank,
        owner=owner,
        fence=fence,
        recoveries=recoveries,
        cancel_requested=bool(cancel_requested),
    )


def get_seq(tenant: str, run_id: str) -> Transaction[int]:
    """Return the key of a tenant's run, or raise `Missing`."""
    rows = yield _FIND_SEQ, (run_id, tenant)
    if not rows:
        raise missing_run(run_id)
    return int(rows[0][0])


def get_held(lease: Lease) -> Transaction[int]:
    """Return the key of the unfinished run that a lease owns, or raise `FenceLost`."""
    rows = yield _FIND_HELD, (lease.run_id, lease.tenant, lease.owner, lease.fence)
    if not rows:
        raise fence_lost(lease)
    return int(rows[0][0])


def change_run(stamp: Stamp, seq: int, assignments: str, values: tuple[Any, ...], detail: str) -> Transaction[Row]:
    """Update a run, write the event of the change, and return the columns `RUN`.

    Args:
        assignments: the SET list, without `events`.
        values: of its `?`, in order.
    """
    rows = yield f"UPDATE runs SET {assignments}, events = events + 1 WHERE seq = ? RETURNING {RUN}", (*values, seq)  # noqa: S608  # texts of this package only
    yield from note(stamp, rows[0], detail)
    return rows[0]


def note(stamp: Stamp, row: Row, detail: str) -> Transaction[None]:
    """Write the event of a change that raised `events` and returned the columns `RUN`."""
    yield INSERT_EVENT, (row[SEQ], row[_EVENTS], stamp.now, row[STATE], row[_FENCE], detail)
