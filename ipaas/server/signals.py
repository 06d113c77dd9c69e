"""SIGTERM and Ctrl-C: the first asks, the second insists.

Owns the process's handlers for both while a server runs. Called by `ipaas.app`, from the main thread.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_SECOND: Final = b"stopped at once on the second signal; unfinished runs are recovered at the next start\n"


ECHO_S: Final = 0.2
"""The same signal again within this time is the same wish: `timeout`, `make` and other parents send theirs to the process and to its
group, so that one wish arrives twice within a millisecond."""


@contextmanager
def catch_stop_signals(monotonic: Callable[[], float] = time.monotonic) -> Iterator[trio.Event]:
    """Yield an event that the first signal sets. The second ends the process there and then, with 128 + its number.

    The second needs no event loop, so it also ends a process whose loop a connector holds. What is durable is durable: the
    process owes nothing to anyone that a kill -9 would not owe as well.
    """
    stop = trio.Event()
    token = trio.lowlevel.current_trio_token()
    asked: tuple[int, float] | None = None

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked is not None:
            if asked[0] == number and monotonic() - asked[1] < ECHO_S:
                return
            try:
                if select.select((), (2,), (), 0)[1]:  # a pipe that nobody empties must not hold up the end
                    os.write(2, _SECOND)
            finally:
                os._exit(128 + number)
        asked = (number, monotonic())
        token.run_sync_soon(stop.set, idempotent=True)

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
