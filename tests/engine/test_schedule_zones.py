# ruff: noqa: DTZ001  # spans speak of naive datetimes
from datetime import UTC, datetime

import pytest

from ipaas.engine.zones import TICK, list_spans
from tests.engine.zone_changes import list_changes, list_zones


def test_changes_are_those_of_the_zone_database() -> None:
    """The spans of a year begin exactly where the zone database says that the offset changes, in every zone."""
    found, expected = {}, {}
    for number, zone in enumerate(list_zones()):
        for year in range(1973 + number % 6, 2037, 6):  # each zone in another sixth of the years
            spans = list_spans(zone, year)
            begins = [span.begin for span in spans if span.begin != datetime(year, 1, 1)]
            found[zone, year] = [begin.replace(tzinfo=UTC) for begin in begins]
            expected[zone, year] = [
                each for each in list_changes(zone) if datetime(year, 1, 1, tzinfo=UTC) < each and each.year == year
            ]
    assert found == expected


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_spans_cover_a_year(zone: str) -> None:
    """The spans of a year follow each other without a gap from its beginning to its end."""
    spans = list_spans(zone, 2011)
    borders = [spans[0].begin, *(span.end for span in spans)]
    assert borders == [*(span.begin for span in spans), spans[-1].end]
    assert (borders[0], borders[-1]) == (datetime(2011, 1, 1), datetime(2012, 1, 1))


def test_shown_is_the_latest_wall_time_so_far() -> None:
    """Before spring's change the clocks had shown up to 02:00, before autumn's up to 03:00, and at new year nothing later than it."""
    shown = [span.shown for span in list_spans("Europe/Berlin", 2026)]
    assert shown == [
        datetime(2026, 1, 1, 1) - TICK,
        datetime(2026, 3, 29, 2) - TICK,
        datetime(2026, 10, 25, 3) - TICK,
    ]
