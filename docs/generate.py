"""Write the documents that are made from the code. `make docs` runs it; `tests/cli/test_reference.py` proves that it was run."""

# ruff: noqa: INP001 -- a script beside what it writes, not a package

from pathlib import Path

from ipaas.cli.reference import documents

for name, text in documents().items():
    Path(__file__).with_name(name).write_text(text, encoding="utf-8")
