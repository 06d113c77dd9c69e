"""The documents say what the program does: examples are checked, links lead somewhere, nothing public is left out."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

import ipaas.plugin
import ipaas.testing
from ipaas.cli.commands import make_root
from ipaas.definition import CompileOptions, compile_text
from ipaas.errors import ERROR_TYPES
from ipaas.plugin.hookspecs import Hooks
from ipaas.registry import Registry, load_registry
from ipaas.testing import pytest_plugin

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def pipelines_in(page: Path) -> list[str]:
    """Return the fenced examples that are whole pipelines; those of problems.md are wrong on purpose and have a test of their own."""
    if page.name == "problems.md":
        return []
    return [
        text
        for text in FENCE.findall(page.read_text(encoding="utf-8"))
        if re.search(r"^version: 1$", text, re.MULTILINE)
    ]


EXAMPLES = [
    pytest.param(name_of(page), text, id=f"{name_of(page)}-{number}")
    for page in PAGES
    for number, text in enumerate(pipelines_in(page), start=1)
]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(entry_points=False, config_env={})


@pytest.mark.parametrize(("page", "text"), EXAMPLES)
def test_every_pipeline_in_the_documents_is_valid(page: str, text: str, registry: Registry) -> None:
    """A whole pipeline shown in a document has no problem."""
    compiled = compile_text(text, page, registry.catalog, CompileOptions())
    assert [str(problem) for problem in compiled.problems] == []


@pytest.mark.parametrize(
    ("page", "path", "right", "wrong"),
    [
        ("README.md", "pipelines/orders_to_chat.yaml", "order.total }", "order.totl }"),
        ("docs/tutorial.md", "pipelines/orders.yaml", 'steps.large.output }}", as', 'steps.lagre.output }}", as'),
    ],
)
def test_a_mistake_in_the_documents_is_reported_as_shown(
    page: str, path: str, right: str, wrong: str, registry: Registry
) -> None:
    """The message that a page shows for a mistake in its first pipeline is the one that is printed."""
    text = pipelines_in(ROOT / page)[0]
    assert right in text
    compiled = compile_text(text.replace(right, wrong), path, registry.catalog, CompileOptions())
    shown = "\n".join(str(problem) for problem in compiled.problems)
    assert f"```text\n{shown}\n```" in (ROOT / page).read_text(encoding="utf-8")


def test_the_documents_show_pipelines() -> None:
    """The check above has something to check."""
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file that is there."""
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_action_is_documented(registry: Registry) -> None:
    """Each bundled action has its section in its connector's page."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "connectors").glob("*.md")}
    missing = [
        action
        for action in registry.catalog
        if not re.search(rf"^#+ .*`{re.escape(action)}`", pages.get(action.partition(".")[0], ""), re.MULTILINE)
    ]
    assert missing == []


def test_every_input_of_an_action_is_documented(registry: Registry) -> None:
    """Each input of each bundled action is named in its connector's page."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "connectors").glob("*.md")}
    missing = [
        f"{action}: {name}"
        for action, spec in registry.catalog.items()
        for name in dict(spec.input_schema.get("properties", {}))  # type: ignore[arg-type]  # a schema is plain JSON
        if f"`{name}`" not in pages[action.partition(".")[0]]
    ]
    assert missing == []


SCHEMA = json.loads((ROOT / "schemas" / "workflow.schema.json").read_text(encoding="utf-8"))
LANGUAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
SCHEDULES = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
PLUGINS = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")

LATER = {"webhook", "poll", "wait", "approve"}
"""Parts of the language that this version refuses: named as such, their keys not yet explained."""


def keys_of(schema: object) -> Iterator[str]:
    """Yield every key that files may have below a part of the language's schema, without the inside of JSON Schemas."""
    if isinstance(schema, list):
        for part in schema:
            yield from keys_of(part)
    if not isinstance(schema, dict):
        return
    for name, part in schema.get("properties", {}).items():
        yield name
        if name not in LATER:
            yield from keys_of(part)
    yield from keys_of(schema.get("items"))


def coded(text: str) -> str:
    """Return what a page shows as code, in lines or in blocks, parted by blanks."""
    return " ".join(re.findall(r"^ *```.*?^ *```|``.+?``|`[^`]+`", text, re.MULTILINE | re.DOTALL))


def unnamed(names: Iterable[str], text: str) -> list[str]:
    """Return the names that do not stand in the code of a page as words."""
    code = coded(text)
    return sorted({name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code)})


@pytest.mark.parametrize("part", ["step", "trigger", "concurrency"])
def test_every_key_of_the_language_is_documented(part: str) -> None:
    """Each key of a step, a trigger and `concurrency`, however deep, is named in the reference of the language or of schedules."""
    assert unnamed(keys_of(SCHEMA["$defs"][part]), LANGUAGE + SCHEDULES) == []


