from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ipaas.definition import CompileOptions, Signature, compile_text
from ipaas.model import (
    After,
    At,
    Block,
    Catch,
    Cron,
    Every,
    ForEach,
    Parallel,
    Place,
    Retry,
    RunWorkflow,
    Step,
    Switch,
    Try,
    Uses,
    While,
    Workflow,
)
from tests.definition.definition_catalog import CATALOG

OPTIONS = CompileOptions(
    timezone="Europe/Berlin", env_names=frozenset({"REGION"}), vars={"region": "eu", "limits": {"rows": 5}}
)


def compile_one(text: str, **more: Any) -> Workflow:
    compiled = compile_text(text, "pipelines/a.yaml", CATALOG, OPTIONS, **more)
    assert [str(problem) for problem in compiled.problems] == []
    assert compiled.workflow is not None
    return compiled.workflow


def problems_of(text: str, **more: Any) -> list[str]:
    return [str(problem) for problem in compile_text(text, "a.yaml", CATALOG, OPTIONS, **more).problems]


def step_of(text: str) -> Step:
    workflow = compile_one(f"version: 1\ninputs: {{n: {{type: integer, default: 3}}}}\nsteps:\n{text}")
    return workflow.block.steps[-1]


ALL = """version: 1
id: all_keys
description: every key of the frame
labels: {team: sales, tier: "1"}
active: false
timeout: 15m
concurrency: {limit: 2, key: "${{ inputs.region }}", when_full: skip}
inputs:
  region: {type: string, default: eu}
  minimum: {type: integer}
triggers:
  - {cron: "0 7 * * MON-FRI", inputs: {minimum: 1}}
  - {id: mine, every: 90s, missed: none, overlap: queue, inputs: {minimum: 1}}
  - {cron: "@hourly", timezone: UTC, missed: all, missed_window: 6h, inputs: {minimum: 2}}
  - {at: "2026-12-31T23:00:00", inputs: {minimum: 3}}
  - {after: {workflow: other}, inputs: {minimum: 3, region: "${{ trigger.workflow }}"}}
  - {after: {workflow: other, when: [failed, timed_out]}, inputs: {minimum: 4}}
steps:
  - id: list
    uses: orders.list
    with: {limit: "${{ inputs.minimum }}"}
on_failure: [{uses: flow.log, with: {message: "${{ error.message }}"}}]
on_success: [{uses: flow.log, with: {message: done}}]
finally: [{uses: flow.log, with: {message: bye}}]
outputs:
  count: ${{ size(steps.list.output) }}
"""


def test_the_frame_becomes_a_workflow() -> None:
    """Every key of the top level is where the engine looks for it."""
    workflow = compile_one(ALL)
    assert (workflow.id, workflow.description, workflow.labels) == (
        "all_keys",
        "every key of the frame",
        {"team": "sales", "tier": "1"},
    )
    assert (workflow.active, workflow.timeout_s, workflow.path) == (False, 900.0, "pipelines/a.yaml")
    assert (workflow.actions, workflow.calls) == (frozenset({"orders.list", "flow.log"}), frozenset())
    assert workflow.source == ALL
    assert workflow.concurrency is not None
    assert (workflow.concurrency.limit, workflow.concurrency.when_full) == (2, "skip")
    assert workflow.concurrency.key is not None
    assert workflow.concurrency.key.evaluate({"inputs": {"region": "eu"}}) == "eu"
    assert [(spec.name, spec.required, spec.default) for spec in workflow.inputs] == [
        ("region", False, "eu"),
        ("minimum", True, None),
    ]
    assert [block is not None for block in (workflow.on_failure, workflow.on_success, workflow.cleanup)] == [True] * 3
    assert workflow.outputs is not None
    assert workflow.outputs.evaluate({"steps": {"list": {"output": [1, 2]}}}) == {"count": 2}


