from __future__ import annotations

from pathlib import Path

import pytest

from ipaas.errors import InputError
from ipaas.store.url import parse_url


@pytest.mark.parametrize("url", ["memory:", "memory://"])
def test_memory_names_no_file(url: str) -> None:
    """`memory:` is a Store without a file."""
    assert parse_url(url) is None


@pytest.mark.parametrize(
    "url, path",
    [
        ("sqlite:///ipaas.db", "ipaas.db"),
        ("sqlite:///data/ipaas.sqlite", "data/ipaas.sqlite"),
        ("sqlite:////var/lib/ipaas.db", "/var/lib/ipaas.db"),
        ("ipaas.db", "ipaas.db"),
        ("/var/lib/ipaas.db", "/var/lib/ipaas.db"),
    ],
)
def test_sqlite_urls_and_bare_paths_name_a_file(url: str, path: str) -> None:
    """Three slashes are relative, four absolute, and a bare path ending in `.db` is itself."""
    assert parse_url(url) == Path(path)


@pytest.mark.parametrize(
    "url, message",
    [
        ("postgresql://me:secret@db/ipaas", "PostgreSQL is not supported by this version"),
        ("postgres://me:secret@db/ipaas", "PostgreSQL is not supported by this version"),
        ("mysql://me:secret@db/ipaas", "no Store is called `mysql:`"),
        ("mysql://me:secret@db/ipaas.db", "no Store is called `mysql:`"),
        ("sqlite://ipaas.db", "a `sqlite:` URL names no file"),
        ("sqlite:///", "a `sqlite:` URL names no file"),
        ("sqlite:///folder/", "a `sqlite:` URL names no file"),
        ("sqlite:///a.db?mode=ro", "a `sqlite:` URL takes no options"),
        ("ipaas.sqlite", "the database URL names no Store"),
        ("", "the database URL names no Store"),
    ],
)
def test_a_wrong_url_is_refused_with_the_forms_there_are(url: str, message: str) -> None:
    """Any other URL is an input error that shows no password and says what to write."""
    with pytest.raises(InputError) as caught:
        parse_url(url)
    assert caught.value.message == message
    assert caught.value.hint
    assert "secret" not in caught.value.message + caught.value.hint
