"""An author says which types follow from which inputs, and mistakes in pipelines are found by it."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from typing_extensions import TypedDict

from ipaas.definition import CompileOptions, compile_text
from ipaas.errors import PluginError
from ipaas.plugin import Connector, Context, Doc, Expr, ItemExpr, Json, JsonObject, Like, Name, Names
from tests.plugin.test_signature import make

crm = Connector("crm", description="A made-up plugin of somebody else.")


class Company(TypedDict):
    name: str
    size: int


class Customer(TypedDict):
    id: str
    company: Company


class Node(TypedDict):
    name: str
    children: "list[Node]"


class Halves(TypedDict):
    kept: Annotated[list[Json], Like("from")]
    dropped: Annotated[list[Json], Like("from")]
    first: Annotated[Json, Like("from[]")] | None


@crm.action(effect="read")
async def find(ctx: Context, where: Annotated[Expr, Names(item=Customer, index=int)]) -> list[Customer]:
    """Find customers."""
    raise NotImplementedError


@crm.action(effect="read", pure=True)
async def halve(
    ctx: Context,
    keep: Annotated[Expr, Names("more", it=Like("from[]"))],
    rows: Annotated[list[Json], Name("from")],
) -> Halves:
    """Part a list in two."""
    raise NotImplementedError


@crm.action(effect="read", pure=True)
async def pick(
    ctx: Context, one: JsonObject | None = None, other: JsonObject | None = None
) -> Annotated[JsonObject, Like("one", "other")]:
    """Return one or the other."""
    raise NotImplementedError


@crm.action(effect="read", pure=True)
async def stamp(ctx: Context, value: Json, note: str = "") -> Annotated[JsonObject, Like("*")]:
    """Return all inputs."""
    raise NotImplementedError


@crm.action(effect="read", pure=True)
async def first(ctx: Context, customers: list[Customer]) -> Annotated[Json, Like("customers[]")]:
    """Return the first one."""
    raise NotImplementedError


@crm.action(effect="read")
async def anything(ctx: Context) -> Json:
    """Return whatever there is."""
    raise NotImplementedError


CATALOG = {action.name: action.spec for action in crm.actions}


def tell(*lines: str) -> list[str]:
    """Return what the checker says about these steps, places left out."""
    steps = "\n".join(f"  - {line}" for line in lines)
    compiled = compile_text(f"version: 1\nid: x\nsteps:\n{steps}\n", "x.yaml", CATALOG, CompileOptions())
    return [f"{problem.message}; {problem.hint}" for problem in compiled.problems]


FIND = "{id: find, uses: crm.find, with: {where: item.company.size > 9}}"
HALVE = (
    '{id: halve, uses: crm.halve, with: {keep: "it.company.size > 9 && more != 1", from: "${{ steps.find.output }}"}}'
)


def use(expression: str) -> str:
    return f'{{id: use, uses: crm.stamp, with: {{value: "${{{{ {expression} }}}}"}}}}'


@pytest.mark.parametrize(
    "steps",
    [
        (FIND, HALVE, use("steps.halve.output.kept[0].company.size")),
        (FIND, HALVE, use("steps.halve.output.first.id")),
        (FIND, "{id: got, uses: crm.first, with: {customers: '${{ steps.find.output }}'}}", use("steps.got.output.id")),
        ("{id: got, uses: crm.pick, with: {other: {a: 1}}}", use("steps.got.output.a")),
        ("{id: got, uses: crm.pick, with: {one: {a: 1}, other: {b: 2}}}", use("steps.got.output.a + steps.got.output.b")),
        ("{id: got, uses: crm.stamp, with: {value: {deep: 1}}}", use("steps.got.output.value.deep"), use("steps.got.output.note")[:-1].replace("id: use", "id: use2") + "}"),
        # What is not known is anything.
        ("{id: any, uses: crm.anything}", "{id: halve, uses: crm.halve, with: {from: '${{ steps.any.output }}', keep: it.a.b.c > 3}}", use("steps.halve.output.kept[0].a.b")),
        ("{id: any, uses: crm.anything}", "{id: got, uses: crm.pick, with: {one: '${{ steps.any.output }}', other: {b: 2}}}", use("steps.got.output.whatever")),
        ("{id: got, uses: crm.pick}", use("steps.got.output.whatever")),
        ("{id: got, uses: crm.halve, with: {from: [], keep: it.a}}", use("steps.got.output.kept[0].whatever")),
        ("{id: got, uses: crm.halve, with: {from: [1, {a: 1}, [b]], keep: it.a}}", use("steps.got.output.kept[0].a")),
    ],
)  # fmt: skip
def test_what_can_be_right_is_not_refused(steps: tuple[str, ...]) -> None:
    """Fields that are there, and everything of which nothing is known, pass."""
    assert tell(*steps) == []


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (("{id: find, uses: crm.find, with: {where: item.compani.size > 9}}",), "`item` has no field `compani`; did you mean `company`?"),
        (("{id: find, uses: crm.find, with: {where: item.company.size > 'x'}}",), "`>` cannot combine a number and a text; make the text a number with `int(x)` or `double(x)`"),
        ((FIND, HALVE.replace("company.size", "company.sise")), "`it.company` has no field `sise`; did you mean `size`?"),
        ((FIND, HALVE, use("steps.halve.output.dropped[0].company.sise")), "`steps.halve.output.dropped[0].company` has no field `sise`; did you mean `size`?"),
        ((FIND, HALVE, use("steps.halve.output.first.idd")), "`steps.halve.output.first` has no field `idd`; did you mean `id`?"),
        (("{id: got, uses: crm.pick, with: {other: {name: 1}}}", use("steps.got.output.nam")), "`steps.got.output` has no field `nam`; did you mean `name`?"),
        (("{id: got, uses: crm.pick, with: {one: null, other: {name: 1}}}", use("steps.got.output.nam")), "`steps.got.output` has no field `nam`; did you mean `name`?"),
        (("{id: got, uses: crm.pick, with: {one: {number: 1}, other: {name: 1}}}", use("steps.got.output.nam")), "`steps.got.output` has no field `nam`; did you mean `name`?"),
        (("{id: got, uses: crm.stamp, with: {value: {name: a}}}", use("steps.got.output.value.nam")), "`steps.got.output.value` has no field `nam`; did you mean `name`?"),
        (("{id: any, uses: crm.anything}", "{id: got, uses: crm.first, with: {customers: '${{ steps.any.output }}'}}", use("steps.got.output.compani")), "`steps.got.output` has no field `compani`; did you mean `company`?"),
        (("{id: got, uses: crm.halve, with: {keep: it.nam == 'a', from: [{name: a}, {name: b, size: 1}]}}",), "`it` has no field `nam`; did you mean `name`?"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_found(steps: tuple[str, ...], problem: str) -> None:
    """Mistyped fields of items, of outputs and of expressions' names are named with the nearest one, in whatever order the inputs stand."""
    assert tell(*steps) == [problem]