def test_triggers_have_their_timing_and_defaults() -> None:
    """Schedules skip an overlap, followers do not; ids count by kind; the default zone comes from the options."""
    triggers = {trigger.id: trigger for trigger in compile_one(ALL).triggers}
    assert list(triggers) == ["cron1", "mine", "cron2", "at1", "after1", "after2"]
    assert triggers["cron1"].timing == Cron(expression="0 7 * * mon-fri", timezone="Europe/Berlin")
    assert (triggers["cron1"].missed, triggers["cron1"].overlap) == ("latest", "skip")
    assert triggers["mine"].timing == Every(interval_s=90.0)
    assert (triggers["mine"].missed, triggers["mine"].overlap) == ("none", "queue")
    assert triggers["cron2"].timing == Cron(expression="0 * * * *", timezone="UTC")
    assert (triggers["cron2"].missed, triggers["cron2"].missed_window_s) == ("all", 21_600.0)
    assert triggers["at1"].timing == At(when=datetime(2026, 12, 31, 22, tzinfo=UTC))
    assert triggers["after1"].timing == After(workflow="other", states=frozenset({"succeeded"}))
    assert triggers["after1"].overlap == "allow"
    assert triggers["after2"].timing == After(workflow="other", states=frozenset({"failed", "timed_out"}))
    assert triggers["after1"].inputs is not None
    assert triggers["after1"].inputs.evaluate({"trigger": {"workflow": "other"}}) == {"minimum": 3, "region": "other"}


def test_a_time_that_happens_twice_is_the_first_of_the_two() -> None:
    """The autumn hour of a plain timestamp is its first one."""
    text = 'version: 1\ntriggers: [{at: "2026-10-25T02:30:00"}]\nsteps: [{uses: flow.log, with: {message: x}}]\n'
    assert compile_one(text).triggers[0].timing == At(when=datetime(2026, 10, 25, 0, 30, tzinfo=UTC))


def test_the_id_of_a_trigger_does_not_take_a_given_one() -> None:
    """A counted id goes round the ids that the file gives."""
    text = (
        "version: 1\ntriggers: [{every: 1h}, {id: every1, every: 2h}]\nsteps: [{uses: flow.log, with: {message: x}}]\n"
    )
    assert [trigger.id for trigger in compile_one(text).triggers] == ["every2", "every1"]


def test_the_id_is_the_file_stem_when_none_is_given() -> None:
    """`pipelines/a.yaml` is the workflow `a`."""
    workflow = compile_one("version: 1\nsteps: [{uses: flow.log, with: {message: x}}]\n")
    assert (workflow.id, workflow.active, workflow.inputs, workflow.outputs) == ("a", True, (), None)


def test_the_version_is_the_hash_of_the_text() -> None:
    """Bytes and text of the same content are the same version, another content is another."""
    text = "version: 1\nsteps: [{uses: flow.log, with: {message: é}}]\n"
    first = compile_one(text).version
    compiled = compile_text(text.encode(), "b.yaml", CATALOG, OPTIONS).workflow
    assert compiled is not None
    assert (compiled.version, len(first)) == (first, 64)
    assert compile_one(text + "\n").version != first


def test_a_step_has_its_keys() -> None:
    """Timeout, retry, on_error, name and place are taken over with the defaults of the language."""
    step = step_of(
        """  - id: say
    name: Say it
    uses: flow.log
    with: {message: "${{ inputs.n }}"}
    timeout: 1m30s
    retry: {max_attempts: 4, delay: 2s, backoff: linear, max_delay: 1m, errors: [timeout, auth], jitter: false}
    on_error: continue
    returns: {type: "null"}
"""
    )
    assert (step.id, step.name, step.timeout_s, step.on_error) == ("say", "Say it", 90.0, "continue")
    assert step.place == Place("pipelines/a.yaml", 4, 5)
    assert step.retry == Retry(
        max_attempts=4,
        delay_s=2.0,
        backoff="linear",
        max_delay_s=60.0,
        jitter=False,
        errors=frozenset({"timeout", "auth"}),
    )
    assert step.returns == {"type": "null"}
    assert isinstance(step.body, Uses)
    assert step.body.inputs.evaluate({"inputs": {"n": 5}})["message"] == 5


def test_a_short_retry_has_the_defaults() -> None:
    """Three attempts with the default delay are a second apart at first, a minute at most."""
    assert step_of("  - {uses: flow.log, with: {message: x}, retry: {max_attempts: 3}}").retry == Retry(max_attempts=3)


