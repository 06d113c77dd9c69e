import base64
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipaas.plugin import Action, Fatal, FileTree, NotFound, StepError
from tests.plugins.bundled import TEXT, Bench


class Files(Bench):
    """The actions of `files` below a folder."""

    def __init__(self, actions: Mapping[str, Action], root: Path, **config: str) -> None:
        super().__init__(actions)
        self.config = {"root": str(root), **config}

    async def __call__(self, action: str, /, **inputs: Any) -> Any:
        return await self.run(f"files.{action}", inputs, config=self.config)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files root, with a secret beside it that no path may reach."""
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def files(actions: Mapping[str, Action], root: Path) -> Files:
    return Files(actions, root)


async def test_write_then_read_gives_the_same_text(files: Files) -> None:
    """What was written is read, with its path, name and size."""
    await files("write", path="reports/today.txt", content="Grüße\r\n")
    found = await files("read", path="./reports//today.txt")
    assert {**found, "modified_at": ""} == {
        "path": "reports/today.txt",
        "name": "today.txt",
        "size_bytes": 9,
        "modified_at": "",
        "content": "Grüße\r\n",
    }


async def test_modification_time_is_utc(files: Files, root: Path) -> None:
    """The time of change is RFC 3339 in UTC, whatever the machine's zone."""
    (root / "a").write_text("x")
    os.utime(root / "a", (1_700_000_000.25, 1_700_000_000.25))
    assert (await files("read", path="a"))["modified_at"] == "2023-11-14T22:13:20.250Z"


async def test_write_returns_what_is_there(files: Files, root: Path) -> None:
    """Writing tells path and size, makes folders, and leaves nothing else behind."""
    info = await files("write", path="a/b/c.txt", content="abc")
    assert (info["path"], info["name"], info["size_bytes"]) == ("a/b/c.txt", "c.txt", 3)
    assert [path.name for path in (root / "a" / "b").iterdir()] == ["c.txt"]


async def test_write_replaces_and_keeps_permissions(files: Files, root: Path) -> None:
    """A file that is written again keeps who may read it."""
    (root / "a").write_text("old")
    (root / "a").chmod(0o640)
    await files("write", path="a", content="new")
    assert ((root / "a").read_text(), (root / "a").stat().st_mode & 0o777) == ("new", 0o640)


async def test_write_never_shows_a_part(files: Files, root: Path) -> None:
    """A file that was opened before it is written again still has its old content: the new one takes its name, not its place."""
    (root / "a").write_text("old")
    with (root / "a").open() as reader:
        await files("write", path="a", content="new and longer")
        assert reader.read() == "old"


async def test_write_without_overwrite_keeps_what_is_there(files: Files, root: Path) -> None:
    """With `overwrite: false` a file of other content stays, and the step says how to replace it."""
    (root / "a").write_text("old")
    with pytest.raises(Fatal, match="`a` is there already") as caught:
        await files("write", path="a", content="new", overwrite=False)
    assert (caught.value.type, "overwrite: true" in caught.value.hint) == ("client_error", True)
    assert [path.name for path in root.iterdir()] == ["a"]
    assert (root / "a").read_text() == "old"


async def test_write_without_overwrite_may_be_repeated(files: Files, root: Path) -> None:
    """A write that is repeated after a crash finds its own file, and that is no error."""
    first = await files("write", path="a", content="x", overwrite=False)
    assert await files("write", path="a", content="x", overwrite=False) == first
    assert [path.name for path in root.iterdir()] == ["a"]


async def test_append_adds_to_the_end(files: Files, root: Path) -> None:
    """Appending makes the file, then adds to it."""
    await files("append", path="log/a.txt", content="one\n")
    info = await files("append", path="log/a.txt", content="two\n")
    assert ((root / "log" / "a.txt").read_text(), info["size_bytes"]) == ("one\ntwo\n", 8)


async def test_appends_at_once_lose_nothing(files: Files, root: Path) -> None:
    """Steps that append to one file at the same time all find their line in it."""
    async with trio.open_nursery() as nursery:
        for number in range(50):

            async def add(line: str) -> None:
                await files("append", path="a", content=line)

            nursery.start_soon(add, f"{number}\n")
    assert sorted(map(int, (root / "a").read_text().split())) == list(range(50))


