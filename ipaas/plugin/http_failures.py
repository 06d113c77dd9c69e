"""What a failing exchange means to a pipeline.

Owns `translate`: httpx2's and the operating system's exceptions in, `StepError` out. Pure. Imported when something has failed. Called by `http_pool`.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx2

from ipaas.errors import Fatal, StepError

if TYPE_CHECKING:
    from ipaas.plugin.web_address import WebAddress


def translate(error: Exception, url: WebAddress) -> StepError:
    """Return a transport failure in the words of a pipeline; names host and port, never path and query."""
    host = url.authority
    tls = _find_tls_error(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return Fatal(
            f"the certificate of `{host}` is not trusted: {tls.verify_message}",
            hint="for a private authority set `SSL_CERT_FILE` to its certificates",
        )
    if tls is not None:
        return StepError(
            f"no secure connection to `{host}`: {tls.reason or tls}", type="server_error", hint="is it `http://`?"
        )
    if isinstance(error, httpx2.InvalidURL):
        return Fatal(f"`{host}` cannot be connected to: {error}", hint="check the host name")
    if isinstance(error, httpx2.TimeoutException):
        return StepError(f"`{host}` did not answer in time: {error}", type="timeout")
    if isinstance(error, httpx2.LocalProtocolError):
        return StepError(f"the request to `{host}` cannot be sent: {error}", type="validation")
    if isinstance(error, httpx2.ProtocolError):
        return StepError(f"`{host}` did not answer in HTTP: {error}", type="server_error")
    if isinstance(error, httpx2.ConnectError):
        return StepError(f"the connection to `{host}` failed: {error}", type="server_error")
    return StepError(f"the connection to `{host}` was lost in the middle of the exchange", type="server_error")


def _find_tls_error(error: BaseException) -> ssl.SSLError | None:
    """Return the TLS failure that stands somewhere down the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
