"""Which trigger is due next: the scheduler's memory, without its loop.

Owns `Agenda`, the entries of all tenants' triggers with the instant at which each is due, in a heap: a thousand idle schedules cost
nothing until one of them is due. Sync, and knows neither Store nor clock; the scheduler feeds and asks it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from ipaas.engine.schedule import find_next
from ipaas.model import After

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from ipaas.model import Trigger, Workflow

Key = tuple[str, str, str]
"""Tenant, workflow id, trigger id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One trigger of one active workflow.

    Attributes:
        since: every instant until then, inclusive, is in the ledger.
        due: the first instant later than that, or None when there is none.
        fault: why its instants cannot be computed, or None; then it is not due until its timing is another one.
    """

    tenant: str
    workflow: Workflow
    trigger: Trigger
    since: datetime
    due: datetime | None = None
    fault: Exception | None = None

    @property
    def key(self) -> Key:
        """What the entry is found by."""
        return self.tenant, self.workflow.id, self.trigger.id


class Agenda:
    """The triggers and when they are due. Used by one task."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self._heap: list[tuple[datetime, Key]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def update(
        self, tenant: str, workflows: Iterable[Workflow], watermarks: Mapping[tuple[str, str], datetime], now: datetime
    ) -> list[Entry]:
        """Take over a tenant's active workflows; what did not change is not computed again. Returns entries that have a new fault.

        Args:
            tenant: whose.
            workflows: all that are active.
            watermarks: by workflow and trigger; a trigger without one is not expected to fire.
            now: the wall time. A watermark in its future comes from a clock that was set back since, and is not waited for.
        """
        kept: dict[Key, Entry] = {key: entry for key, entry in self._entries.items() if key[0] != tenant}
        faulty = []
        for workflow in workflows:
            for trigger in workflow.triggers:
                mark = watermarks.get((workflow.id, trigger.id))
                if mark is None or isinstance(trigger.timing, After):
                    continue
                before = self._entries.get((tenant, workflow.id, trigger.id))
                if mark > now:
                    mark = now if before is None else min(before.since, now)
                if before is not None and before.since == mark and before.trigger.timing == trigger.timing:
                    entry = replace(before, workflow=workflow, trigger=trigger)
                else:
                    entry = self._schedule(Entry(tenant=tenant, workflow=workflow, trigger=trigger, since=mark))
                    if entry.fault is not None:
                        faulty.append(entry)
                kept[entry.key] = entry
        self._entries = kept
        return faulty

    def find_due(self) -> datetime | None:
        """Return the earliest instant at which something is due, or None."""
        while self._heap:
            due, key = self._heap[0]
            entry = self._entries.get(key)
            if entry is not None and entry.due == due:
                return due
            heappop(self._heap)  # of an entry that has changed since
        return None

    def take_due(self, now: datetime) -> list[Entry]:
        """Return what is due. Those that are not advanced must be given back, or they are never due again."""
        taken: list[Entry] = []
        while (due := self.find_due()) is not None and due <= now:
            _, key = heappop(self._heap)
            if not taken or taken[-1].key != key:  # an entry may stand there twice, after a change and back
                taken.append(self._entries[key])
        return taken

    def advance(self, key: Key, since: datetime) -> None:
        """Note that all instants until `since` are in the ledger; an entry that has failed stays out of the schedule."""
        entry = self._entries.get(key)
        if entry is not None and entry.fault is None:
            self._entries[key] = self._schedule(replace(entry, since=since))

    def give_back(self, taken: Iterable[Entry]) -> None:
        """Make those entries due again that were taken and neither advanced nor failed since."""
        for entry in taken:
            if entry.due is not None and self._entries.get(entry.key) is entry:
                heappush(self._heap, (entry.due, entry.key))

    def fail(self, key: Key, fault: Exception) -> None:
        """Take an entry out of the schedule until its timing changes."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries[key] = replace(entry, due=None, fault=fault)

    def rewind(self, now: datetime) -> None:
        """Look again at what lies between `now` and where an entry had been: the clock was set back. What is in the ledger stays so."""
        for key, entry in self._entries.items():
            if entry.since > now:
                self._entries[key] = self._schedule(replace(entry, since=now))

    def _schedule(self, entry: Entry) -> Entry:
        try:
            due = find_next(entry.trigger.timing, entry.since)
        except Exception as fault:  # noqa: BLE001  # a timing that cannot be computed costs its own trigger only
            return replace(entry, due=None, fault=fault)
        if due is not None:
            heappush(self._heap, (due, entry.key))
        return replace(entry, due=due, fault=None)