async def test_move_gives_another_name(files: Files, root: Path) -> None:
    """A moved file is at its new path, in folders that are made, and not at the old."""
    (root / "in").write_text("x")
    info = await files("move", source="in", target="done/2026/in")
    assert (info["path"], (root / "done" / "2026" / "in").read_text(), (root / "in").exists()) == (
        "done/2026/in",
        "x",
        False,
    )


async def test_move_does_not_overwrite_unless_told(files: Files, root: Path) -> None:
    """A file at the target stays, unless `overwrite` is true."""
    (root / "a").write_text("new")
    (root / "b").write_text("old")
    with pytest.raises(Fatal, match="`b` is there already"):
        await files("move", source="a", target="b")
    assert ((root / "a").read_text(), (root / "b").read_text()) == ("new", "old")
    await files("move", source="a", target="b", overwrite=True)
    assert ((root / "a").exists(), (root / "b").read_text()) == (False, "new")


async def test_delete_may_be_repeated(files: Files, root: Path) -> None:
    """A file that is gone already is no error, and the output tells."""
    (root / "a").write_text("x")
    assert await files("delete", path="a") == {"path": "a", "deleted": True}
    assert await files("delete", path="a") == {"path": "a", "deleted": False}
    with pytest.raises(NotFound, match="`a` is not there"):
        await files("delete", path="a", must_exist=True)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*", ["a.csv", "b.txt", "sub/c.csv", "sub/deep/d.csv"]),
        ("**", ["a.csv", "b.txt", "sub/c.csv", "sub/deep/d.csv"]),
        ("*", ["a.csv", "b.txt"]),
        ("*.csv", ["a.csv"]),
        ("**/*.csv", ["a.csv", "sub/c.csv", "sub/deep/d.csv"]),
        ("sub/*", ["sub/c.csv"]),
        ("sub/**", ["sub/c.csv", "sub/deep/d.csv"]),
        ("*/*/?.csv", ["sub/deep/d.csv"]),
        ("**/deep/**/d.csv", ["sub/deep/d.csv"]),
        ("[ab].*", ["a.csv", "b.txt"]),
        (".hidden", [".hidden"]),
        (".dot/*", [".dot/e.csv"]),
        ("nothing/*", []),
        ("sub", []),
    ],
)
async def test_list_finds_what_matches(files: Files, root: Path, pattern: str, expected: list[str]) -> None:
    """A pattern finds the files that a shell would, sorted by path; folders and dotted names are left out."""
    for name in ("a.csv", "b.txt", "sub/c.csv", "sub/deep/d.csv", ".hidden", ".dot/e.csv"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    assert [info["path"] for info in await files("list", pattern=pattern)] == expected


async def test_list_leaves_out_links_and_files_being_written(files: Files, root: Path) -> None:
    """Links, named pipes and half-written files are in no list, not even `.*`."""
    (root / "link").symlink_to("/etc/passwd")
    (root / "folder").symlink_to("/etc")
    os.mkfifo(root / "pipe")
    (root / ".ipaas-0123.tmp").write_text("x")
    assert await files("list", pattern="**/*") == []
    assert await files("list", pattern=".*") == []


async def test_list_leaves_out_names_that_are_no_text(files: Files, root: Path) -> None:
    """A name in an old encoding does not break the list."""
    (root / "a").write_text("x")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_text("x")
    assert [info["path"] for info in await files("list")] == ["a"]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "a/../../secret.txt",
        "..",
        "a/..",
        "/etc/passwd",
        "//etc/passwd",
        "",
        ".",
        "/",
        "a\0b",
        "./../secret.txt",
    ],
)
@pytest.mark.parametrize("action", ["read", "write", "append", "delete", "move_from", "move_to", "list"])
async def test_no_path_leaves_the_root(files: Files, root: Path, action: str, path: str) -> None:
    """Absolute paths, `..`, NUL and empty paths are refused by every action, before anything is touched."""
    (root / "a").mkdir()
    inputs = {
        "read": ("read", {"path": path}),
        "write": ("write", {"path": path, "content": "x"}),
        "append": ("append", {"path": path, "content": "x"}),
        "delete": ("delete", {"path": path}),
        "move_from": ("move", {"source": path, "target": "b"}),
        "move_to": ("move", {"source": "b", "target": path}),
        "list": ("list", {"pattern": path}),
    }
    name, values = inputs[action]
    with pytest.raises(Fatal) as caught:
        await files(name, **values)
    assert caught.value.type == "validation"
    assert sorted(entry.name for entry in root.iterdir()) == ["a"]
    assert (root.parent / "secret.txt").read_text() == "secret"


