"""Words for an action's signature: `Doc`, `Name`, `Names`, and the parameter types `Expr` and `Json`; `Like` is in `stated_types`.

Owns what an author writes inside `Annotated[...]`. Knows nothing of connectors and contexts. Called by authors, and by pydantic
when `signature` builds an action's schema. Importing it costs nothing: pydantic is imported only by the methods it calls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, final

from ipaas.errors import StepError
from ipaas.plugin.stated_types import NAMES_KEYWORD, describe_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core.core_schema import CoreSchema, ValidationInfo

    from ipaas.model import Json, JsonObject
else:
    # The recursive alias of `ipaas.model` is for type checkers; at run time any JSON value is simply anything.
    Json = Any
    JsonObject = dict[str, Any]

EXPRESSION_KEYWORD: Final = "x-ipaas-expression"
"""JSON Schema keyword of a parameter that takes an expression: the list of its extra names."""

__all__ = ["EXPRESSION_KEYWORD", "Doc", "Expr", "Json", "JsonObject", "Name", "Names"]


@final
@dataclass(frozen=True, slots=True)
class Doc:
    """What a parameter or field is for: `Annotated[str, Doc("channel id or #name")]`. One sentence, lower case, no full stop."""

    text: str

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core_schema), "description": self.text}


@final
@dataclass(frozen=True, slots=True)
class Name:
    """The input's name in pipeline files, where Python does not allow it or it hides a builtin: `Annotated[str, Name("in")]`."""

    text: str


@final
@dataclass(frozen=True, slots=True)
class Expr:
    """An expression that the action evaluates itself: once per item, page, or whatever its `Names` are.

    As a parameter type it makes the pipeline's text an expression that is not evaluated before the call. A test makes one from
    a function: `Expr(lambda item: item["total"] > 5)`.

    Attributes:
        evaluate: called with the extra names as keyword arguments; returns plain JSON.
        text: the expression as written in the pipeline file.
        names: the extra names, all of which every call must give.
    """

    evaluate: Callable[..., Json]
    text: str = ""
    names: frozenset[str] | None = None

    def __call__(self, **names: Json) -> Json:
        """Return the expression's value.

        Raises:
            StepError: of type `expression` when the evaluation fails, of type `connector_bug` when the names do not fit.
        """
        if self.names is not None and names.keys() != self.names:
            expected = ", ".join(f"`{name}`" for name in sorted(self.names)) or "no names"
            given = ", ".join(f"`{name}`" for name in sorted(names)) or "none"
            raise StepError(f"the connector must evaluate `{self.text}` with {expected}, and gave {given}")
        return self.evaluate(**names)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.with_info_plain_validator_function(_take_expression)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", EXPRESSION_KEYWORD: []}


def _take_expression(value: object, info: ValidationInfo) -> Expr:
    """Return the expression that stands behind a token; see `Inputs.read` in `signature`."""
    expressions: Mapping[object, Expr] = info.context or {}
    found = expressions.get(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected an expression")
    return found


@final
@dataclass(frozen=True, slots=True, init=False)
class Names:
    """The names an expression has besides the step's own: `Annotated[Expr, Names("page", item=Ticket, index=int)]`.

    A name with a type is checked when the file is read, field by field; `item=Like("items[]")` is an item of the input `items`.

    Attributes:
        names: all of them, those without a type first.
        types: name and type, of those that have one.
    """

    names: tuple[str, ...]
    types: tuple[tuple[str, object], ...]

    def __init__(self, /, *names: str, **types: object) -> None:
        object.__setattr__(self, "names", (*names, *types))
        object.__setattr__(self, "types", tuple(types.items()))

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        if source is not Expr:
            raise TypeError("`Names` must stand directly on `Expr`, as in `Annotated[Expr, Names('item')] | None`")
        wanted = frozenset(self.names)
        return core_schema.no_info_after_validator_function(lambda expr: replace(expr, names=wanted), handler(source))

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = {**handler(core_schema), EXPRESSION_KEYWORD: list(self.names)}
        if described := describe_names(self.types):
            schema[NAMES_KEYWORD] = described
        return schema


ItemExpr = Annotated[Expr, Names("item", index=int)]
"""An expression over one item of a list; `Annotated[Expr, Names(item=…, index=int)]` says what an item is, too."""
