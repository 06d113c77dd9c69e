"""The HTTP client that actions get.

Owns `HttpClient`: it turns an author's call into a checked request, adds the credential where it is meant for, and turns statuses into
errors. Knows nothing of sockets: an `Exchange` sends. Made by `make_context` for each attempt.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypedDict, Unpack, final

from ipaas.errors import StepError
from ipaas.plugin.credential import authorize
from ipaas.plugin.http_request import METHODS, NO_JSON, OutgoingRequest, check_headers, encode_body
from ipaas.plugin.http_status import check_status
from ipaas.plugin.redirects import is_same_trust
from ipaas.plugin.web_address import parse_address, resolve_address

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from ipaas.plugin.http_request import Exchange
    from ipaas.plugin.http_response import Response
    from ipaas.plugin.parameters import Json
    from ipaas.plugin.web_address import QueryValue, WebAddress

MIN_SECRET: Final = 4
"""Shorter values are not searched for in texts: replacing every `a` would help nobody."""


class RequestOptions(TypedDict, total=False):
    """What every request may be given.

    Attributes:
        query: added to the URL: a list repeats its name, None leaves it out.
        headers: beside those that the body, the credential and the protocol need.
        json: the body, as JSON; None is the JSON null.
        form: the body, as `name=value&…`.
        text: the body, as UTF-8 text.
        content: the body, as it is; its `Content-Type` stands in `headers`.
        expect: statuses that are answers and not errors; default: 200 to 399.
        timeout_s: for the whole exchange, redirects and body included; default 30.
        max_bytes: of the answer's body, decompressed; at most, and by default, what the pool allows (10 MiB).
        follow_redirects: default true; false makes the redirect the answer.
        idempotency_key: send the step's key as `Idempotency-Key`, for services that know it.
    """

    query: Mapping[str, QueryValue]
    headers: Mapping[str, str]
    json: Json
    form: Mapping[str, QueryValue]
    text: str
    content: bytes
    expect: Container[int]
    timeout_s: float
    max_bytes: int
    follow_redirects: bool
    idempotency_key: bool


@final
class HttpClient:
    """Sends requests for one attempt of one action. May be used by several of the action's tasks.

    The credential goes to one origin only: that of the base URL, or without one that of the first request. So a link in an answer
    cannot lure it elsewhere.

    Args:
        exchange: sends the requests.
        scheme: headers that carry the credential, see `authorize`.
    """

    def __init__(
        self,
        *,
        exchange: Exchange,
        base_url: str = "",
        credential: Mapping[str, str],
        scheme: Mapping[str, str] | None = None,
        idempotency_key: str = "",
    ) -> None:
        self._exchange = exchange
        self._base = parse_address(base_url, what="the connector's base URL") if base_url else None
        self._credential = credential
        self._scheme = scheme
        self._idempotency_key = idempotency_key
        self._trusted = self._base

    async def get(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a GET request; see `request`."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a POST request; see `request`."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PUT request; see `request`."""
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PATCH request; see `request`."""
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a DELETE request; see `request`."""
        return await self.request("DELETE", url, **options)

    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a request and return the answer, wholly read.

        Args:
            method: `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE` or `OPTIONS`.
            url: absolute; or, for a connector with a base URL, a path below it.
            **options: see `RequestOptions`.

        Raises:
            StepError: of the type that the status means (401 and 403 `auth`, 404 and 410 `not_found`, 408 and 504 `timeout`, 429
                `rate_limited`, other 5xx `server_error`, other 4xx `client_error`), with `retry_after_s` when the other side said
                so; `timeout` and `server_error` when there was no answer; `validation` when the request cannot be made.
        """
        request = self._prepare(method, url, options)
        response = await self._exchange.send(request)
        check_status(
            response,
            request.method,
            options.get("expect"),
            secrets=request.secrets,
            has_credential=bool(request.secret_headers),
        )
        return response

    def _prepare(self, method: str, url: str, options: RequestOptions) -> OutgoingRequest:
        """Return the request as it is sent."""
        method = method.upper()
        if method not in METHODS:
            raise StepError(
                f"`{method[:20]}` is not an HTTP method", type="validation", hint=f"one of {', '.join(sorted(METHODS))}"
            )
        timeout_s = options.get("timeout_s")
        if timeout_s is not None and not (timeout_s > 0 and math.isfinite(timeout_s)):
            raise StepError(f"`timeout_s` is {timeout_s:g}", type="validation", hint="give seconds above zero")
        address = resolve_address(url, self._base)
        if query := options.get("query"):
            address = address.with_query(query)
        body, content_type = encode_body(
            json=options.get("json", NO_JSON),
            form=options.get("form"),
            text=options.get("text"),
            content=options.get("content"),
        )
        headers = check_headers(options.get("headers") or {})
        if content_type is not None:
            _put_default(headers, "Content-Type", content_type)
        if options.get("idempotency_key") and self._idempotency_key:
            _put_default(headers, "Idempotency-Key", self._idempotency_key)
        secret_headers = self._authorize(address, headers)
        return OutgoingRequest(
            method=method,
            url=address,
            headers=headers,
            body=body,
            secret_headers=secret_headers,
            secrets=tuple(value for value in self._credential.values() if len(value) >= MIN_SECRET),
            timeout_s=timeout_s,
            max_bytes=options.get("max_bytes"),
            follow_redirects=options.get("follow_redirects", True),
        )

    def _authorize(self, address: WebAddress, headers: dict[str, str]) -> frozenset[str]:
        """Put the credential into the headers when the address is the one that it is meant for; return the headers' names."""
        if self._trusted is None:
            self._trusted = address
        if not is_same_trust(self._trusted, address):
            return frozenset()
        carried = authorize(self._credential, self._scheme)
        names = frozenset(name.lower() for name in carried)
        for name in [name for name in headers if name.lower() in names]:
            del headers[name]
        headers.update(carried)
        return names


def _put_default(headers: dict[str, str], name: str, value: str) -> None:
    if not any(given.lower() == name.lower() for given in headers):
        headers[name] = value
