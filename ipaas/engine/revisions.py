"""Asking the Store for a tenant's revision on behalf of many tasks at once.

Owns `Revisions`. Knows the Store's contract. Called by `workflows`, for every run that ends.

A hundred runs that end together share two readings instead of making a hundred: on SQLite a reading is a visit to another thread, which
costs as much as the rest of a small run's end. Nobody gets an older answer than if they had asked alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from ipaas.store.contract import Store


class Revisions:
    """Reads revisions. Any task of the process may call it; a cancelled or failed reading is made anew by the next that waits."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tenants: dict[str, _Tenant] = {}

    async def read(self, tenant: str) -> int:
        """Return the revision as of a reading that began after this call."""
        waiting = self._tenants.setdefault(tenant, _Tenant())
        reading = waiting.next
        async with waiting.turn:
            if reading.revision is None:
                if waiting.next is reading:
                    waiting.next = _Reading()  # who comes from now on needs a later one
                reading.revision = await self._store.get_revision(tenant)
            return reading.revision


class _Reading:
    """One answer, shared by all who asked before it was fetched."""

    __slots__ = ("revision",)

    def __init__(self) -> None:
        self.revision: int | None = None


class _Tenant:
    """Whose turn it is to read, and the reading that those who come now will share."""

    __slots__ = ("next", "turn")

    def __init__(self) -> None:
        self.turn = trio.Lock()
        self.next = _Reading()
