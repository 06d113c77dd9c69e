from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ipaas.store import open_store
from ipaas.testing.store_conformance import StoreConformance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ipaas.clock import Clock
    from ipaas.store.contract import Store


class TestMemory(StoreConformance):
    """The Store in memory keeps every guarantee; its one handle is both handles."""

    __test__ = True

    @asynccontextmanager
    async def open_stores(self, folder: Path, clock: Clock) -> AsyncIterator[tuple[Store, Store]]:
        async with open_store("memory:", clock) as store:
            yield store, store
