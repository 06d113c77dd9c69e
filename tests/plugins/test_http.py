import base64
import json
from collections.abc import AsyncIterator, Mapping
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from ipaas.plugin import Action, AuthFailed, Expr, Fatal, HttpPool, NotFound, RequestRecorder, StepError
from ipaas.testing.fake_server import FakeServer, Received, lie_about_length, redirect, reply
from tests.plugins.bundled import DATA, Bench


class Client(Bench):
    """The actions of `http` towards a server on loopback."""

    def __init__(self, actions: Mapping[str, Action], server: FakeServer, pool: HttpPool, root: Path) -> None:
        super().__init__(actions)
        self.server = server
        self.context: dict[str, Any] = {
            "pool": pool,
            "config": {"files.root": str(root)},
            "idempotency_key": "key-of-the-step",
        }

    async def __call__(self, action: str, path: str = "/", /, **inputs: Any) -> Any:
        return await self.run(f"http.{action}", {"url": self.server.url + path, **inputs}, **self.context)

    @property
    def queries(self) -> list[dict[str, str]]:
        return [dict(request.query) for request in self.server.requests]


@pytest.fixture
async def client(actions: Mapping[str, Action], tmp_path: Path) -> AsyncIterator[Client]:
    async with FakeServer() as server, HttpPool(["127.0.0.0/8"]) as pool:
        yield Client(actions, server, pool, tmp_path)


def page(function: Any) -> Expr:
    """An expression over `page`."""

    def evaluate(page: Any) -> Any:
        return function(page)

    return Expr(evaluate, text="…")


def always(value: Any) -> Expr:
    """An expression that gives the same for every page."""

    def evaluate(page: Any) -> Any:
        return value

    return Expr(evaluate, text="…")


# Requests


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
async def test_each_method_sends_what_it_is_given(client: Client, method: str) -> None:
    """Every action sends its method with query, headers and a JSON body."""
    client.server.on("*", "/orders", reply(json={"ok": True}))
    answer = await client(
        method, "/orders?a=1", query={"b": [1, True], "c": None, "d": "é"}, headers={"X-Mine": "yes"}, json={"n": 1}
    )
    (received,) = client.server.requests
    assert (received.method, received.query, received.headers["x-mine"]) == (
        method.upper(),
        {"a": "1", "b": "true", "d": "é"},
        "yes",
    )
    assert (received.json(), received.headers["content-type"]) == ({"n": 1}, "application/json")
    assert (answer["status"], answer["body"], answer["encoding"], answer["pages"]) == (200, {"ok": True}, "json", 1)


async def test_request_takes_the_method(client: Client) -> None:
    """`request` sends any method, and refuses what is none."""
    client.server.on("OPTIONS", "/", reply(status=204, headers={"Allow": "GET"}))
    assert (await client("request", method="OPTIONS"))["headers"]["allow"] == "GET"
    with pytest.raises(StepError, match="input `method` must be"):
        await client("request", method="BREW")


@pytest.mark.parametrize(
    ("inputs", "content_type", "body"),
    [
        ({"json": None}, "application/json", b"null"),
        ({"json": [1, "é"]}, "application/json", '[1,"é"]'.encode()),
        ({"form": {"a": ["1", 2], "b": "x y"}}, "application/x-www-form-urlencoded", b"a=1&a=2&b=x+y"),
        ({"text": "héllo"}, "text/plain; charset=utf-8", "héllo".encode()),
        ({"text": "<a/>", "headers": {"content-type": "application/xml"}}, "application/xml", b"<a/>"),
        ({}, None, b""),
    ],
)
async def test_bodies(client: Client, inputs: dict[str, Any], content_type: str | None, body: bytes) -> None:
    """Each kind of body has its content type; an explicit null is a body, nothing is none."""
    client.server.on("POST", "/", reply())
    await client("post", **inputs)
    (received,) = client.server.requests
    assert (received.headers.get("content-type"), received.body) == (content_type, body)


