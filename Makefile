# make run: see it work.  make test: the whole suite.  What a recipe does in more than a line is in .ci/.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROWS ?=
PYTEST_ARGS ?=
export PYTHON

.PHONY: help run test lint bench soak clean packages

help:
	@echo 'make run                    show a failover: real traffic as root, else two daemons on loopback'
	@echo 'make test                   the whole suite; PYTEST_ARGS="tests/net -x" for a part'
	@echo 'make lint                   ruff, mypy, and the arrows between packages'
	@echo 'make bench ROWS="codec"     side-by-side measurements, all or the named rows'
	@echo 'make soak                   the long simulations'
	@echo 'make clean                  remove .venv and what tools left'

run: $(VENV)/.run
	@$(BIN)/snat lab $$(.ci/live && echo failover || echo none)

test: $(VENV)/.test
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test
	@$(BIN)/python -m tests.bench $(ROWS)

soak: $(VENV)/.test
	@$(BIN)/python -m pytest -m soak -s --timeout=0 $(PYTEST_ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis _trial_temp
	find . -name __pycache__ -prune -exec rm -rf {} +

packages:
	@.ci/packages python3 python3-venv iproute2 nftables

# Stamps: installed as pyproject.toml stands now. The test extra includes what a run needs.
$(VENV)/.run: pyproject.toml | packages
	@.ci/venv $(VENV) .
	@touch $@

$(VENV)/.test: pyproject.toml | packages
	@.ci/venv $(VENV) '.[test]'
	@touch $@ $(VENV)/.run
