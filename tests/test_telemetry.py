import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ipaas.controls import escape_controls
from ipaas.model import Place
from ipaas.run import LogLine, Run, RunError, TriggerInfo
from ipaas.telemetry import JsonFormat, RunLog, TextFormat, ThreadedSink, start_logging
from ipaas.vault import MARK, Redactor

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = Run(
    id="r1",
    tenant="default",
    workflow="w",
    version="v",
    state="running",
    trigger=TriggerInfo(),
    inputs={},
    created_at=START,
)


def make_record(message: str, facts: dict[str, object] | None = None, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("ipaas.test", logging.INFO, __file__, 1, message, None, None)
    record.created = START.timestamp()
    if facts is not None:
        record.facts = facts
    return record


@pytest.fixture
def _quiet_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    ours = logging.getLogger("ipaas").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("ipaas").setLevel(ours)
    logging.raiseExceptions = raising


def test_json_line_has_fixed_names_first() -> None:
    """A JSON line has time, level, logger and message, then the facts, which cannot replace them."""
    line = JsonFormat(str).format(make_record("hello", {"run": "r1", "level": "forged", "empty": ""}))
    assert json.loads(line) == {
        "at": "2026-03-01T12:00:00.000+00:00",
        "level": "info",
        "logger": "ipaas.test",
        "message": "hello",
        "run": "r1",
    }


@pytest.mark.parametrize("formatter", [JsonFormat(str), TextFormat(str, colour=False)], ids=["json", "text"])
def test_control_characters_cannot_forge_a_line(formatter: logging.Formatter) -> None:
    """Line ends, escape sequences, direction marks and lone surrogates leave written out."""
    hostile = "a\nb\r\x1b[31mc\u202ed\u2028e\udc80f\x9bg"
    line = formatter.format(make_record(hostile, {"fact": hostile}))
    assert escape_controls(line) == line
    line.encode("utf-8")


@pytest.mark.parametrize("make", [JsonFormat, lambda redact: TextFormat(redact, colour=False)], ids=["json", "text"])
def test_secret_leaves_no_line(make) -> None:  # type: ignore[no-untyped-def]  # a class or a lambda
    """A secret with control characters and quotes is taken out of message, facts and traceback."""
    secret = 'hun"ter\x1b2'
    formatter = make(Redactor([secret]).text)
    record = make_record(f"got {secret}", {"nested": {"x": [secret]}, "flat": f"{secret}!"})
    error = ValueError(secret)
    record.exc_info = (ValueError, error, None)
    line = formatter.format(record)
    assert line.count(MARK) >= 4
    assert "hun" not in line


def test_telling_fact_names_are_hidden() -> None:
    """A fact named `password` is hidden although nobody registered its value."""
    assert json.loads(JsonFormat(str).format(make_record("x", {"password": "p"})))["password"] == MARK


def test_text_line_is_aligned_and_quotes_what_has_blanks() -> None:
    """A text line is time, level, message and `key=value` facts."""
    line = TextFormat(str, colour=False).format(make_record("run started", {"workflow": "w", "error": "no such file"}))
    assert line[8:] == ' info    run started  workflow=w error="no such file"'


def test_blocked_sink_costs_lines_and_nothing_else() -> None:
    """A pipe that nobody reads never holds up the writer; what is dropped is counted and told when it is read again."""
    read_end, write_end = os.pipe()
    stream = os.fdopen(write_end, "w", encoding="utf-8")
    sink = ThreadedSink(stream, capacity=10)
    record = make_record("x" * 70_000)  # more than a pipe's buffer: the second write blocks at the latest
    for _ in range(50):
        sink.emit(record)
    assert sink.dropped >= 30
    with os.fdopen(read_end, encoding="utf-8") as pipe:
        first = [pipe.readline() for _ in range(3)]  # three lines came out, so there is room in the queue
        sink.emit(make_record("after"))
        rest: list[str] = []
        reader = threading.Thread(target=lambda: rest.extend(pipe))
        reader.start()
        sink.close()
        stream.close()
        reader.join()
    lines = [line.rstrip() for line in first + rest]
    assert f"{sink.dropped} log lines were dropped: standard error does not take them fast enough" in lines
    assert lines[-1].endswith("after")


def test_failing_sink_stops_nothing() -> None:
    """A stream that raises is given up; later lines vanish without an error."""

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    sink = ThreadedSink(Broken())
    for _ in range(3):
        sink.emit(make_record("x"))
    sink.close()
    assert sink.dropped == 0


def test_line_that_cannot_be_formatted_is_told() -> None:
    """A record with the wrong number of arguments becomes a line that says so."""
    stream = io.StringIO()
    sink = ThreadedSink(stream)
    record = make_record("%s %s")
    record.args = (1,)
    sink.emit(record)
    sink.close()
    assert stream.getvalue() == "a log line of `ipaas.test` could not be formatted: TypeError\n"


@pytest.mark.usefixtures("_quiet_root")
def test_run_log_tells_start_and_end() -> None:
    """A run's start and end are one line each, with the error that ended it; queued is silent."""
    stream = io.StringIO()
    sink = start_logging(stream, format="json", level="info")
    log = RunLog()
    log.run_changed(replace(RUN, state="queued"))
    log.run_changed(replace(RUN, started_at=START))
    error = RunError(type="timeout", message="took over 10 s", step="tell[3]", attempt=2, place=Place("a.yaml", 3, 5))
    done = replace(RUN, state="timed_out", started_at=START, finished_at=START + timedelta(seconds=1.5), error=error)
    log.run_changed(done)
    log.line_logged(RUN, LogLine(at=START, level="warning", message="odd", step="tell"))
    sink.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [{key: value for key, value in line.items() if key != "at"} for line in lines] == [
        {
            "level": "info",
            "logger": "ipaas.runs",
            "message": "run started",
            "workflow": "w",
            "run": "r1",
            "trigger": "manual",
        },
        {
            "level": "warning",
            "logger": "ipaas.runs",
            "message": "run timed out",
            "workflow": "w",
            "run": "r1",
            "trigger": "manual",
            "seconds": 1.5,
            "step": "tell[3]",
            "attempt": 2,
            "type": "timeout",
            "error": "took over 10 s",
            "place": "a.yaml:3:5",
        },
        {"level": "warning", "logger": "ipaas.runs", "message": "odd", "workflow": "w", "run": "r1", "step": "tell"},
    ]


@pytest.mark.usefixtures("_quiet_root")
def test_libraries_are_heard_from_warning_on() -> None:
    """At level debug our own lines are written, a library's chatter is not."""
    stream = io.StringIO()
    sink = start_logging(stream, format="json", level="debug")
    logging.getLogger("ipaas.engine").debug("ours")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("trouble")
    sink.close()
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["ours", "trouble"]
