"""Real `ipaas` processes for tests: run one to its end, or start a server and wait for what it prints."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 60.0
"""A bound on waiting, far from what anything takes; a test that reaches it has failed."""


def make_environ(home: Path, more: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of a person who has set nothing."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("IPAAS_")}
    return environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(home / ".cache"), "COLUMNS": "100"} | (more or {})


def ipaas(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ipaas", *arguments],
        cwd=cwd,
        env=make_environ(cwd, env),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


class Server:
    """A process whose output is read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(stream,)) for stream in (process.stdout, process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def close(self) -> None:
        """Kill the process if it still runs, and read its output to the end."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()

    def wait_for(self, text: str) -> str:
        """Return the next line, of either stream, that has the text in it."""
        ends = 0
        while ends < 2:
            try:
                line = self._lines.get(timeout=PATIENCE_S)
            except queue.Empty:
                break
            if line is None:
                ends += 1
                continue
            self.seen.append(line)
            if text in line:
                return line
        raise AssertionError(f"`{text}` was not printed, but:\n" + "\n".join(self.seen))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(timeout=PATIENCE_S)


@contextmanager
def started(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> Iterator[Server]:
    """Start a command; it is killed at the end of the block if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ipaas", *arguments],
        cwd=cwd,
        env=make_environ(cwd, env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process)
    try:
        yield server
    finally:
        server.close()


def write_project(folder: Path, **pipelines: str) -> Path:
    """Write a project with these pipelines (name → text) and a connector `probe` that waits for a file; return its folder."""
    (folder / "pipelines").mkdir(parents=True, exist_ok=True)
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / "probe.py").write_text(PROBE, encoding="utf-8")
    for name, text in pipelines.items():
        (folder / "pipelines" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


PROBE = '''\
"""Probe: actions that a test holds up and counts through files."""

import threading
from pathlib import Path

import trio

from ipaas.plugin import Connector, Context, hookimpl

probe = Connector("probe")


@probe.action(effect="idempotent")
async def hold(ctx: Context, folder: str) -> str:
    """Write `began` beside `go`, and wait until `go` is there."""
    with (Path(folder) / "began").open("a") as file:
        file.write("x")
    ctx.log.info("holding")
    while not (Path(folder) / "go").exists():
        await trio.sleep(0.01)
    return "held"


@probe.action(effect="write")
async def pay(ctx: Context, folder: str) -> None:
    """Write the run's id into `paid`, and wait until `go` is there."""
    with (Path(folder) / "paid").open("a") as file:
        file.write(f"{ctx.run.run_id}\\n")
    ctx.log.info("paying")
    while not (Path(folder) / "go").exists():
        await trio.sleep(0.01)


@probe.action(effect="idempotent")
async def stuck(ctx: Context) -> None:
    """Hold the whole event loop: what no connector may do, and one will."""
    import time

    ctx.log.info("stuck")
    await trio.sleep(0.5)
    print("probe is stuck", flush=True)
    while True:
        time.sleep(0.01)


@probe.action(effect="write")
async def block(ctx: Context) -> None:
    """Call something that blocks, in a thread: no cancel reaches it."""
    ctx.log.info("blocking")
    await trio.to_thread.run_sync(threading.Event().wait)


@probe.action(effect="idempotent")
async def leak(ctx: Context) -> None:
    """Leave a thread behind that Python waits for as it exits, and text on standard output."""
    threading.Thread(target=threading.Event().wait).start()
    print("what a library prints")


@hookimpl
def ipaas_connectors() -> list[Connector]:
    """Return the connector."""
    return [probe]
'''
