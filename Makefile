# Needs python3 (3.11 or newer) and make. Everything else goes into .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
WARM   := $(VENV)/.warmed
ARGS   ?=
# Test files side by side, as many as there are cores up to four: many of them start processes and wait for them.
TOGETHER ?= --numprocesses auto --maxprocesses 4 --dist loadfile
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup demo demo-hospitals demo-banks demo-registries demo-campaigns demo-mortality demo-default demo-cancer demos notebooks test test-all fuzz mutants schedules images test-compose check format bench clean

help:
	@echo "make setup     create .venv, install Accord in it, compile the kernels once"
	@echo "make demo      three hospitals found a consortium, a node each, and an analyst asks it (ARGS=--ask: goes on)"
	@echo "make demos     and without nodes: demo-hospitals, releases joint figures,"
	@echo "               three with joins: demo-banks, demo-registries, demo-campaigns (ARGS='--rows 1000'),"
	@echo "               three with models and a picture each: demo-mortality, demo-default, demo-cancer"
	@echo "make notebooks run the four in examples/notebooks anew, each with real nodes, and keep what comes out"
	@echo "make test      the tests, without the slow ones"
	@echo "make test-all  all tests"
	@echo "make fuzz      all parsers under ten million mutated inputs (ARGS='--count 100000 --target job' and the like)"
	@echo "make mutants   whether the tests of the policy's check see it changed: kills 90 of 100 mutants"
	@echo "make schedules 100,000 schedules of jobs at a ledger, the power going anywhere (ARGS='--count 1000' and the like)"
	@echo "make images    container images: accord, accord-demo, accord-tables"
	@echo "make test-compose  docker-compose.yml on this machine's Docker engine, if there is one"
	@echo "make check     lint, format, types, import contract"
	@echo "make format    put the code in form"
	@echo "make bench     time the primitives (ARGS='--size 65536' and the like)"
	@echo "make clean     remove .venv, caches and build artefacts; .cache (data) stays"

setup: $(STAMP) $(WARM)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Accord needs Python 3.11 or newer; '$(PYTHON)' is older or missing."; \
	  echo "Install one, or name it: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot create virtual environments."; \
	  echo "On Debian and Ubuntu install the missing part: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/pip || { echo "Creating $(VENV)"; rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	@echo "Installing Accord and its pinned dependencies into $(VENV)"
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

# Quick when numba's cache is up to date; run again when the engine's source changed.
$(WARM): $(STAMP) $(wildcard mpc/*.py protocols/*.py)
	@$(BIN)/python -m mpc.warm mpc protocols
	@touch $@

demo: setup
	@$(BIN)/python -m examples.consortium $(ARGS)

demo-hospitals demo-banks demo-registries demo-campaigns: demo-%: setup
	@$(BIN)/python -m examples.$* $(ARGS)

# --compare is unsafe: it opens what has to stay secret, to show how near it is to a fit in the open.
demo-mortality demo-default demo-cancer: setup
	@$(BIN)/python -m examples.$(EXAMPLE) --compare $(ARGS)

demo-mortality: EXAMPLE := mortality
demo-default: EXAMPLE := default_risk
demo-cancer: EXAMPLE := breast_cancer

demos: demo-hospitals demo-banks demo-registries demo-campaigns demo-mortality demo-default demo-cancer

notebooks: setup
	@$(BIN)/python -m examples.record_notebooks $(ARGS)

test: setup
	@$(BIN)/python -m pytest -m "not slow" $(TOGETHER) $(ARGS)

test-all: setup
	@$(BIN)/python -m pytest $(TOGETHER) $(ARGS)

fuzz: setup
	@$(BIN)/python -m tests.fuzz --count 10000000 $(ARGS)

mutants: setup
	@$(BIN)/python -m tests.mutation parties/policies/policy.py tests/parties/policies/test_policy.py $(ARGS)

schedules: setup
	@$(BIN)/python -m tests.parties.ledger_schedules --count 100000 $(ARGS)

images: $(STAMP)
	@PYTHON=$(BIN)/python docker/image.sh

# Answers, keys, a cut network: founds both consortia of docker-compose.yml in containers, and takes them down again.
test-compose: $(STAMP)
	@if docker version >/dev/null 2>&1; then \
	  $(MAKE) --no-print-directory images && ACCORD_TEST_COMPOSE=1 $(BIN)/python -m pytest -n 0 -s tests/compose $(ARGS); \
	else echo "test-compose is skipped: no Docker engine answers here"; fi

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup
	@$(BIN)/python -m bench primitives $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
