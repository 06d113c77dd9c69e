"""The actions of `http`: one for each method, all with the same inputs.

Owns inputs, effects and documentation; what they do is in `sending`. Annotations are read at run time, so this module does without
`from __future__ import annotations`.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from ipaas.plugin import Connector, Context, Doc, Json, hookimpl

from .answers import Answer
from .paging import Paginate
from .sending import Absent, Request, perform
from .uploads import Upload

http = Connector(
    "http",
    credential=["token", "username", "password", "header", "query", "value"],
    config={"files.root": "the folder that `file` is relative to; default: the folder `files` in the pipelines folder"},
    description="Send requests to any address, read what comes back, collect all pages of a list.",
)

Scalar = str | int | float | bool
Url = Annotated[str, Doc("the address, `https://…`")]
Query = Annotated[
    dict[str, Scalar | list[Scalar] | None], Doc("added to the address; a list repeats its name, null leaves it out")
]
Headers = Annotated[dict[str, str], Doc("header fields")]
JsonBody = Annotated[Json, Doc("the body as JSON; null is the JSON null")]
Form = Annotated[
    dict[str, Scalar | list[Scalar] | None] | None, Doc("the body as `name=value&…`, as a web form sends it")
]
Text = Annotated[str | None, Doc("the body as text; say what it is with the header `Content-Type`")]
File = Annotated[str | Upload | None, Doc("the body from a file below the files root: its path, or an object")]
Status = Annotated[
    int | str | list[int | str] | None,
    Doc(
        "statuses that are answers and not errors, as in `[200, 404]` or `2xx`; default: 2xx; a redirect named here is not followed"
    ),
]
Pages = Annotated[Paginate | None, Doc("ask for all pages: the body is then the list of all items")]
NOT_GIVEN: Any = Absent


def make_action(method: str, summary: str) -> Callable[..., Awaitable[Answer]]:
    """Return the action of one method."""

    async def act(
        ctx: Context,
        url: Url,
        query: Query = {},  # noqa: B006  # each call gets its own copy
        headers: Headers = {},  # noqa: B006  # each call gets its own copy
        json: JsonBody = NOT_GIVEN,
        form: Form = None,
        text: Text = None,
        file: File = None,
        expect_status: Status = None,
        paginate: Pages = None,
    ) -> Answer:
        request = Request(
            method=method,
            url=url,
            query=query,
            headers=headers,
            json=json,
            form=form,
            text=text,
            file=file,
            expect_status=expect_status,
            paginate=paginate,
        )
        return await perform(ctx, request)

    act.__doc__ = summary
    return act


http.action(effect="read", only_http=True, name="get")(make_action("GET", "Send a GET request: read something."))
http.action(effect="write", only_http=True, name="post")(
    make_action("POST", "Send a POST request: make or start something.")
)
http.action(effect="idempotent", only_http=True, name="put")(
    make_action("PUT", "Send a PUT request: put something in place.")
)
http.action(effect="write", only_http=True, name="patch")(
    make_action("PATCH", "Send a PATCH request: change a part of something.")
)
http.action(effect="idempotent", only_http=True, name="delete")(
    make_action("DELETE", "Send a DELETE request: remove something.")
)


@http.action(effect="write", only_http=True)
async def request(
    ctx: Context,
    method: Annotated[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], Doc("the method")],
    url: Url,
    query: Query = {},  # noqa: B006  # each call gets its own copy
    headers: Headers = {},  # noqa: B006  # each call gets its own copy
    json: JsonBody = NOT_GIVEN,
    form: Form = None,
    text: Text = None,
    file: File = None,
    expect_status: Status = None,
    paginate: Pages = None,
) -> Answer:
    """Send a request of any method. It counts as a write, whatever the method: it is not repeated unless the step says so."""
    return await make_action(method, "")(
        ctx,
        url,
        query,
        headers,
        json=json,
        form=form,
        text=text,
        file=file,
        expect_status=expect_status,
        paginate=paginate,
    )


@hookimpl
def ipaas_connectors() -> list[Connector]:
    """Return the one connector of this plugin."""
    return [http]
