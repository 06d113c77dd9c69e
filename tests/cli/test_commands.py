import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ipaas.cli.commands import TABLE, load_command, make_root

COMMANDS = {name: entry for section in TABLE.values() for name, entry in section.items()}


def all_paths() -> list[tuple[str, ...]]:
    """Every command and every command in it, as it is typed."""
    paths: list[tuple[str, ...]] = [()]
    for name, entry in COMMANDS.items():
        paths.append((name,))
        paths += [(name, child) for child in getattr(load_command(name, entry), "commands", {})]
    return paths


def find(path: tuple[str, ...]) -> Any:
    command: Any = make_root()
    for name in path:
        command = command.get_command(None, name)
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_summary_in_the_table_is_the_commands_own(name: str) -> None:
    """The table's summary is the first line of the command's help: it is written twice so that help loads nothing."""
    first = str(load_command(name, COMMANDS[name]).help).strip().splitlines()[0]
    assert first == COMMANDS[name].summary


@pytest.mark.parametrize("path", [path for path in all_paths() if not hasattr(find(path), "commands")], ids=" ".join)
def test_every_command_teaches_by_example_and_prints_json(path: tuple[str, ...]) -> None:
    """Each command shows examples of itself; each that answers has `--json`."""
    command = find(path)
    typed = " ".join(("ipaas", *path))
    examples = command.help.partition("Examples:")[2].splitlines()
    assert [line for line in examples if line.strip().startswith(typed)] != []
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert "--json" in flags or path == ("serve",)


@pytest.mark.parametrize("path", all_paths(), ids=lambda path: " ".join(path) or "root")
def test_help_is_as_reviewed(
    path: tuple[str, ...], snapshot: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The help of each command is a reviewed text."""
    monkeypatch.setenv("COLUMNS", "90")
    command = make_root()
    with command.make_context("ipaas", [], resilient_parsing=True) as context:
        current = context
        for name in path:
            command = command.get_command(current, name)
            current = command.make_context(name, [], parent=current, resilient_parsing=True)
        snapshot(current.get_help() + "\n", f"help{''.join(f'-{name}' for name in path)}.txt")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["runs", "--help"], ["--version"], ["version"]], ids=" ".join
)
def test_help_and_version_are_answers(arguments: list[str]) -> None:
    """Help that was asked for goes to standard output with exit code 0."""
    done = subprocess.run([sys.executable, "-m", "ipaas", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout != ""


@pytest.mark.parametrize("arguments", [[], ["runs"]], ids=["ipaas", "ipaas runs"])
def test_no_command_is_wrong_input_with_help(arguments: list[str]) -> None:
    """Without a command the help goes to standard error with exit code 2."""
    done = subprocess.run([sys.executable, "-m", "ipaas", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: ipaas")


def test_closed_pipe_is_no_error() -> None:
    """A reader that has seen enough (`head -0`) ends the command quietly."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "ipaas", "schema"], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_closed_streams_are_no_error() -> None:
    """A caller that closed both streams still gets its exit code."""
    command = f"exec {shlex.quote(sys.executable)} -m ipaas version >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0


def test_letters_that_the_terminal_lacks_are_escaped() -> None:
    """An ASCII terminal gets escapes, not a traceback."""
    environ = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "ipaas", "runs", "show", "ü", "--database", "ü.db"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no database `\\xfc.db`")
