import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.processes import ipaas, make_environ, started, write_project

HELLO = """\
version: 1
inputs:
  name: {type: string, default: World}
  times: {type: integer, default: 1}
steps:
  - id: greet
    uses: flow.set
    with: {text: "Hello, ${{ inputs.name }} ${{ inputs.times }}!"}
  - uses: flow.log
    with: {message: "said ${{ steps.greet.output.text }}"}
outputs:
  greeting: ${{ steps.greet.output.text }}
"""
FAILING = """\
version: 1
steps:
  - id: fine
    uses: flow.set
    with: {a: 1}
  - id: broken
    uses: flow.fail
    with: {message: no more paper}
"""
PARENT = """\
version: 1
steps:
  - id: child
    run_workflow: hello
    with: {name: Child}
outputs:
  got: ${{ steps.child.output.greeting }}
"""
HOLD = """\
version: 1
steps:
  - id: hold
    uses: probe.hold
    with: {folder: "FOLDER"}
finally:
  - id: tidy
    uses: flow.log
    with: {message: tidied}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(
        tmp_path,
        hello=HELLO,
        failing=FAILING,
        parent=PARENT,
        hold=HOLD.replace("FOLDER", str(tmp_path)),
        broken="version: 1\nstpes: []\n",
    )


def test_piped_run_prints_one_document(project: Path) -> None:
    """In a pipe the answer is one JSON document; the step's log line goes to standard error; no database is left."""
    done = ipaas("run", "pipelines/hello.yaml", "--input", "name=Ada", "--input", "times=2", cwd=project)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["state"] == "succeeded"
    assert document["workflow"] == "hello"
    assert document["inputs"] == {"name": "Ada", "times": 2}
    assert document["outputs"] == {"greeting": "Hello, Ada 2!"}
    assert [(step["path"], step["status"]) for step in document["steps"]] == [
        ("greet", "succeeded"),
        ("step2", "succeeded"),
    ]
    assert json.loads(done.stderr)["message"] == "said Hello, Ada 2!"
    assert not list(project.glob("*.db*"))


def test_failed_run_is_told_with_place(project: Path) -> None:
    """A run that fails ends with 1; the document has the error, and standard error has it located."""
    done = ipaas("run", "pipelines/failing.yaml", cwd=project)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["state"], document["error"]["step"]) == ("failed", "broken")
    line, *_, last = done.stderr.splitlines()
    assert line == "pipelines/failing.yaml:6:5: step `broken`: no more paper [validation]"
    assert last == f"error: run {document['id']} failed"


@pytest.mark.parametrize(
    "arguments, text",
    [
        (("pipelines/broken.yaml",), "pipelines/broken.yaml:2:1: unknown key `stpes`"),
        (("pipelines/nowhere.yaml",), "error: cannot read `pipelines/nowhere.yaml`: no such file or directory"),
        (("pipelines/hello.yaml", "--input", "naem=x"), "`naem`"),
        (("pipelines/hello.yaml", "--input", "times=many"), "`times`"),
        (("pipelines/hello.yaml", "--input", "times"), "error: `--input` must be `name=value`, not `times`"),
        (("hello",), "error: there is no database `ipaas.db`"),
    ],
    ids=["broken", "missing", "unknown input", "wrong input", "no pair", "no database"],
)
def test_wrong_input_runs_nothing(arguments: tuple[str, ...], text: str, project: Path) -> None:
    """What is wrong before the run begins is told with exit code 2 and an empty answer."""
    done = ipaas("run", *arguments, cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_called_workflow_comes_from_the_folder(project: Path) -> None:
    """A file that starts another workflow finds it beside itself, whatever else is broken there."""
    done = ipaas("run", "pipelines/parent.yaml", cwd=project)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"got": "Hello, Child 1!"}


def test_file_runs_from_any_folder(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The project's plugins are found beside the pipelines folder, not beside the caller."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (project / "go").write_text("")
    done = ipaas("run", str(project / "pipelines" / "hold.yaml"), cwd=elsewhere)
    assert done.returncode == 0, done.stderr


def test_inputs_come_from_standard_input(project: Path) -> None:
    """`--inputs-file -` reads the inputs, a pair wins."""
    done = ipaas(
        "run", "pipelines/hello.yaml", "--inputs-file", "-", "--input", "times=3", cwd=project, stdin='{"name": "Bo"}'
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"greeting": "Hello, Bo 3!"}


def test_typed_database_keeps_the_run(project: Path) -> None:
    """With `--database` the run of a file is recorded there, and `run ID` runs it again."""
    database = ("--database", "sqlite:///test.db")
    first = ipaas("run", "pipelines/hello.yaml", *database, cwd=project)
    assert first.returncode == 0, first.stderr
    second = ipaas("run", "hello", "--input", "name=Again", *database, cwd=project)
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout)["outputs"] == {"greeting": "Hello, Again 1!"}
    listed = json.loads(ipaas("runs", "list", "--json", *database, cwd=project).stdout)
    assert [row["id"] for row in listed] == [json.loads(done.stdout)["id"] for done in (second, first)]


def test_variable_does_not_put_a_file_on_trial_into_a_database(project: Path) -> None:
    """`IPAAS_DATABASE` is for stored workflows; a file still runs in memory."""
    done = ipaas("run", "pipelines/hello.yaml", cwd=project, env={"IPAAS_DATABASE": "sqlite:///server.db"})
    assert done.returncode == 0, done.stderr
    assert not (project / "server.db").exists()


