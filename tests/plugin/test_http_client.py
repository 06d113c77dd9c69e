from collections.abc import Mapping
from typing import Any

import pytest

from ipaas.errors import StepError
from ipaas.plugin import RecordedRequest, RequestRecorder, Response
from ipaas.plugin.http_response import Headers, decode_text
from ipaas.testing.fake_server import FakeServer, redirect, reply
from tests.plugin.conftest import MakeHttp


async def record(make_http: MakeHttp, method: str, url: str, **options: Any) -> RecordedRequest:
    recorder = RequestRecorder()
    await make_http(through=recorder).request(method, url, **options)
    return recorder.requests[0]


@pytest.mark.parametrize(
    ("options", "content_type", "body"),
    [
        ({"json": {"a": [1, None, "ä"]}}, "application/json", b'{"a":[1,null,"\xc3\xa4"]}'),
        ({"json": None}, "application/json", b"null"),
        ({"form": {"a": "x y", "b": [1, 2]}}, "application/x-www-form-urlencoded", b"a=x+y&b=1&b=2"),
        ({"text": "grüße"}, "text/plain; charset=utf-8", b"gr\xc3\xbc\xc3\x9fe"),
        ({"content": b"\0\1"}, None, b"\0\1"),
        ({"json": {}, "headers": {"content-type": "application/vnd.x+json"}}, "application/vnd.x+json", b"{}"),
        ({}, None, b""),
    ],
    ids=str,
)
async def test_body_is_encoded(
    server: FakeServer, make_http: MakeHttp, options: Mapping[str, Any], content_type: str | None, body: bytes
) -> None:
    """Each kind of body arrives with its content type and length; a header of the caller's wins."""
    server.on("POST", "/", reply(status=204))
    await make_http().post(server.url, **options)
    received = server.requests[0]
    assert (received.headers.get("content-type"), received.body) == (content_type, body)
    assert received.headers["content-length"] == str(len(body))


async def test_request_says_who_asks(server: FakeServer, make_http: MakeHttp) -> None:
    """Host, agent and accepted encodings are ours; no cookie is kept from one answer to the next request."""
    server.on("GET", "/", reply(status=204, headers={"Set-Cookie": "session=1"}))
    await make_http().get(server.url)
    await make_http().get(server.url, headers={"User-Agent": "mine", "Accept-Encoding": "br"})
    first, second = server.requests
    assert first.headers["host"] == f"127.0.0.1:{server.port}"
    assert (first.headers["user-agent"][:6], first.headers["accept-encoding"]) == ("ipaas/", "gzip, deflate")
    assert (second.headers["user-agent"], second.headers["accept-encoding"]) == ("mine", "gzip, deflate")
    assert "cookie" not in second.headers
    assert "content-length" not in first.headers


async def test_verbs_and_query(server: FakeServer, make_http: MakeHttp) -> None:
    """Each verb sends its method, and a query joins that of the URL."""
    server.on("*", "*", reply(status=204))
    http = make_http()
    for send in (http.get, http.post, http.put, http.patch, http.delete):
        await send(f"{server.url}/x?a=1", query={"b": True})
    await http.request("head", f"{server.url}/x")
    assert [request.method for request in server.requests] == ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
    assert server.requests[0].query == {"a": "1", "b": "true"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"json": {}, "text": ""}, "the request has more than one body: `json`, `text`"),
        (
            {"json": {"a": float("nan")}},
            "the request's body is not JSON: Out of range float values are not JSON compliant",
        ),
        ({"json": {"a": {1}}}, "the request's body is not JSON: Object of type set is not JSON serializable"),
        ({"headers": {"Host": "evil"}}, "the header `Host` cannot be set"),
        ({"headers": {"content-length": "5"}}, "the header `content-length` cannot be set"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "the header `Transfer-Encoding` cannot be set"),
        (
            {"headers": {"X": "a\r\nY: b"}},
            "the header `X` has a line break, a control character or a letter outside ASCII",
        ),
        ({"headers": {"X y": "a"}}, "`X y` is not a header name"),
        ({"headers": {"X": 5}}, "the header `X` is not text"),
        ({"timeout_s": 0}, "`timeout_s` is 0"),
        ({"timeout_s": float("inf")}, "`timeout_s` is inf"),
    ],
    ids=str,
)
async def test_request_that_cannot_be_is_refused(make_http: MakeHttp, options: Mapping[str, Any], message: str) -> None:
    """A request that cannot be sent as it is meant is a validation error, and nothing is sent."""
    recorder = RequestRecorder()
    with pytest.raises(StepError) as caught:
        await make_http(through=recorder).post("http://a.example/", **options)
    assert (caught.value.type, caught.value.message, recorder.requests) == ("validation", message, [])


