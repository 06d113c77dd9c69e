"""Types go through `data` and `flow.set`: a mistyped field is found when the file is read, and nothing else is."""

from pathlib import Path

import pytest

from ipaas.definition import CompileOptions, compile_text, load_folder
from ipaas.registry import Registry, load_registry

PIPELINES = Path(__file__).parents[2] / "pipelines"

ORDERS = """
  - id: orders
    uses: http.get
    with: {url: https://example.com}
    returns:
      properties:
        body:
          type: array
          items:
            type: object
            required: [id, total]
            properties:
              id: {type: string}
              total: {type: number}
              tags: {type: array, items: {type: string}}
              lines: {type: array, items: {type: object, properties: {sku: {type: string}, count: {type: integer}}}}
  - {id: other, uses: http.get, with: {url: https://example.com}}
  - id: customers
    uses: flow.set
    with: {list: [{key: a1, mail: a@example.com}, {key: b2, phone: "123"}]}
"""
ITEMS = 'items: "${{ steps.orders.output.body }}"'


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(entry_points=False, config_env={})


def tell(registry: Registry, action: str, inputs: str, expression: str) -> list[str]:
    """Return what is said of a step `got` with these inputs, and of an expression over its output."""
    text = (
        f"version: 1\nid: x\nsteps:{ORDERS}  - {{id: got, uses: {action}, with: {{{inputs}}}}}\n"
        f'  - {{uses: flow.log, with: {{message: "${{{{ {expression} }}}}"}}}}\n'
    )
    compiled = compile_text(text, "x.yaml", registry.catalog, CompileOptions())
    return [problem.message for problem in compiled.problems]


GOT = "steps.got.output"
JOIN = (
    'left: "${{ steps.orders.output.body }}", right: "${{ steps.customers.output.list }}", '
    "left_key: item.id, right_key: item.key"
)


@pytest.mark.parametrize(
    ("action", "inputs", "expression"),
    [
        ("data.filter", f"where: item.total > 3 && index > 0, {ITEMS}", f"{GOT}[0].total * 2"),
        ("data.sort", f"{ITEMS}, by: '[item.total, item.id]'", f"{GOT}[0].id + '!'"),
        ("data.unique", ITEMS, f"{GOT}.map(o, o.tags)"),
        ("data.group", f"{ITEMS}, by: 'item.tags[0]'", f"{GOT}[0].items[0].total + {GOT}[0].count"),
        ("data.chunk", f"{ITEMS}, size: 2", f"{GOT}[0][0].total"),
        ("data.map", f"{ITEMS}, value: 'item.lines[0]'", f"{GOT}[0].sku"),
        ("data.map", f"{ITEMS}, fields: {{first: 'item.lines[0]', n: index}}", f"{GOT}[0].first.sku + string({GOT}[0].n)"),
        ("data.flatten", "items: '${{ steps.orders.output.body.map(o, o.lines) }}'", f"{GOT}[0].sku"),
        ("data.flatten", "items: [[{a: 1}], {b: 2}]", f"{GOT}[0].whatever"),
        ("data.flatten", "items: [[[{a: 1}]], [[{b: 2}]]], depth: 2", f"{GOT}[0].a"),
        ("data.join", JOIN, f"{GOT}[0].left.total + size({GOT}[0].right.mail)"),
        ("data.join", f"{JOIN}, result: merged, kind: full", f"{GOT}[0].total + size({GOT}[0].phone)"),
        ("data.aggregate", f"{ITEMS}, values: {{n: {{sum: item.total}}}}", f"{GOT}.n"),
        ("flow.set", "a: 1, b: '${{ steps.orders.output.body[0] }}'", f"{GOT}.a + {GOT}.b.total"),
        ("flow.set", "mode: slow", f"{GOT}.mode == 'fast'"),
        ("flow.set", "half: 5", f"{GOT}.half / 2 == 2.5"),
        # Of a body nothing is known.
        ("data.filter", "items: '${{ steps.other.output.body.rows }}', where: item.a.b", f"{GOT}[0].a.c"),
    ],
)  # fmt: skip
def test_right_fields_pass(registry: Registry, action: str, inputs: str, expression: str) -> None:
    """What the items have, may have, or may be, is not refused."""
    assert tell(registry, action, inputs, expression) == []


