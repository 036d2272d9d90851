# Two commands: `make demo` shows a call, `make test` runs everything. Both need Python 3.11+ and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo serve test check lint types contracts servers lock wheel footprint bench-guard bench-llm clean

help:  ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.installed  ## Serve the demo agent, place one simulated call, show it live, stay up
	@$(BIN)/fivegates demo

serve: $(VENV)/.installed  ## Take calls on this machine
	@$(BIN)/fivegates serve

test: $(VENV)/.installed-dev servers  ## Run every test
	$(BIN)/pytest -n auto

check: lint types contracts test  ## What a change has to pass

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

contracts: $(VENV)/.installed-dev
	$(BIN)/lint-imports

servers: $(VENV)/.installed-dev  ## Fetch the real servers the tests need, where they are not installed
	@$(BIN)/python -m tests.servers redis-server chromium

lock: $(VENV)/.installed-dev  ## Write the lock files anew
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--upgrade --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--upgrade --group build --group dev pyproject.toml -o requirements-dev.lock

wheel: $(VENV)/.installed-dev
	$(BIN)/pip wheel -q --no-deps --no-build-isolation -w dist .

footprint: $(VENV)/.installed-dev  ## Installed size, import time and idle memory of a core install
	@$(BIN)/python bench/footprint.py

bench-guard: $(VENV)/.installed-dev  ## What the guard costs a token and holds back
	@PYTHONPATH=. $(BIN)/python bench/guard.py

bench-llm: $(VENV)/.installed-dev  ## What hedging does to the first spoken word
	@PYTHONPATH=. $(BIN)/python bench/llm.py

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made requirements.lock pyproject.toml
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