def test_a_long_delay_is_not_cut_by_the_default_maximum() -> None:
    """`delay: 5m` alone waits five minutes, though the default cap is one."""
    retry = step_of("  - {uses: flow.log, with: {message: x}, retry: {max_attempts: 3, delay: 5m}}").retry
    assert retry == Retry(max_attempts=3, delay_s=300.0, max_delay_s=300.0)


def test_steps_without_an_id_are_numbered_round_the_given_ones() -> None:
    """The second step is `step2` unless another one is called that."""
    workflow = compile_one(
        "version: 1\nsteps:\n  - {uses: flow.log, with: {message: a}}\n  - {id: step3, uses: flow.log, with: {message: b}}\n"
        "  - {uses: flow.log, with: {message: c}}\n"
    )
    assert [step.id for step in workflow.block.steps] == ["step1", "step3", "step4"]


@pytest.mark.parametrize(
    "loop, items",
    [
        ('{in: "${{ range }}"}', None),
        ("[1, 2]", [1, 2]),
        ("{in: [a, b]}", ["a", "b"]),
        ('{in: ["${{ inputs.n }}", 7]}', [3, 7]),
        ('"[inputs.n, 4]"', [3, 4]),
        ('"${{ [inputs.n] }}"', [3]),
    ],
)
def test_a_loop_takes_a_list_or_an_expression(loop: str, items: list[Any] | None) -> None:
    """Lists may be written out, with or without expressions in them, and the short form needs no `in`."""
    if items is None:
        assert problems_of(f"version: 1\nsteps:\n  - {{uses: flow.log, for_each: {loop}, with: {{message: x}}}}")
        return
    step = step_of(f"  - {{uses: flow.log, for_each: {loop}, with: {{message: x}}}}")
    assert step.for_each is not None
    assert step.for_each.items.evaluate({"inputs": {"n": 3}, "steps": {}}) == items


def test_a_loop_has_its_keys() -> None:
    """`as`, `where`, `limit` and `on_item_error` reach the engine; the item is typed by its list."""
    step = step_of(
        "  - {id: o, uses: orders.list}\n"
        "  - for_each: {in: steps.o.output, as: order, where: order.total > inputs.n, limit: 5, on_item_error: continue}\n"
        '    uses: flow.log\n    with: {message: "${{ order.customer.name }} ${{ loop.index }}"}\n'
    )
    assert isinstance(step.for_each, ForEach)
    assert (step.for_each.name, step.for_each.limit, step.for_each.on_item_error) == ("order", 5, "continue")
    assert step.for_each.where is not None
    assert step.for_each.where.evaluate({"order": {"total": 4}, "inputs": {"n": 3}}) is True


def test_conditions_may_be_booleans() -> None:
    """`if: false` needs no expression."""
    step = step_of("  - {uses: flow.log, if: false, with: {message: x}}")
    assert step.condition is not None
    assert step.condition.evaluate({}) is False


BLOCKS = """  - id: both
    on_error: continue
    parallel:
      - {id: left, steps: [{id: one, uses: orders.list}]}
      - {id: right, steps: [{id: two, uses: flow.log, with: {message: x}}]}
  - id: choose
    switch:
      - {if: inputs.n > 3, steps: [{id: big, uses: orders.list}]}
      - else: [{id: small, uses: orders.list}]
  - id: again
    while: {if: loop.index < 3, max: 7, every: 2s, steps: [{id: round, uses: flow.log, with: {message: "${{ loop.index }}"}}]}
  - id: careful
    try:
      steps: [{id: risky, uses: flow.fail, with: {message: x}}]
      catch:
        - {errors: [validation], as: problem, steps: [{id: mended, uses: flow.log, with: {message: "${{ problem.type }}"}}]}
        - {steps: [{id: other, uses: flow.log, with: {message: "${{ error.type }}"}}]}
      finally: [{id: tidy, uses: flow.log, with: {message: "${{ steps.risky.status }}"}}]
  - {id: child, run_workflow: other, wait: false, with: {a: "${{ inputs.n }}"}}
"""