async def test_only_one_body(client: Client) -> None:
    """Two bodies are a mistake, also when one of them is null."""
    with pytest.raises(Fatal, match="more than one body: `json` and `text`") as caught:
        await client("post", json=None, text="x")
    assert (caught.value.type, client.server.requests) == ("validation", [])


async def test_a_file_is_the_body(client: Client, tmp_path: Path) -> None:
    """A path below the files root is sent as it is, with the type of its ending unless the step says another."""
    content = bytes(range(256))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.pdf").write_bytes(content)
    client.server.on("PUT", "/", reply())
    await client("put", file="a/x.pdf")
    await client("put", file="a/x.pdf", headers={"Content-Type": "application/x-mine"})
    await client("put", file={"path": "a/x.pdf", "content_type": "image/png"})
    assert [(one.body, one.headers["content-type"]) for one in client.server.requests] == [
        (content, "application/pdf"),
        (content, "application/x-mine"),
        (content, "image/png"),
    ]


async def test_a_file_is_a_field_of_a_form(client: Client, tmp_path: Path) -> None:
    """With `field` the file is sent as multipart, with other fields before it; no name can break out of its header."""
    (tmp_path / "x.csv").write_text("a,b\n")
    client.server.on("POST", "/", reply())
    await client(
        "post",
        file={"path": "x.csv", "field": 'up"load', "filename": 'Grü"ße\r\n.csv', "fields": {"channel": "é"}},
        headers={"Content-Type": "x/y"},
    )
    (received,) = client.server.requests
    message = BytesParser().parsebytes(
        b"Content-Type: " + received.headers["content-type"].encode() + b"\r\n\r\n" + received.body
    )
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part.get_payload(decode=True) for part in parts] == ["é".encode(), b"a,b\n"]
    assert b'name="up%22load"; filename="Gr\xc3\xbc%22\xc3\x9fe%0D%0A.csv"' in received.body
    assert parts[1].get_content_type() == "text/csv"


async def test_a_file_stays_below_the_root(client: Client, tmp_path: Path) -> None:
    """No file outside the root can be sent, and one that is not there is not found."""
    for path, error in (("../secret", Fatal), ("/etc/passwd", Fatal), ("none.csv", NotFound)):
        with pytest.raises(error):
            await client("post", file=path)
    with pytest.raises(Fatal, match=r"`file\.fields` needs `file\.field`"):
        await client("post", file={"path": "x", "fields": {"a": "b"}})
    assert client.server.requests == []


async def test_writes_carry_the_steps_key(client: Client) -> None:
    """POST and PATCH send the step's idempotency key, which is the same for every attempt; a key of one's own wins."""
    client.server.on("*", "/", reply())
    for method in ("get", "post", "put", "patch", "delete"):
        await client(method)
    await client("post", headers={"idempotency-key": "mine"})
    keys = [request.headers.get("idempotency-key") for request in client.server.requests]
    assert keys == [None, "key-of-the-step", None, "key-of-the-step", None, "mine"]


# Answers


@pytest.mark.parametrize(
    ("content_type", "content", "body", "encoding"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}, "json"),
        ("application/problem+json; charset=utf-8", b'"x"', "x", "json"),
        ("application/json", b"", None, "json"),
        ("text/csv", b"", "", "text"),
        ("", b"", None, "json"),
        ("text/plain; charset=latin-1", b"\xe9", "é", "text"),
        ("application/xml", b"<a/>", "<a/>", "text"),
        ("application/x-ndjson", b'{"a":1}\n', '{"a":1}\n', "text"),
        ("application/octet-stream", "é".encode(), "é", "text"),
        ("", b"plain", "plain", "text"),
        ("application/octet-stream", b"a\0b", base64.b64encode(b"a\0b").decode(), "base64"),
        ("application/pdf", b"%PDF\xff", base64.b64encode(b"%PDF\xff").decode(), "base64"),
        ("image/svg+xml", b"<svg/>", "<svg/>", "text"),
        ("text/html", b'{"a": 1}', '{"a": 1}', "text"),
    ],
)  # fmt: skip
async def test_bodies_are_read_by_their_type(
    client: Client, content_type: str, content: bytes, body: Any, encoding: str
) -> None:
    """JSON is parsed when the answer says that it is JSON; text is text; bytes that are no text are base64, and say so."""
    client.server.on("GET", "/", reply(body=content, headers={"Content-Type": content_type} if content_type else {}))
    answer = await client("get")
    assert (answer["body"], answer["encoding"]) == (body, encoding)


