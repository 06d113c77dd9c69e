"""How much work a value is, and where that work is done: at once when it is little, in a thread when it is much.

Owns the decision, so that a large value holds up no other run. Knows no schema. Called by `action`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Result = TypeVar("Result")

LIGHT: Final = 2_000
"""Values: to copy and check one takes about a microsecond, so that the others wait three milliseconds at most; a thread costs a fifth of one."""
CHARACTERS: Final = 8
"""Texts count as one value for each 2⁸ characters: they are copied as a whole."""


def is_light(inputs: Mapping[str, object]) -> bool:
    """Tell whether inputs have at most about `LIGHT` values in them; counts no further than that."""
    left = LIGHT
    stack: list[Any] = [inputs.values()]
    while stack:
        children = stack.pop()
        left -= len(children)
        if left < 0:
            return False
        for child in children:
            kind = type(child)
            if kind is str:
                left -= len(child) >> CHARACTERS
            elif kind is dict:
                stack.append(child.values())
            elif kind is list:
                stack.append(child)
    return left >= 0


async def work(function: Callable[[], Result]) -> Result:
    """Return what a pure function returns, from a thread. A cancel leaves the thread to end by itself; its result is dropped."""
    import trio  # here, so that importing a plugin stays cheap

    return await trio.to_thread.run_sync(function, abandon_on_cancel=True)
