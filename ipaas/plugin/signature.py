"""A Python function's signature, as the input and output schema of an action.

Owns the reading of parameters (at decoration: cheap, no types resolved), and the building of pydantic validators and JSON Schemas from
them (at first use: about 3 ms an action, which a start does not pay for actions that it does not need). Knows nothing of contexts.
Called by `connector` and `action`.
"""

from __future__ import annotations

import inspect
import secrets
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from ipaas.errors import InputError
from ipaas.plugin.parameters import EXPRESSION_KEYWORD, Name
from ipaas.plugin.plain_types import make_test
from ipaas.plugin.stated_types import LIKE_KEYWORD, find_wrong_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pydantic import BaseModel, TypeAdapter

    from ipaas.model import Schema
    from ipaas.plugin.plain_types import Test

_ACCEPTED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
TOKEN_PREFIX: Final = f"expression:{secrets.token_hex(8)}:"
"""Stands for an expression while inputs are JSON text; unguessable, so that no data can name another expression."""


class BadSignature(InputError):
    """The function cannot be an action; the caller adds which one it is and where it stands."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The validator and the schema of an action's inputs.

    Attributes:
        model: pydantic model with one field a parameter, its alias the name in pipeline files.
        parameters: field name → the function's parameter name.
        schema: object schema, draft 2020-12; unknown properties are refused unless it takes any.
        expression_inputs: inputs that hold an expression somewhere.
        tests: of inputs that may be any JSON of some form: the test that says whether a value is one, without pydantic.
        takes_any: the action takes whatever names the pipeline gives, as `**values: Json`.
    """

    model: type[BaseModel]
    parameters: Mapping[str, str]
    schema: Schema
    expression_inputs: frozenset[str]
    tests: Mapping[str, Test]
    takes_any: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """The validator and the schema of what an action returns; no validator means that anything will do.

    Attributes:
        test: says of plain JSON that it is right, without the validator; None when only that can tell.
    """

    adapter: TypeAdapter[Any] | None
    schema: Schema
    test: Test | None = None


def check_signature(function: Callable[..., object]) -> None:
    """Check what can be seen without resolving types.

    Raises:
        BadSignature: with the cure as its hint.
    """
    if not inspect.iscoroutinefunction(function):
        raise BadSignature("is not an `async def` function", hint="write `async def`, and `await` what can block")
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind not in (*_ACCEPTED, inspect.Parameter.POSITIONAL_ONLY):
        raise BadSignature("takes no context", hint="make `ctx: Context` the first parameter")
    if _takes_any(parameters):
        if parameters[0].kind is not inspect.Parameter.POSITIONAL_ONLY:
            raise BadSignature(
                f"takes any input as `**{parameters[1].name}`, and could not take one named `{parameters[0].name}`",
                hint=f"write `{parameters[0].name}: Context, /, **{parameters[1].name}: Json`",
            )
        return
    for parameter in parameters[1:]:
        if parameter.kind not in _ACCEPTED:
            stars: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
            raise BadSignature(
                f"has the parameter `{stars.get(parameter.kind, '')}{parameter.name}`, which cannot be given by name",
                hint="name each input, or take nothing but `**values: Json` after the context",
            )
        if parameter.annotation is parameter.empty:
            raise BadSignature(
                f"has the parameter `{parameter.name}` without a type", hint="annotate it, `Json` takes anything"
            )


def build_inputs(function: Callable[..., object]) -> Inputs:
    """Return validator and schema of the parameters after the context.

    Raises:
        BadSignature: naming the parameter whose type cannot be used.
    """
    from pydantic import ConfigDict, Field, create_model

    hints = _resolve(function)
    signature = list(inspect.signature(function).parameters.values())
    takes_any = _takes_any(signature)
    if takes_any and hints.get(signature[1].name) is not Any:
        raise BadSignature(
            f"has the parameter `**{signature[1].name}` of a type other than `Json`", hint="write `Json`"
        )
    parameters = [] if takes_any else signature[1:]
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    for index, parameter in enumerate(parameters):
        default = ... if parameter.default is parameter.empty else parameter.default
        given_name = _given_name(hints[parameter.name]) or parameter.name
        if given_name in {field[1].alias for field in fields.values()}:
            raise BadSignature(f"has two inputs named `{given_name}`", hint="give one of them another `Name`")
        # Neutral field names: `json`, `copy` or `schema` would hide pydantic's own attributes. Pydantic copies mutable defaults.
        fields[f"p{index}"] = (hints[parameter.name], Field(default, alias=given_name))
        names[f"p{index}"] = parameter.name
    config = ConfigDict(
        extra="allow" if takes_any else "forbid", strict=True, arbitrary_types_allowed=False, protected_namespaces=()
    )
    try:
        model = create_model("Inputs", __config__=config, **fields)
        schema = tidy_schema(model.model_json_schema(schema_generator=_schema_generator()))
    except Exception as error:
        raise _blame(fields, names, error) from error
    properties = typing.cast("Mapping[str, Any]", schema.setdefault("properties", {}))
    if not takes_any:
        check_references(schema, properties)
    holds = frozenset(name for name, field in properties.items() if _mentions_expression(field, schema))
    tests = {field[1].alias: make_test(field[0], records=False) for field in fields.values()}
    return Inputs(
        model=model,
        parameters=names,
        schema=schema,
        expression_inputs=holds,
        tests={name: test for name, test in tests.items() if test is not None},
        takes_any=takes_any,
    )


