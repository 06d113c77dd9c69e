"""Shared readings of the Store's revision."""

from typing import Any

import pytest
import trio
import trio.testing

from ipaas.engine.revisions import Revisions
from ipaas.errors import StoreUnavailable
from ipaas.testing.wrapped_store import WrappedStore


class Slow(WrappedStore):
    """Answers with a number that rises, taken as the reading begins, and waits to be let go."""

    def __init__(self) -> None:
        super().__init__(None)
        self.revision = 0
        self.readings = 0
        self.gate = trio.Event()
        self.fails = False

    async def get_revision(self, tenant: str) -> int:
        self.readings += 1
        answer = self.revision
        await self.gate.wait()
        if self.fails:
            self.fails = False
            raise StoreUnavailable("away")
        return answer


async def test_many_who_ask_at_once_share_two_readings() -> None:
    """The first has its own; the ninety-nine who came while it was under way share the next, which sees what changed meanwhile."""
    store: Any = Slow()
    revisions = Revisions(store)
    answers: list[int] = []

    async def ask() -> None:
        answers.append(await revisions.read("default"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        store.revision = 1
        for _ in range(99):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        store.gate.set()
    assert store.readings == 2
    assert sorted(answers) == [0] + [1] * 99


async def test_a_failed_reading_is_made_anew_by_the_next() -> None:
    """Only the one who read hears of the failure."""
    store: Any = Slow()
    store.fails = True
    store.gate.set()
    revisions = Revisions(store)
    with pytest.raises(StoreUnavailable):
        await revisions.read("default")
    assert await revisions.read("default") == 0


async def test_tenants_do_not_wait_for_each_other() -> None:
    """Each has readings of its own."""
    store: Any = Slow()
    revisions = Revisions(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(revisions.read, "one")
        nursery.start_soon(revisions.read, "two")
        await trio.testing.wait_all_tasks_blocked()
        assert store.readings == 2
        store.gate.set()
