"""What the checker believes of each root is what the engine gives at run time."""

from datetime import UTC, datetime

from ipaas.definition.json_schema import Validator
from ipaas.definition.scopes import ERROR, RUN, make_env_root, make_trigger_root
from ipaas.engine.scope import error_as_json, make_roots, trigger_as_json
from ipaas.model import JsonObject, Place
from ipaas.run import Run, RunError, TriggerInfo

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_the_roots_of_a_run_meet_their_schemas() -> None:
    """`run`, `trigger` and `env` have exactly the fields that expressions are checked against."""
    run = Run(
        id="r1",
        tenant="t",
        workflow="w",
        version="v",
        state="running",
        trigger=TriggerInfo(),
        inputs={},
        created_at=NOW,
    )
    roots = make_roots(run, {"REGION": "eu"}, {})
    assert roots.keys() == {"inputs", "trigger", "run", "env", "vars"}
    assert Validator(RUN).check(roots["run"]) == []
    assert Validator(make_trigger_root(frozenset())).check(roots["trigger"]) == []
    assert Validator(make_env_root(frozenset({"REGION", "UNSET"}))).check(roots["env"]) == []


def test_a_trigger_that_follows_another_workflow_meets_its_schema() -> None:
    """`after` adds the other run's workflow, id, state and outputs."""
    data: JsonObject = {"workflow": "w", "run_id": "r", "state": "failed", "outputs": {"a": 1}}
    info = TriggerInfo(type="after", id="after1", data=data)
    assert Validator(make_trigger_root(frozenset({"after"}))).check(trigger_as_json(info)) == []


def test_the_trigger_of_a_child_meets_its_schema() -> None:
    """`run_workflow` says which workflow and run it was."""
    info = TriggerInfo(type="workflow", data={"workflow": "w", "run_id": "r"})
    assert Validator(make_trigger_root(frozenset())).check(trigger_as_json(info)) == []


def test_errors_meet_their_schema() -> None:
    """`error` has its seven fields, with and without a place."""
    error = RunError(
        type="timeout", message="m", step="s", attempt=1, place=Place("a.yaml"), hint="h", retry_after_s=1.5
    )
    assert Validator(ERROR).check(error_as_json(error)) == []
    assert Validator(ERROR).check(error_as_json(RunError(type="auth", message="m"))) == []
