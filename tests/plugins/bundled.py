"""Calling bundled actions as a host does, and values to call them with; the fixtures `actions` and `act` stand in `conftest`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ipaas.plugin import Action, Expr, make_context

DATA = Path(__file__).parent.parent / "data"
"""Real data of the tests."""

TEXT = st.text(st.characters(codec="utf-8"))
"""Whole characters, NUL among them."""
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


class Bench:
    """Calls an action by name and keeps what it logged."""

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self.actions = actions
        self.lines: list[tuple[str, str]] = []

    async def __call__(self, action: str, /, **inputs: Any) -> Any:
        return await self.run(action, inputs)

    async def run(self, action: str, inputs: Mapping[str, Any], **context: Any) -> Any:
        """Call with a context of your own making."""
        found = self.actions[action]
        ctx = make_context(found, log=lambda level, text, _: self.lines.append((level, text)), **context)
        return await found.run(ctx, inputs)


def each(function: Callable[[Any], Any]) -> Expr:
    """An expression over `item`, as the compiler would hand it over."""

    def evaluate(item: Any, index: int) -> Any:
        return function(item)

    return Expr(evaluate, text="…")
