"""Credentials, and the promise that their values appear nowhere.

Owns where credentials come from (`IPAAS_CREDENTIAL_<ID>` in the environment, a JSON object of strings) and `Redactor`, which takes
their values out of text and JSON. Knows words only. `ipaas.app` builds one `Vault`; the engine gets `find` and the redactor.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

from ipaas.errors import InputError

if TYPE_CHECKING:
    from ipaas.model import Json

PREFIX: Final = "IPAAS_CREDENTIAL_"
MARK: Final = "[redacted]"

_SHORT: Final = 4
"""Values under this length are taken out only as whole words: `ab` inside `table` is no secret, and text must stay readable."""

_SECRET_KEY: Final = re.compile(
    r"(?:proxy-)?authorization|(?:set-)?cookie|.*(?:api|access|private|signing|session)[-_]?(?:key|token)"
    r"|x-auth-token|x-.*-(?:token|signature|secret)|.*password|passwd|.*secret",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Vault:
    """Credentials by id, and what must not be shown. Immutable; any task may call it."""

    _credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Vault:
        """Read every `IPAAS_CREDENTIAL_<ID>`.

        Raises:
            InputError: naming the variables that hold no JSON object of strings; never their text.
        """
        credentials: dict[str, Mapping[str, str]] = {}
        wrong: list[str] = []
        for name, text in sorted(environ.items()):
            if not name.startswith(PREFIX) or name == PREFIX:
                continue
            try:
                value = json.loads(text)
            except ValueError:
                value = None
            if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
                credentials[name.removeprefix(PREFIX)] = value
            else:
                wrong.append(f"`{name}` is not a JSON object of strings")
        if wrong:
            raise InputError("\n".join(wrong), hint=f'write it as `{PREFIX}SHOP=\'{{"token": "…"}}\'`')
        return cls(credentials)

    def find(self, tenant: str, credential: str) -> Mapping[str, str] | None:
        """Return the fields of a credential, or None. The environment belongs to the whole process, so to every tenant."""
        return self._credentials.get(variable_name(credential).removeprefix(PREFIX))

    def redactor(self) -> Redactor:
        """Return what takes every value of every credential out."""
        return Redactor(value for fields in self._credentials.values() for value in fields.values())


def variable_name(credential: str) -> str:
    """Return the environment variable of a credential id: `shop-eu` is `IPAAS_CREDENTIAL_SHOP_EU`."""
    return PREFIX + credential.upper().replace("-", "_")


class Redactor:
    """Takes secrets out of text and JSON, as they are and in the encodings in which they travel.

    Known encodings: base64 and base64url, also in the middle of a longer text (`Basic` headers), URL encoding, JSON escapes, HTML
    escapes, and hexadecimal. Immutable; any task may call it. Without secrets it returns its argument at once.

    Args:
        secrets: values to take out; empty ones are ignored.
    """

    __slots__ = ("_needles", "_short")

    def __init__(self, secrets: Iterable[str]) -> None:
        values = {secret for secret in secrets if secret}
        long = {value for value in values if len(value) >= _SHORT}
        needles = {needle for value in long for needle in _spell(value) if len(needle) >= _SHORT}
        # Longest first: where one needle contains another, nothing of the longer one is left over.
        self._needles = tuple(sorted(needles, key=lambda needle: (-len(needle), needle)))
        short = "|".join(re.escape(value) for value in sorted(values - long, key=lambda value: (-len(value), value)))
        self._short = re.compile(rf"(?<!\w)(?:{short})(?!\w)") if short else None

    def __call__(self, value: Json) -> Json:
        """Return the value without secrets: texts, keys, and numbers whose digits are one."""
        if not self._needles and self._short is None:
            return value
        return self._clean(value)

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        for needle in self._needles:
            if needle in text:  # a search costs a tenth of a replacement, and nearly always finds nothing
                text = text.replace(needle, MARK)
        return self._short.sub(MARK, text) if self._short is not None else text

    def _clean(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self._clean(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(part) for part in value]
        if value is None or isinstance(value, bool):
            return value
        written = str(value)
        return value if self.text(written) == written else MARK


def hide_by_key(fields: Mapping[str, Json]) -> dict[str, Json]:
    """Return headers or log fields with the values of telling names (`Authorization`, `Cookie`, `X-Api-Key`, …) hidden.

    For what is shown, not for what is kept: a step's output may have a field `secret` that a later step needs.
    """
    return {key: MARK if value and _SECRET_KEY.fullmatch(key) else value for key, value in fields.items()}


def _spell(secret: str) -> set[str]:
    """Return every spelling of a secret that is searched for."""
    raw = secret.encode("utf-8", "surrogatepass")
    quoted = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], html.escape(secret)}
    standard = {piece for offset in range(3) for piece in _base64_pieces(raw, offset)}
    return {
        secret,
        *quoted,
        *(_lower_escapes(text) for text in quoted),
        *escaped,
        *(text.replace("/", "\\/") for text in escaped),
        *standard,
        *(text.translate(_URL_SAFE) for text in standard),
        raw.hex(),
        raw.hex().upper(),
    }


_URL_SAFE: Final = str.maketrans("+/", "-_")


def _lower_escapes(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), text)


def _base64_pieces(raw: bytes, offset: int) -> set[str]:
    """Return the base64 characters that only the secret decides when `offset` other bytes stand before its group.

    Three bytes are four characters, so a secret inside a longer text has one of three spellings, and its first and last
    characters also depend on the neighbours. At offset 0 the end as it stands at the end of a text is a spelling too.
    """
    encoded = base64.b64encode(bytes(offset) + raw).decode("ascii")
    first = (0, 2, 3)[offset]  # characters that hold bits of what stands before
    whole = (offset + len(raw)) * 8 // 6  # characters that hold bits of the secret, or of what stands before, only
    pieces = {encoded[first:whole]}
    if offset == 0:
        pieces |= {encoded, encoded.rstrip("=")}
    return pieces
