# Everything a contributor runs. `make` alone lists the targets.
#   PYTHON=python3.12 make setup     another interpreter (3.11 or newer)
#   OPENCODE=1 make demo             the same job through the real OpenCode (installed by npm if it is not on PATH)
#   WORKERS=4 make test              that many tests at once (2 unless said)
#   ARGS="-k name" make test         more arguments for pytest
#   BENCH="--rtt 100" make bench     other arguments for the benchmarks (--help lists them)

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
WORKERS ?= 2
BIN := $(VENV)/bin
RUN := $(BIN)/python
BASE_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help setup check test test-all test-failed torture reliability demo bench matrix picture clean

help:
	@echo 'make demo          see it work, on this machine alone'
	@echo 'make setup         create $(VENV) with everything the tests need'
	@echo 'make check         lint, format, types, layers, generated files'
	@echo 'make test          the tests that fit in ten minutes'
	@echo 'make test-all      all tests'
	@echo 'make test-failed   what failed last, once more and alone'
	@echo 'make torture       every fault at every place, every interleaving: hours'
	@echo 'make reliability   the tests that hold the promises about files; writes docs/reliability.md'
	@echo 'make bench         measure it beside the alternatives (half an hour); writes docs/performance.md'
	@echo 'make matrix        every tool on every kind of server and userland; writes docs/servers.md'
	@echo 'make picture       docs/badge.svg, drawn from the real interface'
	@echo 'make clean         remove $(VENV), caches and build results'

setup: $(DEV_STAMP)

# One shell for both: python3 is asked for its version before anything is made with it.
define venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  command -v $(PYTHON) >/dev/null 2>&1 \
	    && echo "pybridge needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version 2>&1`." >&2 \
	    || echo "pybridge needs Python 3.11 or newer; there is no $(PYTHON)." >&2; \
	  echo "Install a newer one and name it: PYTHON=python3.12 make $(firstword $(MAKECMDGOALS))" >&2; exit 1; }
	@test -x $(RUN) && $(RUN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "Could not create $(VENV). On Debian and Ubuntu: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }
endef

$(BASE_STAMP): pyproject.toml
	$(venv)
	$(RUN) -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(DEV_STAMP): pyproject.toml
	$(venv)
	$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(BASE_STAMP)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(RUN) -m pybridge.sidecar.schemas --check
	$(RUN) -m pybridge.transport.ssh_options_page --check

# The tests left out are named, so that nobody takes this for everything.
test: setup
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile -m 'not whole' $(ARGS)
	@echo 'Left out (make test-all runs them):'
	@$(RUN) -m pytest -m whole --collect-only --quiet --no-header -o addopts= $(ARGS) 2>/dev/null | grep '::' || echo '  nothing'

test-all: setup
	PYBRIDGE_EFFORT=part $(RUN) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

# What the last run left failed, alone on the machine.
test-failed: setup
	$(RUN) -m pytest --last-failed --last-failed-no-failures none $(ARGS)

# Only the tests that do more where more is asked for (tests/kit/effort.py): everything they know. PYBRIDGE_POINT='...'
# as a failure prints it tries that point alone; PYBRIDGE_SEED=N draws other random offsets.
torture: setup
	PYBRIDGE_EFFORT=all $(RUN) -m pytest -n $(WORKERS) --dist worksteal \
	  `grep -rl --include='test_*.py' 'tests.kit.effort' tests` $(ARGS)

reliability: setup
	PYBRIDGE_EFFORT=part $(RUN) -m pytest -n $(WORKERS) --dist loadfile --write-reliability \
	  `$(RUN) -m tests.reliability.named_tests` $(ARGS)

# Needs python3, make and the network only: no development extras.
demo: $(BASE_STAMP)
	$(RUN) -m pybridge demo $(if $(filter-out 0,$(OPENCODE)),--opencode)

BENCH ?= --save docs/performance
bench: setup
	@$(RUN) -c 'import matplotlib' 2>/dev/null || $(RUN) -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(RUN) -m benchmarks $(BENCH)

matrix: setup
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile --write-matrix tests/matrix $(ARGS)

picture: setup
	$(RUN) -m tests.kit.badge_picture docs/badge.svg

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find pybridge tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
