"""Dry runs: the whole way through a workflow, and nothing sent or written."""

from typing import Any

import pytest

from ipaas.engine.dry_host import DryRun, DryStep, run_dry
from ipaas.engine.request import make_request
from ipaas.model import Workflow
from ipaas.plugin import Fatal, Json
from ipaas.plugin.action import Action
from ipaas.run import Outcome, TriggerInfo
from ipaas.testing.build import (
    attempt,
    block,
    call_workflow,
    catch,
    for_each,
    parallel,
    repeat,
    step,
    switch,
    uses,
    workflow,
)
from ipaas.testing.virtual_clock import VirtualClock


async def double(ctx: Any, n: int) -> int:
    """Touch nothing."""
    return n * 2


async def post(ctx: Any, url: str, text: str) -> Json:
    """Send a request and look into the answer."""
    reply = await ctx.http.post(url, json={"text": text})
    return {"id": reply.json()["id"]}


async def write_file(ctx: Any, path: str) -> None:
    """Act by other ways than HTTP."""
    raise AssertionError("a dry run must not get here")


async def refuse(ctx: Any) -> None:
    """Fail before anything is sent."""
    raise Fatal("no such channel", type="not_found")


OUTPUT = {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}, "required": ["id"]}


def act(name: str, function: Any, **keys: Any) -> Action:
    connector, _, action = name.partition(".")
    return Action(**{"connector": connector, "action": action, "function": function, "effect": "write", **keys})


ACTIONS = [
    act("calc.double", double, pure=True, effect="read"),
    act("chat.post", post, only_http=True, output=OUTPUT, credential=("token",)),
    act("chat.refuse", refuse, only_http=True),
    act("disk.write", write_file, output=OUTPUT),
]


async def rehearse(
    flow: Workflow, *others: Workflow, redact: Any = lambda value: value, credentials: Any = None, **inputs: Json
) -> DryRun:
    request = make_request(flow, inputs=inputs, trigger=TriggerInfo())
    return await run_dry(
        flow,
        request.inputs,
        actions={action.name: action for action in ACTIONS},
        clock=VirtualClock(),
        credentials=lambda _, name: (credentials or {}).get(name),
        redact=redact,
        find_workflow={other.id: other for other in others}.get,
    )


POST = uses(
    "chat.post",
    credential="chat",
    url="https://chat.example.com/post",
    text=lambda scope: f"n is {scope['steps']['twice']['output']}",
)


async def test_actions_that_touch_nothing_are_performed() -> None:
    """Their output is real, and later inputs are made of it."""
    dry = await rehearse(
        workflow(
            step("twice", uses("calc.double", n=lambda scope: scope["inputs"]["n"])),
            inputs={"n": {"type": "integer"}},
            outputs={"n": lambda scope: scope["steps"]["twice"]["output"]},
        ),
        n=4,
    )
    assert dry.outcome == Outcome(state="succeeded", outputs={"n": 8})
    assert dry.steps == (DryStep(path="twice", action="calc.double", inputs={"n": 4}, output=8, made_up=False),)


async def test_requests_are_shown_and_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    """Method, address, headers and body as they would go out, without the credential; the output is made up from the schema, and
    that the action does not like its made-up answer is nobody's fault.
    """
    dry = await rehearse(
        workflow(step("twice", uses("calc.double", n=4)), step("tell", POST)),
        credentials={"chat": {"token": "hunter2"}},
    )
    (request,) = dry.steps[1].requests
    assert (request.method, request.url, request.body) == ("POST", "https://chat.example.com/post", {"text": "n is 8"})
    assert request.headers["Authorization"] == "***"
    assert (dry.steps[1].output, dry.steps[1].made_up) == ({"id": "text", "n": 1}, True)
    assert "hunter2" not in repr(dry)
    assert caplog.records == []


async def test_returns_narrows_what_is_made_up() -> None:
    """The step's `returns` and the action's own schema together give the output."""
    returns = {"properties": {"n": {"const": 7}}}
    dry = await rehearse(
        workflow(step("twice", uses("calc.double", n=4)), step("tell", POST, returns=returns)),
        credentials={"chat": {"token": "x"}},
    )
    assert dry.steps[1].output == {"id": "text", "n": 7}


async def test_a_missing_credential_is_a_note() -> None:
    """A dry run needs no secrets: the request is shown as it would look."""
    dry = await rehearse(workflow(step("twice", uses("calc.double", n=4)), step("tell", POST)))
    assert dry.outcome.state == "succeeded"
    assert dry.steps[1].note == "there is no credential `chat` here"
    assert len(dry.steps[1].requests) == 1


async def test_an_action_that_acts_otherwise_is_not_called() -> None:
    """It is shown with its inputs; its output is made up."""
    dry = await rehearse(workflow(step("save", uses("disk.write", path="report.csv"))))
    (shown,) = dry.steps
    assert (shown.inputs, shown.output) == ({"path": "report.csv"}, {"id": "text", "n": 1})
    assert shown.note == "not called: it acts by other ways than HTTP"


