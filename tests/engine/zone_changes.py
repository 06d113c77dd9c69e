"""Every change of every zone, read from the zone database by the standard library's pure Python reader, for tests of schedules."""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import available_timezones
from zoneinfo._zoneinfo import ZoneInfo as ReadableZone  # type: ignore[import-not-found]  # private, and the only view of the changes

FIRST, LAST = (
    datetime(1972, 1, 1, tzinfo=UTC),
    datetime(2037, 1, 1, tzinfo=UTC),
)  # tables end in 2037; offsets had seconds before


@cache
def list_changes(zone: str) -> tuple[datetime, ...]:
    """Return the instants from 1972 to 2036 at which a zone's offset changes."""
    rules = ReadableZone.no_cache(zone)
    begin, end = FIRST.timestamp(), LAST.timestamp()
    found = [datetime.fromtimestamp(second, UTC) for second in rules._trans_utc if begin <= second < end]
    by_rule = []
    if hasattr(rules._tz_after, "transitions"):  # a rule for all later years instead of a table
        last = found[-1] if found else FIRST
        for year in range(last.year, LAST.year):
            for local, offset in zip(
                rules._tz_after.transitions(year), (rules._tz_after.std, rules._tz_after.dst), strict=True
            ):
                instant = datetime.fromtimestamp(local - offset.utcoff.total_seconds(), UTC)
                if instant > last:
                    by_rule.append(instant)
    kept = sorted({*found, *by_rule})
    return tuple(each for each in kept if _offset(rules, each.timestamp() - 1) != _offset(rules, each.timestamp()))


def _offset(rules: ReadableZone, second: float) -> object:
    return datetime.fromtimestamp(second, UTC).astimezone(rules).utcoffset()


@cache
def list_zones() -> tuple[str, ...]:
    """Return one zone of each kind: those that differ in any change or offset since 1972."""
    kinds: dict[object, str] = {}
    for zone in sorted(available_timezones() - {"localtime", "Factory"}):
        changes = list_changes(zone)
        rules = ReadableZone.no_cache(zone)
        kinds.setdefault((changes, *(_offset(rules, each.timestamp()) for each in changes), _offset(rules, 0)), zone)
    return tuple(kinds.values())
