import os
from pathlib import Path

import pytest
import trio

from ipaas.server.watch import is_watched, watch_folder


@pytest.mark.parametrize(
    "path, expected",
    [
        ("a.yaml", True),
        ("team/a.yml", True),
        ("a.test.yaml", False),
        ("a.txt", False),
        (".a.yaml.swp", False),
        (".git/a.yaml", False),
        ("files/report.yaml", False),
        ("team/files/a.yaml", True),
    ],
)
def test_only_pipeline_files_count(path: str, expected: bool, tmp_path: Path) -> None:
    """YAML files count, but not hidden ones and not those that pipelines write under `files`."""
    assert is_watched(tmp_path, tmp_path / path) is expected


async def test_change_is_noticed_after_the_first_look(tmp_path: Path) -> None:
    """The first call comes by itself, the next after a pipeline file was written."""
    send, calls = trio.open_memory_channel[None](10)

    async def changed() -> None:
        send.send_nowait(None)

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_folder, tmp_path, changed)
            await calls.receive()
            (tmp_path / "notes.txt").write_text("no pipeline")
            (tmp_path / "a.yaml").write_text("version: 1")
            await calls.receive()
            nursery.cancel_scope.cancel()


async def test_folder_that_is_replaced_is_watched_on(tmp_path: Path) -> None:
    """After another folder took the name, as deployments and `git` do it, its files count."""
    send, calls = trio.open_memory_channel[None](10)

    async def changed() -> None:
        send.send_nowait(None)

    folder = tmp_path / "pipelines"
    folder.mkdir()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_folder, folder, changed)
            await calls.receive()
            folder.rename(tmp_path / "old")
            folder.mkdir()
            await calls.receive()
            (folder / "a.yaml").write_text("version: 1")
            await calls.receive()
            nursery.cancel_scope.cancel()


async def test_fault_does_not_end_the_watch(tmp_path: Path) -> None:
    """A file whose name is no text ends the operating system's watch; ours begins anew. So it does when a look fails."""
    send, calls = trio.open_memory_channel[None](10)
    faults = iter([ValueError("a fault of the look")])

    async def changed() -> None:
        send.send_nowait(None)
        for fault in faults:
            raise fault

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_folder, tmp_path, changed)
            await calls.receive()
            await calls.receive()
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml")).write_text("version: 1")
            await calls.receive()
            nursery.cancel_scope.cancel()