async def test_a_failure_before_anything_is_sent_is_a_note() -> None:
    """The values are made up, so the run goes on; what would fail is said."""
    dry = await rehearse(workflow(step("bad", uses("chat.refuse")), step("after", uses("calc.double", n=1))))
    assert dry.steps[0].note == "would fail (not_found): no such channel"
    assert [shown.path for shown in dry.steps] == ["bad", "after"]
    assert dry.outcome.state == "succeeded"


async def test_wrong_inputs_are_a_note_too() -> None:
    """An input of the wrong type is named."""
    dry = await rehearse(workflow(step("bad", uses("calc.double", n="four"))))
    assert dry.steps[0].note == "would fail (validation): input `n` must be a whole number, not text"


async def test_every_verb_is_followed_in_the_files_order() -> None:
    """Blocks, loops and handlers are walked as in a live run, one after the other."""
    twice = uses("calc.double", n=1)
    flow = workflow(
        step("each", twice, for_each=for_each([1, 2], limit=5)),
        step("both", parallel(a=block(step("a", twice)), b=block(step("b", twice)))),
        step(
            "graph",
            switch((None, block(step("z", twice), step("y", twice, needs=("z",)), step("x", twice, needs=("y",))))),
        ),
        step("try", attempt(step("t", twice), catches=(catch(step("c", twice)),), cleanup=block(step("f", twice)))),
        on_success=block(step("glad", twice)),
        cleanup=block(step("end", twice)),
    )
    dry = await rehearse(flow)
    assert [shown.path for shown in dry.steps] == [
        "each[0]",
        "each[1]",
        "both/a",
        "both/b",
        "graph/z",
        "graph/y",
        "graph/x",
        "try/t",
        "try/f",
        "on_success/glad",
        "finally/end",
    ]


async def test_a_poll_goes_round_a_few_times_and_waits_for_nothing() -> None:
    """A made-up answer never changes: after three rounds the loop is left, and its pauses are skipped."""
    poll = repeat(True, step("check", uses("calc.double", n=1)), max=100, every_s=3600.0)
    dry = await rehearse(workflow(step("poll", poll), step("after", uses("calc.double", n=1))))
    assert [shown.path for shown in dry.steps] == ["poll#0/check", "poll#1/check", "poll#2/check", "after"]
    assert dry.outcome.state == "succeeded"


async def test_a_loop_that_ends_earlier_ends_earlier() -> None:
    """What the values decide is decided by them."""
    again = repeat(lambda scope: scope["loop"]["index"] < 1, step("round", uses("calc.double", n=1)))
    dry = await rehearse(workflow(step("again", again)))
    assert [shown.path for shown in dry.steps] == ["again#0/round"]


async def test_a_failing_expression_ends_the_dry_run_like_a_live_one() -> None:
    """The outcome has the error with its place, and the failure handler is shown."""
    dry = await rehearse(
        workflow(
            step("bad", uses("calc.double", n=lambda scope: scope["nothing"])),
            on_failure=block(step("sad", uses("calc.double", n=1))),
        )
    )
    assert dry.outcome.state == "failed"
    assert dry.outcome.error is not None
    assert dry.outcome.error.type == "expression"
    assert [shown.path for shown in dry.steps] == ["on_failure/sad"]


class TestChildren:
    CHILD = workflow(
        step("twice", uses("calc.double", n=lambda scope: scope["inputs"]["n"])),
        id="child",
        inputs={"n": {"type": "integer", "default": 5}},
        outputs={"n": lambda scope: scope["steps"]["twice"]["output"]},
    )

    async def test_a_known_workflow_is_followed(self) -> None:
        """Its steps stand below the step that calls it, and its outputs come back."""
        dry = await rehearse(
            workflow(
                step("sub", call_workflow("child")), outputs={"n": lambda scope: scope["steps"]["sub"]["output"]["n"]}
            ),
            self.CHILD,
        )
        assert [(shown.path, shown.action) for shown in dry.steps] == [
            ("sub", "run_workflow"),
            ("sub/twice", "calc.double"),
        ]
        assert dry.outcome.outputs == {"n": 10}

    async def test_an_unknown_one_is_a_note(self) -> None:
        """Its output is an empty object."""
        dry = await rehearse(workflow(step("sub", call_workflow("other"))))
        assert dry.steps[0].note == "`other` is not known here, and not followed"

    async def test_workflows_that_call_each_other_end(self) -> None:
        """After ten levels nothing is followed any more."""
        loop = workflow(step("sub", call_workflow("loop")), id="loop")
        dry = await rehearse(loop, loop)
        assert len(dry.steps) == 11


async def test_what_is_shown_is_redacted() -> None:
    """Inputs, outputs, notes and the outcome."""

    def redact(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: redact(each) for name, each in value.items()}
        return value.replace("hunter2", "***") if isinstance(value, str) else value

    dry = await rehearse(
        workflow(step("save", uses("disk.write", path="hunter2")), outputs={"secret": "hunter2"}), redact=redact
    )
    assert "hunter2" not in repr(dry)
    assert dry.outcome.outputs == {"secret": "***"}


@pytest.mark.parametrize("wait", [True, False])
async def test_a_child_that_is_not_waited_for_is_not_followed(wait: bool) -> None:
    """Its output is a run id that is none."""
    dry = await rehearse(workflow(step("sub", call_workflow("child", wait=wait))), TestChildren.CHILD)
    assert (len(dry.steps) == 2) == wait
