"""What a database URL means.

Owns the URL forms. Pure; opens nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ipaas.errors import InputError

_FORMS: Final = "write `memory:`, `sqlite:///relative.db`, `sqlite:////absolute.db` or a path that ends in `.db`"


def parse_url(url: str) -> Path | None:
    """Return the path of the SQLite file that a URL names, or None for a Store in memory.

    Raises:
        InputError: any other URL. The message repeats no more than its scheme: a URL may hold a password.
    """
    if url in ("memory:", "memory://"):
        return None
    scheme, colon, rest = url.partition(":")
    if scheme == "sqlite" and colon:
        # Three slashes and a relative path, four and an absolute one, as SQLAlchemy has taught everybody.
        if not rest.startswith("///") or len(rest) == 3 or rest.endswith("/"):
            raise InputError("a `sqlite:` URL names no file", hint=_FORMS)
        if "?" in rest or "#" in rest:
            raise InputError("a `sqlite:` URL takes no options", hint="leave out everything from `?` or `#` on")
        return Path(rest[3:])
    if scheme in ("postgres", "postgresql"):
        raise InputError("PostgreSQL is not supported by this version", hint=_FORMS)
    if url.endswith(".db") and "://" not in url:
        return Path(url)
    if colon and scheme.isalpha() and len(scheme) > 1:
        raise InputError(f"no Store is called `{scheme}:`", hint=_FORMS)
    raise InputError("the database URL names no Store", hint=_FORMS)
