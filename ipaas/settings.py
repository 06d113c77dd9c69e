"""Every setting of the program: its name, its meaning, its default, its limits.

Owns `Settings` and how it is read: a flag wins over `IPAAS_<NAME>` in the environment, which wins over the default. There is no
settings file. Knows no other room but the words. Called by the command line; `ipaas.app` takes the finished value. The
page docs/settings.md is made from the descriptions here. Importing this module costs about 100 ms (pydantic-settings), so it
is imported where a command needs it.
"""

import json
import os
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import available_timezones

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ipaas.errors import InputError

PREFIX: Final = "IPAAS_"
CREDENTIAL_PREFIX: Final = "IPAAS_CREDENTIAL_"
"""Names under this prefix are credentials, read by `ipaas.vault`, and no settings."""

_CONCEALED: Final = frozenset({"database"})
"""Settings whose value may hold a password and is never repeated in a message."""


class Settings(BaseSettings):
    """All settings. Frozen: a command builds one and hands it down."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    database: str = Field(
        default="sqlite:///ipaas.db",
        description="Where the Store is: `sqlite:///relative.db`, `sqlite:////absolute.db`, a bare path that ends in `.db`, or "
        "`memory:`. `ipaas run FILE` uses `memory:` unless `--database` is typed.",
    )
    pipelines: Path = Field(
        default=Path("pipelines"), description="Folder with the pipeline files, read with its subfolders."
    )
    plugins: Path | None = Field(
        default=None,
        description="Folder with the project's own connectors (`*.py` files and packages). Default: `plugins` beside the "
        "pipelines folder.",
    )
    files_root: Path | None = Field(
        default=None,
        description="Folder that the `files` connector may touch; no path leaves it. Default: `files` in the pipelines folder.",
    )
    timezone: str = Field(
        default="UTC", description="IANA zone of schedules that name none, such as `Europe/Berlin`.", examples=["UTC"]
    )
    env_names: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Names of environment variables that expressions may read as `env.NAME`, separated by commas. All "
        "others are invisible to pipelines.",
    )
    vars: Annotated[dict[str, Any], NoDecode] = Field(
        default={},
        description="Values that expressions may read as `vars.name`, as one JSON object: "
        '`{"region": "eu", "limit": 5}`. For what differs from server to server and is no secret.',
    )
    allow_network: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="Networks (CIDR, separated by commas) that connectors may reach although they are not public, such as "
        "`127.0.0.0/8` or `10.1.0.0/16`. Without it only public addresses can be reached.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address that `ipaas serve` listens on. Only a loopback address is accepted: this version has no access "
        "tokens that could guard a wider one.",
    )
    port: int = Field(
        default=8080, ge=0, le=65535, description="Port that `ipaas serve` listens on; 0 takes a free one."
    )
    watch: bool = Field(
        default=False, description="Whether `ipaas serve` syncs the pipelines folder again when a file changes."
    )
    max_runs: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Runs that one process executes at once; more wait in the Store.",
    )
    grace_s: float = Field(
        default=30.0,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description="Seconds that running work may take to end after the first SIGTERM or Ctrl-C, before it is cancelled.",
    )
    lease_s: float = Field(
        default=30.0,
        ge=1,
        le=3600,
        allow_inf_nan=False,
        description="Seconds after which a run whose process went silent is taken over.",
    )
    heartbeat_s: float = Field(
        default=5.0,
        gt=0,
        le=1200,
        allow_inf_nan=False,
        description="Seconds between two renewals of a lease; at most a third of `lease_s`.",
    )
    poll_s: float = Field(
        default=1.0,
        gt=0,
        le=60,
        allow_inf_nan=False,
        description="Seconds between two looks for runs that another process put into the Store.",
    )
    cleanup_s: float = Field(
        default=10.0,
        ge=0,
        le=600,
        allow_inf_nan=False,
        description="Seconds that the `finally` steps of a cancelled run may take.",
    )
    action_timeout_s: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds that one attempt of a step may take when the step has no `timeout`.",
    )
    cache_dir: Path | None = Field(
        default=None,
        description="Folder for what can be made anew (checked pipeline files). Default: `ipaas` in `$XDG_CACHE_HOME`, or in "
        "`~/.cache`.",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto",
        description="How log lines on standard error look: `json`, one object a line, or `text`; `auto` is `text` on a terminal.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level of log lines that are written."
    )
    debug: bool = Field(
        default=False,
        description="Whether an unexpected error prints its traceback. For a bug report; a traceback may show values of "
        "your data.",
    )

    @field_validator("env_names", "allow_network", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take `a, b` from the environment as two entries."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("vars", mode="before")
    @classmethod
    def _read_object(cls, value: Any) -> Any:
        """Take the environment's text as JSON."""
        if not isinstance(value, str):
            return value
        try:
            read = json.loads(value or "{}")
        except ValueError as error:
            raise ValueError(f"must be a JSON object, and is no JSON: {error}") from error
        if not isinstance(read, dict):
            raise ValueError('must be a JSON object, such as `{"region": "eu"}`')  # noqa: TRY004  # pydantic shows only these
        return read

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be an IANA zone name such as `Europe/Berlin`")
        return value

    @field_validator("heartbeat_s")
    @classmethod
    def _check_heartbeat(cls, value: float, info: Any) -> float:
        lease_s = info.data.get("lease_s")  # absent when `lease_s` itself is wrong, which is then the message
        if lease_s is not None and value * 3 > lease_s:
            raise ValueError(
                f"must be at most a third of `lease_s` ({lease_s:g}), so that a lost heartbeat costs no run"
            )
        return value

    @property
    def plugins_folder(self) -> Path:
        """The project's plugin folder, given or by default."""
        return self.plugins if self.plugins is not None else self.pipelines.parent / "plugins"

    @property
    def files_folder(self) -> Path:
        """The `files` connector's root, given or by default."""
        return self.files_root if self.files_root is not None else self.pipelines / "files"

    @property
    def cache_folder(self) -> Path:
        """Where things are kept that can be made anew."""
        if self.cache_dir is not None:
            return self.cache_dir
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ipaas"


