"""Sequences, conditions, failures, handlers and outputs."""

import ast
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from trio.testing import MockClock

import ipaas.engine
from ipaas.definition import CompileOptions, compile_text
from ipaas.model import ActionSpec, Place
from ipaas.run import Outcome
from ipaas.testing.build import FILE, PythonTemplate, block, expression, step, uses, workflow
from ipaas.testing.scripted_host import ScriptedHost

if TYPE_CHECKING:
    from ipaas.engine.host import Host

CATALOG = {"echo.it": ActionSpec(name="echo.it", effect="read", summary="", input_schema={"properties": {"value": {}}})}
MACHINE_FREE = ("interpreter", "attempts", "blocks", "loops", "walk", "scope", "host")


def test_the_interpreter_and_its_parts_import_no_machine() -> None:
    """Neither trio nor the Store nor an HTTP client is imported by any module that the interpreter is made of."""
    folder = Path(ipaas.engine.__file__).parent
    found = []
    for name in MACHINE_FREE:
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [(name, each) for each in modules if each.split(".")[0] in {"trio", "httpx2", "aiosqlite"}]
            found += [(name, each) for each in modules if each.startswith("ipaas.store")]
    assert found == []


def test_the_scripted_host_is_a_host() -> None:
    """The fake has the shape that the contract asks for (the type checker reads this line)."""
    host: Host = ScriptedHost()
    assert host.recorded("x") is None


async def test_steps_run_in_order_and_see_what_ended_before() -> None:
    """A later step's inputs are evaluated with the outputs of earlier ones."""
    host = ScriptedHost()
    outcome = await host.walk(
        workflow(
            step("one", uses("echo", value=lambda scope: scope["inputs"]["n"] + 1)),
            step("two", uses("echo", value=lambda scope: scope["steps"]["one"]["output"] * 10)),
            outputs={"result": lambda scope: scope["steps"]["two"]["output"]},
        ),
        n=1,
    )
    assert outcome == Outcome(state="succeeded", outputs={"result": 20})
    assert host.performed == ["one", "two"]


async def test_roots_show_the_run_its_trigger_and_the_allowed_environment(autojump_clock: MockClock) -> None:
    """`run`, `trigger`, `env` and `inputs` are there from the first step."""
    host = ScriptedHost()
    names = ("run", "trigger", "env", "inputs")
    everything = step("all", uses("echo", value=lambda scope: {name: scope[name] for name in names}))
    await host.walk(workflow(everything), env={"REGION": "eu"}, n=1)
    assert host.journal["all"].output == {
        "run": {"id": "run1", "workflow": "test", "started_at": "2026-01-01T00:00:00Z"},
        "trigger": {"type": "manual", "id": "", "scheduled_at": None},
        "env": {"REGION": "eu"},
        "inputs": {"n": 1},
    }


async def test_a_step_whose_condition_does_not_hold_is_skipped() -> None:
    """A skipped step performs nothing, has output null and status `skipped`, and the run goes on."""
    host = ScriptedHost()
    outcome = await host.walk(
        workflow(
            step("no", uses("echo", value=1), condition=lambda scope: scope["inputs"]["go"]),
            step("yes", uses("echo", value=lambda scope: scope["steps"]["no"])),
        ),
        go=False,
    )
    assert outcome == Outcome(state="succeeded")
    assert host.performed == ["yes"]
    assert host.journal["no"].status == "skipped"
    assert host.journal["yes"].output == {"status": "skipped", "output": None, "error": None}


async def test_the_first_failure_ends_the_run_with_step_attempt_and_place() -> None:
    """Later steps do not run; the run's error says where it happened."""
    host = ScriptedHost()
    outcome = await host.walk(
        workflow(
            step("bad", uses("fail", type="client_error"), line=7),
            step("never", uses("echo", value=1)),
            outputs={"x": 1},
        )
    )
    assert outcome is not None
    assert (outcome.state, outcome.outputs) == ("failed", None)
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.step, outcome.error.attempt) == ("client_error", "bad", 1)
    assert outcome.error.place == Place(FILE, 7, 5)
    assert host.performed == ["bad"]
    assert host.journal["bad"].status == "failed"


