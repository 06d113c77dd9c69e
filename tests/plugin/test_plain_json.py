import enum
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from ipaas.errors import StepError
from ipaas.plugin.plain_json import MAX_DEPTH, to_plain_json


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Loud(str):
    """Text that shouts when it is asked for its text."""

    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"


@dataclass
class Point:
    x: int
    inner: Any = None


Pair = namedtuple("Pair", "a b")  # noqa: PYI024  # the untyped form is the case under test


def nest(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"a": [1, 2.5, None, True, "x"]}, {"a": [1, 2.5, None, True, "x"]}),
        ((1, (2,)), [1, [2]]),
        (Pair(1, 2), [1, 2]),
        (Colour.RED, "red"),
        ({Colour.RED: Level.LOW}, {"red": 1}),
        (Loud("quiet"), "quiet"),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        (Point(1, [Point(2)]), {"x": 1, "inner": [{"x": 2, "inner": None}]}),
        (2**70, 2**70),
        ("", ""),
    ],
    ids=repr,
)
def test_value_becomes_plain(value: object, plain: object) -> None:
    """Values near to JSON become JSON of exactly the builtin types."""
    found = to_plain_json(value)
    assert (found, repr(found)) == (plain, repr(plain))


def test_depth_limit_is_inclusive() -> None:
    """As many levels as allowed are allowed."""
    assert to_plain_json(nest(MAX_DEPTH)) == nest(MAX_DEPTH)


def cycle() -> Any:
    value: dict[str, Any] = {}
    value["self"] = [value]
    return value


def unfold() -> Any:
    """Return 40 small lists that stand for 2**40 values."""
    value: Any = [0]
    for _ in range(40):
        value = [value, value]
    return value


class Growing:
    """A model that dumps to a deeper one of itself for ever."""

    def model_dump(self, **_: object) -> object:
        return Growing()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [{"b": {1, 2}}]}, " at `a[0].b`: a `set`"),
        ([b"x"], " at `[0]`: a `bytes`"),
        ({"a": float("nan")}, " at `a`: the number `nan`"),
        (float("inf"), ": the number `inf`"),
        ({"a": {1: 2}}, " at `a`: the key `1`, which is not text"),
        ({"when": datetime(2025, 1, 1, tzinfo=UTC)}, " at `when`: a `datetime`"),
        ([Decimal(1)], " at `[0]`: a `Decimal`"),
        (object(), ": a `object`"),
        (Point, ": a `type`"),
        ({"a": "\ud800"}, " at `a`: text with a lone surrogate"),
        ({"\ud800": 1}, ": text with a lone surrogate"),
        (nest(MAX_DEPTH + 1), " at `[0][0][0][0]`: more than 64 levels, or a value that contains itself"),
        (cycle(), " at `self[0].self[0]`: more than 64 levels, or a value that contains itself"),
        (Growing(), ": more than 64 levels, or a value that contains itself"),
    ],
    ids=range(14),
)
def test_value_that_is_not_json_is_a_connector_bug(value: object, message: str) -> None:
    """What is not JSON is the connector's bug; the message names the path within the value, the hint the cure."""
    with pytest.raises(StepError) as caught:
        to_plain_json(value)
    assert caught.value.type == "connector_bug"
    assert caught.value.message.replace("\ud800", "?") == f"the connector returned a value that is not JSON{message}"
    assert caught.value.hint


def test_value_that_unfolds_without_end_is_stopped() -> None:
    """Shared parts that unfold to more values than any body could hold end the walk."""
    with pytest.raises(StepError, match="more than 5000000 values"):
        to_plain_json(unfold())
