import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from ipaas.errors import InputError
from ipaas.plugin import RequestRecorder, make_context
from ipaas.registry import PluginInfo, Registry, find_bundled_folder, load_registry

GOOD = '''
"""Greetings."""
from ipaas.plugin import Connector, Context, hookimpl

hello = Connector("{name}", config={{"word": "what to say"}})

@hello.action(effect="read")
async def say(ctx: Context, to: str) -> str:
    """Say it."""
    return ctx.config["word"] + " " + to

@hookimpl
def ipaas_connectors():
    return [hello]
'''


def good(name: str = "hello") -> str:
    return GOOD.format(name=name)


Write = Callable[[str, str], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "plugins"
    made.mkdir()
    return made


@pytest.fixture
def write(folder: Path) -> Write:
    """Write a file into the plugins folder."""

    def write_file(name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write_file


def load(*local: Path, env: Mapping[str, str] | None = None, **options: Any) -> Registry:
    return load_registry(local=local, entry_points=False, config_env=env or {}, **options)


def plugin(registry: Registry, name: str) -> PluginInfo:
    (found,) = [plugin for plugin in registry.plugins if plugin.name == name]
    return found


async def test_local_plugin_is_loaded(folder: Path, write: Write) -> None:
    """A file in the project's folder brings its connector, with its settings from the environment."""
    path = write("greet.py", good())
    registry = load(folder, env={"IPAAS_HELLO_WORD": "ahoy"})
    assert plugin(registry, "greet") == PluginInfo(name="greet", source="local", path=path, connectors=("hello",))
    action = registry.actions["hello.say"]
    assert (action.plugin, registry.catalog["hello.say"].plugin) == ("greet", "greet")
    assert registry.connectors["hello"].description == "Greetings."
    assert await action.run(make_context(action), {"to": "you"}) == "ahoy you"


async def test_setting_that_is_missing_is_named(folder: Path, write: Write) -> None:
    """A connector whose setting is missing fails when it needs it, and names the variable."""
    write("greet.py", good())
    action = load(folder).actions["hello.say"]
    with pytest.raises(
        Exception, match="the setting `word` of the connector `hello` is not set: what to say"
    ) as caught:
        await action.run(make_context(action), {"to": "you"})
    assert getattr(caught.value, "hint", "") == "set the variable `IPAAS_HELLO_WORD`"


def test_package_is_a_plugin(folder: Path, write: Write) -> None:
    """A folder with `__init__.py` is one plugin, whose modules import each other relatively."""
    write("greet/__init__.py", "from .actions import ipaas_connectors\n")
    write("greet/actions.py", good())
    assert plugin(load(folder), "greet").connectors == ("hello",)


def test_what_is_not_a_plugin_is_passed_over(folder: Path, write: Write) -> None:
    """Private, hidden and test files, data, and folders that are no packages are not plugins."""
    for name in (
        "_private.py",
        ".hidden.py",
        "test_greet.py",
        "conftest.py",
        "notes.txt",
        "data/table.csv",
        "tests/__init__.py",
    ):
        write(name, "raise RuntimeError")
    assert [found.name for found in load(folder).plugins if found.source == "local"] == []


HEAD = "from ipaas.plugin import Connector, hookimpl\n"
HOOK = "@hookimpl\ndef ipaas_connectors(): "

BROKEN = {
    "syntax.py": ("def (:\n", "{path}:1: invalid syntax (mend the Python syntax)"),
    "exit.py": (
        "import sys\n\nsys.exit(3)\n",
        "{path}:3: ends the program while it is imported (move that below `if __name__ == '__main__':`)",
    ),
    "missing.py": (
        "import nonexistent_sdk.client\n",
        "{path}:1: there is no module `nonexistent_sdk` (install it beside ipaas (often `pip install nonexistent_sdk`), or",
    ),
    "spelling.py": (
        "from ipaas.plugin import Conector\n",
        "{path}:1: cannot import name 'Conector' from 'ipaas.plugin' (did you mean `Connector`?)",
    ),
    "raises.py": (
        "def f():\n    raise ValueError('no such\\nthing')\nf()\n",
        "{path}:2: ValueError: no such (mend the plugin, and check it with `ipaas plugins list`)",
    ),
    "cancels.py": (
        "class Odd(BaseException): pass\nraise Odd\n",
        "{path}:2: Odd (mend the plugin, and check it with `ipaas plugins list`)",
    ),
    "empty.py": (
        "x = 1\n",
        "{path}: registers no connector (add `@hookimpl` and `def ipaas_connectors(): return [connector]`, or begin its name with `_`)",
    ),
    "nolist.py": (
        "from ipaas.plugin import hookimpl\n@hookimpl\ndef ipaas_connectors(): return 5\n",
        "{path}: `ipaas_connectors` returns `int`, not a list (return `[connector]`)",
    ),
    "nonsense.py": (
        "from ipaas.plugin import hookimpl\n@hookimpl\ndef ipaas_connectors(): return ['x']\n",
        "{path}: `ipaas_connectors` returns a list with `str` in it, not only connectors (return `Connector` objects)",
    ),
    "bare.py": (
        "from ipaas.plugin import Connector, hookimpl\nc = Connector('bare')\n@hookimpl\ndef ipaas_connectors(): return [c]\n",
        "{path}: the connector `bare` has no actions (add a function with `@connector.action(effect=…)`)",
    ),
    "twice.py": (
        f"{HEAD}c = Connector('twice')\n@c.action(effect='read')\nasync def f(ctx): ...\n{HOOK}return [c, c]\n",
        "{path}: registers the connector `twice` twice (give one of them another name)",
    ),
    "unhooked.py": (
        "from ipaas.plugin import hookimpl\n@hookimpl\ndef ipaas_connector(): return []\n",
        "{path}: PluginValidationError: unknown hook 'ipaas_connector'",
    ),
    "typed.py": (
        f"{HEAD}c = Connector('typed')\n@c.action(effect='read')\nasync def f(ctx, x: object()): ...\n{HOOK}return [c]\n",
        "{path}:3: action `typed.f` has ",
    ),
    "starred.py": (
        "from ipaas.plugin import Connector\nc = Connector('starred')\n@c.action(effect='read')\nasync def f(ctx, *x: str): ...\n",
        "{path}:3: action `starred.f` has the parameter `*x`, which cannot be given by name",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_plugin_is_reported_and_costs_only_itself(folder: Path, write: Write, name: str) -> None:
    """Whatever a plugin does while it is loaded, it is listed with place and cure, and the others are there."""
    text, error = BROKEN[name]
    path = write(name, text)
    write("greet.py", good())
    registry = load(folder)
    found = plugin(registry, path.stem)
    assert (found.connectors, found.path) == ((), path)
    assert found.error.startswith(error.format(path=path)) or found.error == error.format(path=path)
    assert found.error.endswith(")")
    assert plugin(registry, "greet").error == ""
    assert "data" in registry.connectors


def test_bundled_names_are_reserved(folder: Path, write: Write) -> None:
    """A project cannot put its own connector in the place of a bundled one."""
    write("mine.py", good("data"))
    registry = load(folder)
    assert plugin(registry, "mine").error.endswith(
        "the connector `data` is already registered by the bundled plugin `data` (give yours another name)"
    )
    assert registry.actions["data.filter"].plugin == "data"


def test_first_of_two_plugins_keeps_the_name(folder: Path, write: Write) -> None:
    """Of two plugins with one connector name the first by name is loaded, and the second is wholly refused."""
    write("a.py", good())
    write("b.py", good() + "\nother = Connector('other')\n")
    registry = load(folder)
    assert [(found.name, bool(found.error)) for found in registry.plugins if found.source == "local"] == [
        ("a", False),
        ("b", True),
    ]
    assert "is already registered by the local plugin `a`" in plugin(registry, "b").error


def test_bundled_folder_is_not_loaded_twice(folder: Path, write: Write) -> None:
    """In a checkout the project's folder is the bundled one: its plugins are bundled, once; a folder given twice counts once."""
    write("greet.py", good())
    usual = load(folder)
    again = load(find_bundled_folder(), folder, folder / ".." / folder.name)
    assert again.plugins == usual.plugins


def test_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    """A plugins folder that is not there is a mistake in the input, not an empty folder."""
    with pytest.raises(InputError, match="there is no plugins folder"):
        load(tmp_path / "nowhere")


def test_changed_plugin_is_loaded_anew(folder: Path, write: Write) -> None:
    """Loading again sees what changed, and the fingerprint changes with it, and back."""
    write("greet.py", good())
    first = load(folder)
    write("greet.py", good("welcome"))
    second = load(folder)
    write("greet.py", good())
    third = load(folder)
    assert (list(first.connectors)[-1], list(second.connectors)[-1]) == ("hello", "welcome")
    assert (first.fingerprint != second.fingerprint, first.fingerprint) == (True, third.fingerprint)


def test_fingerprint_counts_every_file_of_a_package(folder: Path, write: Write) -> None:
    """A change anywhere in a plugin's folder changes the fingerprint; bytecode does not."""
    write("greet/__init__.py", good())
    write("greet/words.json", "{}")
    first = load(folder).fingerprint
    write("greet/__pycache__/x.pyc", "x")
    assert load(folder).fingerprint == first
    write("greet/words.json", "[]")
    assert load(folder).fingerprint != first


def test_every_bundled_plugin_loads() -> None:
    """Nothing bundled is broken, and every bundled action has its schemas."""
    registry = load()
    assert [found.error for found in registry.plugins if found.error] == []
    assert {found.source for found in registry.plugins} == {"bundled"}
    assert [spec.name for spec in registry.catalog.values()] == list(registry.actions)


def test_catalog_builds_schemas_when_they_are_asked_for() -> None:
    """Listing names and asking whether an action is there builds no schema."""
    registry = load()
    assert "data.filter" in registry.catalog
    assert len(list(registry.catalog)) == len(registry.catalog) == len(registry.actions)
    assert [name for name, action in registry.actions.items() if "spec" in vars(action)] == []
    assert registry.catalog["data.filter"].name == "data.filter"
    assert [name for name, action in registry.actions.items() if "spec" in vars(action)] == ["data.filter"]
    assert registry.catalog.get("data.nonsense") is None


def install(site: Path, name: str, entry_points: str, modules: Mapping[str, str]) -> None:
    """Make a folder look like an installed package."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(dedent(entry_points))
    for module, text in modules.items():
        (site / f"{module}.py").write_text(dedent(text))


def test_installed_plugins_come_through_entry_points(tmp_path: Path) -> None:
    """Installed packages bring plugins by the entry point group `ipaas`; a broken one stops none of the others."""
    install(
        tmp_path,
        "acme-ipaas",
        "[ipaas]\nacme = acme_ipaas\nbroken = acme_broken\ngone = acme_gone:plugin\nobject = acme_object:plugin\n",
        {
            "acme_ipaas": good("acme"),
            "acme_broken": "raise SystemExit(1)",
            "acme_object": good("object")
            + "\nclass Plugin:\n    ipaas_connectors = staticmethod(ipaas_connectors)\nplugin = Plugin()\n",
        },
    )
    code = """
        from ipaas.registry import load_registry
        for plugin in load_registry(config_env={}).plugins:
            if plugin.source == "installed":
                print(plugin.name, plugin.connectors, plugin.path and plugin.path.name, plugin.error.partition(" (")[0])
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parent.parent}"},
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "acme ('acme',) acme_ipaas.py "
    assert "ends the program while it is imported" in lines[1]
    assert "there is no module `acme_gone`" in lines[2]
    assert lines[3] == "object ('object',) acme_object.py "


async def test_recorder_works_through_the_registry(folder: Path, write: Write) -> None:
    """An action of a loaded plugin shows its requests to a recorder, with the connector's base URL."""
    write(
        "chat.py",
        '''
        from ipaas.plugin import Connector, Context, hookimpl

        chat = Connector("chat", credential=["token"], base_url="https://chat.example/api")

        @chat.action(effect="write")
        async def post(ctx: Context, text: str) -> str:
            """Post."""
            await ctx.http.post("messages", json={"text": text})
            return "sent"

        @hookimpl
        def ipaas_connectors():
            return [chat]
        ''',
    )
    action, recorder = load(folder).actions["chat.post"], RequestRecorder()
    assert (
        await action.run(make_context(action, recorder=recorder, credential={"token": "t0ken"}), {"text": "hi"})
        == "sent"
    )
    assert [(request.method, request.url) for request in recorder.requests] == [
        ("POST", "https://chat.example/api/messages")
    ]
