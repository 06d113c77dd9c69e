"""How much text of expressions one file may have.

Owns the bound that keeps a file of nothing but expressions from costing seconds: values are counted by the composer, which cannot tell
that a text of ten thousand characters is five thousand numbers. One per compilation, carried along in the scope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ipaas.definition.syntax_errors import Fault

MAX_CHARS: Final = 131_072
"""A quarter of a second of parsing and checking at the worst; a thousand times what people write."""


@dataclass(slots=True)
class Volume:
    """Counts the characters of expressions that are compiled."""

    used_chars: int = 0
    is_told: bool = False

    def take(self, text: str) -> bool:
        """Whether an expression still fits."""
        self.used_chars += len(text)
        return self.used_chars <= MAX_CHARS

    def explain(self) -> Fault | None:
        """Return why the first expression that does not fit is refused, and nothing for all after it."""
        if self.is_told:
            return None
        self.is_told = True
        message = f"the expressions of the file have more than {MAX_CHARS} characters in all"
        return Fault(0, message, "split the file, or move data out of it", "too-many-values")
