import contextlib
import os
import signal
import subprocess
import sys

from ipaas.server.signals import ECHO_S, catch_stop_signals

TWICE = """
import signal, sys, trio
from ipaas.server.signals import catch_stop_signals
times = iter([100.0, float(sys.argv[1])])
async def main():
    with catch_stop_signals(lambda: next(times)) as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        await stop.wait()
trio.run(main)
"""


def run_twice(second_at: float) -> int:
    """Return the exit code of a process that gets SIGTERM at 100 s of its clock and again at another time."""
    done = subprocess.run([sys.executable, "-c", TWICE, str(second_at)], capture_output=True, timeout=60, check=False)
    return done.returncode


def test_the_same_signal_twice_at_once_is_one_wish() -> None:
    """A parent that signals the process and its group asks once: the process stops gracefully."""
    assert run_twice(100.0 + ECHO_S / 2) == 0


def test_the_same_signal_again_later_insists() -> None:
    """A second signal after the echo ends the process at once, with 128 + its number."""
    assert run_twice(100.0 + ECHO_S) == 128 + signal.SIGTERM


def test_a_stalled_standard_error_does_not_hold_up_the_second_signal() -> None:
    """With a full pipe that nobody reads as standard error the process ends all the same."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
        command = [sys.executable, "-c", TWICE, str(100.0 + ECHO_S)]
        assert subprocess.run(command, stderr=writer, timeout=60, check=False).returncode == 128 + signal.SIGTERM
    finally:
        os.close(reader)
        os.close(writer)


async def test_handlers_are_put_back() -> None:
    """After the block the process reacts to signals as before."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with catch_stop_signals():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
