"""Noticing that pipeline files change.

Owns which changes count and how they are gathered. Knows watchfiles and no pipeline. Called by `ipaas.app` under `--watch`.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio
from watchfiles import awatch

from ipaas.definition.folder import FILES_FOLDER, is_pipeline_file

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

GATHER_MS: Final = 300
"""Milliseconds in which changes count as one: an editor writes, renames and touches; `git pull` writes many files."""

LOOK_MS: Final = 1000
"""Milliseconds after which a quiet watch reports that it stands, and whether its folder does, and goes on."""

AGAIN_S: Final = 1.0
"""Seconds until a watch that failed begins anew."""

STEP_MS: Final = 50
"""Milliseconds between two looks of the watching thread; also how long a stop may take."""

_log = logging.getLogger("ipaas.server")


async def watch_folder(folder: Path, changed: Callable[[], Awaitable[None]]) -> None:
    """Call `changed` after each burst of changes to pipeline files, one call at a time, until cancelled.

    The first call comes within a second without any change: it covers what changed between the caller's own look at the folder
    and the beginning of the watch. A watch that fails, or whose folder was replaced by another one of the same name, begins anew,
    with such a call: an operating system out of watches or a name that is no text must not end the server.
    """
    complained = False
    while True:
        try:
            await _watch(folder, changed)
            complained = False
        except Exception as error:  # noqa: BLE001  # see the docstring
            if not complained:
                _log.warning("the watch over `%s` failed, it is tried again every second", folder, exc_info=error)
            complained = True
        await trio.sleep(AGAIN_S)


async def _watch(folder: Path, changed: Callable[[], Awaitable[None]]) -> None:
    """Watch until the folder is another one, or none."""
    watched = _identify(folder)
    if watched is None:
        return
    stop = trio.Event()  # only read by the watching thread
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_set_when_cancelled, stop)
        bursts = awatch(
            folder,
            watch_filter=lambda _, path: is_watched(folder, Path(path)),
            debounce=GATHER_MS,
            step=STEP_MS,
            stop_event=stop,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
        )
        looked = False
        async with aclosing(bursts):
            async for burst in bursts:
                if burst or not looked:
                    await changed()
                    looked = True
                if _identify(folder) != watched:
                    break
        nursery.cancel_scope.cancel()


def _identify(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another one of the same name (`mv`, a deployment that switches a link); None without one."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_watched(folder: Path, path: Path) -> bool:
    """Return whether a path is one that `load_folder` would read: a pipeline, not hidden, not in the top folder `files`."""
    parts = next((path.relative_to(root).parts for root in (folder, folder.resolve()) if path.is_relative_to(root)), ())
    hidden = any(part.startswith(".") for part in parts)
    return is_pipeline_file(path.name) and not hidden and parts[:1] != (FILES_FOLDER,)


async def _set_when_cancelled(stop: trio.Event) -> None:
    """End the watching thread when the task is cancelled: trio waits for threads, it cannot end them."""
    try:
        await trio.sleep_forever()
    finally:
        stop.set()
