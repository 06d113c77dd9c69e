"""What the program tells whoever watches it: log lines on standard error.

Owns the two formats (JSON lines for machines, text for a terminal), the sink that never holds up a run, and `RunLog`, the observer
that writes a line when a run begins and ends. Knows words, and the vault's names of secrets. `ipaas.app` and the command line switch it on; every room writes
through `logging.getLogger("ipaas.<room>")`, with facts in `extra={"facts": {...}}`.

The sink is a thread behind a bounded queue: a terminal that is stopped, a pipe that nobody reads or a full disk costs log
lines, which are counted and reported, and never a moment of a run.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Final

from ipaas.controls import escape_controls
from ipaas.run import TERMINAL
from ipaas.vault import hide_by_key

if TYPE_CHECKING:
    from ipaas.run import LogLine, Run, StepResult

QUEUE_LINES: Final = 10_000
"""Lines that wait for a slow sink before they are dropped: about 2 MB, some seconds of a busy server."""

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_COLOURS: Final = {"debug": "2", "info": "36", "warning": "33", "error": "31", "critical": "31;1"}


class JsonFormat(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `message`, then the facts, then `exception`."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {key: value for key, value in _facts(record).items() if key not in entry}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        # ASCII output: every control character and lone surrogate leaves as an escape.
        return self._redact(json.dumps(entry, default=str))


class TextFormat(logging.Formatter):
    """One line for a person: local time, level, message, facts; a traceback follows on its own lines."""

    def __init__(self, redact: Callable[[str], str], *, colour: bool) -> None:
        super().__init__()
        self._redact = redact
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        level = record.levelname.lower()
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        facts = " ".join(f"{key}={_show(value)}" for key, value in _facts(record).items())
        message = escape_controls(self._redact(record.getMessage()))
        line = f"{self._paint('2', time)} {self._paint(_COLOURS.get(level, '0'), f'{level:<7}')} {message}"
        if facts:
            line += "  " + self._paint("2", escape_controls(self._redact(facts)))
        if record.exc_info:
            trace = self._redact(self.formatException(record.exc_info))
            line += "".join(f"\n    {escape_controls(row)}" for row in trace.splitlines())
        return line

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


class ThreadedSink(logging.Handler):
    """Writes lines from its own daemon thread. `emit` never waits and never raises; `close` waits at most a second.

    Args:
        stream: where lines go; a write that fails ends the writing, nothing else.
        capacity: lines that may wait.
    """

    def __init__(self, stream: IO[str], *, capacity: int = QUEUE_LINES) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(capacity)
        self.dropped = 0
        self._thread = threading.Thread(target=self._write, name="ipaas-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Put the line into the queue, or count it as dropped."""
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001  # a record that cannot be written must not end what it tells about
            line = f"a log line of `{record.name}` could not be formatted: {type(error).__name__}"
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, for at most a second."""
        super().close()
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return  # the sink is stuck: waiting for it is what this class exists to avoid
        self._thread.join(timeout=1.0)

    def _write(self) -> None:
        told = 0
        while (line := self._lines.get()) is not None:
            dropped = self.dropped
            if dropped > told:
                line += f"\n{dropped - told} log lines were dropped: standard error does not take them fast enough"
                told = dropped
            try:
                self._stream.write(line + "\n")
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                # A closed pipe, a full disk, a closed stream: there is nowhere left to say so.
                while self._lines.get() is not None:
                    pass
                return


class LineLog:
    """An observer of the engine that logs what steps log. Called by the runner, one call at a time."""

    def __init__(self) -> None:
        self._log = logging.getLogger("ipaas.runs")

    def run_changed(self, run: Run) -> None:
        """Say nothing."""

    def step_changed(self, run: Run, result: StepResult) -> None:
        """Say nothing."""

    def line_logged(self, run: Run, line: LogLine) -> None:
        """Write what a step logged, under its own level."""
        facts = {"workflow": run.workflow, "run": run.id, "step": line.step, **line.fields}
        self._log.log(_LEVELS[line.level], "%s", line.message, extra={"facts": facts})


class RunLog(LineLog):
    """An observer of the engine that also logs when runs begin and end."""

    def run_changed(self, run: Run) -> None:
        """Write a line when a run began or ended."""
        facts: dict[str, object] = {
            "workflow": run.workflow,
            "run": run.id,
            "trigger": run.trigger.id or run.trigger.type,
        }
        if run.state == "running":
            self._log.info("run started", extra={"facts": facts})
        elif run.state in TERMINAL:
            if run.started_at is not None and run.finished_at is not None:
                facts["seconds"] = round((run.finished_at - run.started_at).total_seconds(), 3)
            if run.reason:
                facts["reason"] = run.reason
            if run.error is not None:
                facts |= {"step": run.error.step, "attempt": run.error.attempt, "type": run.error.type}
                facts |= {"error": run.error.message, "place": str(run.error.place or "")}
            level = logging.INFO if run.state in {"succeeded", "skipped"} else logging.WARNING
            self._log.log(level, "run %s", run.state.replace("_", " "), extra={"facts": facts})

    def step_changed(self, run: Run, result: StepResult) -> None:
        """Write a failed step at level debug: the run's own line tells the error that counts."""
        if result.status == "failed" and result.error is not None:
            facts = {"workflow": run.workflow, "run": run.id, "step": result.path, "error": result.error.message}
            self._log.debug("step failed", extra={"facts": facts})


def start_logging(
    stream: IO[str], *, format: str = "auto", level: str = "info", redact: Callable[[str], str] = lambda text: text
) -> ThreadedSink:
    """Send every log record of the process to the stream and return the sink; close it at the end.

    Args:
        stream: usually standard error.
        format: `json`, `text`, or `auto`: text on a terminal.
        level: lowest level of our own lines; libraries are heard from `warning` on.
        redact: takes secrets out of a finished line.
    """
    terminal = stream.isatty()
    sink = ThreadedSink(stream)
    as_text = format == "text" or (format == "auto" and terminal)
    sink.setFormatter(TextFormat(redact, colour=terminal) if as_text else JsonFormat(redact))
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        if isinstance(handler, ThreadedSink):
            handler.close()
    root.addHandler(sink)
    root.setLevel(max(logging.WARNING, _LEVELS[level]))
    logging.getLogger("ipaas").setLevel(_LEVELS[level])
    logging.raiseExceptions = False  # logging's own complaints would go to the same broken stream
    return sink


def _facts(record: logging.LogRecord) -> dict[str, object]:
    facts = getattr(record, "facts", None)
    if not isinstance(facts, Mapping):
        return {}
    return {key: value for key, value in hide_by_key(facts).items() if value not in ("", None)}


def _show(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if isinstance(value, str) and re.search(r"[\s\"=]", text) else text
