import json
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.cli.processes import ipaas, started, write_project

BEAT = """\
version: 1
triggers:
  - every: 1s
steps:
  - uses: flow.log
    with: {message: beat}
"""
HOLD = """\
version: 1
triggers:
  - {id: soon, every: 1s}
steps:
  - id: hold
    uses: probe.hold
    with: {folder: "FOLDER"}
  - id: after
    uses: flow.set
    with: {done: true}
outputs:
  held: ${{ steps.hold.output }}
"""
SERVE = ("serve", "--port", "0", "--database", "sqlite:///test.db")


def list_runs(project: Path, *arguments: str) -> list[dict[str, object]]:
    done = ipaas("runs", "list", "--json", "--database", "sqlite:///test.db", *arguments, cwd=project)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


def states(project: Path) -> set[object]:
    return {row["state"] for row in list_runs(project, "--limit", "1000")}


@pytest.mark.parametrize(
    "pipeline, told",
    [
        (BEAT, "ready: 1 active workflow, 1 schedule, next is `beat` at "),
        (
            BEAT.replace("every: 1s", "after: {workflow: other}"),
            "ready: 1 active workflow, 0 schedules, nothing is due",
        ),
        (BEAT.replace("steps:", "active: false\nsteps:"), "ready: 0 active workflows, 0 schedules, nothing is due"),
    ],
    ids=["schedule", "follower", "switched off"],
)
def test_server_says_what_it_serves_and_what_comes_first(pipeline: str, told: str, tmp_path: Path) -> None:
    """The log of a server that is ready counts workflows and schedules, and names the next instant, the folder and the database."""
    other = BEAT.replace("every: 1s", "at: 2020-01-01T00:00:00Z").replace("steps:", "active: false\nsteps:")
    project = write_project(tmp_path, beat=pipeline, other=other)
    with started(*SERVE, cwd=project) as server:
        entry = json.loads(server.wait_for("ready: "))
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert entry["message"].startswith(told)
    assert (entry["pipelines"], entry["database"]) == ("pipelines", "sqlite:///test.db")


def test_server_is_ready_when_it_says_so(tmp_path: Path) -> None:
    """The printed URL answers at once, runs start by themselves, and SIGTERM ends it with 0 and nothing left running."""
    project = write_project(tmp_path, beat=BEAT)
    with started(*SERVE, cwd=project) as server:
        url = server.wait_for("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:
            assert json.load(answer) == {"status": "ok"}
        server.wait_for("run succeeded")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert server.process.stdout is not None
    assert states(project) == {"succeeded"}


def test_first_signal_lets_running_work_end(tmp_path: Path) -> None:
    """After SIGINT `/healthz` says draining, the run under way ends by itself and succeeds, and no new one starts."""
    project = write_project(tmp_path, hold=HOLD.replace("FOLDER", str(tmp_path)))
    with started(*SERVE, cwd=project) as server:
        url = server.wait_for("http://127.0.0.1:")
        server.wait_for("holding")
        server.signal(signal.SIGINT)
        server.wait_for("stopping")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}/healthz", timeout=30)
        with caught.value as answer:
            assert (answer.code, json.load(answer)) == (503, {"status": "draining"})
        (tmp_path / "go").write_text("")
        assert server.wait() == 0
    assert [row["state"] for row in list_runs(project, "--state", "succeeded")] == ["succeeded"]
    assert states(project) <= {"succeeded", "skipped"}


def test_grace_is_bounded_and_the_run_goes_on_later(tmp_path: Path) -> None:
    """With no grace a run under way is given back to the queue, and the next server ends it."""
    project = write_project(tmp_path, hold=HOLD.replace("FOLDER", str(tmp_path)))
    with started(*SERVE, "--grace", "0", cwd=project) as server:
        server.wait_for("holding")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert "running" not in states(project)
    (tmp_path / "go").write_text("")
    with started(*SERVE, cwd=project) as server:
        server.wait_for("run succeeded")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_second_signal_ends_a_server_whose_loop_is_held(tmp_path: Path) -> None:
    """A connector that holds the event loop cannot hold up the second signal."""
    text = HOLD.replace("probe.hold", "probe.stuck").replace('    with: {folder: "FOLDER"}\n', "")
    text = text.replace("outputs:\n  held: ${{ steps.hold.output }}\n", "")
    project = write_project(tmp_path, stuck=text)
    with started(*SERVE, cwd=project) as server:
        server.wait_for("probe is stuck")
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGINT)
        assert server.wait() in {128 + signal.SIGTERM, 128 + signal.SIGINT}
        server.wait_for("stopped at once on the second signal")


def test_step_that_no_cancel_reaches_does_not_keep_the_server(tmp_path: Path) -> None:
    """A call that blocks in a thread costs its run its server: SIGTERM ends the process with 0, and nothing is left running."""
    text = "version: 1\ntriggers: [{every: 1s}]\nsteps: [{id: pay, uses: probe.block}]\n"
    project = write_project(tmp_path, stuck=text)
    with started(*SERVE, "--grace", "0", cwd=project, env={"IPAAS_CLEANUP_S": "0"}) as server:
        server.wait_for("blocking")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert "stuck" in server.wait_for("a step does not let itself be ended")
    assert states(project) <= {"queued", "skipped"}