def test_every_top_level_key_has_its_line() -> None:
    """Each key of the frame begins a line of its table, alone or with its kind."""
    frame = LANGUAGE.partition("## The frame\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", frame, re.MULTILINE)
    assert unnamed(SCHEMA["properties"], "\n".join(cells)) == []


def enums_of(schema: object) -> Iterator[str]:
    """Yield every word that files may choose from, but those of what this version refuses."""
    if isinstance(schema, list):
        for part in schema:
            yield from enums_of(part)
    if isinstance(schema, dict):
        yield from (word for word in schema.get("enum", ()) if isinstance(word, str))
        for name, part in schema.items():
            if name not in LATER:
                yield from enums_of(part)


def test_every_word_to_choose_from_is_documented() -> None:
    """Each value of each closed set of the language (`overlap`, `backoff`, states, types of error, …) is named in its reference."""
    assert unnamed(enums_of(SCHEMA), LANGUAGE + SCHEDULES) == []


@pytest.mark.parametrize("page", ["language.md", "execution.md", "plugins.md"])
def test_every_type_of_error_is_documented(page: str) -> None:
    """Each type of error is named where errors are explained."""
    assert unnamed(ERROR_TYPES, (ROOT / "docs" / page).read_text(encoding="utf-8")) == []


def test_every_hook_is_documented() -> None:
    """Each hook that a plugin may implement is in the table of hooks."""
    hooks = [name for name in vars(Hooks) if not name.startswith("_")]
    assert hooks
    assert [name for name in hooks if f"| `{name}(" not in PLUGINS] == []


def test_every_name_of_the_author_s_api_is_documented() -> None:
    """Each name that `ipaas.plugin` promises is in its manual."""
    assert unnamed(ipaas.plugin.__all__, PLUGINS) == []


def test_every_fixture_and_tool_for_tests_is_documented() -> None:
    """Each fixture of the pytest plugin, and each name that `ipaas.testing` promises, is in the manuals."""
    fixtures = [
        name for name, value in vars(pytest_plugin).items() if type(value).__name__ == "FixtureFunctionDefinition"
    ]
    assert fixtures
    assert unnamed([*fixtures, *ipaas.testing.__all__], PLUGINS + (ROOT / "docs" / "store.md").read_text()) == []


def commands_in(page: Path) -> Iterator[list[str]]:
    """Yield the words of each `ipaas` command that a page shows: in a console, as an example of help, or in its text."""
    text = page.read_text(encoding="utf-8")
    lines = [line[2:] for line in re.findall(r"^\$ ipaas .*$", text, re.MULTILINE)]
    lines += re.findall(r"^    (ipaas .*?)(?: {3,}.*)?$", text, re.MULTILINE)
    lines += [code for code in re.findall(r"`(ipaas [^`\n]+)`", text) if not re.search(r"[A-Z]{4}|…", code)]
    for line in lines:
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        commands = [list(part) for _, part in groupby(words, lambda word: set(word) <= set("|&;<>()"))]
        yield from (command[1:] for command in commands if command[0] == "ipaas")


def find_fault(words: list[str]) -> str | None:
    """Return what the program does not know of a command line, or None."""
    root = make_root()
    with root.make_context("ipaas", [], resilient_parsing=True) as context:
        command: Any = root
        rest = list(words)
        while rest and hasattr(command, "list_commands") and not rest[0].startswith("-"):
            name = rest.pop(0)
            command = command.get_command(context, name)
            if command is None:
                return name
        flags = {"-h", "--help", *(flag for parameter in command.params for flag in parameter.opts)}
    return next((word for word in rest if word.startswith("-") and word != "-" and word not in flags), None)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_shown_exists(page: Path) -> None:
    """Each `ipaas` command that a page shows, and each of its flags, is one that the program has."""
    assert {" ".join(words): fault for words in commands_in(page) if (fault := find_fault(words))} == {}


def test_the_documents_show_commands() -> None:
    """The check above has something to check, and finds what is wrong."""
    assert sum(len(list(commands_in(page))) for page in PAGES) >= 60
    assert (find_fault(["runs", "lits"]), find_fault(["runs", "list", "--jsn"])) == ("lits", "--jsn")


def leaf_commands() -> Iterator[Any]:
    """Yield each command that does something, with its words as `name`."""
    root = make_root()
    with root.make_context("ipaas", [], resilient_parsing=True) as context:
        for name in root.list_commands(context):
            command = root.get_command(context, name)
            parts = getattr(command, "commands", {})
            yield from ((f"{name} {part}", parts[part]) for part in parts) if parts else ((name, command),)


@pytest.mark.parametrize(("words", "command"), [pytest.param(*each, id=each[0]) for each in leaf_commands()])
def test_every_command_teaches_by_example(words: str, command: Any) -> None:
    """The help of each command has an example that begins with the command itself."""
    _, _, examples = (command.help or "").partition("Examples:\n")
    assert f"ipaas {words}" in examples
