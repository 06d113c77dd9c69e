"""Flow: write a line in the run's log, end the run with an error of your own, give names to values. Touches nothing outside the run."""

import json
from typing import Annotated, Literal

from ipaas.plugin import Connector, Context, Doc, Json, JsonObject, Like, StepError, hookimpl

flow = Connector("flow")

MAX_MESSAGE_CHARACTERS = 10_000
"""A log line is for reading: a whole feed put into one would only bloat the Store."""

Level = Literal["debug", "info", "warning", "error"]
ErrorType = Literal[
    "timeout",
    "rate_limited",
    "server_error",
    "client_error",
    "auth",
    "not_found",
    "validation",
    "limit_exceeded",
]
"""The types a pipeline may fail with; the others are the engine's own to give."""


@flow.action(effect="read", pure=True)
async def log(
    ctx: Context,
    message: Annotated[Json, Doc("the line; anything but text is written as JSON")],
    level: Annotated[Level, Doc("how much it matters")] = "info",
) -> None:
    """Write a line in the run's log. The output is null. Text beyond 10 000 characters is cut off."""
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    if len(text) > MAX_MESSAGE_CHARACTERS:
        text = f"{text[:MAX_MESSAGE_CHARACTERS]}… ({len(text)} characters)"
    {"debug": ctx.log.debug, "info": ctx.log.info, "warning": ctx.log.warning, "error": ctx.log.error}[level](text)


@flow.action(effect="read", pure=True)
async def fail(
    ctx: Context,
    message: Annotated[str, Doc("what went wrong and how to mend it")],
    type: Annotated[ErrorType, Doc("what `catch` and `retry` compare with their `errors`")] = "validation",
) -> None:
    """Fail on purpose. The message is the step's error, and the run's unless something catches it."""
    raise StepError(message, type=type)


@flow.action(effect="read", pure=True, name="set")
async def set_values(ctx: Context, /, **values: Json) -> Annotated[JsonObject, Like("*")]:
    """Give names to values: the output is an object with exactly the inputs, to be used as `steps.<id>.output.<name>`."""
    return values


@hookimpl
def ipaas_connectors() -> list[Connector]:
    """Return the one connector of this plugin."""
    return [flow]
