"""Places for runs: a run that waits for a child gives its place back and takes one again."""

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from ipaas.engine.limits import Seat, Slots


async def test_free_counts_what_may_be_claimed() -> None:
    """Held places and those that somebody waits for are not free."""
    slots = Slots(2)
    seat = Seat(slots)
    assert slots.free == 1
    seat.give()
    assert slots.free == 2


async def test_a_seat_is_given_back_once() -> None:
    """Giving back what is not held changes nothing."""
    slots = Slots(1)
    seat = Seat(slots)
    seat.give()
    seat.give()
    assert (slots.free, slots.held) == (1, 0)


async def test_a_returning_run_comes_before_those_in_the_store(autojump_clock: MockClock) -> None:
    """While somebody waits to return, no place is free for a claim; the next one given is theirs."""
    slots = Slots(1)
    parent = Seat(slots)
    child_ended, returned = trio.Event(), trio.Event()

    async def wait_for_child() -> None:
        async with parent.left():
            await child_ended.wait()
        returned.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_child)
        await trio.testing.wait_all_tasks_blocked()
        child, other = Seat(slots), None
        assert (slots.free, other) == (0, None)
        child_ended.set()
        await trio.testing.wait_all_tasks_blocked()
        assert not returned.is_set()
        child.give()
        assert slots.free == 0
        await returned.wait()
    assert slots.held == 1


async def test_a_run_with_several_waiting_branches_leaves_one_place() -> None:
    """The place is left with the first branch that waits, and taken with the last that comes back."""
    slots = Slots(1)
    seat = Seat(slots)
    first, second = trio.Event(), trio.Event()

    async def branch(ended: trio.Event) -> None:
        async with seat.left():
            await ended.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(branch, first)
        nursery.start_soon(branch, second)
        await trio.testing.wait_all_tasks_blocked()
        assert slots.free == 1
        first.set()
        await trio.testing.wait_all_tasks_blocked()
        assert slots.free == 1
        second.set()
    assert (slots.free, seat.is_held) == (0, True)


async def test_a_cancelled_return_still_holds_a_place() -> None:
    """The run must clean up now, and its place is counted, although that is one more than the limit."""
    slots = Slots(1)
    seat = Seat(slots)
    with trio.CancelScope() as scope:
        async with seat.left():
            Seat(slots)
            scope.cancel()
    assert (slots.held, seat.is_held, slots.free) == (2, True, 0)


@given(
    limit=st.integers(1, 3),
    delays=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=12),
)
def test_places_are_never_lost_and_never_locked(limit: int, delays: list[tuple[int, int, int]]) -> None:
    """A law: whatever runs do before, while and after they wait, all of them end and all places are free again."""
    slots = Slots(limit)

    async def one(seat: Seat, before: int, away: int, after: int) -> None:
        await trio.sleep(before)
        async with seat.left():
            await trio.sleep(away)
        await trio.sleep(after)
        seat.give()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for delay in delays:
                while not slots.free:  # noqa: ASYNC110  # a claim loop looks again; nothing tells it
                    await trio.sleep(0.5)
                nursery.start_soon(one, Seat(slots), *delay)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert (slots.held, slots.free) == (0, limit)