@pytest.mark.parametrize("path", ["link", "folder/secret.txt", "loop/x", "loop"])
async def test_links_are_not_followed(files: Files, root: Path, path: str) -> None:
    """A symbolic link to a file or folder outside, or to itself, is refused by every action, with the reason."""
    (root / "link").symlink_to(root.parent / "secret.txt")
    (root / "folder").symlink_to(root.parent, target_is_directory=True)
    (root / "loop").symlink_to("loop")
    (root / "real").write_text("x")
    for name, values in (
        ("read", {"path": path}),
        ("write", {"path": path, "content": "x"}),
        ("append", {"path": path, "content": "x"}),
        ("delete", {"path": path}),
        ("move", {"source": path, "target": "b"}),
        ("move", {"source": "real", "target": path, "overwrite": True}),
    ):
        with pytest.raises(Fatal, match="is a symbolic link, not a f") as caught:
            await files(name, **values)
        assert (caught.value.type, "links are not followed" in caught.value.hint) == ("validation", True)
    assert sorted(entry.name for entry in root.parent.iterdir()) == ["root", "secret.txt"]


async def test_a_root_that_is_a_link_is_followed(actions: Mapping[str, Action], root: Path, tmp_path: Path) -> None:
    """The root itself is the operator's choice, and may be a link."""
    (tmp_path / "alias").symlink_to(root, target_is_directory=True)
    await Files(actions, tmp_path / "alias")("write", path="a", content="x")
    assert (root / "a").read_text() == "x"


def test_a_folder_swapped_for_a_link_leads_nowhere(root: Path) -> None:
    """While a folder is swapped for a link to outside and back, no read ever gives what is outside."""
    tree = FileTree(str(root))
    (root / "folder").mkdir()
    (root / "folder" / "secret.txt").write_text("inside")
    (root / "link").symlink_to(root.parent, target_is_directory=True)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (root / "folder").rename(root / "kept")
            (root / "link").rename(root / "folder")
            (root / "folder").rename(root / "link")
            (root / "kept").rename(root / "folder")

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen: set[bytes | str] = set()
    try:
        for _ in range(3000):
            try:
                seen.add(tree.read("folder/secret.txt")[0])
            except (Fatal, NotFound) as error:
                seen.add(type(error).__name__)
    finally:
        stop.set()
        swapper.join()
    assert b"secret" not in seen
    assert b"inside" in seen


async def test_a_named_pipe_does_not_hang(files: Files, root: Path) -> None:
    """A named pipe without another end is refused at once by what reads and what writes."""
    os.mkfifo(root / "pipe")
    for name, values in (("read", {}), ("append", {"content": "x"}), ("write", {"content": "x"}), ("delete", {})):
        with pytest.raises(Fatal, match="`pipe` is a named pipe, not a file"):
            await files(name, path="pipe", **values)


async def test_folders_and_sockets_are_refused(files: Files, root: Path) -> None:
    """What is no regular file is named for what it is."""
    (root / "folder").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(root, os.O_RDONLY)
    try:
        listener.bind(f"/proc/self/fd/{folder}/s")  # a socket's path may have 107 characters only
    finally:
        os.close(folder)
        listener.close()
    for path, kind in (("folder", "a folder"), ("s", "a socket")):
        with pytest.raises(Fatal, match=f"`{path}` is {kind}, not a file"):
            await files("read", path=path)
    with pytest.raises(Fatal, match="`s` is a socket, not a folder"):
        await files("write", path="s/x", content="x")


async def test_a_missing_file_is_not_found(files: Files) -> None:
    """Reading, moving and reading below a missing folder name the path."""
    for name, values in (("read", {"path": "no/such.txt"}), ("move", {"source": "no/such.txt", "target": "b"})):
        with pytest.raises(NotFound, match=r"`no/such\.txt` is not there"):
            await files(name, **values)


