"""What every test may ask for: `snapshot`, a text compared with a file under `snapshots/` beside the test.

`pytest --update` (or `IPAAS_UPDATE_SNAPSHOTS=1`) writes the files anew; the diff is then reviewed like code.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no reason for a red test: examples have no deadline of their own.
settings.register_profile("ipaas", deadline=None)
settings.load_profile("ipaas")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write snapshot files anew instead of comparing")


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `snapshots/<name>` in the test's folder; a missing file is a failure, except with `--update`."""
    folder = Path(request.path).parent / "snapshots"
    update = request.config.getoption("--update") or os.environ.get("IPAAS_UPDATE_SNAPSHOTS") == "1"

    def compare(text: str, name: str) -> None:
        path = folder / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: run `pytest --update` and review the new file"
        assert text == path.read_text(encoding="utf-8")

    return compare