async def test_on_error_continue_goes_on_with_output_null_and_the_error() -> None:
    """The step is `failed`, its output null, its error visible to later expressions, and the run succeeds."""
    host = ScriptedHost()
    outcome = await host.walk(
        workflow(
            step("bad", uses("fail", type="auth"), on_error="continue"),
            step("after", uses("echo", value=lambda scope: scope["steps"]["bad"])),
        )
    )
    assert outcome == Outcome(state="succeeded")
    seen = host.journal["after"].output
    assert isinstance(seen, dict)
    assert (seen["status"], seen["output"]) == ("failed", None)
    assert seen["error"] == {
        "type": "auth",
        "message": "it went wrong",
        "step": "bad",
        "attempt": 1,
        "place": f"{FILE}:1:5",
        "hint": "",
        "retry_after_s": None,
    }
    assert ("warning", "bad") in [(level, path) for level, path, _ in host.lines]


async def test_a_failing_expression_is_an_error_of_type_expression_at_its_own_place() -> None:
    """Nothing is attempted, and the error names the expression's place, not only the step's."""
    host = ScriptedHost()
    outcome = await host.walk(
        workflow(step("bad", uses("echo", value=1), condition=lambda scope: scope["inputs"]["missing"] > 1, line=3))
    )
    assert outcome is not None
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.step, outcome.error.attempt) == ("expression", "bad", 0)
    assert outcome.error.place == Place(FILE, 3, 1)
    assert host.performed == []
    assert host.journal["bad"].status == "failed"


async def test_the_exact_place_inside_the_text_is_told_once() -> None:
    """An expression's message begins with where in the text it failed: that is the error's place, and no longer in the message."""
    source = dedent("""
        version: 1
        id: x
        steps:
          - id: bad
            uses: echo.it
            with: {value: "${{ [1, 2][int('3')] }}"}
    """)
    compiled = compile_text(source, FILE, CATALOG, CompileOptions())
    assert compiled.workflow is not None, compiled.problems
    outcome = await ScriptedHost().walk(compiled.workflow)
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.error.message.startswith("there is no item 3")
    assert outcome.error.place == Place(FILE, 7, 30)


async def test_a_condition_that_is_not_a_boolean_fails() -> None:
    """Only true and false decide; `1` is an error of type `expression`."""
    outcome = await ScriptedHost().walk(workflow(step("odd", uses("echo", value=1), condition=lambda _: 1)))
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.error.type == "expression"
    assert outcome.error.message == "the condition `formula` is a number, not true or false"


async def test_a_failing_condition_can_be_continued() -> None:
    """`on_error: continue` covers the step's own expressions too."""
    odd = step("odd", uses("echo", value=1), condition=lambda _: 1, on_error="continue")
    assert await ScriptedHost().walk(workflow(odd)) == Outcome(state="succeeded")


async def test_failing_outputs_fail_the_run() -> None:
    """Outputs are part of the work: an expression that fails there fails the run."""
    outcome = await ScriptedHost().walk(
        workflow(step("one", uses("echo")), outputs={"x": lambda scope: scope["steps"]["none"]})
    )
    assert outcome is not None
    assert outcome.state == "failed"
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.step) == ("expression", "")


async def test_returns_is_checked_on_every_attempt() -> None:
    """An output that does not meet `returns` is a `validation` error of that attempt."""
    schema = {"type": "object", "properties": {"total": {"type": "number"}}}
    good = step("good", uses("echo", value={"total": 1}), returns=schema)
    bad = step("bad", uses("echo", value={"total": "x"}), returns=schema)
    host = ScriptedHost()
    outcome = await host.walk(workflow(good, bad))
    assert host.journal["good"].status == "succeeded"
    assert outcome is not None
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.step, outcome.error.attempt) == ("validation", "bad", 1)
    assert "`total`" in outcome.error.message


async def test_deferred_expressions_are_kept_as_their_text() -> None:
    """What the action evaluates itself reaches it as `Deferred`, bound to the scope, and the journal shows its text."""
    seen = []

    async def use(call: Any) -> Any:
        seen.append(call.inputs["each"](item=5))

    host = ScriptedHost({"use": use})
    each = expression(lambda scope: scope["item"] + scope["inputs"]["n"])
    await host.walk(workflow(step("x", uses("use", each=each, nested={"deep": each}))), n=1)
    assert seen == [6]
    assert host.journal["x"].inputs == {"each": "formula", "nested": {"deep": "formula"}}