def _takes_any(parameters: Sequence[inspect.Parameter]) -> bool:
    """Tell whether the parameters are the context and `**values`, nothing else."""
    return len(parameters) == 2 and parameters[1].kind is inspect.Parameter.VAR_KEYWORD


def build_output(function: Callable[..., object]) -> Output:
    """Return validator and schema of the return annotation; without one, anything may be returned.

    Raises:
        BadSignature: when the type cannot be used.
    """
    from pydantic import TypeAdapter

    annotation = _resolve(function).get("return", Any)
    if annotation is Any:
        return Output(adapter=None, schema={})
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        schema = tidy_schema(adapter.json_schema(mode="validation", schema_generator=_schema_generator()))
    except Exception as error:
        raise BadSignature(f"returns a type that has no JSON Schema: {_first_line(error)}", hint=_TYPES_HINT) from error
    if not schema.keys() - {LIKE_KEYWORD}:
        return Output(adapter=None, schema=schema)
    return Output(adapter=adapter, schema=schema, test=make_test(annotation, records=True))


def check_references(schema: Mapping[str, Any], inputs: Iterable[str]) -> None:
    """Check that each `Like` in a schema names an input.

    Raises:
        BadSignature: with the name that may be meant.
    """
    reference, nearest = find_wrong_reference(schema, inputs)
    if reference:
        known = ", ".join(f"`{name}`" for name in inputs) or "none"
        raise BadSignature(
            f'has `Like("{reference}")`, which names no input',
            hint=f"did you mean `{nearest}`?" if nearest else f"its inputs: {known}",
        )


_TYPES_HINT: Final = (
    "use `str`, `int`, `float`, `bool`, `None`, lists, dicts with text keys, `Literal`, `TypedDict` from `typing_extensions`, "
    "dataclasses, pydantic models or `Json`"
)


def _resolve(function: Callable[..., object]) -> dict[str, Any]:
    """Return the annotations as types, the context's left out: it may well be imported for type checkers only."""
    annotations = dict(getattr(function, "__annotations__", {}))
    context = next(iter(inspect.signature(function).parameters))
    annotations.pop(context, None)
    holder = types.SimpleNamespace(__annotations__=annotations)
    try:
        return get_type_hints(holder, globalns=getattr(function, "__globals__", {}), include_extras=True)
    except NameError as error:
        raise BadSignature(
            f"has an annotation that names `{error.name}`, which its module does not define at run time",
            hint="define it at the module's top level, and import it outside `if TYPE_CHECKING:`",
        ) from error
    except Exception as error:
        raise BadSignature(f"has an annotation that cannot be read: {_first_line(error)}", hint=_TYPES_HINT) from error


def _given_name(annotation: Any) -> str | None:
    """Return the `Name` inside an `Annotated`, if there is one."""
    found = [item.text for item in getattr(annotation, "__metadata__", ()) if isinstance(item, Name)]
    return found[-1] if found else None


def _blame(fields: Mapping[str, Any], names: Mapping[str, str], error: Exception) -> BadSignature:
    """Say which parameter the failure of the whole model is about, by building each alone."""
    from pydantic import TypeAdapter

    for field, (annotation, _) in fields.items():
        try:
            TypeAdapter(annotation).json_schema(schema_generator=_schema_generator())
        except Exception as alone:  # noqa: BLE001  # whatever pydantic raises on a foreign type is the message
            return BadSignature(
                f"has the parameter `{names[field]}` of a type that has no JSON Schema: {_first_line(alone)}",
                hint=_TYPES_HINT,
            )
    return BadSignature(f"has parameters that make no JSON Schema: {_first_line(error)}", hint=_TYPES_HINT)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _schema_generator() -> type[Any]:
    """Return pydantic's generator without its warning about defaults that are not JSON: they are left out."""
    from pydantic.json_schema import GenerateJsonSchema

    class Generator(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  # pydantic declares it for instances

    return Generator


_SCHEMA_MAPS: Final = ("properties", "$defs", "patternProperties", "dependentSchemas")
_SCHEMA_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS: Final = ("items", "additionalProperties", "not", "propertyNames", "contains", "if", "then", "else")


def tidy_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema without `title`s, which pydantic derives from names and which say nothing new."""
    tidy: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in _SCHEMA_MAPS and isinstance(value, dict):
            tidy[key] = {name: tidy_schema(item) if isinstance(item, dict) else item for name, item in value.items()}
        elif key in _SCHEMA_LISTS and isinstance(value, list):
            tidy[key] = [tidy_schema(item) if isinstance(item, dict) else item for item in value]
        elif key in _SCHEMAS and isinstance(value, dict):
            tidy[key] = tidy_schema(value)
        else:
            tidy[key] = value
    return tidy


def _mentions_expression(field: Any, schema: Mapping[str, Any]) -> bool:
    """Tell whether a field's schema has an expression in it, through local references."""
    seen: set[str] = set()
    stack: list[Any] = [field]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if EXPRESSION_KEYWORD in value:
                return True
            reference = value.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                stack.append(schema.get("$defs", {}).get(reference.rpartition("/")[2]))
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return False