def test_unknown_and_inactive_workflows_are_told(project: Path) -> None:
    """An id that is not stored gets the nearest name; one that is switched off says how to switch it on."""
    database = ("--database", "sqlite:///test.db")
    (project / "pipelines" / "broken.yaml").unlink()
    assert ipaas("sync", *database, cwd=project).returncode == 0
    done = ipaas("run", "helo", *database, cwd=project)
    assert (done.returncode, done.stderr) == (
        2,
        "error: there is no workflow `helo` in the database\n  hint: did you mean `hello`?\n",
    )
    assert ipaas("workflows", "deactivate", "hello", *database, cwd=project).returncode == 0
    done = ipaas("run", "hello", *database, cwd=project)
    assert (done.returncode, done.stderr) == (
        2,
        "error: workflow `hello` is switched off\n  hint: `ipaas workflows activate hello` switches it on\n",
    )


def test_interrupt_cancels_and_tidies_up(project: Path) -> None:
    """Ctrl-C cancels the run, its finally steps run, the document says so, exit code 130."""
    with started("run", "pipelines/hold.yaml", cwd=project) as process:
        process.wait_for("holding")
        process.signal(signal.SIGINT)
        process.wait_for("tidied")
        process.wait_for('"state": "cancelled"')
        assert process.wait() == 130


def test_secret_is_not_in_the_document(project: Path) -> None:
    """A credential's value that ends up in inputs and outputs is taken out of all of them."""
    done = ipaas(
        "run",
        "pipelines/hello.yaml",
        "--input",
        "name=hunter22",
        cwd=project,
        env={"IPAAS_CREDENTIAL_SHOP": '{"token": "hunter22"}'},
    )
    assert done.returncode == 0, done.stderr
    assert "hunter22" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["inputs"] == {"name": "[redacted]", "times": 1}


def test_dry_run_sends_nothing_and_shows_requests(project: Path) -> None:
    """`--dry` shows the request with its headers hidden, makes up the answer, and follows the steps."""
    (project / "pipelines" / "send.yaml").write_text(
        "version: 1\nsteps:\n  - id: send\n    uses: http.post\n    with:\n      url: http://127.0.0.1:9/orders\n"
        "      headers: {Authorization: Bearer hunter22}\n      json: {a: 1}\n  - uses: flow.log\n"
        '    with: {message: "${{ steps.send.output.status }}"}\n'
    )
    done = ipaas("run", "pipelines/send.yaml", "--dry", cwd=project)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["id"], document["dry"], document["state"]) == (None, True, "succeeded")
    (request,) = document["steps"][0]["requests"]
    assert (request["method"], request["url"], request["body"]) == ("POST", "http://127.0.0.1:9/orders", {"a": 1})
    assert "hunter22" not in done.stdout


def run_on_terminal(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Run a command whose streams are a terminal; returns the exit code and all that was drawn."""
    master, slave = pty.openpty()
    environ = make_environ(cwd) | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "ipaas", *arguments], cwd=cwd, env=environ, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    drawn: list[bytes] = []

    def read() -> None:
        while True:
            try:
                drawn.append(os.read(master, 65536))
            except OSError:  # Linux says EIO when the other side is gone
                return

    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait(timeout=60)
    reader.join()
    os.close(master)
    return code, b"".join(drawn).decode()


def test_terminal_shows_the_tree_and_the_outputs(project: Path) -> None:
    """On a terminal the finished steps are drawn with their state, and the outputs follow."""
    code, drawn = run_on_terminal("run", "pipelines/hello.yaml", cwd=project)
    assert code == 0
    assert "✓ " in drawn
    assert "greet" in drawn
    assert "succeeded" in drawn
    assert '"greeting": "Hello, World 1!"' in drawn


def test_terminal_with_json_prints_the_document(project: Path) -> None:
    """`--json` on a terminal is the document all the same."""
    code, drawn = run_on_terminal("run", "pipelines/failing.yaml", "--json", cwd=project)
    assert code == 1
    assert '"state": "failed"' in drawn


def test_connector_that_prints_and_leaves_a_thread_spoils_nothing(tmp_path: Path) -> None:
    """What a library prints goes to standard error, not into the JSON document; its thread does not keep the process."""
    project = write_project(tmp_path, leaky="version: 1\nsteps: [{uses: probe.leak}]\n")
    done = ipaas("run", "pipelines/leaky.yaml", "--json", cwd=project)
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "succeeded")
    assert "what a library prints" in done.stderr


def test_dry_run_that_would_fail_says_where(tmp_path: Path) -> None:
    """A dry run that ends badly exits with 1 and tells the located error on standard error."""
    (tmp_path / "divide.yaml").write_text(
        "version: 1\ninputs: {n: {type: integer, default: 0}}\n"
        'steps:\n  - {id: a, uses: flow.set, with: {v: "${{ 1 / inputs.n }}"}}\n'
    )
    done = ipaas("run", "divide.yaml", "--dry", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["state"]) == (1, "failed")
    assert done.stderr.startswith("divide.yaml:4:46: step `a`: a number cannot be divided by zero")


@pytest.mark.parametrize("dry", [(), ("--dry",)])
def test_vars_come_from_the_settings(tmp_path: Path, dry: tuple[str, ...]) -> None:
    """`vars.name` is what `IPAAS_VARS` says where ipaas runs, in dry runs too; a name that is not there is a problem."""
    (tmp_path / "vars.yaml").write_text(
        'version: 1\nsteps:\n  - {id: a, uses: flow.set, with: {v: "${{ vars.region }}"}}\n'
        'outputs: {region: "${{ steps.a.output.v }}"}\n'
    )
    done = ipaas("run", "vars.yaml", *dry, cwd=tmp_path, env={"IPAAS_VARS": '{"region": "eu"}'})
    assert (done.returncode, json.loads(done.stdout)["outputs"]) == (0, {"region": "eu"})
    assert ipaas("run", "vars.yaml", *dry, cwd=tmp_path).returncode == 2
