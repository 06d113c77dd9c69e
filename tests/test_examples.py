"""The example pipelines do what they say, from the command line, on real data."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio

from ipaas.testing.fake_server import FakeServer, reply

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"


async def run_ipaas(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a process of its own that may reach loopback, with the examples' copy as its project."""
    environment = {**os.environ, "IPAAS_ALLOW_NETWORK": "127.0.0.0/8", "NO_COLOR": "1"}
    return await trio.run_process(
        [sys.executable, "-m", "ipaas", *arguments],
        cwd=folder,
        env=environment,
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the example pipelines, so that a test may write beside them."""
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines", ignore=shutil.ignore_patterns("reports"))
    return tmp_path


def steps_of(document: dict[str, Any]) -> dict[str, str]:
    """Return path → status of the steps that are not items or inside of blocks."""
    return {step["path"]: step["status"] for step in document["steps"] if not set(step["path"]) & {"[", "/", "#"}}


def expected_regions(minimum: float) -> Counter[str]:
    """Return how many strong earthquakes each region had, by a few lines that share nothing with the program."""
    features = json.loads((DATA / "usgs_all_week.geojson").read_text(encoding="utf-8"))["features"]
    strong = [feature["properties"] for feature in features if (feature["properties"]["mag"] or 0) >= minimum]
    return Counter(each["place"].rsplit(", ", 1)[-1] for each in strong)


async def test_earthquakes_posts_one_message_for_each_region(project: Path) -> None:
    """The strong earthquakes are grouped by region, each region is told once, and an answer of 503 is tried again."""
    async with FakeServer() as server:
        server.on(
            "GET",
            "/week",
            reply(
                text=(DATA / "usgs_all_week.geojson").read_text(encoding="utf-8"),
                headers={"Content-Type": "application/json"},
            ),
        )
        server.on("POST", "/hook", reply(status=503, headers={"Retry-After": "0"}), reply(status=200, text="ok"))
        done = await run_ipaas(
            project,
            "run",
            "pipelines/earthquakes.yaml",
            *("--input", f"feed={server.url}/week"),
            *("--input", f"hook={server.url}/hook"),
        )
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"], document["error"]) == (0, "succeeded", None)
    regions = expected_regions(5)
    posts = [request.json() for request in server.requests if request.method == "POST"]
    told = {post["region"]: post["count"] for post in posts}
    assert told == dict(regions)
    assert len(posts) == len(regions) + 1
    assert document["outputs"]["strong"] == 39
    assert sorted(document["outputs"]["regions"]) == sorted(regions)
    assert steps_of(document)["tell"] == "skipped"


async def test_earthquakes_without_a_hook_writes_to_the_log(project: Path) -> None:
    """With no webhook address nothing is posted, and each region is a line in the log."""
    async with FakeServer() as server:
        server.on(
            "GET",
            "/week",
            reply(
                text=(DATA / "usgs_all_week.geojson").read_text(encoding="utf-8"),
                headers={"Content-Type": "application/json"},
            ),
        )
        done = await run_ipaas(
            project,
            "run",
            "pipelines/earthquakes.yaml",
            *("--input", f"feed={server.url}/week"),
            *("--input", "minimum=6"),
        )
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"]) == (0, "succeeded")
    assert [request.method for request in server.requests] == ["GET"]
    assert document["outputs"]["strong"] == sum(expected_regions(6).values())
    assert b"strongest: M" in done.stderr


async def test_earthquakes_fails_with_a_located_error_when_the_feed_is_gone(project: Path) -> None:
    """A 404 of the feed fails the run with exit code 1, and the message names file, line and step."""
    async with FakeServer() as server:
        server.on("GET", "/week", reply(status=404))
        done = await run_ipaas(
            project, "run", "pipelines/earthquakes.yaml", "--json", "--input", f"feed={server.url}/week"
        )
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"]) == (1, "failed")
    assert (document["error"]["type"], document["error"]["step"]) == ("not_found", "fetch")
    assert b"pipelines/earthquakes.yaml:" in done.stderr


async def test_weather_report_writes_both_reports(project: Path) -> None:
    """Four years of days become 48 months, in Markdown and in CSV, with the sums of the data."""
    done = await run_ipaas(project, "run", "pipelines/weather_report.yaml")
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"], document["error"]) == (0, "succeeded", None)
    assert document["outputs"] == {
        "days": 1461,
        "months": 48,
        "files": ["reports/weather.md", "reports/weather.csv"],
    }
    rows = (DATA / "seattle-weather.csv").read_text(encoding="utf-8").splitlines()[1:]
    rain = round(sum(float(row.split(",")[1]) for row in rows if row.startswith("2012-01-")), 1)
    sheet = (project / "pipelines/files/reports/weather.csv").read_text(encoding="utf-8").splitlines()
    assert sheet[0] == "month,days,rain_mm,wet_days,mean_max,hottest,coldest"
    assert sheet[1].split(",")[:3] == ["2012-01", "31", str(rain)]
    assert len(sheet) == 49
    report = (project / "pipelines/files/reports/weather.md").read_text(encoding="utf-8")
    assert "| 2012-01 |" in report


async def test_tour_uses_every_verb(project: Path) -> None:
    """The tour ends well although one item and one step of it fail on purpose."""
    done = await run_ipaas(project, "run", "pipelines/tour.yaml")
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"], document["error"]) == (0, "succeeded", None)
    assert steps_of(document) == {
        "orders": "succeeded",
        "views": "succeeded",
        "check": "succeeded",
        "careful": "succeeded",
        "countdown": "succeeded",
        "optional": "failed",
        "sign": "succeeded",
    }
    assert document["outputs"]["odd"] == ["a2"]
    assert document["outputs"]["largest"] == "a3"
    assert "| north | 2 | 1450 |" in " ".join(document["outputs"]["table"].split())


async def test_tour_fails_when_it_is_told_to_be_strict(project: Path) -> None:
    """An input changes the way: strict, the odd order fails the run."""
    done = await run_ipaas(project, "run", "pipelines/tour.yaml", "--input", "strict=true")
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"], document["error"]["step"]) == (1, "failed", "careful/refuse")


async def test_heartbeat_beats(project: Path) -> None:
    """The heartbeat writes one line."""
    done = await run_ipaas(project, "run", "pipelines/heartbeat.yaml")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "succeeded")
    assert b"beat (manual) at 20" in done.stderr


@pytest.mark.parametrize("name", ["earthquakes", "weather_report", "tour", "heartbeat"])
async def test_dry_run_of_an_example_ends_well_and_sends_nothing(project: Path, name: str) -> None:
    """A dry run of each example follows it to its end, though the network is closed to it."""
    done = await run_ipaas(project, "run", f"pipelines/{name}.yaml", "--dry", "--json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "succeeded"), done.stderr
    assert not (project / "pipelines/files/reports").exists()
