"""The worker pool of one process: claims runs from the Store and executes them.

Owns the one nursery that holds every run, the claim loop, the heartbeat, the flush of journals, and the stop. Knows trio, the Store's contract and the
child task; not what a run does. Made and run by the composition root; `ipaas run` and `ipaas serve` submit through it.

What is over the limit waits in the Store: the runner claims as many runs as it has places, when it is woken (a submit, an end, the
scheduler) and otherwise every `poll_s`, for other servers' submits. One call renews all leases. The database decides who owns a
run; the runner only learns of it.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

import trio

from ipaas.engine.child_runs import ChildRuns
from ipaas.engine.child_task import ChildTask
from ipaas.engine.limits import Slots
from ipaas.engine.machine import Machine, RunnerSettings
from ipaas.engine.observer import Observers
from ipaas.errors import StoreUnavailable
from ipaas.run import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from ipaas.clock import Clock
    from ipaas.engine.journal import Journal
    from ipaas.engine.machine import FindCredential, Redact
    from ipaas.engine.observer import Observer
    from ipaas.engine.workflows import Workflows
    from ipaas.plugin.action import Action
    from ipaas.plugin.http_pool import HttpPool
    from ipaas.run import Run, RunRequest, Submitted
    from ipaas.store.contract import Store

FULL: Final = 4
"""With less than this part of its places free, a runner is busy: it waits a moment so that one claim fills several places."""
GATHER_S: Final = 0.003
"""That moment. Without it there is a claim for every third run, with it for every thirtieth, and half as many commits."""

_log = logging.getLogger("ipaas.engine")


class Runner:
    """Executes runs. `run` is called once, in the composition root's nursery; every other method from any task while it runs.

    Args:
        owner: names this process in leases; another process, and this one started again, must have another name.
        own_only: execute only the runs that were submitted through this object, and their children (`ipaas run`).
    """

    def __init__(
        self,
        *,
        store: Store,
        workflows: Workflows,
        actions: Mapping[str, Action],
        pool: HttpPool | None,
        clock: Clock,
        owner: str,
        settings: RunnerSettings,
        credentials: FindCredential,
        redact: Redact,
        observers: Sequence[Observer] = (),
        own_only: bool = False,
    ) -> None:
        self._machine = Machine(
            store=store,
            workflows=workflows,
            actions=actions,
            pool=pool,
            clock=clock,
            settings=settings,
            credentials=credentials,
            redact=redact,
            observers=Observers(observers),
        )
        self._store, self._clock, self._settings, self._owner = store, clock, settings, owner
        self._own: set[str] | None = set() if own_only else None
        self._slots = Slots(settings.limit)
        self._children = ChildRuns(self._machine, self)
        self._active: dict[str, ChildTask] = {}
        self._dirty: dict[Journal, None] = {}
        self._is_dirty = trio.Event()
        self._wake_up = trio.Event()
        self._changed = trio.Event()
        self._ends: dict[str, trio.Event] = {}
        self._draining = False
        self._moving: set[str] = set()  # while draining: runs that are under way here, or were and have ended
        self._stop = trio.Event()

    @property
    def active(self) -> int:
        """How many runs are under way in this process, those that wait for children included."""
        return len(self._active)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Execute runs until `drain` has ended. A cancel ends it at once: nothing more is written, and leases run out."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep, "claiming runs", self._claim, nursery)
            nursery.start_soon(self._keep, "renewing leases", self._renew)
            nursery.start_soon(self._keep, "writing notes", self._flush)
            task_status.started()
            try:
                await self._stop.wait()
            finally:
                for task in self._active.values():
                    task.kill()
            nursery.cancel_scope.cancel()

    async def submit(self, tenant: str, requests: Sequence[RunRequest]) -> list[Submitted]:
        """Record runs, all or none, and execute them soon. They are durable when this returns."""
        answers = await self._store.submit(tenant, requests)
        if self._own is not None:
            self._own.update(answer.run_id for answer in answers)
        self.wake()
        return answers

    def wake(self) -> None:
        """Look for runs to claim now: somebody has submitted some."""
        self._wake_up.set()

    async def wait_finished(self, tenant: str, run_id: str) -> Run:
        """Wait until a run has ended and return it, wherever it is executed.

        Raises:
            Missing: there is no such run.
        """
        while True:
            ended = self._ends.setdefault(run_id, trio.Event())
            try:
                if (run := await self._find_ended(tenant, run_id)) is not None:
                    return run
                # An end here is told; one elsewhere is seen by looking.
                with trio.move_on_after(math.inf if run_id in self._active else self._settings.poll_s):
                    await ended.wait()
            finally:
                if not ended.statistics().tasks_waiting and self._ends.get(run_id) is ended:
                    del self._ends[run_id]

    async def _find_ended(self, tenant: str, run_id: str) -> Run | None:
        """Return the run when it has ended; a Store that is away does not know yet."""
        try:
            run = await self._store.get_run(tenant, run_id)
        except StoreUnavailable as error:
            _log.debug("waiting for a run: %s", error, extra={"facts": {"run": run_id}})
            return None
        return run if run.state in TERMINAL else None

    async def request_cancel(self, tenant: str, run_id: str, *, reason: str = "") -> Run:
        """Ask for a run's end; one that runs here is told at once, others with their owner's next heartbeat.

        Raises:
            Missing: there is no such run.
        """
        run = await self._store.request_cancel(tenant, run_id, reason=reason)
        if (task := self._active.get(run_id)) is not None and run.cancel_requested:
            task.cancel()
        if run.state in TERMINAL:  # it had not begun, or was over
            self._tell_ended(run_id)
        return run

    async def drain(self, grace_s: float) -> bool:
        """Stop: claim nothing more, let runs end for `grace_s` seconds, then give the others back to the queue.

        When this returns, no run is owned by this process, and `run` has been told to return. A run that was given back goes on
        from its journal on the next server; a write that was under way then is in doubt.

        Returns:
            whether `run` will return. When a connector does not let its step be ended within `cleanup_s`, its run is given back
            too, but no task can be: then it is up to the caller to end the process.
        """
        self._draining = True
        self._moving = set(self._active)
        with trio.move_on_after(grace_s):
            while self._active:
                changed = self._changed
                for task in self._active.values():
                    # Its children wait in the queue, where nobody claims them any more.
                    if not task.seat.is_held and not self._moving.intersection(task.awaited):
                        task.release()
                await changed.wait()
        for task in list(self._active.values()):
            task.release()
        with trio.move_on_after(self._settings.cleanup_s):
            await self._wait_until_idle()
        stuck = {run_id: task for run_id, task in self._active.items() if task.is_walking}
        async with trio.open_nursery() as nursery:
            for task in stuck.values():
                nursery.start_soon(task.disown)
        await self._wait_until_idle(but=stuck)
        stuck = {run_id: task for run_id, task in stuck.items() if self._active.get(run_id) is task}
        self._stop.set()
        return not stuck

    async def _wait_until_idle(self, but: Collection[str] = ()) -> None:
        while not self._active.keys() <= set(but):
            await self._changed.wait()

    # ---- the loops ----

    async def _keep(self, what: str, loop: Callable[..., Awaitable[None]], *args: object) -> None:
        """Keep a loop going: the Store may be away, and no fault of one pass ends the others."""
        complained = False
        while True:
            try:
                await loop(*args)
                complained = False
            except StoreUnavailable as error:
                if not complained:
                    _log.warning("%s: %s", what, error)
                complained = True
                await self._clock.sleep(self._settings.poll_s)
            except Exception as error:  # noqa: BLE001  # one broken pass must not end the server
                _log.exception("%s failed", what, exc_info=error)
                await self._clock.sleep(self._settings.poll_s)

    async def _claim(self, nursery: trio.Nursery) -> None:
        """Claim up to the free capacity, then wait until there may be more."""
        if self._slots.free < self._settings.limit // FULL:
            await self._clock.sleep(GATHER_S)
        self._wake_up = trio.Event()
        free = 0 if self._draining else self._slots.free
        if free and self._own != set():
            settings = self._settings
            runs = await self._store.claim(self._owner, limit=free, lease_s=settings.lease_s, only=self._own)
            for run in runs:
                self._start(nursery, run)
            if len(runs) == free:
                self.wake()
        with trio.move_on_after(self._settings.poll_s):
            await self._wake_up.wait()

    def _start(self, nursery: trio.Nursery, run: Run) -> None:
        if (old := self._active.get(run.id)) is not None:
            # Our own lease ran out while this process was stopped. The newest claim waits in the Store for its own lease to run out,
            # so that one run is never executed twice at once.
            old.abandon("its lease ran out and was claimed anew")
            return
        task = ChildTask(self._machine, run, slots=self._slots, children=self._children, on_dirty=self._note_dirty)
        self._active[run.id] = task
        if self._draining:
            task.release()
            self._moving.discard(run.id)
        nursery.start_soon(self._execute, task)

    async def _execute(self, task: ChildTask) -> None:
        try:
            await task.execute()
        finally:
            del self._active[task.run.id]
            if self._own is not None and task.run.state in TERMINAL:
                self._own.discard(task.run.id)  # one that was given up is claimed again when its lease has run out
            self._tell_ended(task.run.id)
            self.wake()

    def _tell_ended(self, run_id: str) -> None:
        if (waited_for := self._ends.pop(run_id, None)) is not None:
            waited_for.set()
        self._changed.set()
        self._changed = trio.Event()

    async def _renew(self) -> None:
        """Renew all leases in one call, and stop what is no longer ours or shall end."""
        await self._clock.sleep(self._settings.heartbeat_s)
        if not self._active:
            return
        leases = [task.run.lease for task in self._active.values()]
        beat = await self._store.heartbeat(self._owner, leases, lease_s=self._settings.lease_s)
        for run_id in beat.lost:
            # A run that has just ended has no lease either; its task is about to learn that.
            if (task := self._active.get(run_id)) is not None and task.is_walking:
                task.abandon("its lease is lost: another server owns it")
        for run_id in beat.cancelled:
            if (task := self._active.get(run_id)) is not None:
                task.cancel()

    def _note_dirty(self, journal: Journal) -> None:
        self._dirty[journal] = None
        self._is_dirty.set()

    async def _flush(self) -> None:
        """Write waiting notes of all runs, together, so that people can follow them."""
        await self._is_dirty.wait()
        await self._clock.sleep(self._settings.flush_s)
        self._is_dirty = trio.Event()
        journals, self._dirty = self._dirty, {}
        async with trio.open_nursery() as nursery:
            for journal in journals:
                if not journal.is_empty:
                    nursery.start_soon(journal.flush)
