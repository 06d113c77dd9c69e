"""Fields of values at run time, and what is said when one is not there.

Owns the rule that null counts as a missing field under `has`, `.?` and `[?]`, and what `steps.x` is when the step has not run.
Called by `evaluator`, `operators` and `macros`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipaas.definition.nearest import find_nearest
from ipaas.definition.nodes import shorten
from ipaas.definition.values import NOTHING, Failure, Optional, describe, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipaas.definition.values import Value

MAX_LISTED: Final = 12


def get_step(steps: Mapping[str, Value], name: str) -> Value:
    """Return what expressions see of a step; one that has not run looks like one that was skipped, so that guards can ask."""
    found = steps.get(name)
    return {"status": "skipped", "output": None, "error": None, "items": None} if found is None else found


def select_slowly(value: Value, field: str, at: int, what: str) -> Value:
    """Return a field of what is not a plain object with that key, or say why there is none."""
    if isinstance(value, Optional):
        return select_optional(value, field, at, what)
    named = f"`{what}`" if what else "what stands before it"
    if value is None:
        raise Failure(
            f"`{field}` cannot be read: {named} is null", f"write `.?{field}` and `.orValue(…)` if that can happen", at
        )
    if kind_of(value) != "map":
        hint = (
            "take one item first, such as `[0]`, or go through all with `.map(x, …)`" if isinstance(value, list) else ""
        )
        raise Failure(f"`{field}` cannot be read: {named} is {describe(value)}, not an object", hint, at)
    if field in value:
        return value[field]
    raise no_key(value, field, at, named)


def no_key(value: dict[str, Value], field: str, at: int, named: str) -> Failure:
    """Return the failure that a key is not there; it names the keys that are, which are no secrets, and no values."""
    keys = [shorten(str(key)) for key in list(value)[: MAX_LISTED + 1]]
    nearest = find_nearest(field, value)
    hint = f"did you mean `{shorten(nearest)}`?" if nearest else "ask `has(…)` first, or write `.?` and `.orValue(…)`"
    listed = ", ".join(f"`{key}`" for key in keys[:MAX_LISTED]) + (", …" if len(keys) > MAX_LISTED else "")
    there = f"its keys are {listed}" if keys else "it is empty"
    return Failure(f"{named} has no key `{shorten(field)}`; {there}", hint, at)


def select_optional(value: Value, field: str, at: int, what: str) -> Optional:
    """Return a field as an optional value. Null counts as missing, on both sides of the dot."""
    if isinstance(value, Optional):
        value = value.value
    if value is None:
        return NOTHING
    if kind_of(value) != "map":
        named = f"`{what}`" if what else "what stands before it"
        raise Failure(f"`{field}` cannot be read: {named} is {describe(value)}, not an object", "", at)
    found = value.get(field)
    return NOTHING if found is None else Optional(is_there=True, value=found)
