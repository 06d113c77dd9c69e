"""Who is told what happens in runs, as it happens.

Owns the `Observer` protocol and the telling. Observers see redacted values, after they were handed to the journal and not
necessarily after they are durable. The command line's live tree, log lines and metrics are observers.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.run import LogLine, Run, StepResult

_log = logging.getLogger("ipaas.engine")


class Observer(Protocol):
    """Told synchronously, in the runner's thread: it must be quick, never block, and not change what it is given."""

    def run_changed(self, run: Run) -> None:
        """A run began (`running`) or ended; also one that was `skipped` at its start."""
        ...

    def step_changed(self, run: Run, result: StepResult) -> None:
        """A step, an item or a block began, begins another attempt, or ended."""
        ...

    def line_logged(self, run: Run, line: LogLine) -> None:
        """A step or the engine wrote a line about the run."""
        ...


class Observers:
    """Several observers, told one by one; one that raises is logged and costs nothing else."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def run_changed(self, run: Run) -> None:
        """Tell all."""
        for observer in self._observers:
            try:
                observer.run_changed(run)
            except Exception as error:  # noqa: BLE001  # whatever an observer raises, the run goes on
                self._complain(observer, run, error)

    def step_changed(self, run: Run, result: StepResult) -> None:
        """Tell all."""
        for observer in self._observers:
            try:
                observer.step_changed(run, result)
            except Exception as error:  # noqa: BLE001  # whatever an observer raises, the run goes on
                self._complain(observer, run, error)

    def line_logged(self, run: Run, line: LogLine) -> None:
        """Tell all."""
        for observer in self._observers:
            try:
                observer.line_logged(run, line)
            except Exception as error:  # noqa: BLE001  # whatever an observer raises, the run goes on
                self._complain(observer, run, error)

    def _complain(self, observer: Observer, run: Run, error: Exception) -> None:
        facts = {"run": run.id, "observer": type(observer).__name__}
        _log.error("an observer failed", exc_info=error, extra={"facts": facts})
