"""Awaiting foreign code so that what it does to its task stays there.

Owns `run_isolated`. Knows trio only. Called by the hosts around every connector.

A task of its own for each call costs about 30 µs and buys that cancel scopes and nurseries that the code left open, context variables that it
set, and a cancel of its own nursery end with that task; trio cancels what was left running there. In the caller's task each of
them would break something later, up to the nursery that holds all runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class CancelledItself(Exception):
    """The code ended its own task by a cancel that was not the caller's."""


async def run_isolated(function: Callable[[], Awaitable[T]]) -> T:
    """Return what the function returns, or raise what it raised, whatever that is.

    A cancel of the caller wins over anything that the function makes of it, and is the only `Cancelled` that comes out.

    Raises:
        CancelledItself: the function raised a `Cancelled` that it had kept, or cancelled its own task.
    """
    call = _Call(function)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.perform)
    except BaseException as error:  # noqa: BLE001  # what trio found as the task ended: a nursery left open
        await trio.lowlevel.checkpoint_if_cancelled()
        call.errors.append(error)
    if call.values and not call.errors:
        return call.values[0]
    await trio.lowlevel.checkpoint_if_cancelled()
    raised = call.errors[0] if call.errors else None
    if raised is None or isinstance(raised, trio.Cancelled):
        raise CancelledItself("the action was ended by a cancel that nobody asked for") from raised
    raise raised


class _Call(Generic[T]):
    """One call: what came out of it."""

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        self._function = function
        self.values: list[T] = []
        self.errors: list[BaseException] = []

    async def perform(self) -> None:
        try:
            self.values.append(await self._function())
        except BaseException as error:  # noqa: BLE001  # it is raised again in the caller's task
            # A cancel of the caller, or of this task, ends the task as it should.
            await trio.lowlevel.checkpoint_if_cancelled()
            self.errors.append(error)
