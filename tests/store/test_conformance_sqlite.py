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


class TestSqlite(StoreConformance):
    """The Store in a SQLite file keeps every guarantee, also between two servers on one file."""

    __test__ = True

    @asynccontextmanager
    async def open_stores(self, folder: Path, clock: Clock) -> AsyncIterator[tuple[Store, Store]]:
        url = f"sqlite:///{folder}/ipaas.db"
        async with open_store(url, clock) as one, open_store(url, clock) as two:
            yield one, two
