"""What starts a workflow: `cron`, `every`, `at`, `after`.

Owns the checks of schedules and zones. Knows nothing of steps; the inputs that a trigger gives are handed back as nodes for the
compiler, which knows the scope. When an instant is due is the engine's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, available_timezones

from ipaas.definition.cron import normalize_cron
from ipaas.definition.draft import Draft, find_mapping, find_scalar, find_text, list_texts
from ipaas.definition.frame import TRIGGER_KINDS, is_id
from ipaas.definition.nodes import Mapping, Scalar, shorten
from ipaas.errors import InputError
from ipaas.model import After, At, Cron, Every, Trigger

if TYPE_CHECKING:
    from ipaas.definition.nodes import Sequence
    from ipaas.model import Timing

MIN_INTERVAL_S: Final = 1.0
"""Shorter intervals make more ledger rows than work."""

_SCHEDULES: Final = ("cron", "every", "at")

_BELONGS: Final = {"timezone": ("cron", "at"), "missed": _SCHEDULES, "missed_window": _SCHEDULES}
"""Options that mean something for some kinds only."""


@dataclass(frozen=True, slots=True)
class TriggerDraft:
    """A trigger without its inputs, which need the workflow's scope, and the node that has them."""

    trigger: Trigger
    node: Mapping


def compile_triggers(draft: Draft, nodes: Sequence, workflow_id: str) -> list[TriggerDraft]:
    """Return the triggers that are right so far; problems are noted in the draft."""
    taken = {text for node in nodes.items if isinstance(node, Mapping) and (text := find_text(node, "id"))}
    seen: dict[str, int] = {}
    counts: dict[str, int] = {}
    found = []
    for node in nodes.items:
        if not isinstance(node, Mapping):
            continue
        kind = next((name for name in node.items if name in TRIGGER_KINDS), None)
        trigger_id = find_text(node, "id")
        if trigger_id is not None and trigger_id in seen:
            draft.report(
                node.items["id"],
                "duplicate-id",
                f"the trigger id `{shorten(trigger_id)}` stands in line {seen[trigger_id]} already",
                "give each trigger its own id",
            )
        if kind is None:
            continue
        while trigger_id is None or (trigger_id not in seen and trigger_id in taken and "id" not in node.items):
            counts[kind] = counts.get(kind, 0) + 1
            trigger_id = f"{kind}{counts[kind]}"
        seen[trigger_id] = node.items["id"].line if "id" in node.items else node.line
        trigger = _compile_trigger(draft, node, kind, trigger_id, workflow_id)
        if trigger is not None:
            found.append(TriggerDraft(trigger, node))
    return found


def _compile_trigger(draft: Draft, node: Mapping, kind: str, trigger_id: str, workflow_id: str) -> Trigger | None:
    for option, kinds in _BELONGS.items():
        if option in node.items and kind not in kinds:
            hint = f"remove it; it belongs to {', '.join(f'`{each}`' for each in kinds)}"
            draft.report(node.keys[option], "misplaced-key", f"`{option}` means nothing beside `{kind}`", hint)
    if kind in ("webhook", "poll"):
        hint = "start the workflow with `every:` or by hand until then"
        draft.report(
            node.keys[kind],
            "not-supported",
            f"`{kind}` is part of the language, but this version of ipaas cannot run it yet",
            hint,
        )
        return None
    timing = _compile_timing(draft, node, kind, workflow_id)
    window_s = draft.read_duration(node, "missed_window", least_s=1.0)
    if timing is None:
        return None
    missed: Any = find_text(node, "missed") or "latest"
    overlap: Any = find_text(node, "overlap") or ("allow" if kind == "after" else "skip")
    return Trigger(
        id=trigger_id, place=draft.place(node), timing=timing, missed=missed, missed_window_s=window_s, overlap=overlap
    )


def _compile_timing(draft: Draft, node: Mapping, kind: str, workflow_id: str) -> Timing | None:
    match kind:
        case "every":
            interval_s = draft.read_duration(node, "every", least_s=MIN_INTERVAL_S)
            return None if interval_s is None else Every(interval_s=interval_s)
        case "cron":
            return _compile_cron(draft, node)
        case "at":
            return _compile_at(draft, node)
        case _:
            return _compile_after(draft, node, workflow_id)