async def test_size_limits_are_told_with_their_cure(actions: Mapping[str, Action], root: Path) -> None:
    """A file or a content beyond the limit is refused whole, naming the size and the setting; at the limit it passes."""
    files = Files(actions, root, max_bytes="10")
    (root / "a").write_bytes(b"x" * 11)
    for name, values in (
        ("read", {"path": "a"}),
        ("write", {"path": "b", "content": "x" * 11}),
        ("append", {"path": "b", "content": "x" * 11}),
    ):
        with pytest.raises(StepError, match="has 11 bytes, the limit is 10") as caught:
            await files(name, **values)
        assert (caught.value.type, "IPAAS_FILES_MAX_BYTES" in caught.value.hint) == ("limit_exceeded", True)
    assert (await files("write", path="b", content="x" * 10))["size_bytes"] == 10
    assert (await files("read", path="b"))["content"] == "x" * 10


async def test_a_missing_root_names_the_setting(actions: Mapping[str, Action], root: Path) -> None:
    """Without a files root, or with one that is not there, the step names folder and setting."""
    with pytest.raises(Fatal, match=r"the files root `.*/none` cannot be used: no such file") as caught:
        await Files(actions, root / "none")("read", path="a")
    assert "IPAAS_FILES_ROOT" in caught.value.hint
    with pytest.raises(Fatal, match="there is no files root") as caught:
        await Bench(actions).run("files.read", {"path": "a"}, config={})
    assert "IPAAS_FILES_ROOT" in caught.value.hint


async def test_a_senseless_limit_names_the_setting(actions: Mapping[str, Action], root: Path) -> None:
    """A limit that is no number is the operator's mistake, told as such."""
    with pytest.raises(Fatal, match="`IPAAS_FILES_MAX_BYTES` is `10MB`, not a number of bytes"):
        await Files(actions, root, max_bytes="10MB")("read", path="a")


async def test_bytes_that_are_no_text_say_where(files: Files, root: Path) -> None:
    """Bytes that do not fit the encoding are an error with the position, and base64 reads them."""
    (root / "a").write_bytes(b"ok\xff\x00")
    with pytest.raises(Fatal, match="`a` is not utf-8 at byte 2") as caught:
        await files("read", path="a")
    assert (caught.value.type, "base64" in caught.value.hint) == ("validation", True)
    assert base64.b64decode((await files("read", path="a", encoding="base64"))["content"]) == b"ok\xff\x00"


async def test_unknown_encodings_and_bad_base64_are_refused(files: Files, root: Path) -> None:
    """An encoding that does not exist, or is none for text, and text that is not base64 are named, and nothing is written."""
    for encoding in ("utf-9", "rot13", "hex", "undefined", ""):
        with pytest.raises(Fatal, match="`encoding` is"):
            await files("write", path="a", content="x", encoding=encoding)
    with pytest.raises(Fatal, match="`content` is not base64"):
        await files("write", path="a", content="not base64!", encoding="base64")
    with pytest.raises(Fatal, match="`content` has the character `é`, which ascii does not have"):
        await files("write", path="a", content="é", encoding="ascii")
    assert list(root.iterdir()) == []


async def test_a_folder_without_permission_says_so(files: Files, root: Path) -> None:
    """A read-only place is an error of the operator's, not to be retried."""
    if os.geteuid() == 0:
        sysfs = Path("/sys")  # refuses even the superuser
        with pytest.raises(Fatal, match="`kernel/ipaas_test`: ") as caught:
            await Files(files.actions, sysfs)("append", path="kernel/ipaas_test", content="x")
    else:
        root.chmod(0o500)
        with pytest.raises(Fatal, match="`a`: permission denied") as caught:
            await files("write", path="a", content="x")
    assert caught.value.type == "client_error"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(content=TEXT, encoding=st.sampled_from(["utf-8", "utf-16", "utf-32"]))
async def test_every_text_survives(files: Files, content: str, encoding: str) -> None:
    """Any text is read as it was written, line ends and all."""
    await files("write", path="a", content=content, encoding=encoding)
    assert (await files("read", path="a", encoding=encoding))["content"] == content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(content=st.binary(max_size=200))
async def test_all_bytes_survive_as_base64(files: Files, content: bytes) -> None:
    """Any bytes are read as they were written."""
    text = base64.b64encode(content).decode()
    await files("write", path="a", content=text, encoding="base64")
    assert (await files("read", path="a", encoding="base64"))["content"] == text
