from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from ipaas.model import After, At, Block, Cron, Every, Place, Timing, Trigger, Workflow
from ipaas.store.contract import Change, StoredWorkflow, WorkflowText
from ipaas.sync import Entry, diff, fingerprint, to_change, to_text

WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_workflow(id: str, version: str = "v1", *, path: str = "", active: bool = True) -> Workflow:
    place = Place(path or f"pipelines/{id}.yaml")
    return Workflow(
        id=id,
        version=version,
        path=place.file,
        source=f"id: {id} # {version}",
        place=place,
        block=Block(steps=()),
        active=active,
    )


def as_stored(text: WorkflowText, *, active: bool | None = None) -> StoredWorkflow:
    return StoredWorkflow(
        id=text.id,
        version=text.version,
        path=text.path,
        source=text.source,
        description=text.description,
        labels=text.labels,
        active=text.active if active is None else active,
        created_at=WHEN,
        updated_at=WHEN,
    )


def apply(stored: list[StoredWorkflow], change: Change) -> list[StoredWorkflow]:
    """What the Store's contract says `apply` does, in one line each."""
    before = {row.id: row for row in stored if row.id not in change.remove}
    put = {
        text.id: as_stored(text, active=before[text.id].active if text.id in before else None) for text in change.put
    }
    return list((before | put).values())


def test_each_workflow_gets_its_action() -> None:
    """New, changed, moved, removed and equal workflows are told apart, by id."""
    stored = [as_stored(to_text(make_workflow(name))) for name in ("changed", "moved", "removed", "same")]
    compiled = [
        make_workflow("same"),
        make_workflow("new", active=False),
        make_workflow("changed", "v2"),
        make_workflow("moved", path="pipelines/elsewhere/moved.yaml"),
    ]
    plan = diff(stored, compiled)
    assert plan.entries == (
        Entry(id="changed", action="change", path="pipelines/changed.yaml", active=True, reasons=("text",)),
        Entry(id="moved", action="change", path="pipelines/elsewhere/moved.yaml", active=True, reasons=("path",)),
        Entry(id="new", action="add", path="pipelines/new.yaml", active=False),
        Entry(id="removed", action="remove", path="pipelines/removed.yaml", active=False),
        Entry(id="same", action="keep", path="pipelines/same.yaml", active=True),
    )
    assert [text.id for text in to_change(plan).put] == ["changed", "moved", "new"]
    assert to_change(plan).remove == ("removed",)


def test_deactivation_outlives_a_change() -> None:
    """What an operator switched off stays off in the plan, whatever the file says."""
    stored = [as_stored(to_text(make_workflow("a")), active=False)]
    assert diff(stored, [make_workflow("a", "v2", active=True)]).changed[0].active is False


ids = st.sampled_from(["a", "b", "c", "d"])
workflows = st.dictionaries(ids, st.tuples(st.sampled_from(["v1", "v2"]), st.sampled_from(["x.yaml", "y.yaml"]))).map(
    lambda table: [make_workflow(name, version, path=path) for name, (version, path) in table.items()]
)


@given(before=workflows, after=workflows)
def test_diff_then_apply_equals_the_folder(before: list[Workflow], after: list[Workflow]) -> None:
    """After the change is applied the Store has the folder's workflows, and a second plan is empty."""
    stored = [as_stored(to_text(workflow)) for workflow in before]
    result = apply(stored, to_change(diff(stored, after)))
    assert {(row.id, row.version, row.path) for row in result} == {(w.id, w.version, w.path) for w in after}
    assert diff(result, after).is_empty
    assert to_change(diff(result, after)) == Change()


def test_text_carries_the_triggers_fingerprints() -> None:
    """The Store learns each trigger's id with the fingerprint of its timing."""
    timing = Every(interval_s=10)
    trigger = Trigger(id="beat", place=Place("a.yaml"), timing=timing)
    text = to_text(replace(make_workflow("a"), triggers=(trigger,)))
    assert text.triggers == {"beat": fingerprint(timing)}


def test_fingerprint_tells_different_schedules_apart() -> None:
    """Timings that expect different instants have different fingerprints, equal ones equal fingerprints."""
    different: list[Timing] = [
        Cron(expression="0 7 * * *", timezone="UTC"),
        Cron(expression="0 7 * * *", timezone="Europe/Berlin"),
        Cron(expression="0 8 * * *", timezone="UTC"),
        Every(interval_s=10),
        Every(interval_s=20),
        At(when=WHEN),
        At(when=WHEN + timedelta(seconds=1)),
        After(workflow="a", states=frozenset({"failed"})),
        After(workflow="a", states=frozenset({"failed", "succeeded"})),
        After(workflow="b", states=frozenset({"failed"})),
    ]
    assert len({fingerprint(timing) for timing in different}) == len(different)
    assert fingerprint(Every(interval_s=10)) == fingerprint(Every(interval_s=10.0))
    assert fingerprint(At(when=WHEN)) == fingerprint(At(when=WHEN.astimezone(timezone(timedelta(hours=2)))))
    assert fingerprint(Cron(expression="0  7 * * *", timezone="UTC")) == fingerprint(different[0])


def test_fingerprint_is_stable() -> None:
    """The fingerprint is kept in databases: a change of it would begin every schedule anew."""
    assert fingerprint(Every(interval_s=10)) == "4967161888d51870"