def _compile_cron(draft: Draft, node: Mapping) -> Cron | None:
    zone = _read_zone(draft, node)
    scalar = find_scalar(node, "cron")
    if scalar is None or not isinstance(scalar.value, str):
        return None
    try:
        expression = normalize_cron(scalar.value)
    except InputError as error:
        draft.report(scalar, "bad-cron", error.message, error.hint)
        return None
    return None if zone is None else Cron(expression=expression, timezone=zone)


def _compile_at(draft: Draft, node: Mapping) -> At | None:
    zone = _read_zone(draft, node)
    scalar = find_scalar(node, "at")
    if scalar is None or not isinstance(scalar.value, str) or zone is None:
        return None
    try:
        when = datetime.fromisoformat(scalar.value) if len(scalar.value) > len("2026-12-31T") else None
    except ValueError:
        when = None
    if when is None:
        draft.report(
            scalar,
            "bad-time",
            f"`{shorten(scalar.value)}` is not a timestamp",
            "write it like `2026-12-31T23:00:00+01:00`",
        )
        return None
    if when.tzinfo is None:
        return _place_in_zone(draft, scalar, when, zone)
    if "timezone" in node.items:
        draft.report(
            node.keys["timezone"],
            "misplaced-key",
            "the timestamp has an offset of its own",
            "remove `timezone:` or the offset",
        )
    try:
        return At(when=when.astimezone(UTC))
    except OverflowError:
        _refuse_year(draft, scalar)
        return None


def _place_in_zone(draft: Draft, scalar: Scalar, when: datetime, zone: str) -> At | None:
    """A time that happens twice is the first of the two; a time that a gap skips is a mistake here, where it stands for one instant."""
    try:
        instant = when.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        if instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != when:
            hint = "clocks go forward over it: write another time, or an offset"
            draft.report(scalar, "bad-time", f"`{shorten(scalar.text)}` does not exist in `{zone}`", hint)
            return None
    except OverflowError:
        _refuse_year(draft, scalar)
        return None
    return At(when=instant)


def _refuse_year(draft: Draft, scalar: Scalar) -> None:
    draft.report(
        scalar,
        "bad-time",
        f"`{shorten(scalar.text)}` is outside the years that can be counted",
        "write a year from 2 to 9998",
    )


def _compile_after(draft: Draft, node: Mapping, workflow_id: str) -> After | None:
    after = find_mapping(node, "after")
    scalar = find_scalar(after, "workflow") if after is not None else None
    if after is None or scalar is None or not isinstance(scalar.value, str):
        return None
    if scalar.value == workflow_id:
        draft.report(
            scalar,
            "workflow-cycle",
            "the workflow would start itself for ever",
            "for repetition use `every:` or `cron:`",
        )
        return None
    if draft.signatures is not None and scalar.value not in draft.signatures and is_id(scalar.value):
        draft.report(
            scalar,
            "unknown-workflow",
            f"unknown workflow `{shorten(scalar.value)}`",
            draft.hint(scalar.value, draft.signatures),
        )
        return None
    states = frozenset(str(each.value) for each in list_texts(after, "when")) or frozenset({"succeeded"})
    return After(workflow=scalar.value, states=states)


def _read_zone(draft: Draft, node: Mapping) -> str | None:
    """Return the trigger's zone, the default one, or None for one that does not exist."""
    scalar = find_scalar(node, "timezone")
    if scalar is None or not isinstance(scalar.value, str):
        return None if "timezone" in node.items else draft.options.timezone
    if is_zone(scalar.value):
        return scalar.value
    hint = draft.hint(scalar.value, _list_zones())
    if not hint:
        last = scalar.value.rpartition("/")[2].replace(" ", "_").casefold()
        city = next((name for name in _list_zones() if name.rpartition("/")[2].casefold() == last), None)
        hint = (
            f"did you mean `{city}`?"
            if city
            else "write an IANA name like `Europe/Berlin`, `America/New_York` or `UTC`"
        )
    draft.report(scalar, "unknown-zone", f"unknown time zone `{shorten(scalar.value)}`", hint)
    return None


@lru_cache(maxsize=1024)
def is_zone(name: str) -> bool:
    """Whether it is the name of an IANA time zone."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # a folder's name, a path out of the database, no such zone
        return False
    return True


@lru_cache(maxsize=1)
def _list_zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))