async def test_method_must_be_one(make_http: MakeHttp) -> None:
    """CONNECT, TRACE and invented methods are refused."""
    for method in ("CONNECT", "TRACE", "GET /"):
        with pytest.raises(StepError, match="is not an HTTP method"):
            await make_http().request(method, "http://a.example/")


async def test_base_url_and_credential_belong_together(server: FakeServer, make_http: MakeHttp) -> None:
    """A connector's credential goes to its base URL, and to no other address that the action asks."""
    server.on("*", "*", reply(status=204))
    async with FakeServer() as other:
        other.on("*", "*", reply(status=204))
        http = make_http({"token": "s3cret"}, base_url=f"{server.url}/api")
        await http.get("users/1")
        await http.get(f"{other.url}/x")
        assert (server.requests[0].path, server.requests[0].headers["authorization"]) == (
            "/api/users/1",
            "Bearer s3cret",
        )
        assert "authorization" not in other.requests[0].headers


async def test_credential_goes_to_the_first_origin_only(server: FakeServer, make_http: MakeHttp) -> None:
    """Without a base URL the credential belongs to the first address: a link to elsewhere in an answer does not get it."""
    server.on("*", "*", reply(status=204))
    async with FakeServer() as other:
        other.on("*", "*", reply(status=204))
        http = make_http({"username": "u", "password": "p"})
        await http.get(server.url)
        await http.get(other.url)
        await http.get(f"{server.url}/again")
        assert ["authorization" in request.headers for request in server.requests] == [True, True]
        assert "authorization" not in other.requests[0].headers


async def test_credential_does_not_follow_a_redirect_elsewhere(server: FakeServer, make_http: MakeHttp) -> None:
    """A redirect within the origin keeps the credential, one to another port loses it."""
    async with FakeServer() as other:
        other.on("*", "*", reply(status=204))
        server.on("GET", "/", redirect("/on"))
        server.on("GET", "/on", redirect(f"{other.url}/"))
        await make_http({"header": "X-Special", "value": "s3cret"}).get(server.url)
        assert [request.headers.get("x-special") for request in server.requests] == ["s3cret", "s3cret"]
        assert "x-special" not in other.requests[0].headers


async def test_credential_wins_over_a_header(server: FakeServer, make_http: MakeHttp) -> None:
    """A header of the credential's name that the pipeline gives is replaced, not doubled."""
    server.on("*", "*", reply(status=204))
    await make_http({"token": "s3cret"}).get(server.url, headers={"authorization": "Basic x"})
    assert server.requests[0].headers["authorization"] == "Bearer s3cret"


async def test_idempotency_key_is_sent_on_request(server: FakeServer, make_http: MakeHttp) -> None:
    """The step's idempotency key is sent when the action asks for it, and only then."""
    server.on("*", "*", reply(status=201))
    await make_http().post(server.url, json={}, idempotency_key=True)
    await make_http().post(server.url, json={})
    assert [request.headers.get("idempotency-key") for request in server.requests] == ["run-1:step", None]


async def test_status_becomes_an_error(server: FakeServer, make_http: MakeHttp) -> None:
    """A failing status raises what it means, with the other side's words and without the credential."""
    server.on("GET", "/", reply(status=503, json={"message": "s3cret is busy"}, headers={"Retry-After": "2"}))
    with pytest.raises(StepError) as caught:
        await make_http({"token": "s3cret"}).get(server.url)
    assert (caught.value.type, caught.value.retry_after_s) == ("server_error", 2.0)
    assert caught.value.message == f"`GET {server.url}/` answered 503: *** is busy"