def test_a_type_that_contains_itself_is_known_one_level_deep() -> None:
    """Recursive types end in anything, not in an endless schema."""

    async def act(ctx: Context, where: Annotated[Expr, Names(node=Node)]) -> None:
        """Act."""

    schema: Any = make(act).spec.input_schema["properties"]
    node: Any = schema["where"]["x-ipaas-names"]["node"]
    assert node["properties"] == {"name": {"type": "string"}, "children": {"type": "array", "items": {}}}


def test_types_that_grow_from_step_to_step_are_dropped() -> None:
    """Each step doubling the type of the one before costs no more than a bounded type, where 2⁶⁰ parts would end no more."""
    steps = [FIND.replace("id: find", "id: s0")]
    for index in range(60):
        inner = f"[{{'a': steps.s{index}.output, 'b': steps.s{index}.output}}]"
        steps.append(f'{{id: s{index + 1}, uses: crm.stamp, with: {{value: "${{{{ {inner} }}}}"}}}}')
    assert tell(*steps, use("steps.s60.output.?value")) == []


@pytest.mark.parametrize(("fields", "problems"), [(100, ["`steps.got.output` has no field `valu`"]), (3_000, [])])
def test_a_type_that_is_too_large_is_anything(fields: int, problems: list[str]) -> None:
    """A dropped type causes no false alarm."""
    value = ", ".join(f"f{index}: 1" for index in range(fields))
    found = tell(f"{{id: got, uses: crm.stamp, with: {{value: {{{value}}}}}}}", use("steps.got.output.valu"))
    assert [problem.partition(";")[0] for problem in found] == problems


async def unknown_in_result(ctx: Context, items: list[Json]) -> Annotated[list[Json], Like("itms")]:
    """Act."""
    return items


async def unknown_in_names(ctx: Context, items: list[Json], where: Annotated[Expr, Names(item=Like("rows[]"))]) -> None:
    """Act."""


@pytest.mark.parametrize(
    ("function", "message", "hint"),
    [
        (unknown_in_result, 'has `Like("itms")`, which names no input', "did you mean `items`?"),
        (unknown_in_names, 'has `Like("rows[]")`, which names no input', "its inputs: `items`, `where`"),
    ],
)
def test_a_reference_to_no_input_is_the_authors_mistake(function: Callable[..., Any], message: str, hint: str) -> None:
    """A mistyped reference is reported with the place of the action."""
    action = make(function)
    with pytest.raises(PluginError) as caught:
        _ = action.spec
    assert caught.value.message == f"{action.place}: action `probe.{function.__name__}` {message}"
    assert caught.value.hint == hint


@pytest.mark.parametrize("reference", ["", "a b", "items[0]", "[]", "items.name", "*items"])
def test_a_reference_that_is_none_is_refused(reference: str) -> None:
    """What a reference may look like is checked when the plugin is loaded."""
    with pytest.raises(ValueError, match="is not an input's name"):
        Like(reference)


def test_names_keep_their_order_and_all_must_be_given() -> None:
    """Names with and without types are names alike."""
    assert Names("page", item=int, index=int).names == ("page", "item", "index")

    async def act(ctx: Context, by: Annotated[ItemExpr | None, Doc("the key")] = None) -> None:
        """Act."""

    field: Any = make(act).spec.input_schema["properties"]
    (asking, _) = field["by"]["anyOf"]
    assert (asking["x-ipaas-expression"], asking["x-ipaas-names"]) == (
        ["item", "index"],
        {"index": {"type": "integer"}},
    )
