"""A web address, parsed once and strictly; what was checked is what is connected to.

Owns `WebAddress`: parsing, joining, query strings, origins. Pure. Refuses what two parsers may read differently: backslashes, control
characters, user names, zone ids. Knows nothing of requests. Called by `http_client` and `redirects`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING, Final, final
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit

from ipaas.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    QueryValue: TypeAlias = "str | int | float | bool | Sequence[str | int | float | bool] | None"

MAX_URL_LENGTH: Final = 8192
"""Where common servers stop reading a request line."""
MAX_HOST_LENGTH: Final = 253
"""RFC 1035, section 2.3.4, as text."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_HOST: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\]")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"
_QUERY_SAFE: Final = "/?%:@!$&'()*+,;=~-._[]|"


@final
@dataclass(frozen=True, slots=True)
class WebAddress:
    """An absolute http or https address.

    Attributes:
        host: lower case, ASCII (IDNA), IPv6 without brackets.
        path: begins with `/`, percent-encoded.
        query: percent-encoded, without `?`.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what a credential is meant for."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """`host` or `host:port`, as in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query, as in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def without_query(self) -> str:
        """The address as shown in messages and logs: queries may carry keys."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def with_query(self, query: Mapping[str, QueryValue]) -> WebAddress:
        """Return the address with names and values added to its query."""
        added = encode_query(query)
        return replace(self, query="&".join(part for part in (self.query, added) if part))


def encode_query(query: Mapping[str, QueryValue]) -> str:
    """Return `name=value&…`: a list repeats the name, null leaves it out, booleans are `true` and `false`."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        values = value if isinstance(value, list | tuple) else [value]
        pairs.extend((name, _query_text(item)) for item in values if item is not None)
    return urlencode(pairs)


def _query_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_address(text: str, *, what: str = "the URL") -> WebAddress:
    """Return the address, or raise.

    Raises:
        StepError: of type `validation`; the message shows no query and no password.
    """
    if len(text) > MAX_URL_LENGTH:
        raise _bad(f"{what} is longer than {MAX_URL_LENGTH} characters", "send long values in the body")
    text = text.strip(" ")
    if _UNSAFE.search(text):
        raise _bad(f"{what} has a space, a backslash or a control character in it", "percent-encode it, or use `query`")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _bad(f"{what} cannot be read: {error}", "write `https://host/path`") from None
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise _bad(f"{what} does not begin with `http://` or `https://`", "write `https://host/path`")
    if "@" in parts.netloc:
        raise _bad(
            f"{what} has a user name in it",
            "store a credential with `username` and `password`, and name it in `credential:`",
        )
    return WebAddress(
        scheme=scheme,
        host=_read_host(host, what, bracketed="[" in parts.netloc),
        port=DEFAULT_PORTS[scheme] if port is None else _read_port(port, what),
        path=quote(parts.path, safe=_PATH_SAFE) or "/",
        query=quote(parts.query, safe=_QUERY_SAFE),
    )


def resolve_address(text: str, base: WebAddress | None) -> WebAddress:
    """Return the absolute address of what an action asked for.

    With a base, text without a scheme is a path below the base's path, with or without a leading slash, and can leave neither the
    host nor that path. Text with a scheme stands for itself.

    Raises:
        StepError: of type `validation`.
    """
    if base is None or _SCHEME.match(text):
        return parse_address(text)
    if text.startswith(("//", "\\")):
        raise _bad(f"the path `{_shown(text)}` names another host", "write the whole URL with its scheme")
    path = text.partition("?")[0].partition("#")[0]
    if any(unquote(segment) in {".", ".."} for segment in re.split(r"/|%2[fF]", path)):
        raise _bad(
            f"the path `{_shown(text)}` has `.` or `..` in it", "quote what comes from outside: `quote(value, safe='')`"
        )
    return parse_address(f"{base.scheme}://{base.authority}{base.path.rstrip('/')}/{text.lstrip('/')}")


def follow_reference(base: WebAddress, reference: str) -> WebAddress:
    """Return what a `Location` header means (RFC 9110, section 10.2.2).

    Raises:
        StepError: of type `validation`.
    """
    what = "its `Location`"
    try:
        joined = urljoin(str(base), reference.strip())
    except ValueError as error:
        raise _bad(f"{what} cannot be read: {error}", "") from None
    return parse_address(joined, what=what)


def _read_port(port: int, what: str) -> int:
    if not 1 <= port <= 65535:
        raise _bad(f"{what} has the port {port}", "ports are 1 to 65535")
    return port


def _read_host(host: str, what: str, *, bracketed: bool) -> str:
    """Return the host in the one form that is compared, shown and connected to."""
    host = host.lower()
    if bracketed:
        try:
            return str(IPv6Address(host)) if "%" not in host else _no_zone(host, what)
        except AddressValueError:
            raise _bad(
                f"{what} has the IPv6 address `{_shown(host)}`, which is none", "write `http://[2001:db8::1]/`"
            ) from None
    host = host.rstrip(".")
    if not host:
        raise _bad(f"{what} has no host", "write `https://host/path`")
    if not host.isascii():
        import idna

        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise _bad(f"{what} has a host name that cannot be: {error}", "check the spelling") from None
    if len(host) > MAX_HOST_LENGTH or not _HOST.fullmatch(host) or ".." in host:
        raise _bad(f"{what} has the host name `{_shown(host)}`, which cannot be one", "check the spelling")
    return host


def _no_zone(host: str, what: str) -> str:
    raise _bad(
        f"{what} has the address `{_shown(host)}` with a zone id", "link-local addresses cannot be reached from here"
    )


def _shown(text: str) -> str:
    return text.partition("?")[0][:80]


def _bad(message: str, hint: str) -> StepError:
    return StepError(message, type="validation", hint=hint)
