"""The loop that turns instants into runs.

Owns `Scheduler`: it looks for changed workflows, sleeps until the next instant of any of them, records each instant in the tick ledger
together with the run it starts, and wakes the runner. What is due and what becomes of it is decided in `schedule`, `tick_plan` and
`agenda`; who was first is decided by the Store, so that any number of schedulers may work on one. Made by `ipaas.app`.

    every poll_s                    due
    revision moved? ──► agenda ──► plan_ticks ──► make_request ──► record_ticks ──► wake the runner
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

import trio

from ipaas.engine.agenda import Agenda
from ipaas.engine.backoff import backoff_delay_s
from ipaas.engine.request import make_request, make_trigger_inputs
from ipaas.engine.scheduler_log import tell_clock_set, tell_failure, tell_fault, tell_late, tell_resumed, tell_skip
from ipaas.engine.scope import time_as_json
from ipaas.engine.tick_plan import FIRES, GRACE_S, overlap_of, plan_ticks
from ipaas.errors import IpaasError, StoreUnavailable
from ipaas.model import Retry
from ipaas.run import TriggerInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from ipaas.clock import Clock
    from ipaas.engine.agenda import Entry
    from ipaas.engine.workflows import Workflows
    from ipaas.run import RunRequest, Tick
    from ipaas.store.contract import Store

    Planned = tuple[Entry, Tick, RunRequest | None]

POLL_S: Final = 1.0
"""How often to look for edits that other processes made; one cheap question to the Store."""

BATCH: Final = 200
"""Ticks in one transaction: enough to be cheap, few enough not to hold up the other writers."""

OUTAGE: Final = Retry(max_attempts=1, delay_s=0.5, max_delay_s=10.0)
"""How long to wait before asking a Store again that was away."""

SECOND: Final = timedelta(seconds=1)


class Scheduler:
    """Starts the runs of all tenants' schedules. One task calls `run`.

    A cancel leaves nothing half done: what is not in the ledger is found again from the watermarks by whoever comes next.

    Args:
        store: keeps watermarks and the ledger.
        workflows: what is active.
        clock: says what is due.
        wake: called when new runs are queued; must not block.
        poll_s: how often to look for changed workflows.
        grace_s: how late an instant may be handled and still count as on time.
    """

    def __init__(
        self,
        *,
        store: Store,
        workflows: Workflows,
        clock: Clock,
        wake: Callable[[], None],
        poll_s: float = POLL_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._clock = clock
        self._wake = wake
        self._poll_s = poll_s
        self._grace_s = grace_s
        self._agenda = Agenda()
        self._revisions: dict[str, int] = {}
        self._poll_due: float | None = None
        self._seen = clock.now(), clock.monotonic()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled. No error ends it: a Store that is away is asked again, any other fault is logged and tried again."""
        task_status.started()
        failures = 0
        while True:
            try:
                await self._work()
            except Exception as error:  # noqa: BLE001  # the schedules of all tenants hang on this loop
                failures += 1
                tell_failure(error, failures)
                await self._clock.sleep(backoff_delay_s(OUTAGE, failures))
                continue
            if failures:
                tell_resumed(failures)
            failures = 0
            await self._clock.sleep(self._count_idle_s())

    async def _work(self) -> None:
        """Do one round: take over edits, then record what is due."""
        self._look_at_clock()
        started = self._clock.monotonic()
        if self._poll_due is None or started >= self._poll_due:
            self._poll_due = started + self._poll_s
            try:
                await self._take_over_edits()
            except BaseException:
                self._poll_due = None
                raise
        now = self._clock.now()
        taken = self._agenda.take_due(now)
        try:
            for tenant, entries in groupby(sorted(taken, key=_tenant_of), key=_tenant_of):
                await self._record(tenant, list(entries), now)
        finally:
            self._agenda.give_back(taken)

    def _count_idle_s(self) -> float:
        """Return the seconds until there is something to do."""
        if self._poll_due is None:
            return 0.0
        idle_s = self._poll_due - self._clock.monotonic()
        due = self._agenda.find_due()
        return idle_s if due is None else min(idle_s, (due - self._clock.now()).total_seconds())

    def _look_at_clock(self) -> None:
        """Notice a wall clock that was set. Forward is a miss like any other; back means to look again at what was looked at."""
        now, elapsed_s = self._clock.now(), self._clock.monotonic()
        shift = now - self._seen[0] - timedelta(seconds=elapsed_s - self._seen[1])
        self._seen = now, elapsed_s
        if shift < -SECOND:
            tell_clock_set(shift)
            self._agenda.rewind(now)
        elif shift > timedelta(seconds=self._grace_s):
            tell_clock_set(shift)

    async def _take_over_edits(self) -> None:
        tenants = await self._store.list_tenants()
        for tenant in self._revisions.keys() - set(tenants):
            self._agenda.update(tenant, (), {}, self._clock.now())
            del self._revisions[tenant]
        for tenant in tenants:
            # The revision is read before the rows: an edit that comes between is seen at the next poll.
            revision = await self._store.get_revision(tenant)
            if self._revisions.get(tenant) == revision:
                continue
            workflows = await self._workflows.list_active(tenant)
            marks = {(mark.workflow, mark.trigger): mark.since for mark in await self._store.list_watermarks(tenant)}
            for entry in self._agenda.update(tenant, workflows, marks, self._clock.now()):
                tell_fault(entry, entry.fault)
            self._revisions[tenant] = revision

    async def _record(self, tenant: str, taken: list[Entry], now: datetime) -> None:
        """Bring what is due into the ledger, oldest first for each trigger, and wake the runner."""
        planned = self._plan(taken, now)
        while batch := list(islice(planned, BATCH)):
            if await self._write(tenant, batch):
                self._wake()
            for key, since in {entry.key: tick.due_at for entry, tick, _ in batch}.items():
                self._agenda.advance(key, since)

    def _plan(self, taken: list[Entry], now: datetime) -> Iterator[Planned]:
        """Yield what becomes of each instant, and the run it starts. One trigger's fault costs that trigger."""
        for entry in taken:
            try:
                ticks = plan_ticks(entry.workflow.id, entry.trigger, entry.since, now, self._grace_s)
            except Exception as fault:  # noqa: BLE001  # see the docstring
                self._agenda.fail(entry.key, fault)
                tell_fault(entry, fault)
                continue
            tell_late(entry, ticks)
            for tick in ticks:
                yield entry, *_make_run(entry, tick)

    async def _write(self, tenant: str, batch: list[Planned]) -> bool:
        """Record ticks and say whether there are new runs.

        What the Store refuses for what is in it is written one by one, so that only the instant at fault is skipped; a trigger whose
        skipped instant cannot be written either is taken out of the schedule.
        """
        try:
            answers = await self._store.record_ticks(tenant, [(tick, request) for _, tick, request in batch])
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # see the docstring
            if len(batch) > 1:
                return any([await self._write(tenant, [planned]) for planned in batch])
            [(entry, tick, request)] = batch
            if request is None:
                self._agenda.fail(entry.key, error)
                tell_fault(entry, error)
                return False
            tell_skip(tenant, tick, error)
            skipped = replace(tick, outcome="skipped", reason=f"its run could not be recorded: {_explain(error)}")
            return await self._write(tenant, [(entry, skipped, None)])
        return any(submitted is not None and submitted.created for _, submitted in answers)


def _make_run(entry: Entry, tick: Tick) -> tuple[Tick, RunRequest | None]:
    """Return the tick with its run, if it starts one; one whose request cannot be made is skipped."""
    if tick.outcome not in FIRES:
        return tick, None
    trigger = entry.trigger
    info = TriggerInfo(type=type(trigger.timing).__name__.lower(), id=trigger.id, scheduled_at=tick.due_at)
    try:
        return tick, make_request(
            entry.workflow,
            inputs=make_trigger_inputs(trigger, info),
            trigger=info,
            delivery=f"{trigger.id}@{time_as_json(tick.due_at)}",
            overlap=overlap_of(trigger, tick),
        )
    except Exception as error:  # noqa: BLE001  # whatever is wrong with one trigger's inputs costs that instant
        tell_skip(entry.tenant, tick, error)
        return replace(tick, outcome="skipped", reason=f"its run could not be made: {_explain(error)}"), None


def _tenant_of(entry: Entry) -> str:
    return entry.tenant


def _explain(error: Exception) -> str:
    return error.message if isinstance(error, IpaasError) else type(error).__name__
