"""A stored credential in an action's hands, and how it is applied to HTTP requests.

Owns `Credential` and the declarative scheme. Pure. Knows nothing of the vault, which opens credentials, nor of HTTP libraries.
Called by `context` and `http_client`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, final

from ipaas.errors import AuthFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIELD: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@final
class Credential(Mapping[str, str]):
    """The fields of the credential that the step names; empty and false when it names none.

    Reading a field that is not there raises `AuthFailed`: that is the person's mistake, not the connector's.
    """

    __slots__ = ("_declared", "_fields")

    def __init__(self, fields: Mapping[str, str] | None = None, *, declared: Sequence[str] = ()) -> None:
        self._fields = dict(fields or {})
        self._declared = tuple(declared)

    def __getitem__(self, name: str) -> str:
        try:
            return self._fields[name]
        except KeyError:
            pass
        if not self._fields:
            raise AuthFailed(
                "the step names no credential", hint=f"add `credential:` with the field `{name}` to the step"
            )
        raise AuthFailed(
            f"the credential has no field `{name}`",
            hint=f"store the credential again with `{'`, `'.join(self._declared) or name}`",
        )

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]  # a field's absence is empty text, never None
        """Return the field, or `default`."""
        return self._fields.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Credential({', '.join(f'{name}=***' for name in self._fields)})"

    __str__ = __repr__


def authorize(credential: Mapping[str, str], scheme: Mapping[str, str] | None) -> dict[str, str]:
    """Return the headers that carry the credential.

    Args:
        credential: its fields; empty gives no headers.
        scheme: headers with `{field}` in their values, such as `{"X-Api-Key": "{key}"}`. None decides by the fields: `token` is a
            bearer token (RFC 6750), `username` and `password` basic authentication (RFC 7617), `header` and `value` that header.

    Raises:
        AuthFailed: a field that the scheme names is missing, or has a line break or other control character in it.
    """
    if not credential:
        return {}
    if scheme is not None:
        headers = {name: _FIELD.sub(lambda found: credential[found[1]], text) for name, text in scheme.items()}
    elif "token" in credential:
        headers = {"Authorization": f"Bearer {credential['token']}"}
    elif "username" in credential:
        pair = f"{credential['username']}:{credential.get('password', '')}"
        headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"}
    elif "header" in credential:
        headers = {credential["header"]: credential["value"]}
    else:
        headers = {}
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable() or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise AuthFailed(
                "the credential cannot be sent as a header: it has a line break, a control character or a letter outside ASCII",
                hint="store it again, without a line break at its end",
            )
    return headers
