# Needs Python 3.11, 3.12 or 3.13 and nothing else: every target makes what it lacks in .venv.
# `make check` stops at the first tool that complains; `make -k check` runs them all.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test check bench bench-setup bench-decisions format docs clean
.PHONY: ruff ruff-format pyright lint-imports deptry vulture codespell tidy mkdocs

BIN := .venv/bin

# A Python that fits: neither too old nor too new, and able to make a virtual environment.
FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c '$(FITS)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
NO_PYTHON := Ratoon needs Python 3.11, 3.12 or 3.13 with its venv module, and found none here. \
	Install one, or name it: make setup PYTHON=/path/to/python3.12

# What the order of the tests is drawn from.
SEED ?= $(shell date +%s)

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Pyright would ask the network whether a newer version exists.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# The theme of the docs would print a notice on its successor.
export NO_MKDOCS_2_WARNING := 1

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '  make %-15s %s\n' "$$name" "$$what"; done

setup: .venv/.dev ## make .venv with Ratoon and every development tool

demo: .venv/.runtime ## install what running needs, then run the demo
	@$(BIN)/ratoon demo

test: .venv/.dev ## run the tests, the doctests and the examples in the docs
	@seed=$(SEED); echo "== pytest (again in this order: make test SEED=$$seed)"; \
		$(BIN)/pytest -q --randomly-seed=$$seed

check: ruff ruff-format pyright lint-imports deptry vulture codespell tidy mkdocs ## run every checker

bench: .venv/.dev ## run each benchmark in its quick form
	@found=; for file in benchmarks/[a-z]*.py; do \
		[ -e "$$file" ] || continue; \
		name=$$(basename "$$file" .py); \
		grep -q '__main__' "$$file" || continue; \
		found=yes; echo "== benchmarks.$$name"; \
		$(BIN)/python -m "benchmarks.$$name" --quick || exit 1; \
	done; [ -n "$$found" ] || echo "There is no benchmark yet."

bench-setup: .bench/.peers ## make an environment for each peer that the benchmarks stand beside

# STREAMS="DIR DIR" says which; without it those of the demo are taken. What a killed run has
# computed is kept below .bench/.
bench-decisions: .venv/.dev ## judge every policy on streams: make bench-decisions STREAMS=DIR
	@$(BIN)/python -m benchmarks.decisions $(foreach dir,$(STREAMS),--streams $(dir)) \
		--json benchmarks/results/decisions.json --page benchmarks/results/decisions.html

format: .venv/.dev ## set the code in order, and mend what can be mended
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

docs: .venv/.dev ## build the documentation into site/
	@$(BIN)/mkdocs build --strict --quiet
	@echo "The documentation is in site/index.html"

clean: ## remove .venv, .bench, the caches and everything built
	rm -rf .venv .bench build dist site htmlcov .coverage
	rm -rf .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The tools of `make check`, each a target of its own.

ruff: .venv/.dev
	@echo "== ruff check"
	@$(BIN)/ruff check

ruff-format: .venv/.dev
	@echo "== ruff format"
	@$(BIN)/ruff format --check

pyright: .venv/.dev
	@echo "== pyright"
	@$(BIN)/pyright

lint-imports: .venv/.dev
	@echo "== lint-imports"
	@$(BIN)/lint-imports --no-logo

deptry: .venv/.dev
	@echo "== deptry"
	@$(BIN)/deptry src

vulture: .venv/.dev
	@echo "== vulture"
	@$(BIN)/vulture

codespell: .venv/.dev
	@echo "== codespell"
	@$(BIN)/codespell

tidy: .venv/.dev
	@echo "== tools/tidy.py"
	@$(BIN)/python tools/tidy.py

mkdocs: .venv/.dev
	@echo "== mkdocs build"
	@$(BIN)/mkdocs build --strict --quiet

# Each stamp is newer than pyproject.toml once what that file asks for is installed.

.venv/.runtime: pyproject.toml
	@$(BIN)/python -c '$(FITS)' >/dev/null 2>&1 && $(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		[ -n "$(PYTHON)" ] || { echo "$(NO_PYTHON)" >&2; exit 1; }; \
		echo "Making .venv with $(PYTHON)"; \
		"$(PYTHON)" -m venv --clear .venv; }
	@echo "Installing Ratoon and what it runs on into .venv"
	@$(PIP) install --editable .
	@touch $@

.venv/.dev: .venv/.runtime
	@echo "Installing the development tools into .venv"
	@$(PIP) install --upgrade 'pip>=25.1' # the first that reads [dependency-groups]
	@$(PIP) install --editable . --group dev
	@touch $@

# Peers that Ratoon itself is not made of; the others are measured as they stand in .venv.
# Pins behind a peer's own: what it needs to be importable (NannyML also Python below 3.13).
PEERS := lance:pylance==14.0.2 polars:polars==2.1.0 river:river==0.26.1 \
	evidently:evidently==0.7.23,pandas<3 nannyml:nannyml==0.13.1,statsmodels,pandas<3 \
	whylogs:whylogs==1.6.4,numpy<2,pandas<3

.bench/.peers: Makefile | .venv/.runtime
	@for peer in $(foreach peer,$(PEERS),'$(peer)'); do \
		name=$${peer%%:*}; what=$$(echo "$${peer#*:}" | tr ',' ' '); \
		echo "Installing $$what into .bench/$$name"; \
		$(BIN)/python -m venv --clear ".bench/$$name" && \
		".bench/$$name/bin/python" -m pip --disable-pip-version-check --quiet install $$what \
			|| echo "$$name cannot be installed here; benchmarks leave it out"; \
	done
	@touch $@