async def test_headers_are_lower_case(client: Client) -> None:
    """Header names come in lower case, several of one name joined."""
    client.server.on("GET", "/", lambda _: reply(headers={"X-Rate": "5", "x-rate": "6"}))
    assert (await client("get"))["headers"]["x-rate"] == "5, 6"


async def test_json_that_is_none_says_so(client: Client) -> None:
    """An answer that claims to be JSON and is not is the server's error."""
    client.server.on("GET", "/", reply(body=b"<html>", headers={"Content-Type": "application/json"}))
    with pytest.raises(StepError, match="where JSON was expected") as caught:
        await client("get")
    assert caught.value.type == "server_error"


async def test_json_that_is_too_deep_is_the_servers_error(client: Client) -> None:
    """Sixty levels are read; one more is refused as what the server did, not the connector."""
    client.server.on("GET", "/ok", reply(body=b"[" * 60 + b"]" * 60, headers={"Content-Type": "application/json"}))
    client.server.on(
        "GET", "/deep", reply(body=b"[" * 61 + b"1" + b"]" * 61, headers={"Content-Type": "application/json"})
    )
    assert (await client("get", "/ok"))["encoding"] == "json"
    with pytest.raises(StepError, match="more than 60 levels") as caught:
        await client("get", "/deep")
    assert caught.value.type == "server_error"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "client_error"), (401, "auth"), (404, "not_found"), (408, "timeout"), (409, "client_error"), (429, "rate_limited"), (500, "server_error"), (504, "timeout"), (304, "client_error")],
)  # fmt: skip
async def test_a_status_that_is_no_success_is_an_error(client: Client, status: int, kind: str) -> None:
    """Without `expect_status`, everything but 2xx fails with its type."""
    client.server.on("GET", "/", reply(status=status))
    with pytest.raises(StepError, match=f"answered {status}") as caught:
        await client("get")
    assert caught.value.type == kind


async def test_an_error_says_what_the_server_said(client: Client) -> None:
    """The message has the method, the address without its query, and the server's own words; Retry-After is kept."""
    client.server.on(
        "GET", "/x", reply(status=429, json={"error": {"message": "slow down"}}, headers={"Retry-After": "7"})
    )
    with pytest.raises(StepError, match=f"`GET {client.server.url}/x` answered 429: slow down") as caught:
        await client("get", "/x?api_key=secret")
    assert caught.value.retry_after_s == 7


async def test_expected_statuses_are_answers(client: Client) -> None:
    """What `expect_status` names is an answer, and nothing else is."""
    client.server.on("GET", "/", reply(status=404, json={"none": True}))
    for expected in (404, "404", "4xx", [200, 404], ["2xx", "4XX"]):
        assert (await client("get", expect_status=expected))["body"] == {"none": True}
    with pytest.raises(NotFound):
        await client("get", expect_status=[200, "5xx"])
    with pytest.raises(Fatal, match="`expect_status` has `2x`, which is no status"):
        await client("get", expect_status="2x")


async def test_redirects_are_followed_unless_expected(client: Client) -> None:
    """A redirect leads on; one that the step expects is the answer."""
    client.server.on("GET", "/old", redirect("/new"))
    client.server.on("GET", "/new", reply(text="here"))
    assert (await client("get", "/old"))["body"] == "here"
    answer = await client("get", "/old", expect_status=[200, 302])
    assert (answer["status"], answer["headers"]["location"]) == (302, "/new")


async def test_a_broken_answer_is_a_server_error(client: Client) -> None:
    """A body that ends too early is not taken for a whole one."""
    client.server.on("GET", "/", lie_about_length(b"short", length=100))
    with pytest.raises(StepError) as caught:
        await client("get")
    assert caught.value.type == "server_error"


# Credentials


