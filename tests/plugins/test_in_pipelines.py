"""The actions as pipeline files use them: expressions are compiled, deferred where an action asks for them, and evaluated by it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from ipaas.definition import CompileOptions, compile_text
from ipaas.model import Uses
from ipaas.plugin import HttpPool, StepError, make_context
from ipaas.registry import Registry, load_registry
from ipaas.testing.fake_server import FakeServer, reply
from tests.plugins.bundled import DATA


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(entry_points=False, config_env={"IPAAS_FILES_ROOT": str(DATA)})


async def perform(
    registry: Registry, steps: str, inputs: Mapping[str, Any], pool: HttpPool | None = None
) -> dict[str, Any]:
    """Compile the steps and perform one after the other; return the outputs by step."""
    text = f"version: 1\nid: x\ninputs: {{host: {{type: string, default: ''}}, minimum: {{type: number, default: 0}}}}\nsteps:\n{steps}"
    compiled = compile_text(text, "x.yaml", registry.catalog, CompileOptions())
    assert [str(problem) for problem in compiled.problems] == []
    assert compiled.workflow is not None
    done: dict[str, Any] = {}
    for step in compiled.workflow.block.steps:
        assert isinstance(step.body, Uses)
        action = registry.actions[step.body.action]
        values = step.body.inputs.evaluate({"inputs": inputs, "steps": done})
        output = await action.run(make_context(action, pool=pool), values)
        done[step.id] = {"output": output, "status": "succeeded"}
    return {name: step["output"] for name, step in done.items()}


WEATHER = """
  - {id: read, uses: files.read, with: {path: seattle-weather.csv}}
  - {id: days, uses: data.parse_csv, with: {text: "${{ steps.read.output.content }}", numbers: true}}
  - {id: hot, uses: data.filter, with: {items: "${{ steps.days.output }}", where: item.temp_max > inputs.minimum}}
  - id: months
    uses: data.aggregate
    with:
      items: ${{ steps.hot.output }}
      group_by: {month: "item.date.substring(0, 7)"}
      values: {days: {count: item}, hottest: {max: item.temp_max}}
  - {id: ranked, uses: data.sort, with: {items: "${{ steps.months.output }}", by: "[item.days, item.month]", descending: [true, false]}}
  - {id: table, uses: data.format_markdown_table, with: {items: "${{ steps.ranked.output }}"}}
  - {id: years, uses: data.group, with: {items: "${{ steps.ranked.output }}", by: "item.month.substring(0, 4)"}}
  - {id: names, uses: data.map, with: {items: "${{ steps.years.output }}", value: "item.key + ': ' + string(item.count)"}}
"""


async def test_a_report_from_real_data(registry: Registry) -> None:
    """A file is read, parsed, filtered by an input, summed up by month, ranked and written as a table, all by expressions."""
    outputs = await perform(registry, WEATHER, {"host": "", "minimum": 32})
    lines = [line.split(",") for line in (DATA / "seattle-weather.csv").read_text().splitlines()[1:]]
    hot = Counter(line[0][:7] for line in lines if float(line[2]) > 32)
    ranked = sorted(hot.items(), key=lambda month: (-month[1], month[0]))
    assert [(row["month"], row["days"]) for row in outputs["ranked"]] == ranked
    assert outputs["table"].splitlines()[:3] == [
        "| month | days | hottest |",
        "| --- | ---: | ---: |",
        "| 2015-07 | 10 | 35.0 |",
    ]
    years = Counter(month[:4] for month, _ in ranked)
    assert sorted(outputs["names"]) == sorted(f"{year}: {count}" for year, count in years.items())


async def test_pages_by_expressions(registry: Registry) -> None:
    """`page` is a name in the expressions of `paginate`, beside those of the step."""
    steps = """
  - id: orders
    uses: http.get
    with:
      url: ${{ inputs.host }}/orders
      paginate: {next: "${{ page.body.next }}", items: "page.body.items.filter(order, order.total > inputs.minimum)"}
"""
    async with FakeServer() as server, HttpPool(["127.0.0.0/8"]) as pool:
        server.on("GET", "/orders", reply(json={"items": [{"total": 1}, {"total": 5}], "next": "/more"}))
        server.on("GET", "/more", reply(json={"items": [{"total": 7}], "next": None}))
        outputs = await perform(registry, steps, {"host": server.url, "minimum": 2}, pool)
    assert outputs["orders"]["body"] == [{"total": 5}, {"total": 7}]


async def test_an_expression_that_fails_names_item_and_cause(registry: Registry) -> None:
    """A field that one item lacks is an error with the item's place in the list."""
    steps = """
  - {id: rows, uses: data.parse_json, with: {text: '[{"a": 1}, {"b": 2}]'}}
  - {id: mapped, uses: data.map, with: {items: "${{ steps.rows.output }}", value: item.a}}
"""
    with pytest.raises(StepError, match=r"items\[1\]: .*`a`") as caught:
        await perform(registry, steps, {})
    assert caught.value.type == "expression"
