"""Who may import whom: the table of docs/design.md, enforced over every import statement, type-only ones included."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

WORDS = {"ipaas.errors", "ipaas.model", "ipaas.run", "ipaas.clock", "ipaas.controls", "ipaas"}
GLUE = {"ipaas.registry", "ipaas.vault", "ipaas.sync", "ipaas.telemetry", "ipaas.settings", "ipaas.project"}
ENGINE_MAY = WORDS | {"ipaas.definition", "ipaas.store.contract", "ipaas.plugin", "ipaas.engine"}
GLUE_MAY = ENGINE_MAY | {"ipaas.store"} | GLUE
ALLOWED: dict[str, set[str]] = {
    **dict.fromkeys(WORDS, WORDS),
    "ipaas.definition": WORDS | {"ipaas.definition"},
    "ipaas.store": WORDS | {"ipaas.store"},
    "ipaas.plugin": WORDS | {"ipaas.plugin"},
    "ipaas.engine": ENGINE_MAY,
    **dict.fromkeys(GLUE, GLUE_MAY),
    "ipaas.server": GLUE_MAY | {"ipaas.server"},
    "ipaas.app": GLUE_MAY | {"ipaas.server", "ipaas.app"},
    "ipaas.testing": GLUE_MAY | {"ipaas.server", "ipaas.app", "ipaas.testing"},
    "ipaas.cli": GLUE_MAY | {"ipaas.server", "ipaas.app", "ipaas.cli"},
    "ipaas.__main__": {"ipaas.cli"},
    "plugins": {"ipaas.plugin", "plugins"},
}
"""Room → what it may import; a package stands for its modules. The longest matching name decides."""


def longest_match(module: str, names: set[str]) -> str | None:
    """Return the most specific of `names` that is `module` or contains it; `ipaas` stands for itself alone."""
    found = [name for name in names if module == name or (name != "ipaas" and module.startswith(f"{name}."))]
    return max(found, key=len, default=None)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for every import in the file, relative ones resolved, `from package import module` followed."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                target = f"{origin}.{alias.name}"
                as_path = ROOT.joinpath(*target.split("."))
                is_module = as_path.with_suffix(".py").exists() or as_path.is_dir()
                yield node.lineno, target if is_module else origin


def source_files() -> list[Path]:
    return sorted([*(ROOT / "ipaas").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_what_its_room_may(path: Path) -> None:
    """A module imports only the rooms that the table grants to its own."""
    module = module_name(path)
    room = longest_match(module, set(ALLOWED))
    assert room is not None, f"{module} belongs to no room: add it to the table and to docs/design.md"
    forbidden = [
        f"{path.relative_to(ROOT)}:{line}: {target}"
        for line, target in imported_modules(path)
        if target.split(".")[0] in {"ipaas", "plugins"} and longest_match(target, ALLOWED[room]) is None
    ]
    assert forbidden == []


def test_interpreter_knows_no_machine() -> None:
    """The interpreter and its parts import neither trio nor the Store, so that another host can run them."""
    machine_free = ["interpreter", "host"]
    forbidden = [
        f"{name}:{line}: {target}"
        for name in machine_free
        for line, target in imported_modules(ROOT / "ipaas" / "engine" / f"{name}.py")
        if target.split(".")[0] in {"trio", "aiosqlite", "httpx2"} or target.startswith("ipaas.store")
    ]
    assert forbidden == []


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    """A module that outgrows 400 lines is split by noun."""
    long = {
        str(path.relative_to(ROOT)): count
        for path in source_files()
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    """Names such as `utils` gather what has no home; every module is named for its noun."""
    banned = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
    assert [str(path.relative_to(ROOT)) for path in source_files() if path.stem in banned] == []
