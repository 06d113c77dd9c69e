"""What must survive: the Store's contract, and the two Stores that keep it.

`open_store` is the door; it reads the URL and imports only the backend that it names. Called by `ipaas.app` and by tests.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ipaas.store.url import parse_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ipaas.clock import Clock
    from ipaas.store.contract import Store


@asynccontextmanager
async def open_store(url: str, clock: Clock) -> AsyncIterator[Store]:
    """Open the Store that a URL names, and close it at the end of the block.

    Args:
        url: `memory:`, `sqlite:///relative.db`, `sqlite:////absolute.db`, or a bare path that ends in `.db`.
        clock: stamps every row and measures leases.

    Raises:
        InputError: the URL names no Store.
        StoreUnavailable: the database cannot be opened; says why and what to do.
        SchemaMismatch: the database is newer than this program, or not its own.
    """
    path = parse_url(url)
    if path is None:
        from ipaas.store.memory import MemoryStore

        yield MemoryStore(clock)
        return
    from ipaas.store.sqlite import open_sqlite

    async with open_sqlite(path, clock) as store:
        yield store


__all__ = ["open_store"]