def test_blocks_have_their_parts() -> None:
    """Each verb holds its lists, conditions and bounds."""
    workflow = compile_one(f"version: 1\ninputs: {{n: {{type: integer, default: 3}}}}\nsteps:\n{BLOCKS}")
    both, choose, again, careful, child = (step.body for step in workflow.block.steps)
    assert isinstance(both, Parallel)
    assert [(name, [step.id for step in block.steps]) for name, block in both.branches] == [
        ("left", ["one"]),
        ("right", ["two"]),
    ]
    assert isinstance(choose, Switch)
    assert [(condition is None, block.steps[0].id) for condition, block in choose.cases] == [
        (False, "big"),
        (True, "small"),
    ]
    assert isinstance(again, While)
    assert (again.max, again.every_s, again.condition.evaluate({"loop": {"index": 2}})) == (7, 2.0, True)
    assert isinstance(careful, Try)
    assert [(catch.errors, catch.name) for catch in careful.catches] == [
        ({"validation"}, "problem"),
        (frozenset(), "error"),
    ]
    assert all(isinstance(catch, Catch) for catch in careful.catches)
    assert careful.cleanup is not None
    assert isinstance(child, RunWorkflow)
    assert (child.workflow, child.wait, child.inputs.evaluate({"inputs": {"n": 3}})) == ("other", False, {"a": 3})
    assert workflow.calls == {"other"}


def test_a_while_without_max_ends_after_a_hundred_rounds() -> None:
    """`max` always bounds it."""
    step = step_of("  - while: {if: true, steps: [{uses: flow.log, with: {message: x}}]}")
    assert isinstance(step.body, While)
    assert (step.body.max, step.body.every_s) == (100, 0.0)


def graph_of(text: str) -> tuple[bool, list[tuple[str, tuple[str, ...]]]]:
    block = compile_one(f"version: 1\nsteps:\n{text}").block
    return block.is_graph, [(step.id, step.needs) for step in block.steps]


def test_a_list_without_needs_is_a_sequence() -> None:
    """References alone do not make a graph."""
    text = '  - {id: a, uses: orders.list}\n  - {id: b, uses: flow.log, with: {message: "${{ steps.a.output }}"}}\n'
    assert graph_of(text) == (False, [("a", ()), ("b", ())])


def test_needs_make_a_graph_and_references_imply_them() -> None:
    """Steps come in one valid order, each with its written and its implied needs, also from inside a block."""
    text = """  - {id: last, uses: flow.log, with: {message: "${{ steps.block.output }} ${{ steps.inner.status }}"}}
  - id: block
    parallel: [{id: x, steps: [{id: inner, if: steps.first.output.size() > 1, uses: flow.log, with: {message: x}}]}]
  - {id: first, uses: orders.list}
  - {id: alone, uses: flow.log, needs: first, with: {message: x}}
"""
    assert graph_of(text) == (True, [("first", ()), ("block", ("first",)), ("last", ("block",)), ("alone", ("first",))])


def test_a_graph_keeps_the_written_order_where_it_is_free() -> None:
    """The step that is written last ends the list, so that its output is the block's, unless another has to wait for it."""
    text = """  - {id: a, uses: orders.list}
  - {id: b, needs: a, uses: orders.list}
  - {id: c, uses: orders.list}
"""
    assert graph_of(text) == (True, [("a", ()), ("b", ("a",)), ("c", ())])


def test_in_a_graph_only_needed_steps_can_be_seen() -> None:
    """A reference implies the need, so that every step of the list can be named, whatever the written order."""
    text = '  - {id: b, uses: flow.log, with: {message: "${{ steps.a.output }}"}}\n  - {id: a, needs: [], uses: orders.list}\n'
    assert graph_of(text) == (True, [("a", ()), ("b", ("a",))])


SEE = """version: 1
steps:
  - {id: maybe, if: run.id != '', uses: orders.list}
  - id: both
    parallel: [{id: x, steps: [{id: inner, uses: orders.list}]}]
  - id: choose
    switch: [{if: true, steps: [{id: big, uses: orders.list}]}]
  - id: careful
    try: {steps: [{id: risky, uses: orders.list}]}
  - id: loop
    for_each: [1]
    try: {steps: [{id: hidden, uses: orders.list}]}
  - {id: say, uses: flow.log, with: {message: "${{ EXPRESSION }}"}}
"""


