"""The connector author's API, and what hosts need to run actions. docs/plugins.md is its manual.

Authors: `Connector`, `Context`, `hookimpl`; `Doc`, `Name`, `Names`, `Expr`, `ItemExpr`, `Json`, `JsonObject` for signatures; `StepError`,
`RetryLater`, `Fatal`, `NotFound`, `AuthFailed` to raise; `Response` as returned by `ctx.http`; `FileTree` for files below a folder.
Hosts: `Action`, `make_context`, `RunInfo`, `State`, `MemoryState`, `HttpPool`, `RequestRecorder`, `RecordedRequest`.

Importing this package imports neither pydantic nor an HTTP library nor trio: names that need them are loaded at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipaas.errors import AuthFailed, Fatal, NotFound, PluginError, RetryLater, StepError
from ipaas.plugin.action import Action
from ipaas.plugin.connector import Connector
from ipaas.plugin.context import Context, MemoryState, RunInfo, State, make_context
from ipaas.plugin.credential import Credential
from ipaas.plugin.hookspecs import hookimpl
from ipaas.plugin.parameters import Doc, Expr, ItemExpr, Json, JsonObject, Name, Names
from ipaas.plugin.stated_types import Like

if TYPE_CHECKING:
    from ipaas.plugin.dry_requests import RecordedRequest, RequestRecorder
    from ipaas.plugin.file_tree import FileInfo, FileTree
    from ipaas.plugin.http_client import HttpClient
    from ipaas.plugin.http_pool import HttpPool
    from ipaas.plugin.http_response import Response

__all__ = [
    "Action",
    "AuthFailed",
    "Connector",
    "Context",
    "Credential",
    "Doc",
    "Expr",
    "Fatal",
    "FileInfo",
    "FileTree",
    "HttpClient",
    "HttpPool",
    "ItemExpr",
    "Json",
    "JsonObject",
    "Like",
    "MemoryState",
    "Name",
    "Names",
    "NotFound",
    "PluginError",
    "RecordedRequest",
    "RequestRecorder",
    "Response",
    "RetryLater",
    "RunInfo",
    "State",
    "StepError",
    "hookimpl",
    "make_context",
]

_LAZY = {
    "FileInfo": "file_tree",
    "FileTree": "file_tree",
    "HttpClient": "http_client",
    "HttpPool": "http_pool",
    "RecordedRequest": "dry_requests",
    "RequestRecorder": "dry_requests",
    "Response": "http_response",
}


def __getattr__(name: str) -> object:
    """Load a name that needs an HTTP library at its first use."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
