"""What goes wrong with a file: each fault is named with its path and cure, and nothing is half written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ipaas.errors import SchemaMismatch, StoreError, StoreUnavailable
from ipaas.run import RunRequest
from ipaas.store import open_store
from ipaas.store.contract import DEFAULT_TENANT, Change, RunFilter, Store, WorkflowText
from ipaas.store.sql import SqlStore
from ipaas.store.sqlite import SqliteDriver
from ipaas.store.sqlite.migrate import list_migrations
from ipaas.testing import VirtualClock

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

ROOT = Path(__file__).parents[2]
REQUEST = RunRequest(workflow="w", version="v1")


def open_file(path: Path) -> AbstractAsyncContextManager[Store]:
    return open_store(f"sqlite:///{path}", VirtualClock())


async def put_workflow(store: Store) -> None:
    text = WorkflowText(id="w", version="v1", path="w.yaml", source="steps: []")
    await store.apply(DEFAULT_TENANT, Change(put=(text,)))


async def count_runs(store: Store) -> int:
    return len((await store.list_runs(DEFAULT_TENANT, RunFilter(), limit=10_000)).items)


async def set_pages(store: Store, pages: int) -> None:
    """Let the file grow to that many pages, as a full disk would."""
    assert isinstance(store, SqlStore)
    driver = store._driver
    assert isinstance(driver, SqliteDriver)
    await driver._writer._connection.run(lambda raw: raw.execute(f"PRAGMA max_page_count = {pages}").fetchall())


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """The file and its side files are made with permission 0600, whatever the umask lets through."""
    path = tmp_path / "ipaas.db"
    before = os.umask(0)
    try:
        async with open_file(path) as store:
            await put_workflow(store)
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"ipaas.db": 0o600, "ipaas.db-wal": 0o600, "ipaas.db-shm": 0o600}


async def test_closing_leaves_one_file(tmp_path: Path) -> None:
    """After a clean end everything is in the one file, so that copying it is a backup."""
    path = tmp_path / "ipaas.db"
    async with open_file(path) as store:
        await put_workflow(store)
        await store.submit(DEFAULT_TENANT, [REQUEST])
    assert [file.name for file in tmp_path.iterdir()] == ["ipaas.db"]


async def test_a_missing_folder_is_named_with_the_cure(tmp_path: Path) -> None:
    """No folder is made behind a person's back."""
    path = tmp_path / "nowhere" / "ipaas.db"
    with pytest.raises(StoreUnavailable) as caught:
        async with open_file(path):
            raise AssertionError("opened")
    assert caught.value.message == f"folder `{path.parent}` of database `{path}` does not exist"
    assert caught.value.hint == f"create it with `mkdir -p {path.parent}`"


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    """A path that is a folder is refused plainly."""
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        async with open_file(tmp_path):
            raise AssertionError("opened")


async def test_a_locked_file_refuses_writes_and_serves_reads(tmp_path: Path) -> None:
    """A write waits, then says that the file is locked, with nothing written; reads go on, and so do writes afterwards."""
    path = tmp_path / "ipaas.db"
    async with open_file(path) as store:
        await put_workflow(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable) as caught:
                await store.submit(DEFAULT_TENANT, [REQUEST])
            assert await count_runs(store) == 0
            other.execute("ROLLBACK")
        assert caught.value.message.startswith(f"database `{path}` is locked by another program")
        assert caught.value.hint
        await store.submit(DEFAULT_TENANT, [REQUEST])
        assert await count_runs(store) == 1


async def test_a_full_disk_writes_nothing_and_recovers_by_itself(tmp_path: Path) -> None:
    """Without room a write is refused whole; small ones may still fit; with room again everything works, without a restart."""
    path = tmp_path / "ipaas.db"
    async with open_file(path) as store:
        await put_workflow(store)
        await set_pages(store, 1)  # SQLite raises the bound to the pages there are: not one more
        large = RunRequest(workflow="w", version="v1", inputs={"text": "x" * 200_000})
        with pytest.raises(StoreUnavailable) as caught:
            await store.submit(DEFAULT_TENANT, [REQUEST, large])
        assert caught.value.message.startswith(f"database `{path}` has no room to grow")
        assert caught.value.hint
        assert await count_runs(store) == 0
        await set_pages(store, 1_000_000)
        await store.submit(DEFAULT_TENANT, [REQUEST, large])
        assert await count_runs(store) == 2


