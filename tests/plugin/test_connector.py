import sys
from collections.abc import Callable
from typing import Any

import pytest

from ipaas.errors import AuthFailed, PluginError, StepError
from ipaas.plugin import Connector, Context, MemoryState, RunInfo, make_context
from ipaas.plugin.config import Config
from ipaas.plugin.credential import Credential, authorize


async def act(ctx: Context) -> None:
    """Act."""


def test_connector_describes_itself() -> None:
    """The description is given or the docstring of the module; the base URL ends in a slash."""
    namespace: dict[str, Any] = {"__doc__": "Slack: chat.\n"}
    exec(
        "from ipaas.plugin import Connector\nmade = Connector('slack', base_url='https://slack.com/api')", namespace
    )  # a module
    assert (namespace["made"].description, namespace["made"].base_url) == ("Slack: chat.", "https://slack.com/api/")
    assert Connector("slack", description="Another.").description == "Another."


def test_actions_keep_their_order_and_their_functions() -> None:
    """Actions stand in the order of the file, and decoration leaves the function as it is."""
    connector = Connector("probe", credential=["token"], base_url="https://a.example/")
    assert connector.action(effect="write", name="second")(act) is act
    connector.action(effect="read", name="first", pure=True, only_http=False)(act)
    assert [(action.name, action.effect, action.pure, action.only_http) for action in connector.actions] == [
        ("probe.second", "write", False, True),
        ("probe.first", "read", True, False),
    ]
    assert connector.actions[0].spec.takes_credential


MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: Connector("My-Service"), "the connector name `My-Service` is not lower-case letters, digits and `_`"),
    (lambda: Connector("x", credential="token"), "`credential` is one text, not a list of field names"),
    (
        lambda: Connector("x", credential=["To ken"]),
        "the field name `To ken` is not lower-case letters, digits and `_`",
    ),
    (
        lambda: Connector("x", base_url="slack.com/api"),
        "the base URL `slack.com/api` is not `http(s)://host[:port][/path]`",
    ),
    (
        lambda: Connector("x", base_url="https://u:p@h/"),
        "the base URL `https://u:p@h/` is not `http(s)://host[:port][/path]`",
    ),
    (lambda: Connector("x").action(effect="delete")(act), "action `x.act` has the effect `delete`"),  # type: ignore[arg-type]  # the case
    (
        lambda: Connector("x").action(effect="write", pure=True)(act),
        "action `x.act` is pure and has the effect `write`",
    ),
    (lambda: Connector("x").action(effect="read", name="Act!")(act), "action `x.Act!` has the name `Act!`"),
]


