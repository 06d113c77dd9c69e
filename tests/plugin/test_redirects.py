import pytest

from ipaas.errors import Fatal
from ipaas.plugin.http_request import OutgoingRequest
from ipaas.plugin.http_response import Headers
from ipaas.plugin.redirects import find_next_request
from ipaas.plugin.web_address import parse_address


def go(method: str, status: int, location: str, *, url: str = "https://a.example/x") -> OutgoingRequest | None:
    request = OutgoingRequest(
        method=method,
        url=parse_address(url),
        headers={
            "Authorization": "Bearer t",
            "X-Special": "s",
            "X-Api-Key": "k",
            "Cookie": "c",
            "Idempotency-Key": "i",
            "Content-Type": "text/plain",
            "Accept": "text/html",
        },
        body=b"body",
        secret_headers=frozenset({"x-special"}),
    )
    return find_next_request(request, status, Headers([("Location", location)]))


@pytest.mark.parametrize(
    ("method", "status", "becomes"),
    [
        ("GET", 301, "GET"), ("GET", 302, "GET"), ("GET", 303, "GET"), ("GET", 307, "GET"), ("GET", 308, "GET"),
        ("POST", 301, "GET"), ("POST", 302, "GET"), ("POST", 303, "GET"), ("POST", 307, "POST"), ("POST", 308, "POST"),
        ("PUT", 301, "PUT"), ("PUT", 302, "PUT"), ("PUT", 303, "GET"), ("DELETE", 303, "GET"), ("DELETE", 302, "DELETE"),
        ("HEAD", 302, "HEAD"), ("HEAD", 303, "HEAD"),
    ],
)  # fmt: skip
def test_method_after_a_redirect(method: str, status: int, becomes: str) -> None:
    """303 makes everything a GET, 301 and 302 make a POST one, 307 and 308 change nothing; a GET that came of it has no body."""
    following = go(method, status, "/y")
    assert following is not None
    lost = method not in {"GET", "HEAD"} and becomes == "GET"
    keeps_body = method == becomes and not (status == 303 and method == "GET")
    assert following.method == becomes
    assert (following.body == b"", "Content-Type" in following.headers) == (
        (True, False) if lost or not keeps_body else (False, True)
    )


@pytest.mark.parametrize(
    ("url", "location", "kept"),
    [
        ("https://a.example/x", "/y", True),
        ("https://a.example/x", "https://a.example:443/y", True),
        ("http://a.example/x", "https://a.example/y", True),
        ("https://a.example/x", "http://a.example/y", False),
        ("https://a.example/x", "https://b.example/y", False),
        ("https://a.example/x", "https://sub.a.example/y", False),
        ("https://a.example/x", "https://a.example:8443/y", False),
        ("http://a.example:8080/x", "https://a.example/y", False),
    ],
)
def test_secrets_stay_with_their_origin(url: str, location: str, kept: bool) -> None:  # the expected answer
    """Across origins, and from https to http, every header that may carry a secret is left out; the others go on."""
    following = go("GET", 302, location, url=url)
    assert following is not None
    secrets = {"Authorization", "X-Special", "X-Api-Key", "Cookie", "Idempotency-Key"} & set(following.headers)
    assert (len(secrets), "Accept" in following.headers) == (5 if kept else 0, True)


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 404])
def test_other_statuses_are_no_redirects(status: int) -> None:
    """Only the five redirects are followed, whatever else has a `Location`."""
    assert go("GET", status, "/y") is None


def test_redirect_without_location_is_an_answer() -> None:
    """A redirect that says not where to is what the action gets."""
    request = OutgoingRequest(method="GET", url=parse_address("http://a.example/"))
    assert find_next_request(request, 302, Headers()) is None


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://x/", "http://u:p@b.example/", "http://[::1", "http://b\\c/"]
)
def test_redirect_to_what_is_no_address_is_refused(location: str) -> None:
    """A redirect leads to http or https, or nowhere."""
    with pytest.raises(Fatal, match="redirects to an address that cannot be used"):
        go("GET", 302, location)
