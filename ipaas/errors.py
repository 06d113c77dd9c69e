"""Every exception that crosses a room's border, one class per reaction.

Owns the error tree and the closed set of run-time error types. Knows no other module; every room imports it.

    IpaasError
    ├── InputError              the person's input is wrong: show it, exit 2, change nothing
    │   └── ProblemsFound       … with located problems
    ├── StepError               a step failed; carries the type that retry and catch decide by
    │   ├── RetryLater          the other side said when to come back
    │   ├── Fatal               no retry will help
    │   ├── NotFound            the thing asked for is not there
    │   └── AuthFailed          the credential was refused
    ├── PluginError             a plugin could not be loaded: costs the workflows that need it
    └── StoreError              the Store could not do it
        ├── Missing             no such row (or another tenant's)
        ├── Conflict            somebody else was first
        ├── FenceLost           this run has a newer owner: stop writing at once
        ├── StoreUnavailable    locked, full, gone: try again later
        └── SchemaMismatch      the database is older or newer than this program
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ipaas.model import Problem

ErrorType = Literal[
    "timeout",
    "rate_limited",
    "server_error",
    "client_error",
    "auth",
    "not_found",
    "validation",
    "expression",
    "connector_bug",
    "cancelled",
    "circuit_open",
    "in_doubt",
    "limit_exceeded",
]
"""The closed set of run-time error types; every connector maps to it (docs/language.md, errors)."""

ERROR_TYPES: Final[tuple[ErrorType, ...]] = get_args(ErrorType)
TRANSIENT: Final[frozenset[ErrorType]] = frozenset({"timeout", "rate_limited", "server_error"})
"""What a retry can mend, and so what is retried by default."""


class IpaasError(Exception):
    """Anything ipaas raises on purpose.

    Args:
        message: what happened and where; lower case, no full stop, values in backticks.
        hint: how to mend it, or empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(IpaasError):
    """The person's input (a flag, a file, a value) is wrong: nothing was changed."""


class ProblemsFound(InputError):
    """Text did not pass the checks; `problems` are sorted by place and never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = len(problems)
        super().__init__(f"{count} problem{'' if count == 1 else 's'} found")
        self.problems = tuple(problems)


class StepError(IpaasError):
    """A step failed in a way that has a name; the engine adds step, attempt and place.

    Args:
        message: what happened, without secrets.
        type: one of the closed set.
        retry_after_s: seconds the other side asked us to wait, or None.
        hint: how to mend it, or empty.
    """

    default_type: ErrorType = "connector_bug"

    def __init__(
        self, message: str, *, type: ErrorType | None = None, retry_after_s: float | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.type: ErrorType = type or self.default_type
        self.retry_after_s = retry_after_s


class RetryLater(StepError):
    """The other side is busy: try again, after `retry_after_s` seconds if it said so."""

    default_type = "rate_limited"

    def __init__(self, message: str, *, after_s: float | None = None, hint: str = "") -> None:
        super().__init__(message, retry_after_s=after_s, hint=hint)


class Fatal(StepError):
    """The request itself is wrong: no retry will help, whatever the file says."""

    default_type = "client_error"


class NotFound(StepError):
    """The thing that was asked for is not there."""

    default_type = "not_found"


class AuthFailed(StepError):
    """The credential is missing, wrong, expired or not allowed."""

    default_type = "auth"


class PluginError(IpaasError):
    """A plugin could not be loaded or registered something impossible.

    Args:
        message: what happened.
        plugin: the plugin's name.
        path: the file it came from, if it is a file.
    """

    def __init__(self, message: str, *, plugin: str, path: Path | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.plugin = plugin
        self.path = path


class StoreError(IpaasError):
    """The Store could not do what was asked."""


class Missing(StoreError):
    """No such row for this tenant."""


class Conflict(StoreError):
    """Somebody else was first, or the row is in a state that does not allow this."""


class FenceLost(StoreError):
    """The run has a newer owner or is finished: the caller's lease is void and it must stop."""


class StoreUnavailable(StoreError):
    """The database is locked, full, read-only or gone; nothing was written."""


class SchemaMismatch(StoreError):
    """The database's schema is not one this program can work with."""
