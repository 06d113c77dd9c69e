"""`ipaas workflows` and `ipaas runs` on a database that has something in it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from ipaas.cli import main
from ipaas.engine.system_clock import SystemClock
from ipaas.model import Place
from ipaas.run import LogLine, Outcome, RunError, RunRequest, StepResult
from ipaas.store import open_store
from ipaas.store.contract import DEFAULT_TENANT, Change, WorkflowText

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ERROR = RunError(
    type="timeout",
    message="took longer than 10 s",
    step="tell[3]",
    attempt=2,
    place=Place("pipelines/orders.yaml", 9, 5),
    hint="raise `timeout`",
)


@dataclass(frozen=True)
class Filled:
    """A database with one workflow, a failed run and a queued one."""

    url: str
    failed: str
    queued: str


async def fill(url: str) -> Filled:
    text = WorkflowText(
        id="orders",
        version="v" * 64,
        path="pipelines/orders.yaml",
        source="version: 1\n",
        description="All orders",
        labels={"team": "x"},
    )
    async with open_store(url, SystemClock()) as store:
        await store.apply(DEFAULT_TENANT, Change(put=(text,)))
        request = RunRequest(workflow="orders", version="v" * 64, inputs={"minimum": 5})
        (submitted,) = await store.submit(DEFAULT_TENANT, [request])
        (claimed,) = await store.claim("test", limit=1, lease_s=30)
        run = await store.start(claimed.lease)
        steps = [
            StepResult(
                path="fetch",
                step="fetch",
                status="succeeded",
                action="http.get",
                output=[1],
                attempts=1,
                started_at=AT,
                finished_at=AT,
            ),
            StepResult(
                path="tell[3]",
                step="tell",
                status="failed",
                action="http.post",
                error=ERROR,
                attempts=2,
                started_at=AT,
                finished_at=AT,
            ),
        ]
        await store.record_steps(run.lease, steps)
        lines = [
            LogLine(at=AT, level="info", message="fetched 1", step="fetch"),
            LogLine(at=AT, level="error", message="slow \x1b[2J", step="tell[3]", attempt=2),
        ]
        await store.append_logs(run.lease, lines)
        await store.finish(run.lease, Outcome(state="failed", error=ERROR))
        (queued,) = await store.submit(DEFAULT_TENANT, [request])
    return Filled(url, submitted.run_id, queued.run_id)


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    return trio.run(fill, f"sqlite:///{tmp_path}/test.db")


@pytest.fixture
def run(filled: Filled, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command on the database; returns its answer after checking that nothing else was said."""

    def run(*arguments: str) -> str:
        assert main([*arguments, "--database", filled.url]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return run


def test_runs_are_listed_newest_first(run: Callable[..., str], filled: Filled) -> None:
    """The list has one object a run, with its error and without inputs, outputs and steps."""
    rows = json.loads(run("runs", "list", "--json"))
    assert [row["id"] for row in rows] == [filled.queued, filled.failed]
    assert (rows[1]["state"], rows[1]["error"]["type"], rows[1]["workflow"]) == ("failed", "timeout", "orders")
    assert not {"inputs", "outputs", "steps"} & rows[1].keys()


@pytest.mark.parametrize(
    "flags, count",
    [
        (["--state", "failed"], 1),
        (["--state", "failed", "--state", "queued"], 2),
        (["--state", "running"], 0),
        (["--workflow", "orders"], 2),
        (["--workflow", "other"], 0),
    ],
)
def test_runs_are_filtered(flags: list[str], count: int, run: Callable[..., str]) -> None:
    """Filters by state and workflow select runs."""
    assert len(json.loads(run("runs", "list", "--json", *flags))) == count


def test_list_in_a_pipe_is_aligned_text(run: Callable[..., str], filled: Filled) -> None:
    """Without `--json` a pipe gets columns, with the error in the last."""
    header, queued, failed = run("runs", "list").splitlines()
    assert header.split() == ["ID", "WORKFLOW", "STATE", "TRIGGER", "CREATED", "TOOK", "WHY"]
    assert queued.startswith(f"{filled.queued}  orders    queued  manual")
    assert failed.endswith("took longer than 10 s")


def test_longer_list_says_that_there_is_more(filled: Filled, capsys: pytest.CaptureFixture[str]) -> None:
    """A list that was cut off says so on standard error."""
    assert main(["runs", "list", "--limit", "1", "--database", filled.url]) == 0
    assert capsys.readouterr().err == "more runs are older: --limit 1 shows the newest\n"


def test_run_is_shown_with_its_steps_and_error(run: Callable[..., str], filled: Filled) -> None:
    """One run as JSON has inputs, steps and the located error."""
    document = json.loads(run("runs", "show", filled.failed, "--json"))
    assert document["inputs"] == {"minimum": 5}
    assert [(step["path"], step["status"]) for step in document["steps"]] == [
        ("fetch", "succeeded"),
        ("tell[3]", "failed"),
    ]
    assert document["error"]["place"] == "pipelines/orders.yaml:9:5"


def test_run_for_people_names_place_and_hint(run: Callable[..., str], filled: Filled) -> None:
    """As text the error has the form of a problem: place, step, what happened, type, hint."""
    text = run("runs", "show", filled.failed)
    assert (
        "\npipelines/orders.yaml:9:5: step `tell[3]`: took longer than 10 s (attempt 2) [timeout]\n  hint: raise `timeout`\n"
        in text
    )
    assert "\ntell[3]  failed     http.post  2" in text


def test_log_is_printed_without_escape_sequences(run: Callable[..., str], filled: Filled) -> None:
    """Each line has time, level, step and message; what a terminal would obey is written out."""
    assert run("runs", "logs", filled.failed) == (
        "2026-03-01 12:00:00Z  info   fetch    fetched 1\n2026-03-01 12:00:00Z  error  tell[3]  slow \\x1b[2J\n"
    )
    lines = json.loads(run("runs", "logs", filled.failed, "--json"))
    assert [line["level"] for line in lines] == ["info", "error"]


def test_queued_run_is_cancelled_at_once(run: Callable[..., str], filled: Filled) -> None:
    """Cancelling a queued run ends it; the reason is kept."""
    assert run("runs", "cancel", filled.queued, "--reason", "wrong input") == f"{filled.queued} is cancelled\n"
    document = json.loads(run("runs", "show", filled.queued, "--json"))
    assert (document["state"], document["reason"]) == ("cancelled", "wrong input")


@pytest.mark.parametrize("command", ["show", "logs", "cancel"])
def test_unknown_run_is_wrong_input(command: str, filled: Filled, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that is not there is told with exit code 2."""
    assert main(["runs", command, "nope", "--database", filled.url]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "`nope`" in err


def test_workflow_is_listed_and_shown(run: Callable[..., str]) -> None:
    """A workflow has id, state, path, labels; its text comes with `show`."""
    (row,) = json.loads(run("workflows", "list", "--json"))
    assert (row["id"], row["active"], row["path"], row["labels"]) == (
        "orders",
        True,
        "pipelines/orders.yaml",
        {"team": "x"},
    )
    assert json.loads(run("workflows", "show", "orders", "--json"))["source"] == "version: 1\n"
    assert run("workflows", "show", "orders", "--source") == "version: 1\n"
    assert "state:        active\n" in run("workflows", "show", "orders")
    assert run("workflows", "list").splitlines()[1].startswith("orders  active  pipelines/orders.yaml")


def test_workflow_is_switched_off_and_on(run: Callable[..., str]) -> None:
    """Deactivating and activating change the state and say so."""
    assert run("workflows", "deactivate", "orders") == "orders is inactive\n"
    assert json.loads(run("workflows", "show", "orders", "--json"))["active"] is False
    assert json.loads(run("workflows", "activate", "orders", "--json"))["active"] is True


def test_deactivating_can_cancel_what_runs(run: Callable[..., str], filled: Filled) -> None:
    """`--cancel-running` ends the queued run in the same step."""
    run("workflows", "deactivate", "orders", "--cancel-running")
    assert json.loads(run("runs", "show", filled.queued, "--json"))["state"] == "cancelled"


@pytest.mark.parametrize("command", ["show", "activate", "deactivate"])
def test_unknown_workflow_is_wrong_input(command: str, filled: Filled, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that is not there is told with exit code 2."""
    assert main(["workflows", command, "nope", "--database", filled.url]) == 2
    assert "`nope`" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["runs", "list"], ["runs", "show", "x"], ["workflows", "list"], ["workflows", "activate", "x"]],
    ids=" ".join,
)
def test_looking_makes_no_database(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt path is told; no empty file is left behind."""
    path = tmp_path / "misspelt.db"
    assert main([*arguments, "--database", f"sqlite:///{path}"]) == 2
    assert capsys.readouterr().err.startswith(f"error: there is no database `{path}`\n")
    assert not path.exists()


def test_database_is_found_by_variable(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`IPAAS_DATABASE` is as good as the flag."""
    monkeypatch.setenv("IPAAS_DATABASE", filled.url)
    assert main(["runs", "list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
