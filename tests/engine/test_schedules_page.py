"""docs/schedules.md says what the code does."""

import re
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ipaas.engine.schedule import next_instants
from ipaas.engine.scheduler import POLL_S
from ipaas.engine.tick_plan import CATCH_UP_WINDOW_S, GRACE_S, MAX_CAUGHT_UP, MAX_MISSED_ROWS
from ipaas.model import Cron
from ipaas.run import Tick
from ipaas.store import open_store
from ipaas.store.contract import DEFAULT_TENANT
from ipaas.testing import VirtualClock

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| `([^`]+)` \| (\w+/\w+) \| (\d{4}-\d\d-\d\d) \| ([^|]+) \|$", PAGE, re.MULTILINE)


def test_page_has_examples() -> None:
    """The table of worked examples is found."""
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("cron, zone, day, expected", EXAMPLES)
def test_worked_example(cron: str, zone: str, day: str, expected: str) -> None:
    """Each worked example about clock changes is what the schedule computes."""
    rules = ZoneInfo(zone)
    after = datetime.fromisoformat(day).replace(tzinfo=rules) - timedelta(seconds=1)
    wanted = expected.split(", ")
    found = next_instants(Cron(expression=cron, timezone=zone), after, len(wanted))
    shown = [each.astimezone(rules).isoformat(sep=" ", timespec="minutes")[5:] for each in found]
    assert [f"{text[:11]} {text[11:]}" for text in shown] == wanted


def test_page_names_the_bounds() -> None:
    """The numbers on the page are those of the code."""
    assert f"within {GRACE_S:.0f} seconds" in PAGE
    assert f"at most {MAX_CAUGHT_UP} of them" in PAGE
    assert f"at most {MAX_MISSED_ROWS} missed instants" in PAGE
    assert (CATCH_UP_WINDOW_S, "one day" in PAGE) == (86_400, True)
    assert (POLL_S, "seen within a second" in PAGE) == (1, True)


async def test_query_reads_the_ledger(tmp_path: Path) -> None:
    """The query on the page shows what became of an instant."""
    clock = VirtualClock()
    due_at = clock.now()
    tick = Tick(workflow="morning_report", trigger="workdays", due_at=due_at, outcome="missed", reason="why")
    async with open_store(f"sqlite:///{tmp_path}/ipaas.db", clock) as store:
        await store.record_ticks(DEFAULT_TENANT, [(tick, None)])
        [query] = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        connection = sqlite3.connect(tmp_path / "ipaas.db")
        rows = connection.execute(query).fetchall()
        connection.close()
    assert [row[:3] for row in rows] == [("2026-01-01 00:00:00", "workdays", "skipped")]
