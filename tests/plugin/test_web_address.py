import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.errors import StepError
from ipaas.plugin.web_address import encode_query, follow_reference, parse_address, resolve_address

BASE = parse_address("https://api.example.com/v1/")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/A?b#c", "https://example.com/A?b"),
        ("http://example.com:8080/a%20b", "http://example.com:8080/a%20b"),
        ("http://example.com./", "http://example.com/"),
        ("http://bücher.example/ü?q=ü", "http://xn--bcher-kva.example/%C3%BC?q=%C3%BC"),
        ("http://[2001:DB8:0::1]:80/", "http://[2001:db8::1]/"),
        ("http://my_service:1/", "http://my_service:1/"),
        ("http://example.com/a;b=c,d?x=[1]&y=a|b", "http://example.com/a;b=c,d?x=[1]&y=a|b"),
        ("  https://example.com/  ", "https://example.com/"),
    ],
)
def test_address_is_read_into_one_form(text: str, shown: str) -> None:
    """Case, default ports, trailing dots, IDNA and percent-encoding are brought to the one form that is compared and sent."""
    assert str(parse_address(text)) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("example.com/path", "the URL does not begin with `http://` or `https://`"),
        ("ftp://example.com/", "the URL does not begin with `http://` or `https://`"),
        ("file:///etc/passwd", "the URL does not begin with `http://` or `https://`"),
        ("", "the URL does not begin with `http://` or `https://`"),
        ("http:///path", "the URL has no host"),
        ("http://user:hunter2@example.com/", "the URL has a user name in it"),
        ("http://good.example\\@evil.example/", "the URL has a space, a backslash or a control character in it"),
        ("http://example.com/a b", "the URL has a space, a backslash or a control character in it"),
        ("http://example.com/\r\nX: 1", "the URL has a space, a backslash or a control character in it"),
        ("http://exa\0mple.com/", "the URL has a space, a backslash or a control character in it"),
        ("http://[fe80::1%25eth0]/", "the URL has the address `fe80::1%25eth0` with a zone id"),
        ("http://[::1/", "the URL cannot be read: Invalid IPv6 URL"),
        ("http://[nonsense]/", "the URL cannot be read: 'nonsense' does not appear to be an IPv4 or IPv6 address"),
        ("http://example.com:99999/", "the URL cannot be read: Port out of range 0-65535"),
        ("http://example.com:0/", "the URL has the port 0"),
        ("http://exa%6dple.com/", "the URL has the host name `exa%6dple.com`, which cannot be one"),
        ("http://a..b/", "the URL has the host name `a..b`, which cannot be one"),
        (f"http://{'a' * 300}.example/", f"the URL has the host name `{'a' * 80}`, which cannot be one"),
        (f"http://example.com/{'a' * 9000}", "the URL is longer than 8192 characters"),
    ],
    ids=range(19),
)
def test_address_that_two_parsers_may_read_differently_is_refused(text: str, message: str) -> None:
    """Anything but a plain http or https address is a validation error with a cure, and shows no password."""
    with pytest.raises(StepError) as caught:
        parse_address(text)
    assert (caught.value.type, caught.value.message) == ("validation", message)
    assert caught.value.hint
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("users", "https://api.example.com/v1/users"),
        ("/users?id=1", "https://api.example.com/v1/users?id=1"),
        ("", "https://api.example.com/v1/"),
        ("a:b", None),
        ("users/a..b", "https://api.example.com/v1/users/a..b"),
        ("@evil.example/", "https://api.example.com/v1/@evil.example/"),
        ("https://other.example/x", "https://other.example/x"),
        ("//evil.example/x", None),
        ("\\\\evil.example/x", None),
        ("../admin", None),
        ("users/../../admin", None),
        ("users/%2e%2E/admin", None),
        ("users/..%2fadmin", None),
        ("./users", None),
    ],
)
def test_path_stays_below_the_base(text: str, shown: str | None) -> None:
    """A path without a scheme never leaves the base's host and path; a whole URL stands for itself."""
    if shown is None:
        with pytest.raises(StepError):
            resolve_address(text, BASE)
    else:
        assert str(resolve_address(text, BASE)) == shown


@given(st.text(max_size=40))
def test_no_path_leaves_the_base(text: str) -> None:
    """Whatever an action appends, the request goes to the base's origin and path, is refused, or names its own scheme."""
    try:
        address = resolve_address(text, BASE)
    except StepError:
        return
    if not text.strip().lower().startswith(("http:", "https:")):
        assert (address.origin, address.path.startswith("/v1/")) == (BASE.origin, True)


@given(st.text(max_size=60))
def test_read_address_reads_back_as_itself(text: str) -> None:
    """What is sent is what was read: the shown form of an address reads as the same address."""
    try:
        address = parse_address(f"http://{text}")
    except StepError:
        return
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"a": "x y", "b": 1, "c": True, "d": None}, "a=x+y&b=1&c=true"),
        ({"a": ["x", 2, False]}, "a=x&a=2&a=false"),
        ({"a&b": "ü=ö"}, "a%26b=%C3%BC%3D%C3%B6"),
        ({"a": []}, ""),
    ],
)
def test_query_is_encoded(query: dict[str, object], text: str) -> None:
    """Lists repeat their name, null leaves it out, booleans are as in JSON, and no value ends the pair that it stands in."""
    assert encode_query(query) == text  # type: ignore[arg-type]  # the values above are of the right kinds


def test_query_is_added_to_what_is_there() -> None:
    """A query joins the one that the URL already has."""
    assert str(parse_address("http://h.example/?a=1").with_query({"b": 2})) == "http://h.example/?a=1&b=2"


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("/new", "https://api.example.com/new"),
        ("new", "https://api.example.com/v1/new"),
        ("?page=2", "https://api.example.com/v1/?page=2"),
        ("//other.example/x", "https://other.example/x"),
        ("http://other.example:81", "http://other.example:81/"),
    ],
)
def test_reference_is_followed(reference: str, shown: str) -> None:
    """A `Location` is resolved against the address that sent it."""
    assert str(follow_reference(BASE, reference)) == shown