async def test_a_file_deleted_under_a_server_is_noticed(tmp_path: Path) -> None:
    """Writing into a file that is no longer there would lose what is acknowledged: it is refused."""
    path = tmp_path / "ipaas.db"
    async with open_file(path) as store:
        await put_workflow(store)
        path.unlink()
        with pytest.raises(StoreUnavailable, match="was moved or deleted while in use"):
            await store.submit(DEFAULT_TENANT, [REQUEST])


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """A text file named by mistake is not overwritten."""
    path = tmp_path / "ipaas.db"
    path.write_text("this is not a database, but somebody's notes\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable) as caught:
        async with open_file(path):
            raise AssertionError("opened")
    assert caught.value.message.startswith(f"database `{path}` is not a SQLite database")
    assert path.read_bytes() == before


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """A database with foreign tables is refused before anything in it changes."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(SchemaMismatch, match="`bookmarks`"):
        async with open_file(path):
            raise AssertionError("opened")
    assert path.read_bytes() == before


async def test_a_damaged_file_is_named_with_the_cure(tmp_path: Path) -> None:
    """Pages overwritten with noise give a plain refusal, not a traceback."""
    path = tmp_path / "ipaas.db"
    async with open_file(path) as store:
        await put_workflow(store)
        for _ in range(50):
            await store.submit(DEFAULT_TENANT, [REQUEST] * 20)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))
    with pytest.raises(StoreUnavailable) as caught:
        async with open_file(path) as store:
            await count_runs(store)
    assert caught.value.message.startswith(f"database `{path}` is damaged")
    assert f"sqlite3 {path} .recover" in caught.value.hint


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A database that a newer program has migrated is not touched, and the person is told what to install."""
    path = tmp_path / "ipaas.db"
    async with open_file(path):
        pass
    newest = list_migrations()[-1][0]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO migrations (number, name) VALUES (?, 'from_the_future')", (newest + 6,))
        connection.commit()
    with pytest.raises(SchemaMismatch) as caught:
        async with open_file(path):
            raise AssertionError("opened")
    assert caught.value.message == f"database `{path}` has schema {newest + 6}, this program knows up to {newest}"
    assert "newer" in caught.value.hint


async def test_an_older_schema_is_migrated(tmp_path: Path) -> None:
    """An empty file, as an interrupted first start leaves it, gets every migration; opening again applies none."""
    path = tmp_path / "ipaas.db"
    path.touch()
    for _ in range(2):
        async with open_file(path) as store:
            await put_workflow(store)
    with closing(sqlite3.connect(path)) as connection:
        applied = connection.execute("SELECT number, name FROM migrations").fetchall()
    assert applied == [(number, name) for number, name, _ in list_migrations()]


def test_two_programs_that_open_a_new_file_at_once_both_can(tmp_path: Path) -> None:
    """One migrates, the other waits and finds it done."""
    script = (
        "import sys, trio\n"
        "from ipaas.store import open_store\n"
        "from ipaas.testing import VirtualClock\n"
        "async def main():\n"
        "    sys.stdin.readline()\n"
        "    async with open_store(sys.argv[1], VirtualClock()) as store:\n"
        "        print(await store.list_tenants())\n"
        "trio.run(main)\n"
    )
    for number in range(3):
        url = f"sqlite:///{tmp_path}/{number}.db"
        programs = [
            subprocess.Popen(
                [sys.executable, "-c", script, url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            for _ in range(4)
        ]
        for program in programs:
            assert program.stdin is not None
            program.stdin.write(b"go\n")
            program.stdin.flush()
        said = [program.communicate() for program in programs]
        assert said == [(b"[]\n", b"")] * 4


def test_a_read_only_file_is_named_with_the_cure() -> None:
    """A user who may read the file but not write it is told so. Run as somebody else when we are root, whom nothing stops."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "ipaas.db"
        script = (
            "import os, sys, trio\n"
            "from pathlib import Path\n"
            "from ipaas.errors import StoreUnavailable\n"
            "from ipaas.store import open_store\n"
            "from ipaas.testing import VirtualClock\n"
            "async def main():\n"
            "    try:\n"
            "        async with open_store(f'sqlite:///{sys.argv[1]}', VirtualClock()):\n"
            "            print('opened')\n"
            "    except StoreUnavailable as error:\n"
            "        print(error.message, '|', error.hint)\n"
            "import ipaas.store.sqlite\n"
            "if os.geteuid() == 0:\n"
            "    os.setuid(65534)\n"
            "trio.run(main)\n"
        )
        path.touch()
        path.chmod(0o444)
        folder.chmod(0o755)
        said = subprocess.run(
            [sys.executable, "-c", script, str(path)],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ).stdout
    assert said == (
        f"database `{path}` cannot be opened (Permission denied) | let this user read and write the file and its folder\n"
    )


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """Using a Store after its block is refused plainly, for reads and writes."""
    async with open_file(tmp_path / "ipaas.db") as store:
        await put_workflow(store)
    with pytest.raises(StoreUnavailable, match="is closed"):
        await store.submit(DEFAULT_TENANT, [REQUEST])
    with pytest.raises(StoreUnavailable, match="is closed"):
        await store.list_tenants()


async def test_the_blocks_exception_leaves_as_itself(tmp_path: Path) -> None:
    """What the block raises is not wrapped in an exception group."""
    with pytest.raises(ZeroDivisionError):
        async with open_file(tmp_path / "ipaas.db"):
            raise ZeroDivisionError


async def test_text_that_no_database_can_hold_is_a_store_error(tmp_path: Path) -> None:
    """A lone surrogate outside of JSON is refused plainly too, and its neighbours in the group are written."""
    async with open_file(tmp_path / "ipaas.db") as store:
        await put_workflow(store)
        with pytest.raises(StoreError):
            await store.submit(DEFAULT_TENANT, [REQUEST, RunRequest(workflow="w", version="v1", delivery="\ud800")])
        assert await count_runs(store) == 0
