"""Transactions on the tick ledger and on connectors' state (T1 to T3). Called by `SqlStore`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ipaas.run import Tick
from ipaas.store import rules
from ipaas.store.codec import from_us, to_us
from ipaas.store.contract import Watermark
from ipaas.store.sql.admission import admit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.run import Submitted
    from ipaas.store.codec import Encoded
    from ipaas.store.sql.transaction import Row, Stamp, Transaction

_LIST_SCHEDULES: Final = """
    SELECT t.workflow, t.trigger_id, t.begins_at, t.last_due
    FROM triggers t JOIN workflows w ON w.tenant = t.tenant AND w.id = t.workflow
    WHERE t.tenant = ? AND w.active = 1 AND w.removed = 0 ORDER BY t.workflow, t.trigger_id"""
_FIND_TICK: Final = """
    SELECT trigger_id, due_at, outcome, reason, run_id FROM ticks
    WHERE tenant = ? AND workflow = ? AND due_at = ? AND trigger_id = ?"""
_FIND_WORKFLOW: Final = "SELECT active, removed FROM workflows WHERE tenant = ? AND id = ?"
_FIND_TRIGGER: Final = "SELECT begins_at FROM triggers WHERE tenant = ? AND workflow = ? AND trigger_id = ?"
_INSERT_TICK: Final = """
    INSERT INTO ticks (tenant, workflow, due_at, trigger_id, outcome, reason, run_id) VALUES (?, ?, ?, ?, ?, ?, ?)"""
_MOVE_WATERMARK: Final = """
    UPDATE triggers SET last_due = ?
    WHERE tenant = ? AND workflow = ? AND trigger_id = ? AND (last_due IS NULL OR last_due < ?)"""
_LIST_TICKS: Final = """
    SELECT trigger_id, due_at, outcome, reason, run_id FROM ticks
    WHERE tenant = ? AND workflow = ? AND (due_at, trigger_id) < (?, ?) ORDER BY due_at DESC, trigger_id DESC LIMIT ?"""
_FIND_STATE: Final = "SELECT value FROM state WHERE tenant = ? AND scope = ? AND key = ?"
_PUT_STATE: Final = """
    INSERT INTO state (tenant, scope, key, value) VALUES (?, ?, ?, ?)
    ON CONFLICT (tenant, scope, key) DO UPDATE SET value = excluded.value"""
_DELETE_STATE: Final = "DELETE FROM state WHERE tenant = ? AND scope = ? AND key = ?"


def list_watermarks(tenant: str) -> Transaction[list[Watermark]]:
    """Return one for each trigger of each active workflow."""
    rows = yield _LIST_SCHEDULES, (tenant,)
    return [
        Watermark(
            workflow=workflow,
            trigger=trigger,
            since=from_us(begins_at if last_due is None else max(begins_at, last_due)),
        )
        for workflow, trigger, begins_at, last_due in rows
    ]


def record_ticks(
    stamp: Stamp, tenant: str, ticks: Sequence[tuple[Tick, Encoded | None]]
) -> Transaction[list[tuple[Tick, Submitted | None]]]:
    """Write ticks in order, each with the run it starts."""
    answers = []
    for tick, encoded in ticks:
        answer = yield from _record(stamp, tenant, tick, encoded)
        answers.append(answer)
    return answers


def _record(
    stamp: Stamp, tenant: str, tick: Tick, encoded: Encoded | None
) -> Transaction[tuple[Tick, Submitted | None]]:
    due = to_us(tick.due_at)
    rows = yield _FIND_TICK, (tenant, tick.workflow, due, tick.trigger)
    if rows:
        return _to_tick(tick.workflow, rows[0]), None
    submitted = None
    reason = yield from _find_refusal(tenant, tick, due)
    if reason:
        tick = replace(tick, outcome="skipped", reason=reason, run_id=None)
    elif encoded is not None:
        submitted = yield from admit(stamp, tenant, encoded, removed_is_missing=False)
        if submitted.state == "skipped":
            tick = replace(tick, outcome="skipped", reason=submitted.reason, run_id=None)
        else:
            tick = replace(tick, run_id=submitted.run_id)
    yield _INSERT_TICK, (tenant, tick.workflow, due, tick.trigger, tick.outcome, tick.reason, tick.run_id)
    yield _MOVE_WATERMARK, (due, tenant, tick.workflow, tick.trigger, due)
    return replace(tick, due_at=from_us(due)), submitted


def _find_refusal(tenant: str, tick: Tick, due: int) -> Transaction[str]:
    """Decide T3: return why this instant starts nothing, or nothing."""
    workflow = yield _FIND_WORKFLOW, (tenant, tick.workflow)
    if not workflow:
        return rules.UNKNOWN
    active, removed = workflow[0]
    if removed:
        return rules.REMOVED
    if not active:
        return rules.NOT_ACTIVE
    trigger = yield _FIND_TRIGGER, (tenant, tick.workflow, tick.trigger)
    if not trigger:
        return rules.TRIGGER_GONE
    return rules.BEFORE_SCHEDULE if due <= trigger[0][0] else ""


def list_ticks(tenant: str, workflow: str, before: tuple[int, str], limit: int) -> Transaction[list[Tick]]:
    """Return ticks whose instant and trigger come before `before`, latest first."""
    rows = yield _LIST_TICKS, (tenant, workflow, *before, limit)
    return [_to_tick(workflow, row) for row in rows]


def find_state(tenant: str, scope: str, key: str) -> Transaction[str | None]:
    """Return the JSON text of a value, or None."""
    rows = yield _FIND_STATE, (tenant, scope, key)
    return str(rows[0][0]) if rows else None


def put_state(tenant: str, scope: str, key: str, text: str | None) -> Transaction[None]:
    """Write a value's JSON text, or delete it with None."""
    if text is None:
        yield _DELETE_STATE, (tenant, scope, key)
    else:
        yield _PUT_STATE, (tenant, scope, key, text)


def _to_tick(workflow: str, row: Row) -> Tick:
    trigger, due_at, outcome, reason, run_id = row
    return Tick(
        workflow=workflow, trigger=trigger, due_at=from_us(due_at), outcome=outcome, reason=reason, run_id=run_id
    )