@pytest.mark.parametrize(("make", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_impossible_connector_is_refused_with_its_place(make: Callable[[], object], message: str) -> None:
    """A mistake in a connector is a plugin error with file, line and cure, raised where it is made."""
    with pytest.raises(PluginError) as caught:
        make()
    assert caught.value.message.startswith(f"{__file__}:")
    assert caught.value.message.endswith(message)


def test_same_action_twice_names_both_places() -> None:
    """Two actions of one name are refused, and the message says where the first one is."""
    connector = Connector("x")
    connector.action(effect="read")(act)
    with pytest.raises(PluginError, match=f"is there twice: first in {__file__}:{act.__code__.co_firstlineno}"):
        connector.action(effect="read")(act)


def test_importing_the_api_is_cheap() -> None:
    """`ipaas.plugin` imports neither an HTTP library nor pydantic nor trio: checking files needs none of them."""
    import subprocess

    code = (
        "import sys, ipaas.plugin\n"
        "print(sorted({'trio', 'pydantic', 'httpx2', 'httpcore2', 'ssrfguard', 'jsonschema'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_export_exists() -> None:
    """Each name of `ipaas.plugin.__all__` can be imported, lazy ones included, and nothing else pretends to be there."""
    import ipaas.plugin

    assert [name for name in ipaas.plugin.__all__ if getattr(ipaas.plugin, name) is None] == []
    with pytest.raises(AttributeError):
        _ = ipaas.plugin.nonsense


@pytest.mark.parametrize(
    ("fields", "scheme", "headers"),
    [
        ({}, None, {}),
        ({"token": "abc"}, None, {"Authorization": "Bearer abc"}),
        ({"username": "u", "password": "pä"}, None, {"Authorization": "Basic dTpww6Q="}),
        ({"username": "u"}, None, {"Authorization": "Basic dTo="}),
        ({"header": "X-Key", "value": "v"}, None, {"X-Key": "v"}),
        ({"key": "k"}, {"X-Api-Key": "{key}"}, {"X-Api-Key": "k"}),
        ({"key": "{other}", "other": "o"}, {"A": "{key}"}, {"A": "{other}"}),
        ({"token": "abc"}, {}, {}),
        ({"anything": "x"}, None, {}),
    ],
)
def test_credential_becomes_headers(
    fields: dict[str, str], scheme: dict[str, str] | None, headers: dict[str, str]
) -> None:
    """The fields decide how a credential is sent, or the connector's own scheme does; values are never read as templates."""
    assert authorize(Credential(fields), scheme) == headers


@pytest.mark.parametrize("token", ["abc\n", "a\r\nX-Evil: 1", "naïve", "nul\0"])
def test_credential_that_breaks_headers_is_refused(token: str) -> None:
    """A credential with a line break never reaches the wire, nor the message."""
    with pytest.raises(AuthFailed) as caught:
        authorize(Credential({"token": token}), None)
    assert token not in caught.value.message


def test_missing_credential_field_says_whose_mistake_it_is() -> None:
    """Reading a field that is not there is an auth failure that says what to add; `get` asks."""
    with pytest.raises(AuthFailed, match="the step names no credential"):
        Credential()["token"]
    with pytest.raises(AuthFailed, match="the credential has no field `token`"):
        Credential({"key": "k"}, declared=["token"])["token"]
    assert (Credential({"key": "k"}).get("token"), bool(Credential())) == ("", False)


def test_credential_hides_itself() -> None:
    """Printing or logging a credential, or a context's parts, shows field names only."""
    credential = Credential({"token": "s3cret"})
    assert (repr(credential), str(credential), f"{credential}") == ("Credential(token=***)",) * 3


async def test_context_has_what_the_host_gave() -> None:
    """Everything that the host gives stands in the context under its name."""
    lines: list[object] = []
    connector = Connector("probe", credential=["token"], config={"root": "a folder"})
    connector.action(effect="read")(act)
    ctx = make_context(
        connector.actions[0],
        credential={"token": "t"},
        log=lambda *line: lines.append(line),
        idempotency_key="key",
        state=MemoryState({"cursor": 3}),
        config={"root": "/srv"},
        dry=True,
        run=RunInfo(run_id="r1", path="tell[3]", attempt=2),
    )
    ctx.log.info("sent", count=3)
    ctx.log.error("lost")
    await ctx.state.put("next", [1])
    await ctx.state.put("cursor", None)
    assert lines == [("info", "sent", {"count": 3}), ("error", "lost", {})]
    assert (ctx.credential["token"], ctx.idempotency_key, ctx.config["root"], ctx.dry) == ("t", "key", "/srv", True)
    assert (await ctx.state.find("next"), await ctx.state.find("cursor")) == ([1], None)
    assert (ctx.run.run_id, ctx.run.path, ctx.run.attempt) == ("r1", "tell[3]", 2)


def test_http_without_a_pool_says_so() -> None:
    """An action that is given no pool can run as long as it asks for none."""
    connector = Connector("probe")
    connector.action(effect="read")(act)
    with pytest.raises(StepError, match="no HTTP client here"):
        _ = make_context(connector.actions[0]).http


def test_setting_comes_from_its_variable() -> None:
    """A setting is the variable named after connector and setting; one that is not set says which variable to set."""
    config = Config(
        "files", {"root": "the folder", "max": "a limit"}, {"IPAAS_FILES_ROOT": "/srv", "IPAAS_HTTP_MAX": "1"}
    )
    assert (config["root"], config.get("max", "9"), dict(config)) == ("/srv", "9", {"root": "/srv"})
    with pytest.raises(StepError) as caught:
        config["max"]
    assert (caught.value.type, caught.value.hint) == ("validation", "set the variable `IPAAS_FILES_MAX`")
    with pytest.raises(StepError) as undeclared:
        config["nonsense"]
    assert undeclared.value.type == "connector_bug"