@pytest.mark.parametrize(
    ("action", "inputs", "expression", "problem"),
    [
        ("data.filter", f"{ITEMS}, where: item.totl > 3", GOT, "`item` has no field `totl`"),
        ("data.filter", f"{ITEMS}, where: item.total > 'a'", GOT, "`>` cannot combine a number and a text"),
        ("data.filter", f"{ITEMS}, where: item.total > 3", f"{GOT}[0].totl", f"`{GOT}[0]` has no field `totl`"),
        ("data.sort", f"{ITEMS}, by: '[item.totl, item.id]'", GOT, "`item` has no field `totl`"),
        ("data.sort", ITEMS, f"{GOT}[0].totl", f"`{GOT}[0]` has no field `totl`"),
        ("data.unique", f"{ITEMS}, by: item.idd", GOT, "`item` has no field `idd`"),
        ("data.unique", ITEMS, f"{GOT}[0].totl", f"`{GOT}[0]` has no field `totl`"),
        ("data.group", f"{ITEMS}, by: 'item.lines[0]'", f"{GOT}[0].key.skuu", f"`{GOT}[0].key` has no field `skuu`"),
        ("data.group", f"{ITEMS}, by: item.id", f"{GOT}[0].items[0].totl", f"`{GOT}[0].items[0]` has no field `totl`"),
        ("data.chunk", f"{ITEMS}, size: 2", f"{GOT}[0][0].totl", f"`{GOT}[0][0]` has no field `totl`"),
        ("data.map", f"{ITEMS}, value: item.lines", f"{GOT}[0][0].skuu", f"`{GOT}[0][0]` has no field `skuu`"),
        ("data.map", f"{ITEMS}, fields: {{id: item.idd}}", GOT, "`item` has no field `idd`"),
        ("data.map", f"{ITEMS}, fields: {{id: item.id}}", f"{GOT}[0].idd", f"`{GOT}[0]` has no field `idd`"),
        ("data.aggregate", f"{ITEMS}, values: {{n: {{sum: item.totl}}}}", GOT, "`item` has no field `totl`"),
        ("data.flatten", "items: [[{name: 1}], [{name: 2}]]", f"{GOT}[0].nam", f"`{GOT}[0]` has no field `nam`"),
        ("data.flatten", "items: [[[{name: 1}]]], depth: 2", f"{GOT}[0].nam", f"`{GOT}[0]` has no field `nam`"),
        ("data.join", JOIN.replace("item.key", "item.kee"), GOT, "`item` has no field `kee`"),
        ("data.join", JOIN, f"{GOT}[0].left.totl", f"`{GOT}[0].left` has no field `totl`"),
        ("data.join", f"{JOIN}, result: merged", f"{GOT}[0].totl", f"`{GOT}[0]` has no field `totl`"),
        ("flow.set", "total: 1", f"{GOT}.totl", f"`{GOT}` has no field `totl`"),
        ("flow.set", "order: '${{ steps.orders.output.body[0] }}'", f"{GOT}.order.totl", f"`{GOT}.order` has no field `totl`"),
    ],
)  # fmt: skip
def test_wrong_fields_are_found(registry: Registry, action: str, inputs: str, expression: str, problem: str) -> None:
    """A field that the items cannot have is found in expressions over them and behind the action."""
    assert tell(registry, action, inputs, expression) == [problem]


@pytest.mark.parametrize(
    ("right", "wrong", "line", "hint"),
    [
        ("item.properties.mag >=", "item.propertis.mag >=", 56, "did you mean `properties`?"),
        ("region.count", "region.cuont", 82, "did you mean `count`?"),
        ("steps.strong.output)", "steps.strong.output[0].propertis)", 103, "did you mean `properties`?"),
    ],
)
def test_the_example_with_a_slip(registry: Registry, right: str, wrong: str, line: int, hint: str) -> None:
    """A slip in the earthquakes pipeline, behind a filter, a sort and a group, is found at its line with the nearest name."""
    text = (PIPELINES / "earthquakes.yaml").read_text(encoding="utf-8")
    assert right in text
    problems = compile_text(text.replace(right, wrong), "x.yaml", registry.catalog, CompileOptions()).problems
    assert (problems[0].place.line, problems[0].code, problems[0].hint) == (line, "unknown-field", hint)


def test_the_examples_have_no_problems(registry: Registry) -> None:
    """Types cause no false alarm in any of the example pipelines."""
    loaded = load_folder(PIPELINES, registry.catalog, CompileOptions())
    assert [str(problem) for problem in loaded.problems] == []
    assert len(loaded.workflows) == len(list(PIPELINES.glob("*.yaml")))
