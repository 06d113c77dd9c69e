"""Runs as people and triggers see them, and their journal, in memory (R1 to R5, J1, J2). Knows rows only; part of `MemoryStore`."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import trio

from ipaas.store import rules
from ipaas.store.codec import decode_line, decode_step, encode_line, encode_request, encode_step, fit_lines, to_us
from ipaas.store.contract import Page
from ipaas.store.memory.admission import admit, ask_end, check_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.clock import Clock
    from ipaas.run import Lease, LogLine, Run, RunEvent, RunRequest, StepResult, Submitted
    from ipaas.store.contract import RunFilter
    from ipaas.store.memory.rows import Rows, RunRow


class MemoryRuns:
    """The `RunStore` and `JournalStore` of a memory Store. Each method is one checkpoint and then one atomic step."""

    _rows: Rows
    _clock: Clock

    async def submit(self, tenant: str, requests: Sequence[RunRequest]) -> list[Submitted]:
        """See `RunStore.submit`."""
        await trio.lowlevel.checkpoint()
        encoded = [encode_request(request) for request in requests]
        check_all(self._rows, tenant, encoded, removed_is_missing=True)
        now = to_us(self._clock.now())
        return [admit(self._rows, now, tenant, one) for one in encoded]

    async def get_run(self, tenant: str, run_id: str) -> Run:
        """See `RunStore.get_run`."""
        await trio.lowlevel.checkpoint()
        return self._rows.get_run(tenant, run_id).to_run()

    async def list_runs(
        self, tenant: str, where: RunFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page[Run]:
        """See `RunStore.list_runs`."""
        await trio.lowlevel.checkpoint()
        limit = rules.bound_limit(limit)
        runs = self._rows.by_tenant.get(tenant, [])
        place = len(runs)
        if cursor is not None:
            place = bisect_left(runs, rules.read_cursor(cursor, 0), key=lambda row: row.seq)
        found: list[RunRow] = []
        while place > 0 and len(found) <= limit:
            place -= 1
            row = runs[place]
            if where.workflow and row.workflow != where.workflow:
                continue
            if where.states and row.state not in where.states:
                continue
            if where.parent and (row.parent is None or row.parent[0] != where.parent):
                continue
            found.append(row)
        items = tuple(row.to_run(listed=True) for row in found[:limit])
        return Page(items=items, cursor=str(found[limit - 1].seq) if len(found) > limit else None)

    async def request_cancel(self, tenant: str, run_id: str, *, reason: str = "") -> Run:
        """See `RunStore.request_cancel`."""
        await trio.lowlevel.checkpoint()
        row = self._rows.get_run(tenant, run_id)
        ask_end(self._rows, to_us(self._clock.now()), row, reason)
        return row.to_run()

    async def list_events(self, tenant: str, run_id: str) -> list[RunEvent]:
        """See `RunStore.list_events`."""
        await trio.lowlevel.checkpoint()
        return list(self._rows.get_run(tenant, run_id).events)

    async def record_steps(self, lease: Lease, results: Sequence[StepResult]) -> None:
        """See `JournalStore.record_steps`."""
        await trio.lowlevel.checkpoint()
        encoded = [encode_step(result) for result in results]
        row = self._rows.get_leased(lease)
        for columns in encoded:
            row.steps[columns[0]] = columns

    async def list_steps(self, tenant: str, run_id: str) -> list[StepResult]:
        """See `JournalStore.list_steps`."""
        await trio.lowlevel.checkpoint()
        return [decode_step(columns) for columns in self._rows.get_run(tenant, run_id).steps.values()]

    async def append_logs(self, lease: Lease, lines: Sequence[LogLine]) -> None:
        """See `JournalStore.append_logs`."""
        await trio.lowlevel.checkpoint()
        columns = [encode_line(line) for line in lines]
        row = self._rows.get_leased(lease)
        row.lines.extend(fit_lines(len(row.lines), columns))

    async def list_logs(
        self, tenant: str, run_id: str, *, cursor: str | None = None, limit: int = 1000
    ) -> Page[LogLine]:
        """See `JournalStore.list_logs`."""
        await trio.lowlevel.checkpoint()
        start = rules.read_cursor(cursor, 0)
        lines = self._rows.get_run(tenant, run_id).lines[start : start + rules.bound_limit(limit)]
        return Page(items=tuple(map(decode_line, lines)), cursor=str(start + len(lines)))
