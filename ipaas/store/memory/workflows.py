"""Workflows and versions in memory (W1 to W7). Knows rows only; part of `MemoryStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from ipaas.store import rules
from ipaas.store.codec import decode, encode, from_us, to_us
from ipaas.store.contract import Page, StoredWorkflow, Version
from ipaas.store.memory.admission import ask_end
from ipaas.store.memory.rows import Rows, TriggerRow, WorkflowRow

if TYPE_CHECKING:
    from ipaas.clock import Clock
    from ipaas.store.contract import Change, WorkflowText


class MemoryWorkflows:
    """The `WorkflowStore` of a memory Store. Each method is one checkpoint and then one atomic step."""

    _rows: Rows
    _clock: Clock

    async def apply(self, tenant: str, change: Change) -> None:
        """See `WorkflowStore.apply`."""
        await trio.lowlevel.checkpoint()
        labels = [encode(text.labels) for text in change.put]
        now = to_us(self._clock.now())
        removed = [_remove(self._rows, now, tenant, workflow) for workflow in change.remove]
        put = [_put(self._rows, now, tenant, text, label) for text, label in zip(change.put, labels, strict=True)]
        if any(removed) or any(put):
            _raise_revision(self._rows, tenant)

    async def get_workflow(self, tenant: str, workflow: str) -> StoredWorkflow:
        """See `WorkflowStore.get_workflow`."""
        await trio.lowlevel.checkpoint()
        return _to_stored(self._rows, tenant, self._rows.get_workflow(tenant, workflow))

    async def find_workflow(self, tenant: str, workflow: str) -> StoredWorkflow | None:
        """See `WorkflowStore.find_workflow`."""
        await trio.lowlevel.checkpoint()
        row = self._rows.find_workflow(tenant, workflow)
        return None if row is None or row.removed else _to_stored(self._rows, tenant, row)

    async def list_workflows(self, tenant: str, *, cursor: str | None = None, limit: int = 100) -> Page[StoredWorkflow]:
        """See `WorkflowStore.list_workflows`."""
        await trio.lowlevel.checkpoint()
        limit = rules.bound_limit(limit)
        known = self._rows.workflows.get(tenant, {})
        ids = sorted(name for name, row in known.items() if not row.removed and (cursor is None or name > cursor))
        items = tuple(_to_stored(self._rows, tenant, known[name]) for name in ids[:limit])
        return Page(items=items, cursor=items[-1].id if len(ids) > limit else None)

    async def get_version(self, tenant: str, workflow: str, version: str) -> Version:
        """See `WorkflowStore.get_version`."""
        await trio.lowlevel.checkpoint()
        found = self._rows.versions.get((tenant, workflow, version))
        if found is None:
            raise rules.missing_version(workflow, version)
        return found

    async def set_active(
        self, tenant: str, workflow: str, *, active: bool, cancel_running: bool = False
    ) -> StoredWorkflow:
        """See `WorkflowStore.set_active`."""
        await trio.lowlevel.checkpoint()
        row = self._rows.get_workflow(tenant, workflow)
        now = to_us(self._clock.now())
        if row.active != active:
            row.active = active
            row.updated_at = now
            if active:
                for trigger in row.triggers.values():
                    trigger.begins_at = now
            _raise_revision(self._rows, tenant)
        if cancel_running:
            for run in list(self._rows.open_by_workflow.get((tenant, workflow), {}).values()):
                ask_end(self._rows, now, run, rules.SWITCHED_OFF)
        return _to_stored(self._rows, tenant, row)

    async def get_revision(self, tenant: str) -> int:
        """See `WorkflowStore.get_revision`."""
        await trio.lowlevel.checkpoint()
        return self._rows.revisions.get(tenant, 0)

    async def list_tenants(self) -> list[str]:
        """See `Store.list_tenants`."""
        await trio.lowlevel.checkpoint()
        with_workflow = {
            tenant for tenant, known in self._rows.workflows.items() if not all(row.removed for row in known.values())
        }
        return sorted(with_workflow | self._rows.by_tenant.keys())


def _put(rows: Rows, now: int, tenant: str, text: WorkflowText, labels: str) -> bool:
    known = rows.workflows.setdefault(tenant, {})
    row = known.get(text.id)
    version = Version(workflow=text.id, version=text.version, path=text.path, source=text.source)
    schedules = {} if row is None or row.removed else row.triggers
    triggers = {
        name: kept
        if (kept := schedules.get(name)) and kept.fingerprint == fingerprint
        else TriggerRow(fingerprint, now)
        for name, fingerprint in text.triggers.items()
    }
    if row is None:
        known[text.id] = WorkflowRow(
            id=text.id,
            version=text.version,
            path=text.path,
            description=text.description,
            labels=labels,
            active=text.active,
            created_at=now,
            updated_at=now,
            triggers=triggers,
        )
    else:
        new = (text.version, text.path, text.description, labels)
        same_triggers = {name: trigger.fingerprint for name, trigger in row.triggers.items()} == dict(text.triggers)
        if not row.removed and same_triggers and new == (row.version, row.path, row.description, row.labels):
            return False
        row.version, row.path, row.description, row.labels = new
        row.updated_at = now
        row.removed = False
        row.triggers = triggers
    rows.versions[tenant, text.id, text.version] = version
    return True


def _remove(rows: Rows, now: int, tenant: str, workflow: str) -> bool:
    row = rows.find_workflow(tenant, workflow)
    if row is None or row.removed:
        return False
    row.removed = True
    row.updated_at = now
    row.triggers = {}
    return True


def _raise_revision(rows: Rows, tenant: str) -> None:
    rows.revisions[tenant] = rows.revisions.get(tenant, 0) + 1


def _to_stored(rows: Rows, tenant: str, row: WorkflowRow) -> StoredWorkflow:
    return StoredWorkflow(
        id=row.id,
        version=row.version,
        path=row.path,
        source=rows.versions[tenant, row.id, row.version].source,
        description=row.description,
        labels=decode(row.labels),
        active=row.active,
        created_at=from_us(row.created_at),
        updated_at=from_us(row.updated_at),
    )
