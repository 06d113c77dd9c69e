"""The Store's methods over a driver: words in, columns through, words out.

Owns nothing but the way between: values become columns before a transaction begins, so that a bad value fails alone and at once, and
columns become words after it has ended, so that no lock is held meanwhile. Called through the contract by the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipaas.store import rules
from ipaas.store.codec import (
    decode_line,
    decode_or_none,
    decode_step,
    encode,
    encode_error,
    encode_line,
    encode_or_none,
    encode_request,
    encode_step,
    to_us,
)
from ipaas.store.contract import Page
from ipaas.store.sql import claims, ledger, ownership, runs, workflows
from ipaas.store.sql.run_rows import SEQ, decode_run

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ipaas.model import Json
    from ipaas.run import Lease, LogLine, Outcome, Run, RunEvent, RunRequest, StepResult, Submitted, Tick
    from ipaas.store.contract import Change, Heartbeat, RunFilter, Store, StoredWorkflow, Version, Watermark
    from ipaas.store.sql.transaction import Driver

_NEWEST: Final = (1 << 63) - 1
"""A key behind every key there is."""


class SqlStore:
    """The contract over one driver. Any task of one trio run may call it; see `ipaas.store.contract` for each method."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    # workflows

    async def apply(self, tenant: str, change: Change) -> None:
        """See `WorkflowStore.apply`."""
        labels = [encode(text.labels) for text in change.put]
        await self._driver.write(lambda stamp: workflows.apply(stamp, tenant, change, labels))

    async def get_workflow(self, tenant: str, workflow: str) -> StoredWorkflow:
        """See `WorkflowStore.get_workflow`."""
        found = await self.find_workflow(tenant, workflow)
        if found is None:
            raise rules.missing_workflow(workflow)
        return found

    async def find_workflow(self, tenant: str, workflow: str) -> StoredWorkflow | None:
        """See `WorkflowStore.find_workflow`."""
        return await self._driver.read(lambda: workflows.find_workflow(tenant, workflow))

    async def list_workflows(self, tenant: str, *, cursor: str | None = None, limit: int = 100) -> Page[StoredWorkflow]:
        """See `WorkflowStore.list_workflows`."""
        limit = rules.bound_limit(limit)
        found = await self._driver.read(lambda: workflows.list_workflows(tenant, cursor or "", limit + 1))
        return Page(items=tuple(found[:limit]), cursor=found[limit - 1].id if len(found) > limit else None)

    async def get_version(self, tenant: str, workflow: str, version: str) -> Version:
        """See `WorkflowStore.get_version`."""
        return await self._driver.read(lambda: workflows.get_version(tenant, workflow, version))

    async def set_active(
        self, tenant: str, workflow: str, *, active: bool, cancel_running: bool = False
    ) -> StoredWorkflow:
        """See `WorkflowStore.set_active`."""
        return await self._driver.write(
            lambda stamp: workflows.set_active(stamp, tenant, workflow, active=active, cancel_running=cancel_running)
        )

    async def get_revision(self, tenant: str) -> int:
        """See `WorkflowStore.get_revision`."""
        return await self._driver.read(lambda: workflows.get_revision(tenant))

    async def list_tenants(self) -> list[str]:
        """See `Store.list_tenants`."""
        return await self._driver.read(workflows.list_tenants)

    # runs

    async def submit(self, tenant: str, requests: Sequence[RunRequest]) -> list[Submitted]:
        """See `RunStore.submit`."""
        encoded = [encode_request(request) for request in requests]
        return await self._driver.write(lambda stamp: runs.submit(stamp, tenant, encoded))

    async def get_run(self, tenant: str, run_id: str) -> Run:
        """See `RunStore.get_run`."""
        return decode_run(await self._driver.read(lambda: runs.get_run(tenant, run_id)))

    async def list_runs(
        self, tenant: str, where: RunFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page[Run]:
        """See `RunStore.list_runs`."""
        limit = rules.bound_limit(limit)
        before = rules.read_cursor(cursor, _NEWEST)
        rows = await self._driver.read(lambda: runs.list_runs(tenant, where, before, limit + 1))
        items = tuple(map(decode_run, rows[:limit]))
        return Page(items=items, cursor=str(rows[limit - 1][SEQ]) if len(rows) > limit else None)

    async def request_cancel(self, tenant: str, run_id: str, *, reason: str = "") -> Run:
        """See `RunStore.request_cancel`."""
        return decode_run(await self._driver.write(lambda stamp: runs.request_cancel(stamp, tenant, run_id, reason)))

    async def list_events(self, tenant: str, run_id: str) -> list[RunEvent]:
        """See `RunStore.list_events`."""
        return await self._driver.read(lambda: runs.list_events(tenant, run_id))

    # leases

    async def claim(self, owner: str, *, limit: int, lease_s: float, only: Collection[str] | None = None) -> list[Run]:
        """See `LeaseStore.claim`."""
        rows = await self._driver.write(lambda stamp: claims.claim(stamp, owner, limit, round(lease_s * 1e6), only))
        return [decode_run(row) for row in rows]

    async def start(self, lease: Lease) -> Run:
        """See `LeaseStore.start`."""
        return decode_run(await self._driver.write(lambda stamp: ownership.start(stamp, lease)))

    async def heartbeat(self, owner: str, leases: Collection[Lease], *, lease_s: float) -> Heartbeat:
        """See `LeaseStore.heartbeat`."""
        return await self._driver.write(lambda stamp: ownership.heartbeat(stamp, owner, leases, round(lease_s * 1e6)))

    async def finish(self, lease: Lease, outcome: Outcome, followers: Sequence[RunRequest] = ()) -> Run:
        """See `LeaseStore.finish`."""
        outputs, error = encode_or_none(outcome.outputs), encode_error(outcome.error)
        encoded = [encode_request(request) for request in followers]
        row = await self._driver.write(
            lambda stamp: ownership.finish(stamp, lease, outcome, outputs=outputs, error=error, followers=encoded)
        )
        return decode_run(row)

    async def release(self, lease: Lease) -> None:
        """See `LeaseStore.release`."""
        await self._driver.write(lambda stamp: ownership.release(stamp, lease))

    # journal

    async def record_steps(self, lease: Lease, results: Sequence[StepResult]) -> None:
        """See `JournalStore.record_steps`."""
        columns = [encode_step(result) for result in results]
        await self._driver.write(lambda _: runs.record_steps(lease, columns))

    async def list_steps(self, tenant: str, run_id: str) -> list[StepResult]:
        """See `JournalStore.list_steps`."""
        return [decode_step(row) for row in await self._driver.read(lambda: runs.list_steps(tenant, run_id))]

    async def append_logs(self, lease: Lease, lines: Sequence[LogLine]) -> None:
        """See `JournalStore.append_logs`."""
        columns = [encode_line(line) for line in lines]
        await self._driver.write(lambda _: runs.append_logs(lease, columns))

    async def list_logs(
        self, tenant: str, run_id: str, *, cursor: str | None = None, limit: int = 1000
    ) -> Page[LogLine]:
        """See `JournalStore.list_logs`."""
        start = rules.read_cursor(cursor, 0)
        rows = await self._driver.read(lambda: runs.list_logs(tenant, run_id, start, rules.bound_limit(limit)))
        return Page(items=tuple(map(decode_line, rows)), cursor=str(start + len(rows)))

    # ticks

    async def list_watermarks(self, tenant: str) -> list[Watermark]:
        """See `TickStore.list_watermarks`."""
        return await self._driver.read(lambda: ledger.list_watermarks(tenant))

    async def record_ticks(
        self, tenant: str, ticks: Sequence[tuple[Tick, RunRequest | None]]
    ) -> list[tuple[Tick, Submitted | None]]:
        """See `TickStore.record_ticks`."""
        encoded = [(tick, None if request is None else encode_request(request)) for tick, request in ticks]
        return await self._driver.write(lambda stamp: ledger.record_ticks(stamp, tenant, encoded))

    async def list_ticks(
        self, tenant: str, workflow: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[Tick]:
        """See `TickStore.list_ticks`."""
        limit = rules.bound_limit(limit)
        before = (_NEWEST, "") if cursor is None else rules.read_tick_cursor(cursor)
        found = await self._driver.read(lambda: ledger.list_ticks(tenant, workflow, before, limit + 1))
        return Page(items=tuple(found[:limit]), cursor=_cursor(found[limit - 1]) if len(found) > limit else None)

    # state

    async def find_state(self, tenant: str, scope: str, key: str) -> Json:
        """See `StateStore.find_state`."""
        value: Json = decode_or_none(await self._driver.read(lambda: ledger.find_state(tenant, scope, key)))
        return value

    async def put_state(self, tenant: str, scope: str, key: str, value: Json) -> None:
        """See `StateStore.put_state`."""
        text = encode_or_none(value)
        if text is not None:
            rules.check_state_size(scope, key, text)
        await self._driver.write(lambda _: ledger.put_state(tenant, scope, key, text))


def _cursor(tick: Tick) -> str:
    return rules.tick_cursor(to_us(tick.due_at), tick.trigger)


if TYPE_CHECKING:

    def _keeps_the_contract(store: SqlStore) -> Store:
        return store
