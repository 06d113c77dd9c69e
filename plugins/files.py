"""Files: read, write, append, list, move and delete files below one folder, the files root. No path leaves it.

Owns the actions and the coding between text and bytes. What is done to files, and how they are kept below the root, is in
`ipaas.plugin.FileTree`. Annotations are read at run time, so this module does without `from __future__ import annotations`.
"""

import base64
import binascii
import codecs
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

import trio

from ipaas.plugin import Connector, Context, Doc, Fatal, FileInfo, FileTree, NotFound, StepError, hookimpl

files = Connector(
    "files",
    description="Read, write, append, list, move and delete files below one folder, the files root. No path leaves it.",
    config={
        "root": "the folder that all paths are relative to; default: the folder `files` in the pipelines folder",
        "max_bytes": "bytes that one step may read or write; default: 10485760",
    },
)

Result = TypeVar("Result")
Path = Annotated[str, Doc("relative to the files root, folders parted by `/`")]
Content = Annotated[str, Doc("the text, or with `encoding: base64` the bytes")]
Encoding = Annotated[str, Doc("`utf-8`, `latin-1`, `utf-16`, … or `base64` for bytes that are no text")]


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file with what is in it."""

    path: str
    name: str
    size_bytes: int
    modified_at: str
    content: str


@files.action(effect="read")
async def read(ctx: Context, path: Path, encoding: Encoding = "utf-8") -> FileContent:
    """Read a file. Text is given exactly as it is, a byte order mark included."""
    _check_encoding(encoding)
    job = partial(_tree(ctx).read, path, _max_bytes(ctx))
    content, info = await trio.to_thread.run_sync(job, abandon_on_cancel=True)
    return FileContent(info.path, info.name, info.size_bytes, info.modified_at, _decode(content, encoding, path))


@files.action(effect="idempotent")
async def write(
    ctx: Context,
    path: Path,
    content: Content,
    encoding: Encoding = "utf-8",
    overwrite: Annotated[bool, Doc("replace a file that is there; false: fail, unless its content is the same")] = True,
) -> FileInfo:
    """Write a file, wholly or not at all: a reader sees the old content or the new, never a part. Missing folders are made."""
    data = _encode(ctx, content, encoding)
    return await _finish(partial(_tree(ctx).write, path, data, overwrite=overwrite))


@files.action(effect="write")
async def append(ctx: Context, path: Path, content: Content, encoding: Encoding = "utf-8") -> FileInfo:
    """Add to the end of a file; the file and its folders are made when they are not there. A line needs its own line end."""
    data = _encode(ctx, content, encoding)
    return await _finish(partial(_tree(ctx).append, path, data))


@files.action(effect="read", name="list")
async def list_files(
    ctx: Context, pattern: Annotated[str, Doc("`*`, `?` and `[…]` within a name, `**` for any folders")] = "**/*"
) -> list[FileInfo]:
    """List the files that match a pattern, sorted by path.

    Folders, symbolic links and devices are left out, and names that begin with a dot unless the pattern begins so, too.
    """
    return await trio.to_thread.run_sync(partial(_tree(ctx).list, pattern), abandon_on_cancel=True)


@files.action(effect="write")
async def move(
    ctx: Context,
    source: Path,
    target: Path,
    overwrite: Annotated[bool, Doc("replace a file that is there")] = False,
) -> FileInfo:
    """Give a file another name or folder; missing folders are made."""
    job = partial(_tree(ctx).move, source, target, overwrite=overwrite)
    return await _finish(job)


@dataclass(frozen=True, slots=True)
class Deleted:
    """Whether there was a file to delete."""

    path: str
    deleted: bool


@files.action(effect="idempotent")
async def delete(
    ctx: Context, path: Path, must_exist: Annotated[bool, Doc("fail when there is no such file")] = False
) -> Deleted:
    """Delete a file. One that is not there is no error, so that a repeated step does not fail."""
    try:
        await _finish(partial(_tree(ctx).delete, path))
    except NotFound:
        if must_exist:
            raise
        return Deleted(path, deleted=False)
    return Deleted(path, deleted=True)


async def _finish(job: Callable[[], Result]) -> Result:
    """Run a change in a thread. A cancel waits for it: otherwise the file could still change after the run has ended."""
    return await trio.to_thread.run_sync(job)


def _tree(ctx: Context) -> FileTree:
    return FileTree(ctx.config.get("root", ""))


def _max_bytes(ctx: Context) -> int:
    text = ctx.config.get("max_bytes", "") or "10485760"
    if not text.isdecimal() or int(text) < 1:
        raise Fatal(f"`IPAAS_FILES_MAX_BYTES` is `{text}`, not a number of bytes", hint="as in `10485760`")
    return int(text)


def _check_encoding(encoding: str) -> None:
    if encoding == "base64":
        return
    try:
        "".encode(encoding)
        codecs.lookup(encoding)
    except (LookupError, ValueError):
        raise Fatal(
            f"`encoding` is `{encoding}`, which is not known",
            type="validation",
            hint="`utf-8`, `latin-1`, `utf-16`, `cp1252` or `base64`",
        ) from None


def _decode(content: bytes, encoding: str, path: str) -> str:
    if encoding == "base64":
        return base64.b64encode(content).decode("ascii")
    try:
        text = content.decode(encoding)
        text.encode()  # UTF-7 and its kin can smuggle in half characters
    except UnicodeError as error:
        where = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise Fatal(
            f"`{path}` is not {encoding}{where}",
            type="validation",
            hint="set `encoding` to what it is, such as `latin-1`, or to `base64` if it is no text",
        ) from None
    return text


def _encode(ctx: Context, content: str, encoding: str) -> bytes:
    """Return the bytes of a content that fits."""
    _check_encoding(encoding)
    try:
        data = base64.b64decode(content, validate=True) if encoding == "base64" else content.encode(encoding)
    except binascii.Error:
        raise Fatal("`content` is not base64", type="validation", hint="leave `encoding` out to write text") from None
    except UnicodeEncodeError as error:
        raise Fatal(
            f"`content` has the character `{content[error.start]}`, which {encoding} does not have",
            type="validation",
            hint="use `utf-8`",
        ) from None
    if len(data) > (limit := _max_bytes(ctx)):
        raise StepError(
            f"`content` has {len(data)} bytes, the limit is {limit}",
            type="limit_exceeded",
            hint="write several files, or raise `IPAAS_FILES_MAX_BYTES`",
        )
    return data


@hookimpl
def ipaas_connectors() -> list[Connector]:
    """Return the one connector of this plugin."""
    return [files]