def test_thread_that_a_connector_left_does_not_keep_the_server(tmp_path: Path) -> None:
    """Python waits for such a thread as it exits, for ever; the server does not."""
    text = "version: 1\ntriggers: [{every: 1s}]\nsteps: [{uses: probe.leak}]\n"
    project = write_project(tmp_path, leaky=text)
    with started(*SERVE, cwd=project) as server:
        server.wait_for("run succeeded")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_kill_loses_no_run(tmp_path: Path) -> None:
    """After kill -9 in a step the next start recovers the run, which ends once."""
    project = write_project(tmp_path, hold=HOLD.replace("FOLDER", str(tmp_path)))
    env = {"IPAAS_LEASE_S": "1", "IPAAS_HEARTBEAT_S": "0.3", "IPAAS_POLL_S": "0.1"}
    with started(*SERVE, cwd=project, env=env) as server:
        server.wait_for("holding")
        server.process.kill()
        server.wait()
    (killed,) = [row for row in list_runs(project) if row["state"] == "running"]
    (tmp_path / "go").write_text("")
    with started(*SERVE, cwd=project, env=env) as server:
        while str(killed["id"]) not in server.wait_for("run succeeded"):
            pass
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    (recovered,) = [row for row in list_runs(project, "--limit", "1000") if row["id"] == killed["id"]]
    assert (recovered["state"], recovered["recoveries"]) == ("succeeded", 1)
    assert len((tmp_path / "began").read_text()) >= 2


def test_kill_in_a_write_repeats_nothing(tmp_path: Path) -> None:
    """After kill -9 in a write, and again while it recovers, the run ends `interrupted`, naming the step, which was done once."""
    text = "version: 1\ntriggers: [{id: soon, every: 1s, overlap: queue}]\nsteps:\n  - {id: pay, uses: probe.pay, with: {folder: FOLDER}}\n"
    project = write_project(tmp_path, shop=text.replace("FOLDER", str(tmp_path)))
    env = {"IPAAS_LEASE_S": "1", "IPAAS_HEARTBEAT_S": "0.3", "IPAAS_POLL_S": "0.1"}
    for _ in range(2):
        with started(*SERVE, cwd=project, env=env) as server:
            server.wait_for("paying")
            server.process.kill()
            server.wait()
    paid = (tmp_path / "paid").read_text().split()
    (tmp_path / "go").write_text("")
    with started(*SERVE, cwd=project, env=env) as server:
        while paid[-1] not in server.wait_for("run interrupted"):
            pass
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    rows = {str(row["id"]): row for row in list_runs(project, "--limit", "1000")}
    assert [rows[run_id]["state"] for run_id in paid] == ["interrupted", "interrupted"]
    shown = json.loads(ipaas("runs", "show", paid[0], "--json", "--database", "sqlite:///test.db", cwd=project).stdout)
    assert (shown["error"]["type"], shown["error"]["step"]) == ("in_doubt", "pay")
    everything = (tmp_path / "paid").read_text().split()
    assert len(everything) == len(set(everything))


def test_broken_file_leaves_the_server_serving(tmp_path: Path) -> None:
    """With a problem in a file all problems are printed, and what the database has goes on running."""
    project = write_project(tmp_path, beat=BEAT)
    assert ipaas("sync", "--database", "sqlite:///test.db", cwd=project).returncode == 0
    (project / "pipelines" / "broken.yaml").write_text("version: 1\nstpes: []\n")
    with started(*SERVE, cwd=project) as server:
        assert server.wait_for("stpes").startswith("pipelines/broken.yaml:2:1: unknown key `stpes`")
        server.wait_for("http://127.0.0.1:")
        server.wait_for("run succeeded")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_watch_syncs_changed_files(tmp_path: Path) -> None:
    """Under `--watch` a new file runs without a restart, and a removed one no longer."""
    project = write_project(tmp_path, quiet=BEAT.replace("every: 1s", "every: 1d"))
    with started(*SERVE, "--watch", cwd=project) as server:
        server.wait_for("http://127.0.0.1:")
        (project / "pipelines" / "beat.yaml").write_text(BEAT)
        assert "beat" in server.wait_for("synced the pipelines folder")
        server.wait_for("run succeeded")
        (project / "pipelines" / "beat.yaml").unlink()
        assert '"removed": "beat"' in server.wait_for("synced the pipelines folder")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--pipelines", "nowhere"), "error: there is no pipelines folder `nowhere`"),
        (("--plugins", "nowhere"), "error: there is no plugins folder `nowhere`"),
        (("--host", "0.0.0.0"), "error: `0.0.0.0` can be reached from other machines"),
        (("--database", "mysql://x"), "error: no Store is called `mysql:`"),
        (("--timezone", "Mars"), "error: `--timezone` must be an IANA zone name"),
    ],
)
def test_wrong_setting_starts_nothing(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """A setting that cannot be used is told, exit code 2, and nothing is left behind."""
    project = write_project(tmp_path, beat=BEAT)
    done = ipaas("serve", "--port", "0", *arguments, cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
    assert not (project / "ipaas.db").exists()


def test_wrong_credential_is_told_without_its_text(tmp_path: Path) -> None:
    """A credential that is no JSON is named, not shown."""
    project = write_project(tmp_path, beat=BEAT)
    done = ipaas("serve", "--port", "0", cwd=project, env={"IPAAS_CREDENTIAL_SHOP": "hunter22"})
    assert done.returncode == 2
    assert done.stderr.startswith("error: `IPAAS_CREDENTIAL_SHOP` is not a JSON object of strings\n")
    assert "hunter22" not in done.stderr
