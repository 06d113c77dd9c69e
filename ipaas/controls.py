"""Text that may be shown: one line, without what a terminal would obey.

Owns which characters are written out and how. Pure; knows no other module. Called by every room that shows or keeps text of somebody
else's: problems, step errors, log lines, tables.
"""

from __future__ import annotations

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What could forge a line, move a terminal's cursor, turn text around, or break the stream's encoding."""

_NAMED: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def escape_controls(text: str) -> str:
    r"""Return the text with control characters written out (`\x1b`), so that it is one line and moves no cursor; else the text itself."""
    return _CONTROL.sub(_write_out, text) if _CONTROL.search(text) else text


def _write_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return _NAMED.get(match[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