@pytest.mark.parametrize(
    "expression, code",
    [
        ("steps.inner.output[0].id", None),
        ("steps.both.output.x[0].total + 1", None),
        ("steps.both.output.x[0].totl", "unknown-field"),
        ("steps.risky.output[0].id", None),
        ("steps.careful.output[0].idd", "unknown-field"),
        ("steps.maybe.output[0].id", "maybe-missing"),
        ("has(steps.maybe.output) ? steps.maybe.output[0].id : ''", None),
        ("steps.maybe.?output.orValue([])", None),
        ("steps.maybe.status", None),
        ("steps.big.output[0].id", "maybe-missing"),
        ("steps.hidden.output", "unreachable-step"),
        ("steps.loop.output[0][0].id", None),
        ("steps.loop.items[0].status", None),
        ("steps.say.output", "unreachable-step"),
        ("steps.nowhere.output", "unknown-step"),
        ("trigger.scheduled_at", None),
        ("trigger.?workflow.orValue('')", None),
        ("trigger.state", "unknown-field"),
        ("env.?REGION.orValue('eu')", None),
        ("env.HOME", "unknown-field"),
        ("run.started_at", None),
        ("loop.index", "unknown-name"),
        ("secrets.token", "unknown-name"),
        ("vars.region + 'x'", None),
        ("vars.limits.rows + 1", None),
        ("vars.regoin", "unknown-field"),
        ("vars.region + 1", "wrong-type"),
    ],
)
def test_expressions_see_what_has_ended(expression: str, code: str | None) -> None:
    """Steps behind a point, doubtful steps, steps inside blocks and the roots are judged as the engine will have them."""
    compiled = compile_text(SEE.replace("EXPRESSION", expression), "a.yaml", CATALOG, OPTIONS, {})
    assert [problem.code for problem in compiled.problems] == ([] if code is None else [code])


def test_a_guarded_step_may_use_what_its_condition_asks_for() -> None:
    """Behind `if: has(steps.maybe.output)` the output is there."""
    text = SEE.replace(
        'uses: flow.log, with: {message: "${{ EXPRESSION }}"}',
        "if: has(steps.maybe.output), uses: flow.log, with: {message: '${{ steps.maybe.output[0].id }}'}",
    )
    assert problems_of(text) == []


def test_returns_narrows_the_output() -> None:
    """A schema under `returns` types one key and leaves the others as the action has them."""
    text = """version: 1
steps:
  - id: get
    uses: http.get
    with: {url: "https://example.com"}
    returns: {properties: {body: {type: object, properties: {total: {type: number}}, required: [total], additionalProperties: false}}}
  - {uses: flow.log, with: {message: "${{ steps.get.output.body.total + steps.get.output.status }}"}}
  - {uses: flow.log, with: {message: "${{ steps.get.output.body.totl }}"}}
"""
    assert [problem.split("\n")[0] for problem in problems_of(text)] == [
        "a.yaml:8:65: `steps.get.output.body` has no field `totl` [unknown-field]"
    ]


def test_a_child_has_the_types_of_its_signature() -> None:
    """Inputs and outputs of another workflow are checked against what it declares."""
    signature = Signature(
        id="other",
        inputs={
            "type": "object",
            "properties": {"size": {"type": "integer"}},
            "required": ["size"],
            "additionalProperties": False,
        },
        outputs={"type": "object", "properties": {"result": {}}, "required": ["result"], "additionalProperties": False},
    )
    text = """version: 1
steps:
  - {id: good, run_workflow: other, with: {size: 3}}
  - {run_workflow: other, with: {size: many}}
  - {run_workflow: other, with: {}}
  - {uses: flow.log, with: {message: "${{ steps.good.output.resut }}"}}
  - {id: fast, run_workflow: other, wait: false, with: {size: 3}}
  - {uses: flow.log, with: {message: "${{ steps.fast.output.run_id }} ${{ steps.fast.output.result }}"}}
"""
    compiled = compile_text(text, "a.yaml", CATALOG, OPTIONS, {"other": signature})
    assert [(problem.place.line, problem.code) for problem in compiled.problems] == [
        (4, "wrong-type"),
        (5, "missing-input"),
        (6, "unknown-field"),
        (8, "unknown-field"),
    ]


