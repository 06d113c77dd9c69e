"""How commands that only look into the database, or change a row of it, get at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ipaas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ipaas.settings import Settings
    from ipaas.store.contract import Store

T = TypeVar("T")


def ask(database: str | None, question: Callable[[Store], Awaitable[T]]) -> T:
    """Open the existing database, await the question, close, and return the answer.

    Args:
        database: what `--database` said, or None.
        question: gets the Store; its exceptions come out as they are.

    Raises:
        InputError: there is no such database. Looking never makes one: a typing mistake would leave empty files behind.
    """
    from ipaas.app import run_with_store
    from ipaas.settings import load_settings

    settings = load_settings(database=database)
    require_database(settings)
    return run_with_store(settings, question)


def require_database(settings: Settings) -> None:
    """Raise `InputError` unless the settings name a database that is there."""
    from ipaas.store.url import parse_url

    path = parse_url(settings.database)
    if path is None:
        raise InputError(
            "a `memory:` database lives as long as one command, so there is nothing in it",
            hint="name a file with `--database sqlite:///ipaas.db` or `IPAAS_DATABASE`",
        )
    if not path.exists():
        raise InputError(
            f"there is no database `{path}`",
            hint="`ipaas serve` and `ipaas sync` make it; name another one with `--database` or `IPAAS_DATABASE`",
        )
