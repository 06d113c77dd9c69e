# Two commands are all a new user needs: `make serve` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help serve test check fix bench docs clean

help:  ## show what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("ipaas needs Python 3.11 or newer; set PYTHON=python3.x" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.served: pyproject.toml | $(VENV)/bin/python
	@echo "installing ipaas and its libraries into $(VENV): about a minute, once"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.tested: pyproject.toml | $(VENV)/bin/python
	@echo "installing ipaas, its libraries and the tools for tests into $(VENV): about a minute, once"
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.served

serve: $(VENV)/.served  ## run the server on an SQLite file with the pipelines of pipelines/
	$(BIN)/ipaas serve --pipelines pipelines --database sqlite:///ipaas.db --port 8080

test: $(VENV)/.tested  ## run the whole suite
	$(BIN)/python -m pytest

check: $(VENV)/.tested  ## lint, formatting, types, import rules, generated documents, the pipelines themselves
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_imports.py
	$(BIN)/ipaas validate pipelines

fix: $(VENV)/.tested  ## mend what the tools can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.tested  ## measure speed, as ratios to a bare floor on this machine
	@for file in bench/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

docs: $(VENV)/.tested  ## write the generated documents anew
	$(BIN)/python docs/generate.py

clean:  ## remove what was built
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