def test_without_signatures_other_workflows_are_not_checked() -> None:
    """A stored version is compiled alone."""
    assert compile_one("version: 1\nsteps: [{run_workflow: nowhere, with: {a: 1}}]").calls == {"nowhere"}


def test_the_same_text_gives_the_same_problems() -> None:
    """Compiling has no memory."""
    text = SEE.replace("EXPRESSION", "steps.nowhere.output + inputs.x")
    assert problems_of(text) == problems_of(text)


def test_a_file_of_nothing_but_mistakes_ends_its_list() -> None:
    """A hundred problems are enough; the rest is counted."""
    text = "version: 1\nsteps:\n" + "  - {uses: nowhere.none, wiht: 1}\n" * 90
    problems = compile_text(text, "a.yaml", CATALOG, OPTIONS).problems
    assert (len(problems), problems[-1].code, problems[-1].message) == (
        101,
        "too-many-problems",
        "80 more problems from here on are not shown",
    )


def test_what_an_alias_stands_for_is_told_once() -> None:
    """A mistake below an anchor is one mistake, however often it is used."""
    text = "version: 1\nsteps:\n  - {uses: flow.log, with: &x {mesage: a}}\n  - {uses: flow.log, with: *x}\n"
    problems = compile_text(text, "a.yaml", CATALOG, OPTIONS).problems
    assert len([problem for problem in problems if problem.code == "unknown-input"]) == 1


def test_workflows_compare_and_cannot_be_changed() -> None:
    """Blocks are frozen."""
    block = Block(steps=())
    assert replace(block, is_graph=True) != block


def test_branches_without_an_id_are_not_taken_for_one() -> None:
    """A missing id is told at each branch, and is no second branch of the same name."""
    text = "version: 1\nsteps: [{parallel: [{steps: [{uses: flow.set}]}, {steps: [{uses: flow.set}]}]}]\n"
    assert [problem.partition("\n")[0] for problem in problems_of(text)] == [
        "a.yaml:2:21: `id` is missing in `parallel[0]` of step 1 [missing-key]",
        "a.yaml:2:50: `id` is missing in `parallel[1]` of step 1 [missing-key]",
    ]


def test_a_text_turned_round_is_another_text() -> None:
    """What is known of a literal is not known of what a function makes of it."""
    compile_one("version: 1\nsteps: [{uses: flow.log, if: \"'abc'.reverse() == 'cba'\", with: {message: a}}]\n")


ITEMS = """version: 1
inputs: {n: {type: integer, default: 1}}
steps:
  - {id: failed, for_each: [1], on_error: continue, uses: flow.set}
  - {id: skipped, for_each: [1], if: inputs.n > 1, uses: flow.set}
  - {switch: [{if: inputs.n > 2, steps: [{id: inner, for_each: [1], on_error: continue, uses: flow.set}]}]}
"""


def test_items_are_a_list_whatever_became_of_the_step() -> None:
    """A `for_each` that was skipped or failed has its items all the same; one in a case that did not run has none."""
    compile_one(ITEMS + "outputs: {n: '${{ size(steps.failed.items) + size(steps.skipped.items) }}'}\n")
    text = ITEMS + "outputs: {n: '${{ size(steps.inner.items) }}', m: '${{ size(steps.failed.output) }}'}\n"
    assert [problem.partition(" [")[0] for problem in problems_of(text)] == [
        "a.yaml:7:36: `steps.inner.items` may be missing: step `inner` is in a case of a `switch`, which may not be the one that runs",
        "a.yaml:7:74: `steps.failed.output` may be missing: step `failed` may have failed (`on_error: continue`)",
    ]


def test_an_id_with_a_dash_is_written_in_brackets() -> None:
    """CEL subtracts at a dash: the person is told how to write the name, once."""
    step = "version: 1\nsteps:\n  - {id: my-step, uses: flow.set}\n"
    compile_one(step + """outputs: {v: '${{ steps["my-step"].output }}'}\n""")
    assert problems_of(step + "outputs: {v: '${{ steps.my-step.output }}'}\n") == [
        'a.yaml:4:25: `-` subtracts here, and there is no step `my` [unknown-step]\n  hint: write `steps["my-step"]`'
    ]
