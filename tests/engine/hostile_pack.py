"""Connectors that do what no connector should. Each is an action's function; `EXPECTED` says what its step's error tells."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import trio

from ipaas.errors import StepError


class Odd(BaseException):
    """No `Exception`: slips through most traps."""


class Unspeakable(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise SystemExit(4)

    __repr__ = __str__


class Overgrown(StepError):
    """A steering error whose attributes are not what they should be."""

    def __init__(self) -> None:
        super().__init__("x")
        self.type = "made_up"  # type: ignore[assignment]  # that is the point
        self.message = Unspeakable()  # type: ignore[assignment]  # that is the point
        self.retry_after_s = float("nan")


async def raise_odd(ctx: Any) -> NoReturn:
    raise Odd("odd")


async def raise_system_exit(ctx: Any) -> NoReturn:
    sys.exit(3)


async def raise_keyboard_interrupt(ctx: Any) -> NoReturn:
    raise KeyboardInterrupt


async def raise_generator_exit(ctx: Any) -> NoReturn:
    raise GeneratorExit


async def raise_stored_cancelled(ctx: Any) -> NoReturn:
    kept: BaseException | None = None
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:  # kept, to be raised again where it does not belong
            kept = cancelled
    assert kept is not None
    raise kept


async def raise_recursion(ctx: Any) -> None:
    await raise_recursion(ctx)


async def raise_memory(ctx: Any) -> NoReturn:
    raise MemoryError


async def raise_group(ctx: Any) -> NoReturn:
    raise BaseExceptionGroup("several", [ValueError("first"), BaseExceptionGroup("more", [Odd("second")])])


async def raise_unspeakable(ctx: Any) -> NoReturn:
    raise Unspeakable


async def raise_overgrown(ctx: Any) -> NoReturn:
    raise Overgrown


async def raise_stop_iteration(ctx: Any) -> NoReturn:
    raise StopAsyncIteration


async def return_set(ctx: Any) -> object:
    return {1, 2}


async def return_nan(ctx: Any) -> object:
    return {"n": float("nan")}


async def return_cycle(ctx: Any) -> object:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


async def return_deep(ctx: Any) -> object:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


async def return_object(ctx: Any) -> object:
    return object()


async def return_surrogate(ctx: Any) -> object:
    return "\ud800"


async def leak_scope(ctx: Any) -> None:
    trio.CancelScope().__enter__()


async def cancel_own_task(ctx: Any) -> None:
    nursery = trio.lowlevel.current_task().parent_nursery
    assert nursery is not None
    nursery.cancel_scope.cancel()
    await trio.lowlevel.checkpoint()


async def leak_nursery(ctx: Any) -> None:
    nursery = await trio.open_nursery().__aenter__()
    nursery.start_soon(trio.sleep_forever)


async def leak_failing_task(ctx: Any) -> None:
    async def fail_on_cancel() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Odd("late")

    nursery = await trio.open_nursery().__aenter__()
    nursery.start_soon(fail_on_cancel)


EXPECTED: list[tuple[Callable[..., Awaitable[object]], str]] = [
    (raise_odd, "`Odd`: odd"),
    (raise_system_exit, "`SystemExit`: 3"),
    (raise_keyboard_interrupt, "`KeyboardInterrupt`"),
    (raise_generator_exit, "`GeneratorExit`"),
    (raise_stored_cancelled, "a cancel that nobody asked for"),
    (raise_recursion, "`RecursionError`"),
    (raise_memory, "`MemoryError`"),
    (raise_group, "several"),
    (raise_unspeakable, "its text cannot be shown"),
    (raise_overgrown, "its text cannot be shown"),
    (raise_stop_iteration, "`StopAsyncIteration`"),
    (return_set, "a `set`"),
    (return_nan, "the number `nan`"),
    (return_cycle, "64 levels"),
    (return_deep, "64 levels"),
    (return_object, "a `object`"),
    (return_surrogate, "surrogate"),
    (leak_nursery, "stack corrupted"),
    (leak_failing_task, "stack corrupted"),
    (cancel_own_task, "a cancel that nobody asked for"),
]
