"""The functions that expressions may call.

Owns `Function`, how a signature is written down, and the table of all of them, put together from the modules by subject. Macros, whose
arguments are not evaluated first (`has`, `map`, …), are the evaluator's. Pure: the same arguments give the same result, so there is no `now`.
Called by `checker` (signatures) and `evaluator` (implementations); docs/expressions.md lists every name with an example that a test runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipaas.definition.values import Value

Style = Literal["function", "method", "both"]

ANY: Final = frozenset(
    {"null", "bool", "number", "string", "list", "map", "bytes", "timestamp", "duration", "type", "optional"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One way to call one function.

    Attributes:
        name: `size`, `math.greatest`.
        style: called as `f(x)`, as `x.f()`, or as one likes.
        takes: kinds of each argument, the receiver first.
        optional: how many of the last arguments may be left out.
        is_variadic: whether the last argument may be repeated.
        gives: kind of the result, `int` for a number without a fraction; `$0` is the first argument's type, `$0.item` that of its items,
            `?$0.item` an optional value of that type; more than one is separated by `|`.
        run: takes the budget, then the arguments, each of one of the kinds.
        signature: as it was written down.
    """

    name: str
    style: Style
    takes: tuple[frozenset[str], ...]
    optional: int = 0
    is_variadic: bool = False
    gives: str
    run: Callable[..., Value]
    signature: str

    def fits(self, count: int) -> bool:
        """Whether it can be called with that many arguments, the receiver included."""
        return len(self.takes) - self.optional <= count and (self.is_variadic or count <= len(self.takes))

    def get_kinds(self, position: int) -> frozenset[str]:
        """Return the kinds that the argument at a position may have."""
        return self.takes[min(position, len(self.takes) - 1)]


def describe(name: str, style: Style, signature: str, run: Callable[..., Value]) -> Function:
    """Return a function from its signature: `string string|list number? -> bool`, `*number -> number`."""
    arguments, _, gives = signature.partition("->")
    takes: list[frozenset[str]] = []
    optional = 0
    is_variadic = False
    for argument in arguments.split():
        optional += argument.endswith("?")
        is_variadic = argument.startswith("*")
        kinds = frozenset(argument.strip("*?").split("|"))
        takes.append(ANY if "any" in kinds else kinds)
    return Function(
        name=name,
        style=style,
        takes=tuple(takes),
        optional=optional,
        is_variadic=is_variadic,
        gives=gives.strip(),
        run=run,
        signature=signature,
    )


@lru_cache(maxsize=1)
def get_functions() -> Mapping[str, tuple[Function, ...]]:
    """Return all functions by name, each with the ways to call it."""
    from ipaas.definition import conversion_functions, list_functions, number_functions, text_functions, time_functions

    found: dict[str, tuple[Function, ...]] = {}
    for module in (text_functions, number_functions, list_functions, time_functions, conversion_functions):
        for function in module.FUNCTIONS:
            found[function.name] = (*found.get(function.name, ()), function)
    return found


NAMESPACES: Final = ("math", "optional", "strings", "base64")
"""Words before a dot that belong to a function's name, unless a variable hides them."""

MACROS: Final = ("all", "exists", "exists_one", "existsOne", "filter", "map", "has", "optMap", "optFlatMap")
"""What looks like a function and takes a loop variable or a field instead of a value."""

KEYED: Final = frozenset({"sort_by", "unique", "sum"})
"""Functions that may take a loop variable and an expression as the key of each item: `sort_by(list, x, x.total)`."""

MEANT: Final[Mapping[str, str]] = {
    "len": "call `size(x)`", "length": "call `size(x)`", "count": "call `size(x)`", "lower": "call `x.lowerAscii()`",
    "toLowerCase": "call `x.lowerAscii()`", "upper": "call `x.upperAscii()`", "toUpperCase": "call `x.upperAscii()`",
    "strip": "call `x.trim()`", "str": "call `string(x)`", "toString": "call `string(x)`", "float": "call `double(x)`",
    "number": "call `double(x)` or `int(x)`", "parseInt": "call `int(x)`", "default": "write `a.?b.orValue(c)`",
    "coalesce": "write `a.?b.orValue(c)`", "get": 'write `a[?"b"].orValue(c)`', "json": "call `to_json(x)`", "tojson": "call `to_json(x)`",
    "toJSON": "call `to_json(x)`", "fromJSON": "call `from_json(x)`", "parse_json": "call `from_json(x)`", "any": "call `x.exists(i, …)`",
    "some": "call `x.exists(i, …)`", "every": "call `x.all(i, …)`", "includes": "call `x.contains(y)` on texts, write `y in x` for lists",
    "max": "call `math.greatest(x)`", "min": "call `math.least(x)`", "avg": "divide `sum(x)` by `size(x)`",
    "mean": "divide `sum(x)` by `size(x)`", "average": "divide `sum(x)` by `size(x)`", "abs": "call `math.abs(x)`",
    "round": "call `math.round(x)`", "floor": "call `math.floor(x)`", "ceil": "call `math.ceil(x)`", "sqrt": "call `math.sqrt(x)`",
    "sort": "call `sort_by(x)`", "sorted": "call `sort_by(x)`", "sortBy": "call `sort_by(x, i, …)`", "distinct": "call `unique(x)`",
    "reduce": "call `sum(x)`", "now": "take `run.started_at`: a result must not change when a run is resumed",
    "today": "take `run.started_at`: a result must not change when a run is resumed", "concat": "join with `+`",
    "keys": "call `x.map(k, k)`", "values": "call `x.map(k, x[k])`", "isnull": "write `x == null`", "exists_any": "call `x.exists(i, …)`",
    "foreach": "call `x.map(i, …)`", "select": "call `x.filter(i, …)`", "where": "call `x.filter(i, …)`", "first": "write `x[0]`",
    "strftime": 'call `format_time(x, "%Y-%m-%d")`', "date": "call `timestamp(x)` or `parse_time(x)`", "uuid": "take `run.id`",
    "encodeURIComponent": "call `url_encode(x)`", "urlencode": "call `url_encode(x)`", "b64encode": "call `base64_encode(x)`",
    "b64decode": "call `base64_decode(x)`", "md5": "call `sha256(x)`", "secret": "only `credential:` reaches a secret",
}  # fmt: skip
"""Functions of other languages, and what to write here."""
