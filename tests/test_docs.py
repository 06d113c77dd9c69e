"""The documents say what the program does: examples are checked, links lead somewhere, nothing public is left out."""

import re
from pathlib import Path

import pytest

from ipaas.definition import CompileOptions, compile_text
from ipaas.registry import Registry, load_registry

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def pipelines_in(page: Path) -> list[str]:
    """Return the fenced examples that are whole pipelines; those of problems.md are wrong on purpose and have a test of their own."""
    if page.name == "problems.md":
        return []
    return [
        text
        for text in FENCE.findall(page.read_text(encoding="utf-8"))
        if re.search(r"^version: 1$", text, re.MULTILINE)
    ]


EXAMPLES = [
    pytest.param(name_of(page), text, id=f"{name_of(page)}-{number}")
    for page in PAGES
    for number, text in enumerate(pipelines_in(page), start=1)
]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(entry_points=False, config_env={})


@pytest.mark.parametrize(("page", "text"), EXAMPLES)
def test_every_pipeline_in_the_documents_is_valid(page: str, text: str, registry: Registry) -> None:
    """A whole pipeline shown in a document has no problem."""
    compiled = compile_text(text, page, registry.catalog, CompileOptions())
    assert [str(problem) for problem in compiled.problems] == []


@pytest.mark.parametrize(
    ("page", "path", "right", "wrong"),
    [
        ("README.md", "pipelines/orders_to_chat.yaml", "order.total }", "order.totl }"),
        ("docs/tutorial.md", "pipelines/orders.yaml", 'steps.large.output }}", as', 'steps.lagre.output }}", as'),
    ],
)
def test_a_mistake_in_the_documents_is_reported_as_shown(
    page: str, path: str, right: str, wrong: str, registry: Registry
) -> None:
    """The message that a page shows for a mistake in its first pipeline is the one that is printed."""
    text = pipelines_in(ROOT / page)[0]
    assert right in text
    compiled = compile_text(text.replace(right, wrong), path, registry.catalog, CompileOptions())
    shown = "\n".join(str(problem) for problem in compiled.problems)
    assert f"```text\n{shown}\n```" in (ROOT / page).read_text(encoding="utf-8")


def test_the_documents_show_pipelines() -> None:
    """The check above has something to check."""
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file that is there."""
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_action_is_documented(registry: Registry) -> None:
    """Each bundled action has its section in its connector's page."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "connectors").glob("*.md")}
    missing = [
        action
        for action in registry.catalog
        if not re.search(rf"^#+ .*`{re.escape(action)}`", pages.get(action.partition(".")[0], ""), re.MULTILINE)
    ]
    assert missing == []


def test_every_input_of_an_action_is_documented(registry: Registry) -> None:
    """Each input of each bundled action is named in its connector's page."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "connectors").glob("*.md")}
    missing = [
        f"{action}: {name}"
        for action, spec in registry.catalog.items()
        for name in dict(spec.input_schema.get("properties", {}))  # type: ignore[arg-type]  # a schema is plain JSON
        if f"`{name}`" not in pages[action.partition(".")[0]]
    ]
    assert missing == []
