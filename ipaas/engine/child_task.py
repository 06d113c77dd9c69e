"""One run in this process: from its claim to its end.

Owns the order: start write → read what is needed → interpreter inside the cancel scope → trap outside of it → finish write. Knows trio, the Store's
contract and the interpreter. The runner's nursery holds one for each run, and stops it through `cancel` and `abandon`.

    claimed ── start ──► skipped, cancelled                  (nothing was executed)
                 └─────► running ── interpret ──► finish     succeeded, failed, timed_out, interrupted
                                      │ cancel ─► finish     cancelled
                                      │ drain ──► release    queued again: the next server goes on from the journal
                                      └ lost ───► (nothing)  another server owns the run

Nothing that happens in here comes out as an exception: a run pays for its own failure.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from ipaas.engine.backoff import backoff_delay_s
from ipaas.engine.interpreter import interpret
from ipaas.engine.journal import Journal
from ipaas.engine.limits import Seat
from ipaas.engine.live_host import LiveHost
from ipaas.engine.log_lines import redact_error
from ipaas.engine.trap import describe_exception
from ipaas.errors import FenceLost, Missing, ProblemsFound, StoreUnavailable
from ipaas.model import Retry
from ipaas.run import Outcome, RunError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ipaas.engine.child_runs import ChildRuns
    from ipaas.engine.limits import Slots
    from ipaas.engine.machine import Machine
    from ipaas.model import Place
    from ipaas.run import Run, RunRequest, StepResult

T = TypeVar("T")

STORE_AWAY = Retry(max_attempts=1, delay_s=0.1, max_delay_s=2.0, jitter=False)
"""How the waits grow while the Store is away; how long is decided by a deadline."""

_log = logging.getLogger("ipaas.engine")


class ChildTask:
    """One run. Made when it is claimed, with its place taken; `execute` is called once, by a task of the runner's nursery.

    Args:
        run: as `claim` answered.
        on_dirty: puts the run's journal on the list of those to flush.

    Attributes:
        is_walking: whether it is between its start and its end, so that it has a lease to lose.
        awaited: the child runs that its branches wait for, with how many do.
    """

    def __init__(
        self, machine: Machine, run: Run, *, slots: Slots, children: ChildRuns, on_dirty: Callable[[Journal], None]
    ) -> None:
        self.run = run
        self.seat = Seat(slots)
        self.is_walking = False
        self.awaited: dict[str, int] = {}
        self._machine = machine
        self._children = children
        self._lease = run.lease
        self._stopped = ""
        self._released = False
        self._outer = trio.CancelScope(shield=True)
        self.journal = Journal(
            machine.store,
            self._lease,
            machine.clock,
            patience_s=machine.settings.lease_s,
            on_dirty=on_dirty,
            on_lost=self.abandon,
        )
        self._earlier: dict[str, StepResult] = {}
        self.host = LiveHost(
            machine,
            run,
            self.journal,
            earlier=self._earlier,
            run_child=lambda call: children.run(self, call),
        )

    # ---- called by the runner ----

    def cancel(self) -> None:
        """End the run: its steps now, its cleanup within its time."""
        self.host.cancel()

    def abandon(self, reason: str) -> None:
        """Stop without writing anything: the run has another owner, or nobody can be told."""
        if not self._stopped:
            self._stopped = reason
            _log.warning("a run is given up here: %s", reason, extra={"facts": self._facts()})
        self.host.abandon()

    def release(self) -> None:
        """Stop, and give the run back to the queue: the server stops, the run does not end."""
        self._stopped = self._stopped or "the server stops"
        self._released = True
        self.host.abandon()

    async def disown(self) -> None:
        """Give the run back although a connector keeps its step from ending. The process must end next, and the step with it."""
        _log.error(
            "a step does not let itself be ended: its run is given back without it", extra={"facts": self._facts()}
        )
        await self._give_back()

    def kill(self) -> None:
        """Stop at once, whatever is under way, and write nothing: the runner itself is cancelled."""
        self._stopped = self._stopped or "the runner was cancelled"
        self._released = False
        self.host.abandon()
        self._outer.cancel()

    @contextmanager
    def waiting_for(self, child: str) -> Iterator[None]:
        """Note that a branch of the run waits for a child."""
        self.awaited[child] = self.awaited.get(child, 0) + 1
        try:
            yield
        finally:
            self.awaited[child] -= 1
            if not self.awaited[child]:
                del self.awaited[child]

    # ---- called by the runner's nursery ----

    async def execute(self) -> None:
        """Execute the run to its end. Raises nothing of the run's; a cancel from outside does not reach it, `kill` does."""
        try:
            with self._outer:
                await (self._give_back() if self._released else self._execute())
        except* Exception as faults:  # noqa: BLE001  # a run pays for its own failure, and its neighbours never
            _log.exception("a run could not be ended", exc_info=faults, extra={"facts": self._facts()})
        finally:
            self.seat.give()

    async def _execute(self) -> None:
        started = await self._patiently(lambda: self._machine.store.start(self._lease), "started")
        if started is None:
            return
        self.run = self.host.run = started
        self._machine.observers.run_changed(started)
        if started.state != "running":
            return
        outcome = await self._interpret()
        if not self._stopped:
            await self._finish(self._redact(outcome))
        elif self._released:
            await self._give_back()

    async def _interpret(self) -> Outcome:
        """Walk the workflow inside the run's cancel scope; the trap stands outside, where failing cleanup is caught too."""
        outcome: Outcome | None = None
        self.is_walking = True
        try:
            with self.host.scope:
                outcome = await self._walk()
        except* BaseException as faults:  # noqa: BLE001  # whatever comes out of a run ends here
            _log.exception("a run failed by a fault of ipaas", exc_info=faults, extra={"facts": self._facts()})
            outcome = _blame_ourselves(faults)
        self.is_walking = False
        if outcome is None or (outcome.state == "failed" and self.host.scope.cancelled_caught):
            return Outcome(state="cancelled")
        return outcome

    async def _walk(self) -> Outcome:
        """Read what the walk needs and walk. A Store that stays away gives the run up: nothing says that it failed."""
        machine, run = self._machine, self.run
        if run.fence > 1:  # somebody had it before
            results = await self._patiently(lambda: machine.store.list_steps(run.tenant, run.id), "read")
            if results is None:
                return _STOPPED
            self._earlier.update({result.path: result for result in results})
        try:
            workflow = await self._patiently(
                lambda: machine.workflows.get(run.tenant, run.workflow, run.version), "compiled"
            )
        except ProblemsFound as error:
            first = error.problems[0]
            return _refuse(f"the workflow does not pass the checks any more: {first.message}", place=first.place)
        except Missing as error:
            return _refuse(error.message)
        if workflow is None:
            return _STOPPED
        return await interpret(
            workflow,
            run,
            self.host,
            env=machine.settings.env,
            variables=machine.settings.vars,
            action_timeout_s=machine.settings.action_timeout_s,
            cleanup_s=machine.settings.cleanup_s,
        )

    async def _finish(self, outcome: Outcome) -> None:
        """Write the end and what follows from it."""
        machine = self._machine

        async def write() -> Run:
            await self.journal.write_rest()
            followers = await self._list_followers(outcome)
            return await machine.store.finish(self._lease, outcome, followers)

        try:
            ended = await self._patiently(write, "finished")
        except Exception as error:  # noqa: BLE001  # what cannot be written must not leave the run `running`
            _log.exception("the end of a run could not be written", exc_info=error, extra={"facts": self._facts()})
            failure = _blame_ourselves(error)
            ended = await self._patiently(lambda: machine.store.finish(self._lease, failure), "finished")
        if ended is not None:
            self.run = ended
            machine.observers.run_changed(ended)

    async def _list_followers(self, outcome: Outcome) -> list[RunRequest]:
        try:
            return await self._machine.workflows.list_followers(self.run.tenant, self.run, outcome)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # another workflow's fault is not this run's
            _log.exception("runs that follow could not be found", exc_info=error, extra={"facts": self._facts()})
            return []

    async def _give_back(self) -> None:
        """Write what is known and put the run back into the queue."""

        async def write() -> None:
            await self.journal.write_rest()
            await self._machine.store.release(self._lease)

        await self._patiently(write, "released")

    async def _patiently(self, call: Callable[[], Awaitable[T]], what: str) -> T | None:
        """Ask the Store again while it is away, for `finish_s` seconds. None: it stayed away, or the lease is void; then the run is
        somebody else's, now or when its lease runs out."""
        clock = self._machine.clock
        give_up_at = clock.monotonic() + self._machine.settings.finish_s
        failures = 0
        while True:
            try:
                return await call()
            except FenceLost as error:
                self.abandon(error.message)
                return None
            except StoreUnavailable as error:
                failures += 1
                if clock.monotonic() >= give_up_at:
                    self.abandon(f"it could not be {what}, the Store is away: {error.message}")
                    return None
                await clock.sleep(backoff_delay_s(STORE_AWAY, failures))

    def _redact(self, outcome: Outcome) -> Outcome:
        redact = self._machine.redact
        outputs = None if outcome.outputs is None else redact(outcome.outputs)
        error = None if outcome.error is None else redact_error(outcome.error, redact)
        assert outputs is None or isinstance(outputs, dict)
        return Outcome(state=outcome.state, outputs=outputs, error=error, reason=outcome.reason)

    def _facts(self) -> dict[str, object]:
        return {"tenant": self.run.tenant, "workflow": self.run.workflow, "run": self.run.id}


_STOPPED: Final = Outcome(state="interrupted")
"""Stands for no outcome: the run was given up, and nothing is written."""


def _refuse(message: str, *, place: Place | None = None) -> Outcome:
    """Return the end of a run that cannot be walked."""
    hint = "sync a version that passes `ipaas validate`, and start a new run"
    return Outcome(state="failed", error=RunError(type="validation", message=message, place=place, hint=hint))


def _blame_ourselves(fault: BaseException) -> Outcome:
    """Return the end of a run that ipaas failed."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    message = f"ipaas itself failed: {describe_exception(fault)}"
    hint = "the server's log has the traceback; please report it"
    return Outcome(state="failed", error=RunError(type="connector_bug", message=message, hint=hint))
