"""One action of a connector: what it promises, and how it is called.

Owns `Action`. Knows signatures, inputs and plain JSON; not who calls it or why. Made by `connector`, bound to its plugin by the
registry, run by the engine's hosts.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from ipaas.errors import PluginError, StepError
from ipaas.model import ActionSpec
from ipaas.plugin.action_inputs import read_inputs
from ipaas.plugin.plain_json import MAX_NODES, TooLarge, to_plain_json
from ipaas.plugin.signature import BadSignature, build_inputs, build_output, check_references
from ipaas.plugin.weight import LIGHT, is_light, work

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ipaas.model import Deferred, Effect, Json, Schema
    from ipaas.plugin.context import Context
    from ipaas.plugin.parameters import Expr
    from ipaas.plugin.signature import Inputs, Output


@final
@dataclass(frozen=True, kw_only=True)  # not slotted: `cached_property` keeps the schemas in the instance's dictionary
class Action:
    """One action. Immutable; usable from any task; schemas are built at first use.

    Attributes:
        connector: name of its connector.
        action: its name within the connector.
        function: the author's `async def`, context first.
        effect: what repeating it does.
        pure: it touches nothing but its inputs, so that a dry run may perform it.
        only_http: it acts on the world only through `ctx.http`, so that a dry run may call it with a `RequestRecorder`.
        output: output schema, where the annotation does not say it.
        credential: names of the fields that a credential for it may have; empty: it takes none.
        auth: headers that carry the credential, or None: decided by the credential's fields.
        base_url: what relative URLs are relative to, or empty.
        config: the connector's settings by name.
        plugin: name of the plugin it came from.
    """

    connector: str
    action: str
    function: Callable[..., Awaitable[object]] = field(repr=False)
    effect: Effect
    pure: bool = False
    only_http: bool = False
    output: Schema | None = field(default=None, repr=False)
    credential: tuple[str, ...] = ()
    auth: Mapping[str, str] | None = None
    base_url: str = ""
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    plugin: str = ""

    @property
    def name(self) -> str:
        """`<connector>.<action>`."""
        return f"{self.connector}.{self.action}"

    @property
    def place(self) -> str:
        """`file:line` of the function."""
        return place_of(self.function)

    @cached_property
    def spec(self) -> ActionSpec:
        """What the action promises.

        Raises:
            PluginError: a parameter or the result has a type that no JSON Schema describes.
        """
        text = inspect.getdoc(self.function) or ""
        output = self._output.schema if self.output is None else self.output
        if not self._inputs.takes_any:
            properties = self._inputs.schema["properties"]
            assert isinstance(properties, dict)  # as `build_inputs` makes it
            try:
                check_references(output, properties)
            except BadSignature as error:
                raise plugin_error(self.name, self.function, error.message, hint=error.hint) from error
        return ActionSpec(
            name=self.name,
            effect=self.effect,
            summary=text.partition("\n")[0].strip(),
            description=text,
            input_schema=self._inputs.schema,
            output_schema=output,
            takes_credential=bool(self.credential),
            pure=self.pure,
            plugin=self.plugin,
        )

    async def run(self, ctx: Context, inputs: Mapping[str, Json | Deferred | Expr]) -> Json:
        """Perform the action once.

        The action gets its own copy of the inputs; the result is a copy of what it returned. Large values are copied and checked in a
        thread, so that other runs go on; a cancel does not wait for it. What the action raises passes through as it is.

        Args:
            ctx: made by `make_context` for this attempt.
            inputs: JSON by input name; inputs that take an expression hold `Deferred` (or, in tests, `Expr`).

        Raises:
            StepError: of type `validation` when an input is wrong; of type `connector_bug` when the result is not JSON or not
                what the action promises; or whatever the action means to say.
        """
        declared = self._inputs
        if is_light(inputs):
            arguments = read_inputs(declared, inputs)
        else:
            arguments = await work(partial(read_inputs, declared, inputs, is_large=True))
        returned = await self.function(ctx, **arguments)
        try:
            return self._take(returned, LIGHT)
        except TooLarge:
            return await work(partial(self._take, returned))

    def _take(self, returned: object, most: int = MAX_NODES) -> Json:
        """Return what the action returned as plain JSON, checked; of more than so many values, raise `TooLarge`."""
        result = to_plain_json(returned, most)
        self._check_output(result)
        return result

    def _check_output(self, result: Json) -> None:
        """Raise when the action returned something else than it promises."""
        if self.output is not None:
            found = _first_schema_error(self._schema_validator, result)
        else:
            adapter, test = self._output.adapter, self._output.test
            is_right = adapter is None or (test is not None and test(result))
            found = None if is_right else _first_type_error(adapter, result)
        if found is not None:
            raise StepError(
                f"`{self.name}` returned what its own declaration rules out: {found}",
                type="connector_bug",
                hint=f"tell the author of the plugin `{self.plugin or self.connector}`: {self.place}",
            )

    @cached_property
    def _inputs(self) -> Inputs:
        try:
            return build_inputs(self.function)
        except BadSignature as error:
            raise plugin_error(self.name, self.function, error.message, hint=error.hint) from error

    @cached_property
    def _output(self) -> Output:
        try:
            return build_output(self.function)
        except BadSignature as error:
            raise plugin_error(self.name, self.function, error.message, hint=error.hint) from error

    @cached_property
    def _schema_validator(self) -> Any:
        from jsonschema import Draft202012Validator
        from referencing import Registry

        # An empty registry, so that a `$ref` to a web address is an error and not a request.
        return Draft202012Validator(self.output or {}, registry=Registry())


def place_of(function: Callable[..., object]) -> str:
    """Return `file:line` of a function, or its name when it has no source."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(function)


def plugin_error(name: str, function: Callable[..., object], message: str, *, hint: str = "") -> PluginError:
    """Return a located complaint about the action `name`."""
    place = place_of(function)
    path = Path(place.rpartition(":")[0]) if getattr(function, "__code__", None) else None
    return PluginError(f"{place}: action `{name}` {message}", plugin=name.partition(".")[0], path=path, hint=hint)


def _first_type_error(adapter: Any, value: Json) -> str | None:
    """Return what the declared type says against the value, or None."""
    from pydantic import ValidationError
    from pydantic_core import to_json

    try:
        adapter.validate_json(to_json(value), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).removeprefix(".")
        return f"`{where}`: {first['msg'][:1].lower()}{first['msg'][1:]}" if where else first["msg"]
    return None


def _first_schema_error(validator: Any, value: Json) -> str | None:
    """Return what the declared schema says against the value, or None."""
    for error in validator.iter_errors(value):
        where = str(error.json_path).removeprefix("$").removeprefix(".")
        return f"`{where}`: {error.message[:200]}" if where else str(error.message)[:200]
    return None
