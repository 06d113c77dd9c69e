from pathlib import Path

import pytest

from ipaas.cli.reference import documents

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.mark.parametrize("name", ["commands.md", "settings.md"])
def test_reference_is_current(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documents made from the code are what `make docs` writes now."""
    monkeypatch.setenv("COLUMNS", "40")  # of whoever runs it; must not matter
    assert documents()[name] == (DOCS / name).read_text(encoding="utf-8"), "run `make docs` and review the difference"
