"""Regular expressions that cannot run away.

Owns the matching of `pattern` and `patternProperties`. A pattern comes from a pipeline file and its text from anywhere: Python's
`re` can need exponential time for it, the Rust engine inside `pydantic_core` needs linear time (and so has no look-around and no
back references). Called by `json_schema` and `schema_check`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator


def is_match(pattern: str, text: str) -> bool:
    """Whether the pattern, a valid one, is found anywhere in the text."""
    return _compile(pattern).isinstance_python(text)


def find_fault(pattern: str) -> str | None:
    """Return what is wrong with a pattern in a few words, or None when it is valid."""
    from pydantic_core import SchemaError

    try:
        _compile(pattern)
    except SchemaError as error:
        reason = re.search(r"error: (.*)", str(error))
        return reason[1] if reason else "it is too large" if "size limit" in str(error) else "it cannot be read"
    return None


@lru_cache(maxsize=1024)
def _compile(pattern: str) -> SchemaValidator:
    from pydantic_core import SchemaValidator, core_schema

    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex", strict=True))
