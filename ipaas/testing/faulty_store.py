"""A Store that can be taken away, for tests of what happens meanwhile.

Owns `FaultyStore`: a Store around another one that raises `StoreUnavailable` from every method while it is away.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

import trio

from ipaas.errors import StoreUnavailable
from ipaas.testing.wrapped_store import WrappedStore


class FaultyStore(WrappedStore):
    """Passes every call on to `inner`, or refuses it while `away` is set: nothing is written then, as the contract says (G5).

    Attributes:
        away: whether the Store is gone; set it at any moment.
        refused: how many calls found it gone.
    """

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.away = False
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        method = super().__getattr__(name)

        @wraps(method)
        async def call(*args: Any, **keys: Any) -> Any:
            if self.away:
                self.refused += 1
                await trio.lowlevel.checkpoint()
                raise StoreUnavailable("the database is away", hint="bring it back")
            return await method(*args, **keys)

        return call
