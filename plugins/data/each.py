"""Evaluating an expression over the items of a list without freezing the other runs.

Owns the loop, its pauses, and what a failing expression's message says about the item. Knows no operation; the actions of `lists` call it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import trio

from ipaas.plugin import Expr, Fatal, StepError

from .keys import name_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipaas.plugin import Json

ITEMS_PER_TURN: Final = 200
"""Evaluations between two checkpoints: one takes 5 to 60 µs, so that the other runs wait about 10 ms at most."""


async def evaluate_each(expression: Expr, items: Sequence[Json], label: str = "items") -> list[Json]:
    """Return the expression's value for each item, with `item` and `index` as its names.

    Args:
        label: the input's name in messages.

    Raises:
        StepError: what the expression raised, with the item's place in the list (`items[3]`) before it.
    """
    values: list[Json] = []
    for index, item in enumerate(items):
        if index % ITEMS_PER_TURN == 0:
            await trio.lowlevel.checkpoint()
        try:
            values.append(expression(item=item, index=index))
        except StepError as error:
            raise StepError(
                f"{label}[{index}]: {error.message}",
                type=error.type,
                retry_after_s=error.retry_after_s,
                hint=error.hint,
            ) from error
    return values


async def select_where(expression: Expr, items: Sequence[Json]) -> list[Json]:
    """Return the items for which the expression is true.

    Raises:
        Fatal: of type `expression` when it is neither true nor false for an item.
    """
    kept: list[Json] = []
    for index, answer in enumerate(await evaluate_each(expression, items)):
        if answer is True:
            kept.append(items[index])
        elif answer is not False:
            raise Fatal(
                f"`where` gave {name_type(answer)} for `items[{index}]`, not true or false",
                type="expression",
                hint="compare it with something, as in `item.total > 100`",
            )
    return kept


def as_objects(items: Sequence[Json], label: str) -> list[dict[str, Any]]:
    """Return the items, which must all be objects.

    Raises:
        Fatal: of type `validation` that names the first one that is not.
    """
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise Fatal(
                f"`{label}[{index}]` is {name_type(item)}, not an object",
                type="validation",
                hint="make objects of the items first, with `data.map`",
            )
    return cast("list[dict[str, Any]]", list(items))
