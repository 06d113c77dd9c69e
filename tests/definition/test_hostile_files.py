"""Files that are made to cost time: each ends in few problems, after little work."""

import pytest

from ipaas.definition import CompileOptions, compile_text
from ipaas.definition.nodes import Scalar
from ipaas.definition.source import read_source
from ipaas.definition.types import make_shape, unite
from ipaas.definition.volume import MAX_CHARS
from ipaas.model import Place, Schema
from tests.definition.definition_catalog import CATALOG

STEPS = "version: 1\ninputs: {n: {type: integer, default: 1}}\nsteps:\n"


def problems_of(text: str) -> list[str]:
    compiled = compile_text(text, "a.yaml", CATALOG, CompileOptions(), {})
    return [str(problem) for problem in compiled.problems]


def test_a_round_of_a_thousand_steps_is_told_once_and_in_short() -> None:
    """A round is one problem however long it is, and costs one walk over its steps."""
    text = STEPS + "".join(f"  - {{id: s{n}, needs: s{(n + 1) % 1400}, uses: flow.set}}\n" for n in range(1400))
    shown = " → ".join(f"`s{n}`" for n in range(11))
    assert [problem.partition("\n")[0] for problem in problems_of(text)] == [
        f"a.yaml:4:14: these steps wait for each other: {shown} → … → `s0` [step-cycle]"
    ]


def test_steps_of_a_round_may_refer_to_each_other() -> None:
    """What is wrong with their order is told by the round; a reference to a later step in it is not a second mistake."""
    text = """  - {id: a, uses: flow.log, needs: [b], with: {message: "${{ steps.b.output }} ${{ steps.inner.output }}"}}
  - {id: b, parallel: [{id: x, steps: [{id: inner, uses: flow.set}]}], needs: [c]}
  - {id: c, uses: flow.log, with: {message: "${{ steps.a.output }} ${{ steps.d.output }}"}}
"""
    assert [line.partition(" [")[0] for line in problems_of(STEPS + text)] == [
        "a.yaml:4:29: these steps wait for each other: `a` → `b` → `c` → `a`",
        "a.yaml:6:78: there is no step `d`",
    ]


def test_a_long_chain_of_needs_is_sorted() -> None:
    """A thousand steps, each written above the one that it needs, have an order."""
    text = STEPS + "".join(f"  - {{id: s{n}, needs: s{n + 1}, uses: flow.set}}\n" for n in range(1000))
    compiled = compile_text(text + "  - {id: s1000, uses: flow.set}\n", "a.yaml", CATALOG, CompileOptions(), {})
    assert compiled.workflow is not None
    assert [step.id for step in compiled.workflow.block.steps] == [f"s{n}" for n in range(1000, -1, -1)]


@pytest.mark.parametrize("key", ["if", "message"])
def test_expressions_are_counted_by_their_text(key: str) -> None:
    """A file of nothing but numbers in expressions is refused once, at the first expression that is too much."""
    body = f"[{'1,' * 4500}1] == []"
    fields = f'if: "{body}", with: {{message: a}}' if key == "if" else f'with: {{message: "${{{{ {body} }}}}"}}'
    column = 27 if key == "if" else 43
    line = 4 + MAX_CHARS // len(body)
    text = STEPS + f"  - {{uses: flow.log, {fields}}}\n" * 100
    message = f"the expressions of the file have more than {MAX_CHARS} characters in all [too-many-values]"
    assert [problem.partition("\n")[0] for problem in problems_of(text)] == [f"a.yaml:{line}:{column}: {message}"]


def test_places_in_a_long_text_are_exact() -> None:
    """Lines are counted once for the whole file, and right behind each of them."""
    text = "a: |\n" + "  x\n" * 3000 + "  yy ${{ q }}\n"
    source = read_source(text, "a.yaml")
    scalar = source.find_node(("a",))
    assert isinstance(scalar, Scalar)
    place_at = source.placer(scalar)
    assert [place_at(0), place_at(2), place_at(6000), place_at(6003)] == [
        Place("a.yaml", 2, 3),
        Place("a.yaml", 3, 3),
        Place("a.yaml", 3002, 3),
        Place("a.yaml", 3002, 6),
    ]


@pytest.mark.parametrize("keyword", ["anyOf", "allOf"])
def test_unions_that_double_with_each_level_may_be_anything(keyword: str) -> None:
    """Thirty levels would be a thousand million alternatives; they are not looked into."""
    levels: dict[str, Schema] = {
        f"a{n}": {keyword: [{"$ref": f"#/$defs/a{n + 1}"}, {"$ref": f"#/$defs/a{n + 1}"}]} for n in range(12)
    }
    levels["a12"] = {"type": "object", "properties": {"x": {"type": "integer"}}}
    assert make_shape({"$ref": "#/$defs/a0", "$defs": levels}).is_anything
    assert not make_shape({"$ref": "#/$defs/a9", "$defs": levels}).is_anything


def test_a_union_of_many_forms_may_be_anything() -> None:
    """What cannot be told from so many forms is left to run time."""
    forms = [{"type": "object", "properties": {f"a{n}": {"type": "integer"}}} for n in range(17)]
    assert make_shape({"anyOf": forms}).is_anything
    assert make_shape({"anyOf": forms[:16]}).find_field("b") is None
    assert unite([make_shape(form) for form in forms]).find_field("b") is not None
