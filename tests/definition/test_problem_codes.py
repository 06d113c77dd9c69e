"""docs/problems.md is complete and true: it has every code, and each example gives its own."""

import ast
import re
from pathlib import Path

import pytest

from ipaas.definition import CompileOptions, compile_text
from tests.definition.definition_catalog import CATALOG

ROOT = Path(__file__).parents[2]
SECTIONS = re.split(r"^### ", (ROOT / "docs/problems.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
DOCUMENTED = {section.split("`")[1]: section for section in SECTIONS}
OTHER_WORDS = {"date-time", "rust-regex", "x-ipaas-expression", "x-ipaas-kind", "x-ipaas-like", "x-ipaas-names"}
"""Texts of the checker that look like codes and are not."""


def list_codes() -> set[str]:
    """Return every text in the checker's code that is written like a problem's code."""
    return {
        node.value
        for path in (ROOT / "ipaas/definition").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[a-z]+(-[a-z]+)+", node.value)
    } - OTHER_WORDS


def complete(example: str) -> str:
    """Return a whole file around an example."""
    if example.startswith("- "):
        steps = "\n".join(f"  {line}" for line in example.splitlines())
        return f"version: 1\ninputs: {{n: {{type: integer, default: 3}}}}\nsteps:\n{steps}\n"
    if example.startswith(("version:", "#")):
        return example
    return f"version: 1\n{example}steps: [{{uses: flow.log, with: {{message: a}}}}]\n"


def test_every_code_is_documented() -> None:
    """No code is missing, and none is there that nothing emits."""
    assert sorted(DOCUMENTED) == sorted(list_codes())


@pytest.mark.parametrize("code", DOCUMENTED)
def test_each_section_says_how_to_mend_it(code: str) -> None:
    """Whoever meets a problem finds what to do."""
    assert "\nMend it: " in DOCUMENTED[code]


@pytest.mark.parametrize(
    "code", [code for code, section in DOCUMENTED.items() if "No example fits here" not in section]
)
def test_the_example_gives_the_problem(code: str) -> None:
    """The text shown has the problem that it stands for."""
    found = re.search(r"```yaml\n(.*?)```", DOCUMENTED[code], re.DOTALL)
    assert found is not None
    compiled = compile_text(complete(found[1]), "example.yaml", CATALOG, CompileOptions(), {})
    assert code in {problem.code for problem in compiled.problems}