async def test_expected_status_is_an_answer(server: FakeServer, make_http: MakeHttp) -> None:
    """A status that the action expects is an answer."""
    server.on("GET", "/", reply(status=404, text="none"))
    assert (await make_http().get(server.url, expect={200, 404})).status == 404


async def test_recorder_shows_and_sends_nothing(make_http: MakeHttp) -> None:
    """A dry run sees each request with its secrets redacted in URL, headers and body, and gets a made-up answer."""
    recorder = RequestRecorder()
    http = make_http({"token": "s3cret!"}, through=recorder)
    answered = await http.post(
        "https://a.example/x?key=s3cret%21",
        headers={"X-Api-Key": "other", "X-Note": "by s3cret!"},
        json={"text": "hi", "nested": ["s3cret!"]},
    )
    assert recorder.requests == [
        RecordedRequest(
            method="POST",
            url="https://a.example/x?key=***",
            headers={
                "X-Api-Key": "***",
                "X-Note": "by ***",
                "Content-Type": "application/json",
                "Authorization": "***",
            },
            body={"text": "hi", "nested": ["***"]},
        )
    ]
    assert (answered.status, answered.json()) == (200, {})


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, None),
        ({"form": {"a": 1}}, "a=1"),
        ({"text": "grüße"}, "grüße"),
        ({"content": b"\0\1\2"}, "3 bytes"),
        ({"content": b"\0", "headers": {"Content-Type": "image/png"}}, "1 bytes of image/png"),
    ],
    ids=str,
)
async def test_recorded_body_is_readable(make_http: MakeHttp, options: Mapping[str, Any], body: object) -> None:
    """Text is recorded as text, bytes as their size."""
    assert (await record(make_http, "POST", "http://a.example/", **options)).body == body


async def test_recorder_answers_as_it_is_told(make_http: MakeHttp) -> None:
    """A test of an action scripts the answers, which go through the same checks as real ones."""
    recorder = RequestRecorder(lambda request: Response(status=404, url=request.url))
    with pytest.raises(StepError, match="answered 404"):
        await make_http(through=recorder).get("http://a.example/")


def test_headers_know_no_case_and_keep_doubles() -> None:
    """Header names have no case; several of one name are joined, or listed."""
    headers = Headers([("Link", "<a>"), ("link", "<b>"), ("X-One", "1")])
    assert (headers["LINK"], headers.list_values("link"), headers.get("none", "-")) == ("<a>, <b>", ["<a>", "<b>"], "-")
    assert ("x-ONE" in headers, sorted(headers), len(headers)) == (True, ["link", "x-one"], 2)


@pytest.mark.parametrize(
    ("content", "content_type", "text"),
    [
        (b"\xc3\xa4", "text/plain", "ä"),
        (b"\xe4", "text/plain; charset=ISO-8859-1", "ä"),
        (b"\xef\xbb\xbfa", "", "a"),
        (b"\xe4", "text/plain", "\ufffd"),
        (b"\xc3\xa4", "text/plain; charset=nonsense", "ä"),
        (b"\xc3\xa4", "text/plain; charset=rot13", "ä"),
        (b"+2AA-", "text/plain; charset=utf-7", "?"),
    ],
)
def test_text_is_decoded_whatever_it_claims(content: bytes, content_type: str, text: str) -> None:
    """The named charset is used when it is one; text is always whole characters."""
    assert decode_text(content, content_type) == text


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"NaN", b"[" * 100_000])
def test_body_that_is_no_json_is_a_server_error(body: bytes) -> None:
    """Asking a page for its JSON says what came instead."""
    response = Response(
        status=200, url="http://a.example/?q=1", headers=Headers([("Content-Type", "text/html")]), content=body
    )
    with pytest.raises(
        StepError, match=r"`http://a\.example/` answered 200 with `text/html` where JSON was expected"
    ) as caught:
        response.json()
    assert caught.value.type == "server_error"