@pytest.mark.parametrize(
    ("credential", "header", "value"),
    [
        ({"token": "t0k3n"}, "authorization", "Bearer t0k3n"),
        ({"username": "ada", "password": "pass"}, "authorization", f"Basic {base64.b64encode(b'ada:pass').decode()}"),
        ({"header": "X-Api-Key", "value": "k3yk3y"}, "x-api-key", "k3yk3y"),
    ],
)
async def test_credentials_in_headers(client: Client, credential: dict[str, str], header: str, value: str) -> None:
    """Each form of credential goes into its header."""
    client.server.on("GET", "/", reply())
    client.context["credential"] = credential
    await client("get")
    assert client.server.requests[0].headers[header] == value


async def test_a_credential_in_the_query(client: Client) -> None:
    """A key that belongs into the query is added to every page, and never shown to expressions or in errors."""
    client.context["credential"] = {"query": "api_key", "value": "s3cr3t-key"}
    seen: list[Any] = []

    def follow(page: Any) -> Any:
        seen.append(page["url"])
        return page["body"]["next"]

    client.server.on("GET", "/a", reply(json={"items": [1], "next": "/b?api_key=s3cr3t-key&x=1"}))
    client.server.on("GET", "/b", reply(json={"items": [2], "next": None}))
    answer = await client(
        "get", "/a?api_key=old", paginate={"items": page(lambda page: page["body"]["items"]), "next": page(follow)}
    )
    assert answer["body"] == [1, 2]
    assert client.queries == [{"api_key": "s3cr3t-key"}, {"x": "1", "api_key": "s3cr3t-key"}]
    assert seen == [f"{client.server.url}/a", f"{client.server.url}/b?x=1"]
    client.server.on("GET", "/c", lambda received: reply(status=400, text=f"bad {received.query}"))
    with pytest.raises(StepError) as caught:
        await client("get", "/c")
    assert "s3cr3t-key" not in caught.value.message


async def test_a_credential_goes_to_one_place(client: Client) -> None:
    """Of a credential with fields for header and query, the header carries it."""
    client.context["credential"] = {"token": "t0k3n", "query": "key", "value": "v4lue"}
    client.server.on("GET", "/", reply())
    await client("get")
    assert (client.queries, client.server.requests[0].headers["authorization"]) == ([{}], "Bearer t0k3n")


async def test_a_credential_without_its_value_says_so(client: Client) -> None:
    """A half credential is refused before anything is sent."""
    client.context["credential"] = {"query": "api_key"}
    with pytest.raises(AuthFailed, match="the credential has no field `value`"):
        await client("get")
    assert client.server.requests == []


# Pages


def serve_pages(server: FakeServer, path: str, pages: list[Any], key: str) -> None:
    """Answer with the page that the query parameter names; beyond the last with an empty list."""

    def answer(received: Received) -> Any:
        number = int(received.query[key])
        return reply(json=pages[number] if number < len(pages) else [])

    server.on("GET", path, answer)


async def test_pages_by_next_address(client: Client) -> None:
    """Next addresses are followed, relative or whole, until there is none; the answer has all items and the last page's head."""
    client.server.on("GET", "/orders", reply(json={"items": [1, 2], "next": "more?page=2"}))
    client.server.on("GET", "/more", reply(json={"items": [], "next": f"{client.server.url}/last"}))
    client.server.on("GET", "/last", reply(json={"items": [3], "next": None}, headers={"X-Last": "yes"}))
    answer = await client(
        "get",
        "/orders",
        query={"size": 2},
        headers={"X-Mine": "1"},
        paginate={"items": page(lambda page: page["body"]["items"]), "next": page(lambda page: page["body"]["next"])},
    )
    assert (answer["body"], answer["pages"], answer["headers"]["x-last"]) == ([1, 2, 3], 3, "yes")
    assert client.queries == [{"size": "2"}, {"page": "2"}, {}]
    assert [request.headers["x-mine"] for request in client.server.requests] == ["1", "1", "1"]


