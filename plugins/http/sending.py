"""From an action's inputs to its answer: one request, or one for each page.

Owns what is common to all actions of `http`. Knows the context's client, which carries credential, deadline and error mapping.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from ipaas.plugin import Context, Fatal, Json, JsonObject, StepError

from .answers import Answer, read_body, read_expected
from .paging import Page, Pager, Paginate, remove_parameters
from .uploads import Upload, read_upload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipaas.plugin import Response

    from .answers import Expected

MAX_PAGED_BYTES: Final = 64 * 1024 * 1024
"""Of the bodies of all pages together: their items become one step's output."""
NO_LIMIT_S: Final = 86_400.0
"""The client's own deadline is out of the way: the step's `timeout` is the one that counts."""

_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that are idempotent by themselves (RFC 9110, section 9.2.2), and need no key."""


class Absent:
    """Stands for a JSON body that was not given; null is one that was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the step asks for.

    Attributes:
        json: `Absent` when it is not given.
    """

    method: str
    url: str
    query: JsonObject = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = Absent
    form: JsonObject | None = None
    text: str | None = None
    file: str | Upload | None = None
    expect_status: Expected | list[Expected] | None = None
    paginate: Paginate | None = None


async def perform(ctx: Context, request: Request) -> Answer:
    """Send what is asked for and return the answer.

    Raises:
        StepError: by the client, see `HttpClient.request`; of type `validation` when the inputs contradict each other.
    """
    options = await _read_options(ctx, request)
    if request.paginate is None:
        response = await _send(ctx, request, options, request.url, request.query)
        body, encoding = read_body(response)
        return Answer(response.status, dict(response.headers), body, encoding, 1)
    return await _collect(ctx, request, options, Pager(request.paginate, request.url, request.query))


async def _collect(ctx: Context, request: Request, options: Mapping[str, Any], pager: Pager) -> Answer:
    """Ask for page after page and return all items."""
    items: list[Json] = []
    size_bytes = number = 0
    answer = Answer(0, {}, items, "json", 0)
    while (ask := pager.ask) is not None:
        number += 1
        response = await _send(ctx, request, options, ask.url, ask.query)
        answer = Answer(response.status, dict(response.headers), items, "json", number)
        if ctx.dry:
            break  # the answer is made up, and leads nowhere
        size_bytes += len(response.content)
        if size_bytes > MAX_PAGED_BYTES:
            raise StepError(
                f"the first {number} pages have more than {MAX_PAGED_BYTES} bytes together",
                type="limit_exceeded",
                hint="ask for less with `query`, or for a part at a time with `paginate.until`",
            )
        page = Page(
            response.status, response.headers, read_body(response)[0], _without_credential(ctx, response.url), number
        )
        items += pager.take(page)
    return replace(answer, body=items)


async def _read_options(ctx: Context, request: Request) -> dict[str, Any]:
    """Return what every request of the call has in common."""
    given = [
        name
        for name, is_given in (
            ("json", request.json is not Absent),
            ("form", request.form is not None),
            ("text", request.text is not None),
            ("file", request.file is not None),
        )
        if is_given
    ]
    if len(given) > 1:
        raise Fatal(
            f"the request has more than one body: {' and '.join(f'`{name}`' for name in given)}",
            type="validation",
            hint="give one of them",
        )
    expected = read_expected(request.expect_status)
    options: dict[str, Any] = {
        "headers": dict(request.headers),
        "expect": expected,
        # A redirect that is expected is an answer; any other is followed.
        "follow_redirects": not any(300 <= status <= 399 for status in expected),
        "timeout_s": NO_LIMIT_S,
        # Pages are different requests: with one key for all, a service would repeat its first answer.
        "idempotency_key": request.method not in _REPEATABLE and request.paginate is None,
    }
    if request.file is not None:
        options["content"], said = await read_upload(ctx, request.file)
        named = {name.lower() for name in request.headers}
        # A boundary cannot be known beforehand; the type of a bare file can, and then the step's own word counts.
        if "content-type" not in named or "multipart" in said["Content-Type"]:
            options["headers"] = {
                name: value for name, value in request.headers.items() if name.lower() != "content-type"
            } | said
    elif given:
        options[given[0]] = getattr(request, given[0])
    return options


async def _send(ctx: Context, request: Request, options: Mapping[str, Any], url: str, query: JsonObject) -> Response:
    """Send one request, with the credential in its query when that is where it belongs."""
    if name := _find_parameter(ctx):
        url = remove_parameters(url, {name})
        query = {**query, name: ctx.credential["value"]}
    values: dict[str, Any] = dict(query)  # text, numbers, booleans, null and lists of them, by the inputs' types
    return await ctx.http.request(request.method, url, query=values, **options)


def _without_credential(ctx: Context, url: str) -> str:
    name = _find_parameter(ctx)
    return remove_parameters(url, {name}) if name else url


def _find_parameter(ctx: Context) -> str:
    """Return the query parameter that carries the credential; empty when a header does, or nothing."""
    in_header = any(field in ctx.credential for field in ("token", "username", "header"))
    return "" if in_header else ctx.credential.get("query")
