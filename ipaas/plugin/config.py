"""A connector's settings.

Owns `Config`: settings that a connector declared, read from variables named after it. Made by the registry, read as `ctx.config`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

from ipaas.errors import StepError


@final
class Config(Mapping[str, str]):
    """Settings by the names that the connector declared; those that are not set are not there.

    Reading one that is not set raises a `StepError` that tells the operator which variable to set; `get` gives a default.

    Args:
        connector: its name.
        declared: setting → what it is for.
        env: variables; a setting's is `IPAAS_<CONNECTOR>_<SETTING>` in capitals.
    """

    __slots__ = ("_connector", "_declared", "_values")

    def __init__(self, connector: str, declared: Mapping[str, str], env: Mapping[str, str]) -> None:
        self._connector = connector
        self._declared = declared
        variables = {name: config_variable(connector, name) for name in declared}
        self._values = {name: env[variable] for name, variable in variables.items() if variable in env}

    def __getitem__(self, name: str) -> str:
        try:
            return self._values[name]
        except KeyError:
            pass
        if name not in self._declared:
            raise StepError(f"the connector `{self._connector}` declares no setting `{name}`", type="connector_bug")
        raise StepError(
            f"the setting `{name}` of the connector `{self._connector}` is not set: {self._declared[name]}",
            type="validation",
            hint=f"set the variable `{config_variable(self._connector, name)}`",
        )

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]  # an absent setting is empty text, never None
        """Return the setting, or `default`."""
        return self._values.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Config({', '.join(self._values)})"


def config_variable(connector: str, setting: str) -> str:
    """Return the variable that a setting comes from: `IPAAS_FILES_ROOT` for `root` of `files`, and for `files.root` of any connector."""
    owner, _, name = setting.rpartition(".")
    return f"IPAAS_{owner or connector}_{name}".upper()
