"""The `Link` header (RFC 8288, section 3): where the next page is.

Owns its parsing. Pure. Called by `paging`.
"""

from __future__ import annotations

import re
from typing import Final

_LINK: Final = re.compile(
    r"""\s*<([^>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)\s*(?:,|$)"""
)
"""One link with its parameters, up to the comma that ends it: commas may stand within the address and within quotes."""
_PARAMETER: Final = re.compile(r""";\s*([^\s=;,]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?""")


def find_link(header: str, relation: str) -> str | None:
    """Return the address of the first link of that relation, as written, or None.

    What cannot be read is passed over up to the next comma, as the standard asks of readers.
    """
    position = 0
    while position < len(header):
        found = _LINK.match(header, position)
        if found is None:
            comma = header.find(",", position)
            if comma < 0:
                return None
            position = comma + 1
            continue
        if relation in _read_relations(found[2]):
            return found[1].strip()
        position = max(found.end(), position + 1)
    return None


def _read_relations(parameters: str) -> list[str]:
    """Return the relations that the first `rel` names, lower case; later ones are ignored (section 3.3)."""
    for name, quoted, bare in _PARAMETER.findall(parameters):
        if name.lower() == "rel":
            return re.sub(r"\\(.)", r"\1", quoted or bare).lower().split()
    return []
