from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from ipaas.engine.system_clock import SystemClock
from ipaas.testing import VirtualClock

if TYPE_CHECKING:
    from ipaas.clock import Clock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_virtual_wall_time_follows_trio(autojump_clock: MockClock) -> None:
    """A sleep moves the wall clock and the monotonic clock by its length."""
    clock: Clock = VirtualClock(START)
    assert clock.now() == START
    began = clock.monotonic()
    await clock.sleep(90)
    assert clock.now() == START + timedelta(seconds=90)
    assert clock.monotonic() - began == 90


async def test_virtual_clock_made_outside_counts_from_its_first_use(autojump_clock: MockClock) -> None:
    """A clock that a fixture made begins with the first call inside trio, also when that is a sleep."""
    await trio.sleep(100)
    clock = await trio.to_thread.run_sync(VirtualClock, START)
    await clock.sleep(90)
    assert clock.now() == START + timedelta(seconds=90)


async def test_virtual_sleep_until_reaches_the_instant(autojump_clock: MockClock) -> None:
    """Waiting for an instant a year ahead ends exactly there."""
    clock = VirtualClock(START)
    when = START + timedelta(days=365, microseconds=1)
    await clock.sleep_until(when)
    assert clock.now() == when


async def test_virtual_sleep_until_the_past_is_one_checkpoint(autojump_clock: MockClock) -> None:
    """An instant that has passed is not waited for."""
    clock = VirtualClock(START)
    await clock.sleep_until(START - timedelta(days=1))
    assert clock.now() == START


async def test_virtual_jump_forward_ends_a_wait(autojump_clock: MockClock) -> None:
    """A wall clock set past the instant ends the wait without any elapsed time."""
    clock = VirtualClock(START)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.sleep_until, START + timedelta(hours=1))
        await wait_all_tasks_blocked()
        clock.jump(7200)
    assert clock.monotonic() == 0
    assert clock.now() == START + timedelta(hours=2)


async def test_virtual_jump_back_lengthens_a_wait(autojump_clock: MockClock) -> None:
    """A wall clock set back makes the wait longer in elapsed time, and the instant is still met."""
    clock = VirtualClock(START)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.sleep_until, START + timedelta(hours=1))
        await wait_all_tasks_blocked()
        clock.jump(-1800)
    assert clock.monotonic() == 5400
    assert clock.now() == START + timedelta(hours=1)


def test_virtual_time_stands_still_outside_trio() -> None:
    """Plain code outside trio can read the clock, and `jump` moves what it reads."""
    clock = VirtualClock(START)
    clock.jump(60)
    assert clock.now() == START + timedelta(seconds=60)
    assert clock.monotonic() == 0


class SetSystemClock(SystemClock):
    """The system's clock with a wall time that a test may set."""

    offset = timedelta(0)

    def now(self) -> datetime:
        return START + timedelta(seconds=trio.current_time()) + self.offset


async def test_system_sleep_until_notices_a_clock_set_forward(autojump_clock: MockClock) -> None:
    """A wall clock set forward during a long wait ends it within five seconds."""
    clock = SetSystemClock()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.sleep_until, START + timedelta(days=1))
        await trio.sleep(1)
        clock.offset = timedelta(days=2)
    assert trio.current_time() == 5


async def test_system_sleep_until_notices_a_clock_set_back(autojump_clock: MockClock) -> None:
    """A wall clock set back during a wait never ends it early."""
    clock = SetSystemClock()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.sleep_until, START + timedelta(seconds=8))
        await trio.sleep(1)
        clock.offset = -timedelta(minutes=1)
    assert trio.current_time() == 68


async def test_system_clock_is_aware_and_in_utc(autojump_clock: MockClock) -> None:
    """The system's wall time is an aware datetime in UTC, and its monotonic clock does not go back."""
    clock: Clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)
    await clock.sleep_until(clock.now() - timedelta(seconds=1))
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() >= before
