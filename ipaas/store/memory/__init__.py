"""A whole Store in memory: for `ipaas run` without a database, and for tests.

Owns `MemoryStore`, made of one module a noun. It keeps every guarantee of the contract, durability for the life of the object: each
method is one checkpoint, where a cancel may arrive before anything is done, and then one step that never waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipaas.store.memory.leases import MemoryLeases
from ipaas.store.memory.rows import Rows
from ipaas.store.memory.runs import MemoryRuns
from ipaas.store.memory.ticks import MemoryTicks
from ipaas.store.memory.workflows import MemoryWorkflows

if TYPE_CHECKING:
    from ipaas.clock import Clock
    from ipaas.store.contract import Store


class MemoryStore(MemoryWorkflows, MemoryRuns, MemoryLeases, MemoryTicks):
    """The Store as dictionaries. Any task of one trio run may call it; not for several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows = Rows()


if TYPE_CHECKING:

    def _keeps_the_contract(store: MemoryStore) -> Store:
        return store


__all__ = ["MemoryStore"]
