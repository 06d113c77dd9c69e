"""From page to page: where the next one is, when there is none, and the items of each.

Owns the input `paginate` and the decisions; sends nothing itself. Called by `sending`, which gives each page and is told the next request.

    request ──► page ──► items ──► `until`? ──► next address, cursor, number or offset? ──► request …
                                     │ yes            │ none, or a page without items
                                     ▼                ▼
                                    done             done
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal
from urllib.parse import parse_qsl, urljoin, urlsplit

from ipaas.plugin import Doc, Expr, Fatal, Json, JsonObject, Names, StepError

from .link_header import find_link

if TYPE_CHECKING:
    from collections.abc import Mapping

PageExpr = Annotated[Expr, Names("page")]
"""An expression over a page: `page.body`, `page.headers`, `page.status`, `page.url`, `page.number` from 1."""

MAX_PAGES: Final = 100
"""Unless the file says otherwise: a mistake in an expression should not ask a service for ever."""

Style = Literal["next", "cursor", "page_param", "offset_param", "link_header"]


@dataclass(frozen=True, slots=True)
class Paginate:
    """How to get all pages. Exactly one of `next`, `cursor`, `page_param`, `offset_param` and `link_header` says how."""

    items: Annotated[PageExpr | None, Doc("the list of a page's items; default: `page.body`")] = None
    next: Annotated[PageExpr | None, Doc("the address of the next page, whole or relative; null at the end")] = None
    cursor: Annotated[PageExpr | None, Doc("the next page's cursor; null at the end")] = None
    cursor_param: Annotated[str, Doc("the query parameter that takes the cursor")] = ""
    page_param: Annotated[str, Doc("the query parameter that takes the page's number")] = ""
    offset_param: Annotated[str, Doc("the query parameter that takes the number of items before the page")] = ""
    start: Annotated[int | None, Doc("the first number; default: page 1, or offset 0")] = None
    limit_param: Annotated[str, Doc("the query parameter that takes the size of a page")] = ""
    limit: Annotated[int | None, Doc("the size of a page, sent as `limit_param`")] = None
    link_header: Annotated[bool, Doc('follow `rel="next"` of the `Link` header')] = False
    until: Annotated[PageExpr | None, Doc("true on the last page that is wanted")] = None
    max_pages: Annotated[int, Doc("more pages than this are an error, as silently leaving some out would be worse")] = (
        MAX_PAGES
    )

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def choose_style(self) -> Style:
        """Return the one style that was given.

        Raises:
            Fatal: of type `validation`: none, several, or a part is missing.
        """
        given: list[Style] = [
            style for style in ("next", "cursor", "page_param", "offset_param", "link_header") if getattr(self, style)
        ]
        if len(given) != 1:
            raise _wrong(
                f"`paginate` has {' and '.join(f'`{name}`' for name in given) or 'no way to the next page'}",
                "write exactly one of `next`, `cursor`, `page_param`, `offset_param` and `link_header`",
            )
        if bool(self.cursor) != bool(self.cursor_param):
            raise _wrong("`paginate` has only one of `cursor` and `cursor_param`", "write both")
        if (self.limit is None) != (not self.limit_param):
            raise _wrong("`paginate` has only one of `limit` and `limit_param`", "write both")
        if self.limit is not None and (self.limit < 1 or given[0] in ("next", "link_header")):
            raise _wrong(
                "`paginate.limit` does not fit", "it is at least 1, and with `next` and `link_header` stands in `query`"
            )
        if self.max_pages < 1:
            raise _wrong(f"`paginate.max_pages` is {self.max_pages}", "it is at least 1")
        return given[0]


@dataclass(frozen=True, slots=True)
class Page:
    """One page as its expressions see it, with its number from 1. `url` is where it came from, without the credential."""

    status: int
    headers: Mapping[str, str]
    body: Json
    url: str
    number: int

    @property
    def names(self) -> dict[str, Json]:
        """The extra names of an expression."""
        return {
            "page": {
                "status": self.status,
                "headers": dict(self.headers),
                "body": self.body,
                "url": self.url,
                "number": self.number,
            }
        }


@dataclass(frozen=True, slots=True)
class Ask:
    """What the next request asks for."""

    url: str
    query: JsonObject


class Pager:
    """The way through the pages of one call.

    Args:
        url: as the step has it.
        query: as the step has it; what the pages need is added.

    Attributes:
        ask: the next request, or None after the last page.
    """

    def __init__(self, paginate: Paginate, url: str, query: JsonObject) -> None:
        self._paginate = paginate
        self._style = paginate.choose_style()
        self._home = _origin(url)
        self._offset = (paginate.start or 0) if self._style == "offset_param" else 0
        first = 1 if paginate.start is None else paginate.start
        added: dict[str, Json] = {}
        if paginate.limit is not None:
            added[paginate.limit_param] = paginate.limit
        if self._style == "page_param":
            added[paginate.page_param] = first
        elif self._style == "offset_param":
            added[paginate.offset_param] = self._offset
        self._number_shift = first - 1
        self._seen: dict[str, int] = {}
        self.ask: Ask | None = _with_query(Ask(url, query), added)
        self._remember(self.ask, 1)

    def take(self, page: Page) -> list[Json]:
        """Take a page, decide about the next one, and return the items.

        Raises:
            StepError: of type `expression`: the items are no list; or what the expressions raise.
            Fatal: the next page is elsewhere, or was seen before.
            StepError: of type `limit_exceeded`: there are more than `max_pages`.
        """
        items = self._find_items(page)
        current = self.ask
        assert current is not None, "a page was taken after the last one"
        self.ask = None if self._is_last(page, items) else self._find_next(page, items, current)
        if self.ask is not None:
            if page.number >= self._paginate.max_pages:
                raise StepError(
                    f"there are more than {self._paginate.max_pages} pages",
                    type="limit_exceeded",
                    hint="raise `paginate.max_pages`, or say with `paginate.until` which page is the last one wanted",
                )
            self._remember(self.ask, page.number + 1)
        return items

    def _find_items(self, page: Page) -> list[Json]:
        items = page.body if self._paginate.items is None else self._paginate.items(**page.names)
        if not isinstance(items, list):
            what = "its body" if self._paginate.items is None else "`items`"
            raise Fatal(
                f"page {page.number} has no list of items: {what} is {_name_type(items)}",
                type="expression",
                hint="let `paginate.items` name the list, as in `page.body.items`",
            )
        return items

    def _is_last(self, page: Page, items: list[Json]) -> bool:
        if self._paginate.until is not None:
            answer = self._paginate.until(**page.names)
            if not isinstance(answer, bool):
                raise Fatal(
                    f"`paginate.until` gave {_name_type(answer)} for page {page.number}, not true or false",
                    type="expression",
                )
            if answer:
                return True
        # Only an empty page ends a count: services cap the size of a page, and some leave out items afterwards.
        return not items and self._style in ("page_param", "offset_param")

    def _find_next(self, page: Page, items: list[Json], current: Ask) -> Ask | None:
        paginate = self._paginate
        if self._style == "page_param":
            return _with_query(current, {paginate.page_param: page.number + 1 + self._number_shift})
        if self._style == "offset_param":
            self._offset += len(items)
            return _with_query(current, {paginate.offset_param: self._offset})
        if paginate.cursor is not None:
            cursor = paginate.cursor(**page.names)
            if cursor is None or cursor is False or cursor == "":
                return None
            if isinstance(cursor, bool) or not isinstance(cursor, (str, int, float)):
                raise Fatal(
                    f"`paginate.cursor` gave {_name_type(cursor)} for page {page.number}, not text, a number or null",
                    type="expression",
                )
            return _with_query(current, {paginate.cursor_param: cursor})
        if paginate.next is not None:
            address = paginate.next(**page.names)
        else:
            address = find_link(page.headers.get("link", ""), "next")
        return self._follow(address, page)

    def _follow(self, address: Json, page: Page) -> Ask | None:
        """Return the request for a next page that the answer names."""
        if address is None or address is False or address == "":
            return None
        if not isinstance(address, str):
            raise Fatal(
                f"`paginate.next` gave {_name_type(address)} for page {page.number}, not an address or null",
                type="expression",
            )
        try:
            url = urljoin(page.url, address)
        except ValueError as error:
            raise Fatal(f"page {page.number} names a next address that cannot be read: {error}") from None
        if _origin(url) not in _same_trust(self._home):
            raise Fatal(
                f"page {page.number} leads to another server, `{_shown_origin(url)}`",
                hint="the step's credential and headers are for the server in `url`; begin with the address that answers",
            )
        return Ask(url, {})

    def _remember(self, ask: Ask, number: int) -> None:
        """Note the request; raise when it was made before."""
        key = f"{ask.url}\n{sorted(ask.query.items(), key=str)}"
        if key in self._seen:
            raise Fatal(
                f"page {number - 1} leads back to page {self._seen[key]}: the pages go round in a circle",
                hint="let the expression for the next page read what changes from page to page",
            )
        self._seen[key] = number


def remove_parameters(url: str, names: set[str]) -> str:
    """Return the URL without these query parameters; every other character of it stays."""
    head, mark, query = url.partition("?")
    query, hash_mark, fragment = query.partition("#")
    kept = [
        part for part in query.split("&") if not {name for name, _ in parse_qsl(part, keep_blank_values=True)} & names
    ]
    return f"{head}{mark if any(kept) else ''}{'&'.join(kept)}{hash_mark}{fragment}"


def _with_query(ask: Ask, added: Mapping[str, Json]) -> Ask:
    """Return the request with parameters of these names replaced, wherever they stood."""
    return replace(ask, url=remove_parameters(ask.url, set(added)), query={**ask.query, **added})


def _origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port; of text that is no address something that equals no origin."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", url, None


def _same_trust(home: tuple[str, str, int | None]) -> set[tuple[str, str, int | None]]:
    """Return the origins that get what is meant for `home`: itself, and the https door beside the http one."""
    return {home, ("https", home[1], 443)} if home[0] == "http" and home[2] == 80 else {home}


def _shown_origin(url: str) -> str:
    scheme, host, port = _origin(url)
    return f"{scheme}://{host}:{port}"[:200]


_TYPE_NAMES: Final[dict[type, str]] = {
    type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object",
}  # fmt: skip


def _name_type(value: Any) -> str:
    return _TYPE_NAMES.get(type(value), type(value).__name__)


def _wrong(message: str, hint: str) -> Fatal:
    return Fatal(message, type="validation", hint=hint)
