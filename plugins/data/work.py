"""Where work without pauses is done: at once when it is small, in a thread when it is large, so that the other runs go on.

Owns the decision. Knows no algorithm; the actions of `lists` and `formats` call it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipaas.plugin import Json

Result = TypeVar("Result")

SMALL: Final = 20_000
"""Characters, or values: below it the work takes some milliseconds, at worst twenty (YAML), and a thread is not worth its while."""


async def work(function: Callable[[], Result], size: int) -> Result:
    """Return what a pure function returns; in a thread when the work is large. A cancel leaves the thread to end by itself."""
    if size <= SMALL:
        await trio.lowlevel.checkpoint()
        return function()
    return await trio.to_thread.run_sync(function, abandon_on_cancel=True)


def measure(value: Json) -> int:
    """Return about how large the value is: its values and the characters of its texts, counted no further than `SMALL`."""
    size = 0
    stack: list[Any] = [value]
    while stack and size <= SMALL:
        item = stack.pop()
        size += 1
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict):
            size += len(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return size
