"""A Store around another one, for tests that interfere at an exact moment.

Owns `WrappedStore`: every call goes through; a subclass overrides the methods it interferes with.

    class SwitchOff(WrappedStore):
        async def claim(self, owner, **keys):
            runs = await self.inner.claim(owner, **keys)
            await self.inner.set_active("default", "orders", active=False)
            return runs
"""

from __future__ import annotations

from typing import Any


class WrappedStore:
    """Passes every call on to `inner`."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
