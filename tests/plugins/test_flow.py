from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.plugin import Action, StepError
from tests.plugins.bundled import JSON, TEXT, Bench


async def test_log_writes_one_line_at_its_level(act: Bench) -> None:
    """`flow.log` writes the message with the level it is given, and gives back null."""
    assert await act("flow.log", message="3 orders", level="warning") is None
    assert act.lines == [("warning", "3 orders")]


async def test_log_takes_any_value(act: Bench) -> None:
    """A message that is no text is written as JSON, so that a whole output can be looked at."""
    await act("flow.log", message={"name": "Zoë", "open": [1, None]})
    assert act.lines == [("info", '{"name": "Zoë", "open": [1, null]}')]


async def test_log_cuts_a_huge_message(act: Bench) -> None:
    """A message too long to read is cut, and says how long it was."""
    await act("flow.log", message="x" * 20_000)
    assert act.lines == [("info", "x" * 10_000 + "… (20000 characters)")]


async def test_log_refuses_an_unknown_level(act: Bench) -> None:
    """A level that does not exist is refused, with those that do."""
    with pytest.raises(StepError, match="`level` must be 'debug', 'info', 'warning' or 'error'") as caught:
        await act("flow.log", message="x", level="loud")
    assert caught.value.type == "validation"


async def test_fail_raises_what_it_is_told(act: Bench) -> None:
    """`flow.fail` fails with its message and type, in the class whose retries the type decides."""
    with pytest.raises(StepError, match="no orders today") as caught:
        await act("flow.fail", message="no orders today", type="not_found")
    assert (type(caught.value), caught.value.type) == (StepError, "not_found")


async def test_fail_says_validation_unless_told(act: Bench) -> None:
    """A failure without a type is of type `validation`, which nothing retries by itself."""
    with pytest.raises(StepError) as caught:
        await act("flow.fail", message="no")
    assert caught.value.type == "validation"


async def test_fail_leaves_some_types_to_the_engine(act: Bench) -> None:
    """Nobody can pretend that a run was cancelled or is in doubt."""
    for kind in ("cancelled", "in_doubt", "connector_bug", "circuit_open", "expression"):
        with pytest.raises(StepError, match="input `type` must be"):
            await act("flow.fail", message="no", type=kind)


@given(values=st.dictionaries(TEXT | st.sampled_from(["ctx", "self", "values", "model_config"]), JSON, max_size=6))
async def test_set_gives_back_its_inputs(actions: Mapping[str, Action], values: dict[str, object]) -> None:
    """`flow.set` takes inputs of any name and value, and its output is exactly they."""
    assert await Bench(actions).run("flow.set", values) == values


def test_set_takes_any_input(act: Bench) -> None:
    """The schema of `flow.set` lets the checker accept whatever names a pipeline writes."""
    assert act.actions["flow.set"].spec.input_schema["additionalProperties"] is True
