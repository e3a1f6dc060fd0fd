# Everything a working copy needs. On a machine with Python 3.11 or newer, git and make:
#
#   make demo    install, start the server on the example DAGs, trigger one with a POST, keep serving until Ctrl-C
#   make test    install the tools too, then all that continuous integration checks
#
# The environment lives in .venv; stamp files in it keep a second call from installing again.

VENV := .venv
BIN := $(VENV)/bin
SOURCES := src tests tools $(wildcard benchmarks examples)
# Files run beside each other; the tests of one file run one after another, and share what it starts.
PYTEST_ARGS ?= --numprocesses auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo install install-dev test lint types layers budget tests conformance bench fmt lock clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.run ## one real DAG, triggered by one real POST (ARGS=--once ends after it)
	@$(BIN)/airgate demo $(ARGS)

install: $(VENV)/.run ## the virtual environment, enough to run Airgate

install-dev: $(VENV)/.dev ## the same with the tools

test: lint types layers budget tests ## all that continuous integration checks

lint: $(VENV)/.dev ## style and common mistakes
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .

types: $(VENV)/.dev ## strict types; the room beside DAG code also for its oldest Python
	$(BIN)/mypy --no-error-summary $(filter-out examples,$(SOURCES))
	$(if $(wildcard src/airgate/sdk/__init__.py),$(BIN)/mypy --no-error-summary --python-version 3.10 --cache-dir .mypy_cache/sdk -p airgate.sdk)

layers: $(VENV)/.dev ## who may import whom
	$(BIN)/lint-imports

budget: $(VENV)/.dev ## the sizes of functions, files and classes
	$(BIN)/python tools/budget.py $(SOURCES)

tests: $(VENV)/.dev ## the tests alone (PYTEST_ARGS="-x tests/unit" for some of them)
	$(BIN)/pytest $(PYTEST_ARGS)

conformance: $(VENV)/.dev ## the same DAG files on a real Airflow and on Airgate
	$(BIN)/pytest -m conformance $(ARGS)

bench: $(VENV)/.bench ## Airgate beside its peers, in ratios
	$(BIN)/python -m benchmarks $(ARGS)

fmt: $(VENV)/.dev ## write the style into the files
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

lock: $(VENV)/bin/python ## resolve pyproject.toml into requirements/ (ARGS=--upgrade for the newest)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python tools/lock.py $(ARGS)

clean: ## remove the environment and all caches
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@PYTHON="$(PYTHON)"; : "$${PYTHON:=$$(sh tools/find_python.sh)}"; test -n "$$PYTHON" && "$$PYTHON" -m venv $(VENV)

$(VENV)/.run: pyproject.toml requirements/run.txt tools/install.py | $(BIN)/python
	@$(BIN)/python tools/install.py run
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@$(BIN)/python tools/install.py dev
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	@$(BIN)/python tools/install.py bench
	@touch $@
