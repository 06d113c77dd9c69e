import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.cli.diagram import Cluster, draw, escape_dot, escape_mermaid, show_timing, to_dot, to_mermaid
from ipaas.model import (
    After,
    At,
    Block,
    Body,
    Catch,
    Cron,
    Deferred,
    Every,
    ForEach,
    Json,
    Parallel,
    Place,
    RunWorkflow,
    Step,
    Switch,
    Timing,
    Trigger,
    Try,
    Uses,
    While,
    Workflow,
)

PLACE = Place("a.yaml")


@dataclass(frozen=True)
class Words:
    """An expression or template that is only looked at."""

    text: str = ""
    place: Place = PLACE

    def evaluate(self, scope: object) -> Json:
        raise AssertionError("a diagram evaluates nothing")


@dataclass(frozen=True)
class NoInputs:
    place: Place = PLACE

    def evaluate(self, scope: object) -> "dict[str, Json | Deferred]":
        raise AssertionError("a diagram evaluates nothing")


def uses(id: str, action: str = "flow.log", **more: object) -> Step:
    return make_step(id, Uses(action=action, inputs=NoInputs()), **more)


def make_step(id: str, body: Body, **more: object) -> Step:
    return Step(id=id, place=PLACE, body=body, **more)  # type: ignore[arg-type]  # the caller's words are Step's


def make_workflow(*steps: Step, is_graph: bool = False, **more: object) -> Workflow:
    fields: dict[str, object] = {"id": "w", "version": "v", "path": "a.yaml", "source": "", "place": PLACE} | more
    return Workflow(block=Block(steps=steps, is_graph=is_graph), **fields)  # type: ignore[arg-type]  # as above


EVERY_VERB = make_workflow(
    uses("fetch", "http.get", name="Fetch orders"),
    make_step(
        "both",
        Parallel(branches=(("left", Block(steps=(uses("l1"),))), ("right", Block(steps=(uses("r1"), uses("r2")))))),
        condition=Words("inputs.go"),
    ),
    make_step(
        "route", Switch(cases=((Words("x > 1"), Block(steps=(uses("big"),))), (None, Block(steps=(uses("small"),)))))
    ),
    make_step("poll", While(condition=Words("!done"), block=Block(steps=(uses("check"),)), max=5)),
    make_step(
        "careful",
        Try(
            block=Block(steps=(uses("risky", "http.post"),)),
            catches=(Catch(errors=frozenset({"timeout"}), name="error", block=Block(steps=(uses("mend"),))),),
            cleanup=Block(steps=(uses("tidy"),)),
        ),
    ),
    make_step(
        "each",
        RunWorkflow(workflow="other", inputs=NoInputs()),
        for_each=ForEach(
            items=Words("steps.fetch.output"), name="order", where=Words('order.total > 100 && order.kind != "x"')
        ),
    ),
    triggers=(Trigger(id="t", place=PLACE, timing=Cron(expression="0 7 * * *", timezone="UTC")),),
    on_failure=Block(steps=(uses("alarm"),)),
    on_success=Block(steps=(uses("praise"),)),
    cleanup=Block(steps=(uses("sweep"),)),
)


def test_every_verb_in_mermaid_is_as_reviewed(snapshot: Callable[[str, str], None]) -> None:
    """Each verb has its shape and each step follows the right ones."""
    snapshot(to_mermaid(draw(EVERY_VERB)), "every-verb.mmd")


def test_every_verb_in_dot_is_as_reviewed(snapshot: Callable[[str, str], None]) -> None:
    """The same in DOT."""
    snapshot(to_dot(draw(EVERY_VERB)), "every-verb.dot")


def edges(workflow: Workflow) -> set[tuple[str, str]]:
    """The arrows by step ids."""
    diagram = draw(workflow)
    names = {}
    stack = [diagram.root]
    while stack:
        for part in stack.pop().parts:
            if isinstance(part, Cluster):
                stack.append(part)
            else:
                names[part.id] = part.lines[0]
    return {(names[edge.source], names[edge.target]) for edge in diagram.edges}


def test_graph_follows_its_needs() -> None:
    """In a graph a step hangs on its needs, and one without needs on what was before."""
    workflow = make_workflow(uses("a"), uses("b"), uses("c", needs=("a", "b")), uses("d", needs=("a",)), is_graph=True)
    assert edges(workflow) == {("w", "a"), ("w", "b"), ("a", "c"), ("b", "c"), ("a", "d")}


def test_switch_without_else_may_be_passed_by() -> None:
    """What follows a switch without `else` also hangs on the switch itself."""
    workflow = make_workflow(make_step("s", Switch(cases=((Words("x"), Block(steps=(uses("a"),))),))), uses("after"))
    assert edges(workflow) == {("w", "s"), ("s", "a"), ("a", "after"), ("s", "after")}


def test_while_goes_round() -> None:
    """The last step of a loop leads back to its condition, and the condition leads on."""
    workflow = make_workflow(
        make_step("l", While(condition=Words("x"), block=Block(steps=(uses("a"),)), max=3)), uses("after")
    )
    assert edges(workflow) == {("w", "l"), ("l", "a"), ("a", "l"), ("l", "after")}


@given(st.text())
def test_mermaid_label_cannot_be_left(text: str) -> None:
    """No text ends a quoted label, begins markup, or brings a line of its own."""
    label = escape_mermaid(text)
    assert not set(label) & set('"`<>\n\r\\|*')
    assert re.sub(r"#(\d+);", lambda match: chr(int(match[1])), label) == text


@given(st.text())
def test_dot_label_cannot_be_left(text: str) -> None:
    """Every quote of a text is escaped, and so is every backslash."""
    assert re.fullmatch(r'(?:[^"\\]|\\\\|\\")*', escape_dot(text), re.DOTALL)


@given(st.text(min_size=1))
def test_hostile_names_stay_in_their_labels(text: str) -> None:
    """A diagram of hostile text has as many lines as one of harmless text."""
    step = uses("a", text, name=text, condition=Words(text))
    harmless = uses("a", "x", name="x", condition=Words("x"))
    for write in (to_mermaid, to_dot):
        assert write(draw(make_workflow(step))).count("\n") == write(draw(make_workflow(harmless))).count("\n")


@pytest.mark.parametrize(
    "timing, words",
    [
        (Cron(expression="0 7 * * *", timezone="UTC"), "cron 0 7 * * * (UTC)"),
        (Every(interval_s=0.5), "every 0.5s"),
        (At(when=datetime(2026, 3, 1, tzinfo=UTC)), "at 2026-03-01T00:00:00+00:00"),
        (After(workflow="a", states=frozenset({"failed", "cancelled"})), "after a cancelled, failed"),
    ],
)
def test_timing_in_words(timing: Timing, words: str) -> None:
    """Each kind of trigger has its words."""
    assert show_timing(timing) == words
