"""Transactions on workflows, versions and triggers (W1 to W7). Called by `SqlStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipaas.store import rules
from ipaas.store.codec import decode, from_us
from ipaas.store.contract import StoredWorkflow, Version
from ipaas.store.sql.admission import ask_end

if TYPE_CHECKING:
    from ipaas.store.contract import Change, WorkflowText
    from ipaas.store.sql.transaction import Row, Stamp, Transaction

_SELECT: Final = """
    SELECT w.id, w.version, w.path, v.source, w.description, w.labels, w.active, w.created_at, w.updated_at
    FROM workflows w JOIN versions v ON v.tenant = w.tenant AND v.workflow = w.id AND v.version = w.version"""
_FIND: Final = f"{_SELECT} WHERE w.tenant = ? AND w.id = ? AND w.removed = 0"
_LIST: Final = f"{_SELECT} WHERE w.tenant = ? AND w.id > ? AND w.removed = 0 ORDER BY w.id LIMIT ?"
_FIND_PUT: Final = "SELECT version, path, description, labels, removed FROM workflows WHERE tenant = ? AND id = ?"
_LIST_TRIGGERS: Final = "SELECT trigger_id, fingerprint FROM triggers WHERE tenant = ? AND workflow = ?"
_INSERT: Final = """
    INSERT INTO workflows (tenant, id, version, path, description, labels, active, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_UPDATE: Final = """
    UPDATE workflows SET version = ?, path = ?, description = ?, labels = ?, removed = 0, updated_at = ?
    WHERE tenant = ? AND id = ?"""
_PUT_VERSION: Final = """
    INSERT INTO versions (tenant, workflow, version, path, source) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (tenant, workflow, version) DO UPDATE SET path = excluded.path"""
_DELETE_TRIGGER: Final = "DELETE FROM triggers WHERE tenant = ? AND workflow = ? AND trigger_id = ?"
_DELETE_TRIGGERS: Final = "DELETE FROM triggers WHERE tenant = ? AND workflow = ?"
_INSERT_TRIGGER: Final = """
    INSERT INTO triggers (tenant, workflow, trigger_id, fingerprint, begins_at) VALUES (?, ?, ?, ?, ?)"""
_REMOVE: Final = """
    UPDATE workflows SET removed = 1, updated_at = ? WHERE tenant = ? AND id = ? AND removed = 0 RETURNING id"""
_RAISE_REVISION: Final = """
    INSERT INTO revisions (tenant, revision) VALUES (?, 1)
    ON CONFLICT (tenant) DO UPDATE SET revision = revisions.revision + 1"""
_SET_ACTIVE: Final = """
    UPDATE workflows SET active = ?, updated_at = ? WHERE tenant = ? AND id = ? AND removed = 0 AND active <> ? RETURNING id"""
_BEGIN_TRIGGERS: Final = "UPDATE triggers SET begins_at = ? WHERE tenant = ? AND workflow = ?"
_LIST_UNFINISHED: Final = "SELECT seq FROM runs WHERE tenant = ? AND workflow = ? AND gate <> 'closed' ORDER BY seq"
_FIND_VERSION: Final = "SELECT path, source FROM versions WHERE tenant = ? AND workflow = ? AND version = ?"
_FIND_REVISION: Final = "SELECT revision FROM revisions WHERE tenant = ?"
_LIST_TENANTS: Final = """
    SELECT tenant FROM revisions r
    WHERE EXISTS (SELECT 1 FROM workflows w WHERE w.tenant = r.tenant AND w.removed = 0)
       OR EXISTS (SELECT 1 FROM runs WHERE runs.tenant = r.tenant)
    ORDER BY tenant"""


def apply(stamp: Stamp, tenant: str, change: Change, labels: list[str]) -> Transaction[None]:
    """Remove and put. `labels` are the JSON texts of the texts' labels, in order."""
    changed = False
    for workflow in change.remove:
        removed = yield _REMOVE, (stamp.now, tenant, workflow)
        if removed:
            yield _DELETE_TRIGGERS, (tenant, workflow)
            changed = True
    for text, label in zip(change.put, labels, strict=True):
        changed = (yield from _put(stamp, tenant, text, label)) or changed
    if changed:
        yield _RAISE_REVISION, (tenant,)


def _put(stamp: Stamp, tenant: str, text: WorkflowText, labels: str) -> Transaction[bool]:
    """Put one text; whether anything changed."""
    found = yield _FIND_PUT, (tenant, text.id)
    schedules: dict[str, str] = dict((yield _LIST_TRIGGERS, (tenant, text.id)))
    new = (text.version, text.path, text.description, labels)
    if not found:
        yield _INSERT, (tenant, text.id, *new, int(text.active), stamp.now, stamp.now)
    elif found[0] == (*new, 0) and schedules == dict(text.triggers):
        return False
    else:
        yield _UPDATE, (*new, stamp.now, tenant, text.id)
    yield _PUT_VERSION, (tenant, text.id, text.version, text.path, text.source)
    for trigger, fingerprint in schedules.items():
        if text.triggers.get(trigger) != fingerprint:
            yield _DELETE_TRIGGER, (tenant, text.id, trigger)
    for trigger, fingerprint in text.triggers.items():
        if schedules.get(trigger) != fingerprint:
            yield _INSERT_TRIGGER, (tenant, text.id, trigger, fingerprint, stamp.now)
    return True


def find_workflow(tenant: str, workflow: str) -> Transaction[StoredWorkflow | None]:
    """Return a workflow that is there, or None."""
    rows = yield _FIND, (tenant, workflow)
    return _to_stored(rows[0]) if rows else None


def list_workflows(tenant: str, after: str, limit: int) -> Transaction[list[StoredWorkflow]]:
    """Return workflows whose id comes after `after`."""
    rows = yield _LIST, (tenant, after, limit)
    return [_to_stored(row) for row in rows]


def get_version(tenant: str, workflow: str, version: str) -> Transaction[Version]:
    """Return a kept text, or raise `Missing`."""
    rows = yield _FIND_VERSION, (tenant, workflow, version)
    if not rows:
        raise rules.missing_version(workflow, version)
    path, source = rows[0]
    return Version(workflow=workflow, version=version, path=path, source=source)


def set_active(
    stamp: Stamp, tenant: str, workflow: str, *, active: bool, cancel_running: bool
) -> Transaction[StoredWorkflow]:
    """Switch on or off (W4 to W6), or raise `Missing`."""
    changed = yield _SET_ACTIVE, (int(active), stamp.now, tenant, workflow, int(active))
    found = yield from find_workflow(tenant, workflow)
    if found is None:
        raise rules.missing_workflow(workflow)
    if changed:
        if active:
            yield _BEGIN_TRIGGERS, (stamp.now, tenant, workflow)
        yield _RAISE_REVISION, (tenant,)
    if cancel_running:
        unfinished = yield _LIST_UNFINISHED, (tenant, workflow)
        for row in unfinished:
            yield from ask_end(stamp, row[0], rules.SWITCHED_OFF)
    return found


def get_revision(tenant: str) -> Transaction[int]:
    """Return how often workflows of the tenant changed."""
    rows = yield _FIND_REVISION, (tenant,)
    return int(rows[0][0]) if rows else 0


def list_tenants() -> Transaction[list[str]]:
    """Return tenants with a workflow or a run. A run needs a workflow that once was put, and a put raises the revision."""
    rows = yield _LIST_TENANTS, ()
    return [row[0] for row in rows]


def _to_stored(row: Row) -> StoredWorkflow:
    workflow, version, path, source, description, labels, active, created_at, updated_at = row
    return StoredWorkflow(
        id=workflow,
        version=version,
        path=path,
        source=source,
        description=description,
        labels=decode(labels),
        active=bool(active),
        created_at=from_us(created_at),
        updated_at=from_us(updated_at),
    )
