"""What a redirect makes of a request (RFC 9110, sections 15.4 and 10.2.2; Fetch standard, HTTP-redirect fetch).

Owns `find_next_request`. Pure. Called by `http_pool` for each hop; the address guard judges the new address when it is connected to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ipaas.errors import Fatal, StepError
from ipaas.plugin.web_address import WebAddress, follow_reference

if TYPE_CHECKING:
    from ipaas.plugin.http_request import OutgoingRequest
    from ipaas.plugin.http_response import Headers

MAX_REDIRECTS: Final = 5
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ABOUT_THE_BODY: Final = frozenset({"content-type", "content-encoding", "content-language", "content-location"})


def find_next_request(request: OutgoingRequest, status: int, headers: Headers) -> OutgoingRequest | None:
    """Return the request that the answer asks for, or None when it is no redirect.

    Across origins, headers that carry secrets are left out; so they are from https to http.

    Raises:
        Fatal: the redirect leads nowhere that may be asked.
    """
    if status not in REDIRECTS or "location" not in headers:
        return None
    try:
        url = follow_reference(request.url, headers.list_values("location")[0])
    except StepError as error:
        raise Fatal(
            f"`{request.url.without_query}` redirects to an address that cannot be used: {error.message}"
        ) from error
    becomes_get = request.method != "HEAD" and (status == 303 or (status in {301, 302} and request.method == "POST"))
    kept = dict(request.headers)
    if becomes_get:
        kept = {name: value for name, value in kept.items() if name.lower() not in _ABOUT_THE_BODY}
    if not is_same_trust(request.url, url):
        kept = {name: value for name, value in kept.items() if not request.is_secret(name)}
    return replace(
        request,
        method="GET" if becomes_get else request.method,
        url=url,
        headers=kept,
        body=b"" if becomes_get else request.body,
    )


def is_same_trust(first: WebAddress, second: WebAddress) -> bool:
    """Tell whether what was meant for the first may be sent to the second: the same origin, or its https door."""
    if first.origin == second.origin:
        return True
    upgrade = (first.scheme, first.port, second.scheme, second.port) == ("http", 80, "https", 443)
    return upgrade and first.host == second.host