async def test_pages_by_cursor(client: Client) -> None:
    """The cursor goes into its parameter, in place of what stood there, until it is null or empty."""
    answers = {"start": ([1], "b/+="), "b/+=": ([2], 7), "7": ([3], "")}

    def answer(received: Received) -> Any:
        items, cursor = answers[received.query["cursor"]]
        return reply(json={"items": items, "meta": {"cursor": cursor}})

    client.server.on("GET", "/", answer)
    found = await client(
        "get",
        "/?cursor=start&q=1",
        paginate={
            "items": page(lambda page: page["body"]["items"]),
            "cursor": page(lambda page: page["body"]["meta"]["cursor"]),
            "cursor_param": "cursor",
        },
    )
    assert found["body"] == [1, 2, 3]
    assert client.queries == [{"cursor": "start", "q": "1"}, {"q": "1", "cursor": "b/+="}, {"q": "1", "cursor": "7"}]


async def test_pages_by_number(client: Client) -> None:
    """Page numbers rise from 1, or from `start`, until a page has no items; a short page is no end."""
    serve_pages(client.server, "/", [[], ["a", "b"], ["c"], ["d", "e"]], "p")
    assert (await client("get", paginate={"page_param": "p"}))["body"] == ["a", "b", "c", "d", "e"]
    assert [query["p"] for query in client.queries] == ["1", "2", "3", "4"]
    client.server.requests.clear()
    found = await client("get", paginate={"page_param": "p", "start": 2, "limit_param": "size", "limit": 2})
    assert (found["body"], client.queries) == (
        ["c", "d", "e"],
        [{"size": "2", "p": "2"}, {"size": "2", "p": "3"}, {"size": "2", "p": "4"}],
    )


async def test_pages_by_offset(client: Client) -> None:
    """Offsets rise by what a page really had, so that a service which caps the size of pages loses nothing."""
    stock = list(range(7))

    def answer(received: Received) -> Any:
        offset, limit = int(received.query["offset"]), min(int(received.query["limit"]), 3)
        return reply(json={"rows": stock[offset : offset + limit]})

    client.server.on("GET", "/", answer)
    found = await client(
        "get",
        paginate={
            "items": page(lambda page: page["body"]["rows"]),
            "offset_param": "offset",
            "limit_param": "limit",
            "limit": 100,
        },
    )
    assert (found["body"], [query["offset"] for query in client.queries]) == (stock, ["0", "3", "6", "7"])


async def test_pages_by_link_header(client: Client) -> None:
    """`rel="next"` is followed, whatever stands beside it; commas in addresses and quotes do not confuse."""
    links = f'<{client.server.url}/?a=1,2&page=1>; rel="prev first"; title="a, <b>; rel=next", </x>; rel=last, <?page=2,x>; title*=x; rel="nofollow NEXT"'
    client.server.on(
        "GET", "/", reply(json=[1], headers={"Link": links}), reply(json=[2], headers={"Link": '</>; rel="prev"'})
    )
    assert (await client("get", paginate={"link_header": True}))["body"] == [1, 2]
    assert client.queries == [{}, {"page": "2,x"}]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "<",
        "<a",
        '<a>; rel="next',
        "<a> rel=next",
        "<a>; rel",
        '<a>; rel=prev; rel="next"',
        ",,,",
        '"<a>; rel=next',
    ],
)
async def test_link_headers_without_a_next_page(client: Client, header: str) -> None:
    """A header that names no next page, or cannot be read, ends the list."""
    client.server.on("GET", "/", reply(json=[1], headers={"Link": header} if header else {}))
    assert (await client("get", paginate={"link_header": True}))["pages"] == 1


async def test_until_ends_early(client: Client) -> None:
    """`until` says which page is the last one wanted; its items are kept."""
    serve_pages(client.server, "/", [[], ["a"], ["b"], ["c"]], "p")
    found = await client("get", paginate={"page_param": "p", "until": page(lambda page: page["number"] == 2)})
    assert (found["body"], found["pages"]) == (["a", "b"], 2)