def load_settings(**flags: Any) -> Settings:
    """Return the settings of this process.

    Args:
        flags: settings that the person typed; None is not typed.

    Raises:
        InputError: when a value does not fit, naming the setting; the value of `database` is not repeated.
    """
    typed = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**typed)
    except ValidationError as error:
        # A union reports each of its members; one line a setting is enough.
        problems = {str(problem["loc"][0]): dict(problem) for problem in error.errors(include_url=False)}
    lines = [_describe(field, problem, typed=field in typed) for field, problem in problems.items()]
    raise InputError("\n".join(lines), hint="docs/settings.md describes every setting")


def list_unknown_names(environ: Mapping[str, str], connectors: Iterable[str] = ()) -> list[str]:
    """Return names that look like settings and are none, sorted: most likely misspelt.

    Args:
        environ: the environment.
        connectors: names of connectors; `IPAAS_<CONNECTOR>_…` is theirs.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    owned = (CREDENTIAL_PREFIX, *(f"{PREFIX}{name.upper()}_" for name in connectors))
    return sorted(
        name for name in environ if name.startswith(PREFIX) and name not in known and not name.startswith(owned)
    )


_RULES: Final = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number of seconds",
    "finite_number": "must be a number of seconds",
    "bool_parsing": "must be `true` or `false`",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be one of {expected}",
    "ip_v4_network": "must be networks such as `10.1.0.0/16`, whose address has no bits beyond the prefix",
    "ip_v6_network": "must be networks such as `10.1.0.0/16`, whose address has no bits beyond the prefix",
}
"""Our words for pydantic's error types; `{…}` is filled from the error's context."""


def _describe(field: str, problem: dict[str, Any], *, typed: bool) -> str:
    name = f"--{field.removesuffix('_s').replace('_', '-')}" if typed else PREFIX + field.upper()
    rule = _RULES.get(problem["type"])
    said = rule.format_map(problem.get("ctx", {})) if rule else str(problem["msg"]).removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    shown = "" if field in _CONCEALED else f", not `{problem['input']}`"
    return f"`{name}` {said.replace(chr(39), '`')}{shown}"
