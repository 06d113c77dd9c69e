import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipaas.definition import CompileOptions, Loaded, load_files, load_folder
from ipaas.definition.cache import name_cache, read_cache
from ipaas.definition.folder import list_pipeline_files
from ipaas.errors import InputError
from ipaas.model import Catalog
from tests.definition.definition_catalog import CATALOG, TEXT, spec

OPTIONS = CompileOptions()
GOOD = "version: 1\nsteps: [{uses: flow.log, with: {message: x}}]\n"
BAD = "version: 1\nsteps: [{uses: flow.lgo, with: {message: x}}]\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def told(loaded: Loaded) -> list[tuple[str, str]]:
    return [(Path(problem.place.file).name, problem.code) for problem in loaded.problems]


def test_pipeline_files_are_found_in_name_order(tmp_path: Path) -> None:
    """Files in folders count; hidden ones, tests, other endings and the top folder `files` do not."""
    for name in (
        "b.yaml",
        "a.yml",
        "sub/c.yaml",
        "sub/files/d.yaml",
        "files/e.yaml",
        ".git/f.yaml",
        "g.test.yaml",
        "h.json",
        ".i.yaml",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(GOOD)
    found = [str(path.relative_to(tmp_path)) for path in list_pipeline_files(tmp_path)]
    assert found == ["a.yml", "b.yaml", "sub/c.yaml", "sub/files/d.yaml"]


def test_a_folder_gives_its_workflows(tmp_path: Path) -> None:
    """Every good file is a workflow, in the order of the files."""
    loaded = load_folder(write(tmp_path, b=GOOD, a=GOOD), CATALOG, OPTIONS)
    assert ([workflow.id for workflow in loaded.workflows], loaded.problems) == (["a", "b"], ())


def test_a_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    """Problems of one file leave the workflows of the others."""
    loaded = load_folder(write(tmp_path, a=BAD, b=GOOD), CATALOG, OPTIONS)
    assert ([workflow.id for workflow in loaded.workflows], told(loaded)) == (["b"], [("a.yaml", "unknown-action")])


@pytest.mark.parametrize(
    "text, code",
    [
        ('version: 1\nid: other\nsteps: [{uses: flow.log, with: {message: "x}}]\n', "yaml-syntax"),
        ("version: 1\nsteps: [\n", "yaml-syntax"),
        ("version: 1\nid: Other One\nsteps: [{uses: flow.log, with: {message: x}}]\n", "bad-name"),
        ("version: 1\ninputs: {n: {type: intger}}\nsteps: [{uses: flow.log, with: {message: x}}]\n", "bad-schema"),
        ("#" * 1_100_000, "too-large"),
    ],
)
def test_a_broken_file_is_its_own_problem_only(tmp_path: Path, text: str, code: str) -> None:
    """Files that call a workflow whose file has a mistake are right to: they are told nothing, also from the cache."""
    caller = "version: 1\nsteps: [{run_workflow: other, with: {n: 1}}]\n"
    follower = "version: 1\ntriggers: [{after: {workflow: other}}]\nsteps: [{uses: flow.set}]\n"
    write(tmp_path, caller=caller, follower=follower, other=text)
    for _ in range(2):
        loaded = load_folder(tmp_path, CATALOG, OPTIONS, cache=tmp_path / ".cache")
        assert told(loaded) == [("other.yaml", code)]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """An empty answer would look like a folder without pipelines."""
    with pytest.raises(InputError, match="there is no folder"):
        load_folder(tmp_path / "none", CATALOG, OPTIONS)
    with pytest.raises(InputError, match="there is no file"):
        load_files([tmp_path / "none.yaml"], CATALOG, OPTIONS)


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    """No files are no problem."""
    loaded = load_folder(tmp_path, CATALOG, OPTIONS)
    assert (loaded.files, loaded.workflows, loaded.problems) == ((), (), ())


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """A dangling link is told with the others, and the other files count."""
    (tmp_path / "a.yaml").symlink_to(tmp_path / "nowhere.yaml")
    loaded = load_folder(write(tmp_path, b=GOOD), CATALOG, OPTIONS)
    assert (told(loaded), [workflow.id for workflow in loaded.workflows]) == ([("a.yaml", "unreadable-file")], ["b"])


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A named pipe is told like a file that cannot be read; opening it would hold the server up for ever."""
    os.mkfifo(tmp_path / "a.yaml")
    loaded = load_folder(write(tmp_path, b=GOOD), CATALOG, OPTIONS)
    assert (told(loaded), [workflow.id for workflow in loaded.workflows]) == ([("a.yaml", "unreadable-file")], ["b"])


def test_a_name_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    """Such a name could not be stored with its workflow."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml")).write_text(GOOD)
    loaded = load_folder(write(tmp_path, b=GOOD), CATALOG, OPTIONS)
    assert [problem.message for problem in loaded.problems] == ["the file cannot be read: its name is not UTF-8"]
    assert [workflow.id for workflow in loaded.workflows] == ["b"]


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """More than one mebibyte is a problem, whatever is in it."""
    (tmp_path / "a.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    assert told(load_folder(tmp_path, CATALOG, OPTIONS)) == [("a.yaml", "too-large")]


def test_named_files_know_each_other(tmp_path: Path) -> None:
    """`load_files` checks what the files say of each other, and a file named twice counts once."""
    write(tmp_path, a="version: 1\nsteps: [{run_workflow: b}]\n", b=GOOD)
    both = load_files([tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "a.yaml"], CATALOG, OPTIONS)
    assert ([workflow.id for workflow in both.workflows], both.problems) == (["a", "b"], ())
    assert told(load_files([tmp_path / "a.yaml"], CATALOG, OPTIONS)) == [("a.yaml", "unknown-workflow")]


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def cache_file(folder: Path, cache: Path) -> Path:
    return cache / name_cache(folder)


def poison(folder: Path, cache: Path) -> None:
    """Put a problem into every entry of the cache, so that a test sees whether entries are used."""
    import hashlib

    path = cache_file(folder, cache)
    content = json.loads(path.read_bytes().partition(b"\n")[2])
    for entry in content["entries"].values():
        entry[-1] = [[["poison.yaml", 1, 1], "from the cache", "poison", ""]]
    body = json.dumps(content).encode()
    path.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def test_unchanged_files_are_taken_from_the_cache(tmp_path: Path, cache: Path) -> None:
    """The second check uses what the first one found."""
    write(tmp_path, a=GOOD)
    load_folder(tmp_path, CATALOG, OPTIONS, cache=cache)
    poison(tmp_path, cache)
    assert told(load_folder(tmp_path, CATALOG, OPTIONS, cache=cache)) == [("poison.yaml", "poison")]


def test_cached_problems_are_those_of_a_fresh_check(tmp_path: Path, cache: Path) -> None:
    """Place, message, code and hint come back as they were, and workflows are compiled when they are asked for."""
    write(tmp_path, a=BAD, b=GOOD, c="version: 1\nsteps: [{run_workflow: bb}]\n")
    fresh = load_folder(tmp_path, CATALOG, OPTIONS, cache=cache)
    again = load_folder(tmp_path, CATALOG, OPTIONS, cache=cache)
    assert again.problems == fresh.problems
    assert [workflow.id for workflow in again.workflows] == ["b"]


def change_text(folder: Path) -> tuple[Catalog, CompileOptions]:
    write(folder, a=GOOD + "\n")
    return CATALOG, OPTIONS


def change_action(folder: Path) -> tuple[Catalog, CompileOptions]:
    return {**CATALOG, "flow.log": spec("flow.log", {"message": TEXT}, ["message"], {})}, OPTIONS


def add_action(folder: Path) -> tuple[Catalog, CompileOptions]:
    return {**CATALOG, "flow.new": spec("flow.new", {}, [], {})}, OPTIONS


def change_options(folder: Path) -> tuple[Catalog, CompileOptions]:
    return CATALOG, CompileOptions(timezone="Europe/Berlin")


def change_env(folder: Path) -> tuple[Catalog, CompileOptions]:
    return CATALOG, CompileOptions(env_names=frozenset({"HOME"}))


@pytest.mark.parametrize("change", [change_text, change_action, add_action, change_options, change_env])
def test_an_entry_is_used_only_when_nothing_it_depends_on_has_changed(
    tmp_path: Path, cache: Path, change: object
) -> None:
    """Another text, another promise of an action, another catalog or other options make a file be checked anew."""
    write(tmp_path, a=GOOD)
    load_folder(tmp_path, CATALOG, OPTIONS, cache=cache)
    poison(tmp_path, cache)
    catalog, options = change(tmp_path)  # type: ignore[operator]  # a parameter is an object to mypy
    assert load_folder(tmp_path, catalog, options, cache=cache).problems == ()


def test_a_change_of_one_file_is_seen_by_those_that_name_it(tmp_path: Path, cache: Path) -> None:
    """An unchanged caller is checked again when the inputs of what it calls change, or when it appears at last."""
    write(tmp_path, a="version: 1\nsteps: [{run_workflow: b, with: {size: 3}}]\n")
    assert told(load_folder(tmp_path, CATALOG, OPTIONS, cache=cache)) == [("a.yaml", "unknown-workflow")]
    write(tmp_path, b=f"inputs: {{size: {{type: integer}}}}\n{GOOD}")
    assert told(load_folder(tmp_path, CATALOG, OPTIONS, cache=cache)) == []
    write(tmp_path, b=f"inputs: {{size: {{type: string}}}}\n{GOOD}")
    assert told(load_folder(tmp_path, CATALOG, OPTIONS, cache=cache)) == [("a.yaml", "wrong-type")]
    (tmp_path / "b.yaml").unlink()
    assert told(load_folder(tmp_path, CATALOG, OPTIONS, cache=cache)) == [("a.yaml", "unknown-workflow")]


def test_checks_between_files_work_from_the_cache(tmp_path: Path, cache: Path) -> None:
    """Ids taken twice and calls that go round are found again when no file is read."""
    write(
        tmp_path,
        a="version: 1\nsteps: [{run_workflow: b}]\n",
        b="version: 1\nsteps: [{run_workflow: a}]\n",
        c=f"id: a\n{GOOD}",
    )
    fresh = load_folder(tmp_path, CATALOG, OPTIONS, cache=cache)
    assert told(fresh) == [("a.yaml", "workflow-cycle"), ("c.yaml", "duplicate-id")]
    assert load_folder(tmp_path, CATALOG, OPTIONS, cache=cache).problems == fresh.problems


@given(st.binary(max_size=300), st.integers(0, 2000))
@settings(max_examples=60, deadline=None)
def test_a_damaged_cache_is_no_cache(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int) -> None:
    """Whatever the file holds, the answer is that of a fresh check, and the cache is whole again after it."""
    folder, cache = tmp_path_factory.mktemp("pipelines"), tmp_path_factory.mktemp("cache")
    write(folder, a=BAD, b=GOOD)
    fresh = load_folder(folder, CATALOG, OPTIONS, cache=cache)
    path = cache_file(folder, cache)
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    assert load_folder(folder, CATALOG, OPTIONS, cache=cache).problems == fresh.problems
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """A file where the folder should be costs the speed, not the check."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    folder = tmp_path / "pipelines"
    folder.mkdir()
    assert load_folder(write(folder, a=GOOD), CATALOG, OPTIONS, cache=blocked).problems == ()


def test_writers_at_the_same_time_leave_a_whole_cache(tmp_path: Path, cache: Path) -> None:
    """Several checks of one folder end with a cache that can be read, and nothing else beside it."""
    write(tmp_path, **{f"w{number}": GOOD for number in range(20)})
    results: list[Loaded] = []

    def check(zone: str) -> None:
        results.append(load_folder(tmp_path, CATALOG, CompileOptions(timezone=zone), cache=cache))

    threads = [threading.Thread(target=check, args=(zone,)) for zone in ("UTC", "Europe/Berlin", "UTC", "Asia/Tokyo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [loaded.problems for loaded in results] == [()] * 4
    assert [path.name for path in cache.iterdir()] == [name_cache(tmp_path)]
    domain = json.loads(cache_file(tmp_path, cache).read_bytes().partition(b"\n")[2])["domain"]
    assert len(read_cache(cache, name_cache(tmp_path), domain)) == 20