async def test_an_expression_sees_the_whole_page(client: Client) -> None:
    """`page` has status, headers, body, address and number."""
    seen: list[Any] = []

    def note(page: Any) -> bool:
        seen.append(page)
        return True

    client.server.on("GET", "/x", reply(json=[1], headers={"X-Total": "1"}))
    await client("get", "/x", query={"q": 1}, paginate={"page_param": "p", "until": page(note)})
    headers = seen[0].pop("headers")
    assert headers["x-total"] == "1"
    assert seen == [{"status": 200, "body": [1], "url": f"{client.server.url}/x?q=1&p=1", "number": 1}]


async def test_too_many_pages_are_an_error(client: Client) -> None:
    """More pages than `max_pages` are an error, not a list with a part missing; exactly as many are fine."""
    serve_pages(client.server, "/", [[], ["a"], ["b"], []], "p")
    with pytest.raises(StepError, match="there are more than 2 pages") as caught:
        await client("get", paginate={"page_param": "p", "max_pages": 2})
    assert (caught.value.type, "paginate.max_pages" in caught.value.hint, len(client.server.requests)) == (
        "limit_exceeded",
        True,
        2,
    )
    assert (await client("get", paginate={"page_param": "p", "max_pages": 3}))["body"] == ["a", "b"]


async def test_pages_that_go_round_are_noticed(client: Client) -> None:
    """A page that leads to one that was seen is an error at once, by address or by cursor."""
    client.server.on("GET", "/a", reply(json=["/b"]))
    client.server.on("GET", "/b", reply(json=["/a"]))
    with pytest.raises(Fatal, match="page 2 leads back to page 1: the pages go round in a circle"):
        await client("get", "/a", paginate={"next": page(lambda page: page["body"][0])})
    client.server.on("GET", "/c", reply(json=["same"]))
    with pytest.raises(Fatal, match="page 2 leads back to page 2"):
        await client("get", "/c", paginate={"cursor": page(lambda page: page["body"][0]), "cursor_param": "c"})
    assert len(client.server.requests) == 4


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/x",
        "http://127.0.0.1:1/x",
        "https://127.0.0.1:{port}/x",
        "//127.0.0.2:{port}/x",
        "ftp://127.0.0.1/x",
        "http://[bad/x",
    ],
)
async def test_pages_never_lead_to_another_server(client: Client, target: str) -> None:
    """A next address on another origin is refused: what the step sends is not meant for it."""
    address = target.format(port=client.server.port)
    client.server.on("GET", "/", reply(json=[1]))
    client.context["credential"] = {"token": "t0k3n"}
    with pytest.raises((Fatal, StepError), match=r"leads to another server|cannot be read") as caught:
        await client("get", paginate={"next": always(address)})
    assert (len(client.server.requests), "t0k3n" in caught.value.message) == (1, False)


async def test_paged_writes_send_no_key(client: Client) -> None:
    """Pages are different requests: with the step's one key a service would repeat its first answer."""
    client.server.on("POST", "/", reply(json={"items": [1], "next": 2}), reply(json={"items": [2], "next": None}))
    answer = await client(
        "post",
        json={"query": "x"},
        paginate={
            "items": page(lambda page: page["body"]["items"]),
            "cursor": page(lambda page: page["body"]["next"]),
            "cursor_param": "c",
        },
    )
    assert answer["body"] == [1, 2]
    assert [(request.headers.get("idempotency-key"), request.json()) for request in client.server.requests] == [
        (None, {"query": "x"})
    ] * 2


async def test_a_failing_page_fails_the_step(client: Client) -> None:
    """A page that answers with an error ends the step with it; no part of a list passes for the whole."""
    client.server.on("GET", "/", reply(json=[1]), reply(status=503, headers={"Retry-After": "3"}))
    with pytest.raises(StepError, match="answered 503") as caught:
        await client("get", paginate={"page_param": "p"})
    assert (caught.value.type, caught.value.retry_after_s) == ("server_error", 3)


