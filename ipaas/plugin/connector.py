"""The connector: a named set of actions towards one outside system.

Owns `Connector` and its `action` decorator, and checks at decoration what can be seen without resolving types. Importing a plugin does
nothing else: no network, no files. Called by plugin authors; read by the registry.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, final, get_args

from ipaas.errors import PluginError
from ipaas.model import Effect
from ipaas.plugin.action import Action, plugin_error
from ipaas.plugin.signature import BadSignature, check_signature

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ipaas.model import Schema

Function = TypeVar("Function", bound="Callable[..., Awaitable[Any]]")

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
EFFECTS: Final[tuple[str, ...]] = get_args(Effect)


@final
class Connector:
    """A named set of actions towards one outside system.

    Args:
        name: lower-case word; actions are called `<name>.<action>` in pipelines.
        credential: names of the fields that its credential may have; empty: it takes none.
        base_url: what relative URLs given to `ctx.http` are relative to; its host is the only one that gets the credential.
        config: setting → what it is for. A setting's value comes from the variable `IPAAS_<NAME>_<SETTING>`; one that is written
            `<connector>.<setting>` is that connector's (`files.root`).
        auth: headers that carry the credential, `{"X-Api-Key": "{key}"}`. None: a `token` is sent as bearer token,
            `username` and `password` as basic authentication, `header` and `value` as that header. `{}`: not sent.
        description: what the system is; default: the docstring of the module.

    Raises:
        PluginError: with file and line, when something about it is impossible.
    """

    def __init__(
        self,
        name: str,
        *,
        credential: Sequence[str] = (),
        base_url: str = "",
        config: Mapping[str, str] | None = None,
        auth: Mapping[str, str] | None = None,
        description: str | None = None,
    ) -> None:
        caller = sys._getframe(1)  # noqa: SLF001  # the author's line, for messages and for the module's docstring
        self._place = (caller.f_code.co_filename, caller.f_lineno)
        self.name = name
        if not NAME.fullmatch(name):
            raise self._error(
                f"the connector name `{name}` is not lower-case letters, digits and `_`", hint="as in `my_service`"
            )
        if isinstance(credential, str):
            raise self._error(
                "`credential` is one text, not a list of field names", hint=f'write `credential=["{credential}"]`'
            )
        if base_url and not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", base_url):
            raise self._error(
                f"the base URL `{base_url}` is not `http(s)://host[:port][/path]`", hint="leave out query and user"
            )
        self.credential = tuple(credential)
        self.base_url = base_url if not base_url or base_url.endswith("/") else f"{base_url}/"
        self.config = dict(config or {})
        self.auth = None if auth is None else dict(auth)
        for field in (*self.credential, *(setting.partition(".")[2] or setting for setting in self.config)):
            if not NAME.fullmatch(field):
                raise self._error(f"the field name `{field}` is not lower-case letters, digits and `_`")
        text = caller.f_globals.get("__doc__") if description is None else description
        self.description = inspect.cleandoc(text or "")
        self._actions: dict[str, Action] = {}

    @property
    def actions(self) -> tuple[Action, ...]:
        """Its actions, in the order in which they stand in the file."""
        return tuple(self._actions.values())

    def get_action(self, name: str) -> Action:
        """Return the action of that name (without the connector's), or raise `KeyError`."""
        return self._actions[name]

    @property
    def place(self) -> str:
        """`file:line` where it is made."""
        return f"{self._place[0]}:{self._place[1]}"

    def action(
        self,
        *,
        effect: Effect,
        pure: bool = False,
        only_http: bool | None = None,
        name: str | None = None,
        output: Schema | None = None,
    ) -> Callable[[Function], Function]:
        """Make an `async def` function an action; the function itself stays as it is.

        Args:
            effect: what repeating it does: `read` nothing, `idempotent` nothing more with the same idempotency key, `write` it
                again. Reads and idempotent actions are retried by default and repeated after a crash; writes are not.
            pure: it touches nothing but its inputs, so that a dry run may perform it.
            only_http: it acts on the world only through `ctx.http`, so that a dry run may call it and show its requests. Default:
                whether the connector has a base URL.
            name: default: the function's name.
            output: JSON Schema of the result, where the annotation does not say enough.

        Raises:
            PluginError: with file and line, when the function cannot be an action.
        """

        def register(function: Function) -> Function:
            word = name or str(getattr(function, "__name__", ""))
            full = f"{self.name}.{word}"
            if effect not in EFFECTS:
                raise plugin_error(
                    full, function, f"has the effect `{effect}`", hint=f"one of `{'`, `'.join(EFFECTS)}`"
                )
            if pure and effect != "read":
                raise plugin_error(
                    full, function, f"is pure and has the effect `{effect}`", hint="a pure action is a `read`"
                )
            if not NAME.fullmatch(word):
                raise plugin_error(full, function, f"has the name `{word}`", hint="lower-case letters, digits and `_`")
            if word in self._actions:
                first = self._actions[word].place
                raise plugin_error(
                    full, function, f"is there twice: first in {first}", hint="give one of them another name"
                )
            try:
                check_signature(function)
            except BadSignature as error:
                raise plugin_error(full, function, error.message, hint=error.hint) from error
            self._actions[word] = Action(
                connector=self.name,
                action=word,
                function=function,
                effect=effect,
                pure=pure,
                only_http=bool(self.base_url) if only_http is None else only_http,
                output=output,
                credential=self.credential,
                auth=self.auth,
                base_url=self.base_url,
            )
            return function

        return register

    def __repr__(self) -> str:
        return f"Connector({self.name!r})"

    def _error(self, message: str, *, hint: str = "") -> PluginError:
        return PluginError(f"{self.place}: {message}", plugin=self.name, path=Path(self._place[0]), hint=hint)
