from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.engine.request import complete_inputs, make_request, make_trigger_inputs
from ipaas.errors import InputError
from ipaas.model import Concurrency, Every, InputSpec, Json, Place, Trigger, Workflow
from ipaas.run import TriggerInfo
from ipaas.testing.build import PythonTemplate, expression, workflow

PLACE = Place("pipelines/test.yaml", 3, 5)
MANUAL = TriggerInfo()


def spec(name: str, schema: dict[str, Json], **keys: Json) -> InputSpec:
    if "default" in keys:
        return InputSpec(name=name, schema=schema, place=PLACE, required=False, default=keys["default"])
    return InputSpec(name=name, schema=schema, place=PLACE, required=True)


MINIMUM = spec("minimum", {"type": "integer", "minimum": 1}, default=1000)
REGION = spec("region", {"type": "string", "enum": ["eu", "us"], "description": "where the orders are"})


def orders(concurrency: Concurrency | None = None) -> Workflow:
    return replace(workflow(id="orders"), inputs=(MINIMUM, REGION), concurrency=concurrency)


def test_defaults_are_filled_in() -> None:
    """An input that is not given has its default; a given one stays as it is."""
    request = make_request(orders(), inputs={"region": "eu"}, trigger=MANUAL)
    assert request.inputs == {"minimum": 1000, "region": "eu"}


def test_request_is_pinned_to_the_version() -> None:
    """A request says which text it is for, why it runs, and all that it was given."""
    trigger = TriggerInfo(type="cron", id="daily", scheduled_at=datetime(2026, 1, 1, tzinfo=UTC))
    request = make_request(
        orders(),
        inputs={"region": "us"},
        trigger=trigger,
        delivery="daily@x",
        overlap="skip",
        parent=("r1", "a"),
        priority=3,
    )
    assert (request.workflow, request.version) == ("orders", "0" * 64)
    assert (request.trigger, request.delivery, request.overlap) == (trigger, "daily@x", "skip")
    assert (request.parent, request.priority, request.slot) == (("r1", "a"), 3, "")


def test_default_may_be_null() -> None:
    """An input whose default is null is not required."""
    assert complete_inputs(replace(workflow(), inputs=(spec("note", {}, default=None),)), {}) == {"note": None}


def refuse(inputs: dict[str, Json], refused: Workflow | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        make_request(refused or orders(), inputs=inputs, trigger=MANUAL)
    return caught.value


def test_unknown_input_names_the_nearest() -> None:
    """A mistyped input is refused with the name that was probably meant."""
    error = refuse({"region": "eu", "minimun": 5})
    assert error.message == "workflow `orders` has no input `minimun`"
    assert error.hint == "did you mean `minimum`?"


def test_input_for_a_workflow_without_any() -> None:
    """A workflow without inputs says so."""
    assert refuse({"a": 1}, workflow(id="plain")).message == "workflow `plain` takes no inputs, and was given `a`"


def test_missing_input_says_what_it_is() -> None:
    """A required input that is not given is named with its description."""
    assert refuse({}).message == "workflow `orders` needs the input `region` (where the orders are)"


def test_wrong_input_says_where() -> None:
    """A value that does not fit is refused with its path in the input."""
    rows = spec("rows", {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}})
    error = refuse({"rows": [{"id": 1}, {"id": "2"}]}, replace(workflow(id="load"), inputs=(rows,)))
    assert error.message.startswith("input `rows[1].id` of workflow `load`: ")


def test_all_mistakes_are_named_at_once() -> None:
    """Every input that is wrong is named, not only the first."""
    first, second, third = refuse({"minimum": 0, "regoin": "eu"}).message.split("; ")
    assert first == "workflow `orders` has no input `regoin`"
    assert second.startswith("input `minimum` of workflow `orders`: ")
    assert third == "workflow `orders` needs the input `region` (where the orders are)"


def test_text_is_not_read_as_a_number() -> None:
    """Inputs are JSON: `\"5\"` is no integer."""
    assert refuse({"minimum": "5", "region": "eu"}).message.startswith("input `minimum` of workflow `orders`: ")


def test_workflow_limit_is_one_slot() -> None:
    """Without a key all runs of the workflow share the limit."""
    limited = orders(concurrency=Concurrency(limit=2, when_full="skip"))
    request = make_request(limited, inputs={"region": "eu"}, trigger=MANUAL)
    assert (request.slot, request.slot_limit, request.when_full) == ("orders", 2, "skip")


def keyed(formula: object) -> Workflow:
    return orders(concurrency=Concurrency(limit=1, key=expression(formula)))  # type: ignore[arg-type]  # a function of the scope


def test_key_makes_a_slot_of_each_value() -> None:
    """The key is computed from complete inputs and the trigger, text bare and all else as JSON."""
    by_region = keyed(lambda scope: scope["inputs"]["region"])
    by_minimum = keyed(lambda scope: [scope["inputs"]["minimum"], scope["trigger"]["type"]])
    assert make_request(by_region, inputs={"region": "eu"}, trigger=MANUAL).slot == "orders/eu"
    assert make_request(by_minimum, inputs={"region": "eu"}, trigger=MANUAL).slot == 'orders/[1000,"manual"]'


@given(st.one_of(st.text(max_size=500), st.lists(st.integers(), max_size=200)), st.text(max_size=500))
def test_slots_are_short_and_never_empty(one: Json, other: Json) -> None:
    """Whatever a key is, its slot is short and not the empty one that means no limit; equal keys have equal slots."""
    slots = [make_request(keyed(key), inputs={"region": "eu"}, trigger=MANUAL).slot for key in (one, other, one)]
    assert all(0 < len(slot) <= 300 for slot in slots)
    assert slots[0] == slots[2]


def test_key_without_a_value_is_refused_with_its_place() -> None:
    """A key that cannot be computed refuses the run and says where it stands."""
    broken = keyed(lambda scope: scope["inputs"]["nothing"])
    error = refuse({"region": "eu"}, broken)
    assert error.message.startswith("pipelines/test.yaml:1:1: the concurrency key has no value: ")


def test_trigger_inputs_see_the_trigger() -> None:
    """The inputs of a trigger may use when it was due."""
    template = PythonTemplate({"day": lambda scope: scope["trigger"]["scheduled_at"], "region": "eu"})
    trigger = Trigger(id="daily", place=PLACE, timing=Every(interval_s=60), inputs=template)
    info = TriggerInfo(type="every", id="daily", scheduled_at=datetime(2026, 3, 29, 1, tzinfo=UTC))
    assert make_trigger_inputs(trigger, info) == {"day": "2026-03-29T01:00:00Z", "region": "eu"}


def test_trigger_without_inputs_gives_none() -> None:
    """A trigger that gives no inputs leaves all to the defaults."""
    assert make_trigger_inputs(Trigger(id="t", place=PLACE, timing=Every(interval_s=60)), MANUAL) == {}


def test_trigger_inputs_without_a_value_name_the_trigger() -> None:
    """An expression that fails in a trigger's inputs is the person's mistake, with its place."""
    template = PythonTemplate({"day": lambda scope: scope["trigger"]["body"]}, place=PLACE)
    trigger = Trigger(id="daily", place=PLACE, timing=Every(interval_s=60), inputs=template)
    with pytest.raises(InputError) as caught:
        make_trigger_inputs(trigger, MANUAL)
    assert caught.value.message.startswith("pipelines/test.yaml:3:5: the inputs of trigger `daily` have no value: ")