@pytest.mark.parametrize(
    ("paginate", "message"),
    [
        ({}, "`paginate` has no way to the next page"),
        ({"page_param": "p", "link_header": True}, "`paginate` has `page_param` and `link_header`"),
        ({"cursor": always(None)}, "only one of `cursor` and `cursor_param`"),
        ({"page_param": "p", "cursor_param": "c"}, "only one of `cursor` and `cursor_param`"),
        ({"page_param": "p", "limit": 5}, "only one of `limit` and `limit_param`"),
        ({"link_header": True, "limit": 5, "limit_param": "n"}, "`paginate.limit` does not fit"),
        ({"page_param": "p", "limit": 0, "limit_param": "n"}, "`paginate.limit` does not fit"),
        ({"page_param": "p", "max_pages": 0}, "`paginate.max_pages` is 0"),
        ({"page_parm": "p"}, "page_parm"),
    ],
)
async def test_impossible_pagination_is_told_before_anything_is_sent(
    client: Client, paginate: Any, message: str
) -> None:
    """None or two ways to the next page, and parts without their partner, are refused."""
    with pytest.raises(StepError, match=message) as caught:
        await client("get", paginate=paginate)
    assert (caught.value.type, client.server.requests) == ("validation", [])


@pytest.mark.parametrize(
    ("paginate", "message"),
    [
        ({"page_param": "p"}, "page 1 has no list of items: its body is an object"),
        ({"page_param": "p", "items": always(None)}, "page 1 has no list of items: `items` is null"),
        ({"next": always(5), "items": always([])}, "`paginate.next` gave a number for page 1"),
        (
            {"cursor": always([]), "cursor_param": "c", "items": always([])},
            "`paginate.cursor` gave a list for page 1",
        ),
        (
            {"cursor": always(True), "cursor_param": "c", "items": always([])},
            "`paginate.cursor` gave a boolean for page 1",
        ),
        (
            {"page_param": "p", "until": always(1), "items": always([])},
            "`paginate.until` gave a number for page 1",
        ),
    ],
)
async def test_expressions_that_do_not_fit_name_the_page(client: Client, paginate: Any, message: str) -> None:
    """An expression that gives something of another kind is an error that names it and the page."""
    client.server.on("GET", "/", reply(json={"items": []}))
    with pytest.raises(Fatal, match=message) as caught:
        await client("get", paginate=paginate)
    assert caught.value.type == "expression"


# The dry run


async def test_a_dry_run_shows_the_request(actions: Mapping[str, Action], tmp_path: Path) -> None:
    """A dry run calls the action: what it would send is recorded without its secrets, and made-up answers lead nowhere."""
    recorder = RequestRecorder()
    context: dict[str, Any] = {
        "recorder": recorder,
        "dry": True,
        "config": {"files.root": str(tmp_path)},
        "credential": {"query": "key", "value": "s3cr3t"},
    }
    bench = Bench(actions)
    paged = await bench.run(
        "http.get", {"url": "https://api.example.com/orders", "paginate": {"page_param": "p"}}, **context
    )
    await bench.run("http.post", {"url": "https://api.example.com/orders", "file": "later.csv"}, **context)
    assert paged["body"] == []
    assert [(one.method, one.url) for one in recorder.requests] == [
        ("GET", "https://api.example.com/orders?p=1&key=***"),
        ("POST", "https://api.example.com/orders?key=***"),
    ]


async def test_a_real_feed(client: Client) -> None:
    """A real feed of 1.2 MB is read, parsed and handed on."""
    feed = (DATA / "usgs_all_week.geojson").read_bytes()
    client.server.on("GET", "/feed", reply(body=feed, headers={"Content-Type": "application/json; charset=utf-8"}))
    answer = await client("get", "/feed")
    assert answer["body"] == json.loads(feed)


@pytest.mark.parametrize(
    ("action", "effect"),
    [
        ("get", "read"),
        ("post", "write"),
        ("put", "idempotent"),
        ("patch", "write"),
        ("delete", "idempotent"),
        ("request", "write"),
    ],
)
def test_effects(actions: Mapping[str, Action], action: str, effect: str) -> None:
    """What repeating an action does decides its retries: reading nothing, putting and deleting nothing more."""
    assert (actions[f"http.{action}"].effect, actions[f"http.{action}"].only_http) == (effect, True)
