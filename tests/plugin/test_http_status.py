import json

import pytest

from ipaas.errors import AuthFailed, NotFound, StepError
from ipaas.plugin.http_response import Headers, Response
from ipaas.plugin.http_status import check_status, error_type_of, read_excerpt, read_retry_after


def answer(status: int, body: object = b"", **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"content-type": "application/json"}
    fields = {**kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Response(status=status, url="https://a.example/x?key=1", headers=Headers(fields.items()), content=content)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "client_error"), (401, "auth"), (403, "auth"), (404, "not_found"), (408, "timeout"), (409, "client_error"),
        (410, "not_found"), (418, "client_error"), (422, "client_error"), (425, "server_error"), (429, "rate_limited"),
        (500, "server_error"), (502, "server_error"), (503, "server_error"), (504, "timeout"), (599, "server_error"),
    ],
)  # fmt: skip
def test_status_means_its_error(status: int, kind: str) -> None:
    """Each status has its type of the closed set."""
    assert error_type_of(status) == kind
    with pytest.raises(StepError) as caught:
        check_status(answer(status), "GET", None, secrets=(), has_credential=False)
    assert (caught.value.type, caught.value.message) == (kind, f"`GET https://a.example/x` answered {status}")


@pytest.mark.parametrize("status", [200, 201, 204, 302, 304])
def test_success_and_redirects_are_answers(status: int) -> None:
    """200 to 399 are answers unless the caller says otherwise."""
    check_status(answer(status), "GET", None, secrets=(), has_credential=False)


def test_caller_says_what_is_an_answer() -> None:
    """With `expect`, exactly those statuses are answers."""
    check_status(answer(404), "GET", {404}, secrets=(), has_credential=False)
    with pytest.raises(StepError) as caught:
        check_status(answer(200), "GET", range(201, 300), secrets=(), has_credential=False)
    assert (caught.value.type, caught.value.message) == ("client_error", "`GET https://a.example/x` answered 200")


def test_types_steer_retry_and_catch() -> None:
    """Refused credentials and missing things come as the steering errors that authors raise, too."""
    with pytest.raises(AuthFailed) as refused:
        check_status(answer(401), "GET", None, secrets=(), has_credential=True)
    assert refused.value.hint == "check what the credential may do"
    with pytest.raises(AuthFailed) as missing:
        check_status(answer(401), "GET", None, secrets=(), has_credential=False)
    assert missing.value.hint == "does the step need a `credential:`?"
    with pytest.raises(NotFound):
        check_status(answer(410), "GET", None, secrets=(), has_credential=False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": " 0.5 "}, 0.5),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"retry_after": "Wed, 21 Oct 2015 07:27:00 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:30 GMT"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "9" * 400}, None),
        ({"retry_after": "Wed, 99 Oct 2015 07:28:30 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds and dates are understood, a date against the answer's own `Date`; nonsense is nothing."""
    assert read_retry_after(answer(503, **headers).headers) == seconds


def test_retry_after_reaches_the_engine() -> None:
    """The wait that the other side asks for is on the error, whatever its type."""
    with pytest.raises(StepError) as caught:
        check_status(answer(429, retry_after="3"), "GET", None, secrets=(), has_credential=False)
    assert caught.value.retry_after_s == 3.0


@pytest.mark.parametrize(
    ("response", "excerpt"),
    [
        (answer(400, {"error": {"message": "no such\nchannel"}}), "no such channel"),
        (answer(400, {"detail": "bad", "title": "worse"}), "bad"),
        (answer(400, {"errors": [{"message": "first"}, {"message": "second"}]}), "first"),
        (answer(400, {"code": 7}), '{"code": 7}'),
        (answer(400, b"<html><head><title>Bad Gateway</title>", content_type="text/html"), "Bad Gateway"),
        (answer(400, b"{broken", content_type="application/json"), "{broken"),
        (answer(400, b"\x1b[31mred\x00\xff\xe2\x80\xae"), "[31mred �"),
        (answer(400, b"x" * 1000), f"{'x' * 300}…"),
        (answer(400), ""),
    ],
    ids=range(9),
)
def test_excerpt_is_what_people_read(response: Response, excerpt: str) -> None:
    """Of a body the message is shown: one line, bounded, without control characters."""
    assert read_excerpt(response) == excerpt


def test_message_shows_no_secret() -> None:
    """A secret that the other side repeats is not shown, nor one in its percent-encoded form, nor the query."""
    response = answer(400, {"message": "bad token tok/en+1 in tok%2Fen%2B1"})
    with pytest.raises(StepError) as caught:
        check_status(response, "GET", None, secrets=["tok/en+1"], has_credential=True)
    assert caught.value.message == "`GET https://a.example/x` answered 400: bad token *** in ***"