class TestHandlers:
    async def test_on_success_then_finally_after_success(self) -> None:
        """`on_failure` does not run, and the handlers' paths are their own."""
        host = ScriptedHost()
        outcome = await host.walk(
            workflow(
                step("work", uses("echo")),
                on_success=block(step("glad", uses("echo"))),
                on_failure=block(step("sad", uses("echo"))),
                cleanup=block(step("tidy", uses("echo"))),
            )
        )
        assert outcome == Outcome(state="succeeded")
        assert host.performed == ["work", "on_success/glad", "finally/tidy"]

    async def test_on_failure_sees_the_error_then_finally(self) -> None:
        """The run stays failed with its own error."""
        host = ScriptedHost()
        outcome = await host.walk(
            workflow(
                step("work", uses("fail", type="not_found")),
                on_success=block(step("glad", uses("echo"))),
                on_failure=block(step("sad", uses("echo", value=lambda scope: scope["error"]["type"]))),
                cleanup=block(step("tidy", uses("echo"))),
            )
        )
        assert outcome is not None
        assert outcome.state == "failed"
        assert host.performed == ["work", "on_failure/sad", "finally/tidy"]
        assert host.journal["on_failure/sad"].output == "not_found"

    async def test_a_failing_handler_never_hides_the_failure(self) -> None:
        """Failures of `on_failure` and `finally` are logged beside the error that failed the run."""
        host = ScriptedHost()
        outcome = await host.walk(
            workflow(
                step("work", uses("fail", type="not_found")),
                on_failure=block(step("sad", uses("fail", type="auth"))),
                cleanup=block(step("tidy", uses("fail", type="validation"))),
            )
        )
        assert outcome is not None
        assert outcome.error is not None
        assert outcome.error.type == "not_found"
        assert [level for level, _, _ in host.lines] == ["error", "error"]

    async def test_a_failing_finally_fails_a_run_that_had_succeeded(self) -> None:
        """What was to be cleaned up is not clean: that is a failure, though all steps succeeded."""
        outcome = await ScriptedHost().walk(
            workflow(step("work", uses("echo")), cleanup=block(step("tidy", uses("fail", type="auth"))))
        )
        assert outcome is not None
        assert outcome.state == "failed"
        assert outcome.error is not None
        assert outcome.error.step == "finally/tidy"

    async def test_a_failing_on_success_fails_the_run_and_finally_still_runs(self) -> None:
        """`on_failure` belongs to the steps and does not run for a handler."""
        host = ScriptedHost()
        outcome = await host.walk(
            workflow(
                step("work", uses("echo")),
                on_success=block(step("glad", uses("fail", type="auth"))),
                on_failure=block(step("sad", uses("echo"))),
                cleanup=block(step("tidy", uses("echo"))),
            )
        )
        assert outcome is not None
        assert outcome.state == "failed"
        assert host.performed == ["work", "on_success/glad", "finally/tidy"]

    async def test_failing_outputs_run_on_failure(self) -> None:
        """Outputs belong to the work: when they fail, the failure handler runs."""
        host = ScriptedHost()
        bad = workflow(
            step("one", uses("echo")),
            on_failure=block(step("sad", uses("echo"))),
            outputs={"x": lambda scope: scope["nowhere"]},
        )
        await host.walk(bad)
        assert host.performed == ["one", "on_failure/sad"]


async def test_the_workflow_timeout_ends_the_steps_and_runs_the_handlers(autojump_clock: MockClock) -> None:
    """The run ends `timed_out`; `on_failure` and `finally` run outside of the timeout."""
    host = ScriptedHost()

    async def slow(call: Any) -> Any:
        await host.clock.sleep(100)

    host.actions["slow"] = slow
    outcome = await host.walk(
        workflow(
            step("slow", uses("slow"), timeout_s=1000.0),
            timeout_s=5.0,
            on_failure=block(step("sad", uses("slow"), timeout_s=1000.0)),
            cleanup=block(step("tidy", uses("echo"))),
        )
    )
    assert outcome is not None
    assert outcome.state == "timed_out"
    assert outcome.error is not None
    assert outcome.error.message == "the run was not finished within 5s"
    assert host.journal["slow"].status == "cancelled"
    assert host.journal["on_failure/sad"].status == "succeeded"
    assert host.journal["finally/tidy"].status == "succeeded"


async def test_idempotency_keys_name_the_run_and_the_path() -> None:
    """The key is made of what stays the same when the step is repeated."""
    host = ScriptedHost()
    await host.walk(workflow(step("one", uses("echo"))))
    assert host.calls[0].idempotency_key == "run1/one"


def test_a_template_of_the_builder_fills_nested_values() -> None:
    """The builder used by these tests evaluates functions at any depth of objects."""
    assert PythonTemplate({"a": {"b": lambda scope: scope["x"]}}).evaluate({"x": 1}) == {"a": {"b": 1}}
