"""What an action is given besides its inputs.

Owns `Context` and `make_context`. Knows the words, credentials and the HTTP client's interface; not who runs the action. Hosts make one
context for each attempt; authors read it. The HTTP client is built at first use, so that actions without HTTP cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, final

from ipaas.errors import StepError
from ipaas.plugin.credential import Credential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipaas.model import Json, JsonObject
    from ipaas.plugin.action import Action
    from ipaas.plugin.dry_requests import RequestRecorder
    from ipaas.plugin.http_client import HttpClient
    from ipaas.plugin.http_pool import HttpPool
    from ipaas.run import LogLevel

    LogSink = Callable[[LogLevel, str, JsonObject], None]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """Which attempt of which step of which run this is.

    Attributes:
        path: the step's path in the run (`tell[3]`).
        attempt: from 1.
    """

    tenant: str = "default"
    workflow: str = ""
    run_id: str = ""
    path: str = ""
    attempt: int = 1


@final
class Log:
    """Lines in the run's log. Fields are JSON: `ctx.log.info("sent", count=3)`. Never blocks, never raises."""

    __slots__ = ("_sink",)

    def __init__(self, sink: LogSink | None) -> None:
        self._sink = sink

    def _write(self, level: LogLevel, message: str, fields: JsonObject) -> None:
        if self._sink is not None:
            self._sink(level, str(message), fields)

    def debug(self, message: str, **fields: Json) -> None:
        """Write what only somebody who looks for a fault wants to read."""
        self._write("debug", message, fields)

    def info(self, message: str, **fields: Json) -> None:
        """Write what happened."""
        self._write("info", message, fields)

    def warning(self, message: str, **fields: Json) -> None:
        """Write what somebody should look at, though the step goes on."""
        self._write("warning", message, fields)

    def error(self, message: str, **fields: Json) -> None:
        """Write what went wrong, though the step goes on; to fail, raise."""
        self._write("error", message, fields)


class State(Protocol):
    """Small values that outlive the run, kept for each tenant, workflow and connector."""

    async def find(self, key: str) -> Json:
        """Return the value or None."""
        ...

    async def put(self, key: str, value: Json) -> None:
        """Keep a value of at most 64 KiB as JSON, or forget it with None."""
        ...


@final
class MemoryState:
    """A `State` that lives as long as the object: for dry runs and for tests."""

    def __init__(self, values: Mapping[str, Json] | None = None) -> None:
        self.values: dict[str, Json] = dict(values or {})

    async def find(self, key: str) -> Json:
        """Return the value or None."""
        return self.values.get(key)

    async def put(self, key: str, value: Json) -> None:
        """Keep the value, or forget it with None."""
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value


@final
class Context:
    """What an action is given besides its inputs; one for each attempt, used by that attempt's tasks only.

    Attributes:
        credential: fields of the credential that the step names; false when it names none.
        log: writes to the run's log.
        idempotency_key: the same for every attempt and every resume of this step in this run; empty outside a run.
        state: small values that outlive the run.
        config: the connector's settings, by the names that it declared.
        dry: whether nothing may be changed anywhere: an action that acts by other ways than `ctx.http` looks at it.
        run: which attempt of which step of which run this is.
    """

    __slots__ = ("_http", "_make_http", "config", "credential", "dry", "idempotency_key", "log", "run", "state")

    def __init__(
        self,
        *,
        make_http: Callable[[], HttpClient],
        credential: Credential,
        log: Log,
        idempotency_key: str,
        state: State,
        config: Mapping[str, str],
        dry: bool,
        run: RunInfo,
    ) -> None:
        self._make_http = make_http
        self._http: HttpClient | None = None
        self.credential = credential
        self.log = log
        self.idempotency_key = idempotency_key
        self.state = state
        self.config = config
        self.dry = dry
        self.run = run

    @property
    def http(self) -> HttpClient:
        """The HTTP client: base URL, credential, deadline, address guard and error mapping are already in it."""
        if self._http is None:
            self._http = self._make_http()
        return self._http


def make_context(
    action: Action,
    *,
    pool: HttpPool | None = None,
    credential: Mapping[str, str] | None = None,
    log: LogSink | None = None,
    idempotency_key: str = "",
    state: State | None = None,
    config: Mapping[str, str] | None = None,
    dry: bool = False,
    recorder: RequestRecorder | None = None,
    base_url: str | None = None,
    run: RunInfo | None = None,
) -> Context:
    """Return the context for one attempt of `action`.

    Args:
        pool: the process's HTTP pool; None leaves `ctx.http` unusable unless a recorder is given.
        credential: fields of the opened credential, or None.
        log: takes level, message and fields of each line.
        state: None is a state that ends with the context.
        config: None is what the registry found for the action's connector.
        recorder: takes the requests instead of the network, and answers them (a dry run).
        base_url: in place of the connector's, for tests against a server of their own.
    """
    fields = Credential(credential, declared=action.credential)

    exchange = pool if recorder is None else recorder

    def make_http() -> HttpClient:
        if exchange is None:
            raise StepError("no HTTP client here", hint="give `make_context` an `HttpPool` or a `RequestRecorder`")
        from ipaas.plugin.http_client import HttpClient

        return HttpClient(
            exchange=exchange,
            base_url=action.base_url if base_url is None else base_url,
            credential=fields,
            scheme=action.auth,
            idempotency_key=idempotency_key,
        )

    return Context(
        make_http=make_http,
        credential=fields,
        log=Log(log),
        idempotency_key=idempotency_key,
        state=MemoryState() if state is None else state,
        config=action.config if config is None else config,
        dry=dry,
        run=RunInfo() if run is None else run,
    )
