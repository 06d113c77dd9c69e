"""One run's notes on their way into the Store: step results and log lines.

Owns the buffer, its order, and what happens when the Store is away. Knows the Store's contract and the clock; not what the notes
mean. The live host writes to it, the runner's flush task empties it.

Notes wait here for `flush` (every 200 ms), for `settle` (now, and wait until they are durable), or for the run's end, whichever comes
first. They leave in the order in which they were noted, so that when one is durable all before it are: what a write relied on
is in the journal before the write's intent. Of one path only the newest note is kept, so a quick read costs one row and no waiting.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from ipaas.errors import FenceLost, StoreError, StoreUnavailable
from ipaas.run import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipaas.clock import Clock
    from ipaas.run import Lease, StepResult
    from ipaas.store.contract import Store

MAX_LINES: Final = 1_000
"""Log lines that wait for one run; what comes faster than the Store takes it is dropped and counted."""
RETRY_S: Final = 0.5
"""Pause before the Store is asked again after it was away."""

_log = logging.getLogger("ipaas.engine")


class Journal:
    """The notes of one run, made and used by its tasks and the runner's flush task.

    Args:
        patience_s: how long `settle` waits for a Store that is away, before the run is given up.
        on_dirty: called when the first note waits.
        on_lost: called with a reason when the lease is void or the patience is over: the run must stop.
    """

    def __init__(
        self,
        store: Store,
        lease: Lease,
        clock: Clock,
        *,
        patience_s: float,
        on_dirty: Callable[[Journal], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._store = store
        self._lease = lease
        self._clock = clock
        self._patience_s = patience_s
        self._on_dirty = on_dirty
        self._on_lost = on_lost
        self._results: dict[str, StepResult] = {}
        self._lines: list[LogLine] = []
        self._dropped = 0
        self._noted = 0
        self._written = 0
        self._writing = trio.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._results and not self._lines

    def note(self, result: StepResult) -> None:
        """Keep a result until it is written; it replaces a waiting one of the same path."""
        if self.is_empty:
            self._on_dirty(self)
        self._noted += 1
        self._results[result.path] = result

    def add_line(self, line: LogLine) -> None:
        """Keep a log line until it is written, or drop it when too many wait."""
        if self.is_empty:
            self._on_dirty(self)
        if len(self._lines) < MAX_LINES:
            self._lines.append(line)
        else:
            self._dropped += 1

    async def settle(self) -> None:
        """Return once every note made so far is durable.

        When that cannot be, `on_lost` was called, and the cancel that it caused is raised here.
        """
        mark = self._noted
        give_up_at = self._clock.monotonic() + self._patience_s
        while self._written < mark:
            try:
                await self._write_results()
            except FenceLost:
                self._on_lost("another server owns this run")
                await trio.lowlevel.checkpoint()
                return
            except StoreUnavailable as error:
                if self._clock.monotonic() >= give_up_at:
                    self._on_lost(f"the Store is away: {error.message}")
                    await trio.lowlevel.checkpoint()
                    return
                await self._clock.sleep(RETRY_S)

    async def flush(self) -> None:
        """Write what waits, once. What cannot be written waits for the next time; no `StoreError` comes out."""
        try:
            await self._write_results()
            await self._write_lines()
        except FenceLost:
            self._on_lost("another server owns this run")
        except StoreError as error:
            if not self.is_empty:
                self._on_dirty(self)
            if not isinstance(error, StoreUnavailable):
                _log.error(
                    "notes of a run could not be written: %s", error, extra={"facts": {"run": self._lease.run_id}}
                )

    async def write_rest(self) -> None:
        """Write what waits at the run's end. Log lines that cannot be written are given up.

        Raises:
            StoreError: the results could not be written.
        """
        await self._write_results()
        try:
            await self._write_lines()
        except StoreError as error:
            facts = {"run": self._lease.run_id, "lines": len(self._lines)}
            _log.warning("log lines of a run were lost: %s", error, extra={"facts": facts})

    async def _write_results(self) -> None:
        async with self._writing:  # one at a time: an older note must never come after a newer one
            if not self._results:
                return
            taken, self._results = self._results, {}
            mark = self._noted
            try:
                await self._store.record_steps(self._lease, list(taken.values()))
            except BaseException:  # also a cancel, of which it is not known whether it came too late
                self._results = {**taken, **self._results}
                raise
            self._written = mark

    async def _write_lines(self) -> None:
        async with self._writing:
            if not self._lines:
                return
            taken, self._lines = self._lines, []
            if dropped := self._dropped:
                self._dropped = 0
                message = f"{dropped} lines were dropped here: they came faster than the Store takes them"
                taken.append(LogLine(at=taken[-1].at, level="warning", message=message))
            try:
                await self._store.append_logs(self._lease, taken)
            except BaseException:  # also a cancel
                self._dropped += dropped
                self._lines = [*(taken[:-1] if dropped else taken), *self._lines]
                raise
