"""The tick ledger and connectors' state in memory (T1 to T3). Knows rows only; part of `MemoryStore`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from ipaas.store import rules
from ipaas.store.codec import decode_or_none, encode, encode_request, from_us, to_us
from ipaas.store.contract import Page, Watermark
from ipaas.store.memory.admission import admit, check_all

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ipaas.clock import Clock
    from ipaas.model import Json
    from ipaas.run import RunRequest, Submitted, Tick
    from ipaas.store.codec import Encoded
    from ipaas.store.memory.rows import Rows


class MemoryTicks:
    """The `TickStore` and `StateStore` of a memory Store. Each method is one checkpoint and then one atomic step."""

    _rows: Rows
    _clock: Clock

    async def list_watermarks(self, tenant: str) -> list[Watermark]:
        """See `TickStore.list_watermarks`."""
        await trio.lowlevel.checkpoint()
        return [
            Watermark(workflow=workflow.id, trigger=trigger, since=from_us(workflow.triggers[trigger].since))
            for _, workflow in sorted(self._rows.workflows.get(tenant, {}).items())
            if workflow.active and not workflow.removed
            for trigger in sorted(workflow.triggers)
        ]

    async def record_ticks(
        self, tenant: str, ticks: Sequence[tuple[Tick, RunRequest | None]]
    ) -> list[tuple[Tick, Submitted | None]]:
        """See `TickStore.record_ticks`."""
        await trio.lowlevel.checkpoint()
        encoded = [(tick, None if request is None else encode_request(request)) for tick, request in ticks]
        started: dict[tuple[str, str, datetime], Encoded | None] = {}
        for tick, one in encoded:
            if not _is_recorded(self._rows, tenant, tick) and not _refusal(self._rows, tenant, tick):
                started.setdefault((tick.workflow, tick.trigger, tick.due_at), one)
        check_all(self._rows, tenant, filter(None, started.values()), removed_is_missing=False)
        now = to_us(self._clock.now())
        return [_record(self._rows, now, tenant, tick, one) for tick, one in encoded]

    async def list_ticks(
        self, tenant: str, workflow: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[Tick]:
        """See `TickStore.list_ticks`."""
        await trio.lowlevel.checkpoint()
        limit = rules.bound_limit(limit)
        ledger = self._rows.ledger.get((tenant, workflow), {})
        before = None if cursor is None else rules.read_tick_cursor(cursor)
        keys = sorted((key for key in ledger if before is None or key < before), reverse=True)
        items = tuple(ledger[key] for key in keys[:limit])
        last = keys[limit - 1] if len(keys) > limit else None
        return Page(items=items, cursor=None if last is None else rules.tick_cursor(*last))

    async def find_state(self, tenant: str, scope: str, key: str) -> Json:
        """See `StateStore.find_state`."""
        await trio.lowlevel.checkpoint()
        value: Json = decode_or_none(self._rows.state.get((tenant, scope, key)))
        return value

    async def put_state(self, tenant: str, scope: str, key: str, value: Json) -> None:
        """See `StateStore.put_state`."""
        await trio.lowlevel.checkpoint()
        if value is None:
            self._rows.state.pop((tenant, scope, key), None)
            return
        text = encode(value)
        rules.check_state_size(scope, key, text)
        self._rows.state[tenant, scope, key] = text


def _is_recorded(rows: Rows, tenant: str, tick: Tick) -> bool:
    return (to_us(tick.due_at), tick.trigger) in rows.ledger.get((tenant, tick.workflow), {})


def _refusal(rows: Rows, tenant: str, tick: Tick) -> str:
    """Decide T3: return why this instant starts nothing, or nothing."""
    workflow = rows.find_workflow(tenant, tick.workflow)
    if workflow is None:
        return rules.UNKNOWN
    if workflow.removed:
        return rules.REMOVED
    if not workflow.active:
        return rules.NOT_ACTIVE
    trigger = workflow.triggers.get(tick.trigger)
    if trigger is None:
        return rules.TRIGGER_GONE
    return rules.BEFORE_SCHEDULE if to_us(tick.due_at) <= trigger.begins_at else ""


def _record(rows: Rows, now: int, tenant: str, tick: Tick, encoded: Encoded | None) -> tuple[Tick, Submitted | None]:
    due = to_us(tick.due_at)
    ledger = rows.ledger.setdefault((tenant, tick.workflow), {})
    first = ledger.get((due, tick.trigger))
    if first is not None:
        return first, None
    submitted = None
    reason = _refusal(rows, tenant, tick)
    if reason:
        tick = replace(tick, outcome="skipped", reason=reason, run_id=None)
    elif encoded is not None:
        submitted = admit(rows, now, tenant, encoded)
        if submitted.state == "skipped":
            tick = replace(tick, outcome="skipped", reason=submitted.reason, run_id=None)
        else:
            tick = replace(tick, run_id=submitted.run_id)
    workflow = rows.find_workflow(tenant, tick.workflow)
    trigger = None if workflow is None else workflow.triggers.get(tick.trigger)
    if trigger is not None and (trigger.last_due is None or trigger.last_due < due):
        trigger.last_due = due
    ledger[due, tick.trigger] = replace(tick, due_at=from_us(due))
    return ledger[due, tick.trigger], submitted
