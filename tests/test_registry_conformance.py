from typing import Annotated

import pytest

from ipaas.plugin import Connector, Context, Doc, Expr, Name, Names
from ipaas.registry import load_registry
from ipaas.testing.connector_conformance import check_connector, list_faults

BUNDLED = load_registry(entry_points=False, config_env={}).connectors


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_connector_conforms(name: str) -> None:
    """Every bundled connector keeps to what is asked of everybody's."""
    assert list_faults(BUNDLED[name]) == []


def test_good_connector_has_no_faults() -> None:
    """A described connector with described actions and inputs passes."""
    connector = Connector("good", description="Something.")

    @connector.action(effect="read")
    async def find(ctx: Context, text: Annotated[str, Doc("what to look for")] = "") -> list[str]:
        """Find things."""
        return [text]

    check_connector(connector)


def test_faults_are_all_listed() -> None:
    """Each fault is named with its action, and all of them at once."""
    connector = Connector("bad", description="")

    @connector.action(effect="read", output={"type": "nonsense"})
    async def silent(ctx: Context, undescribed: str) -> None: ...

    @connector.action(effect="read")
    async def wordy(
        ctx: Context,
        camel: Annotated[int, Name("camelCase"), Doc("a number")] = "five",  # type: ignore[assignment]  # the case under test
        where: Annotated[Expr | None, Doc("a condition")] = None,
        each: Annotated[Annotated[Expr, Names("in")] | None, Doc("an expression")] = None,
    ) -> None:
        """Do it without a full stop"""

    @connector.action(effect="read", output={"$ref": "https://example.com/schema.json"})
    async def remote(ctx: Context) -> None:
        """Refer to elsewhere."""

    assert list_faults(connector) == [
        "the connector has no description: write a docstring at the top of the module",
        "bad.silent: has no docstring",
        "bad.silent: the output schema is not a JSON Schema: 'nonsense' is not valid under any of the given schemas",
        "bad.silent: the input `undescribed` says not what it is for: use `Annotated[…, Doc(…)]`",
        "bad.wordy: the docstring's first line is not one sentence of at most 120 characters that ends with a full stop",
        "bad.wordy: the input `camelCase` is not lower-case letters, digits and `_`",
        "bad.wordy: the default of `camelCase` is not what the input takes: 'five' is not of type 'integer'",
        "bad.wordy: the expression `each` has the name `in`, which is no word",
        "bad.remote: the output schema refers to `https://example.com/schema.json`, which is not in it",
    ]
    with pytest.raises(AssertionError, match="connector `bad` has 9 faults"):
        check_connector(connector)
