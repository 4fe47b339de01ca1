# Everything a fresh machine needs is Python 3.11+, git and make: each target sets up .venv by itself.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR ?= var
export UV_PYTHON_DOWNLOADS := never
export OMP_WAIT_POLICY := passive

.PHONY: help run test check bench airflow clean-demo tools

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.ready: pyproject.toml uv.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv sync --quiet --frozen --compile-bytecode --python $(BIN)/python
	@touch $@

run: $(VENV)/.ready  ## the nightly run on the demo shop, in ./var
	@test -f $(HOME_DIR)/merchcast.yml || $(BIN)/merchcast init $(HOME_DIR) --demo
	@$(BIN)/merchcast run --home $(HOME_DIR)

test: $(VENV)/.ready tools  ## all tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.ready  ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy dags cli reporting demand trends forecasting restocking preorder pricing data
	@$(BIN)/lint-imports

bench: $(VENV)/.ready  ## the figures of docs/benchmarks.md
	@for name in nights accuracy_m5 planted_facts; do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

airflow: $(VENV)/.ready  ## the embedded Airflow on http://127.0.0.1:8080, both DAGs scheduled
	@test -f $(HOME_DIR)/merchcast.yml || $(BIN)/merchcast init $(HOME_DIR) --demo
	@$(BIN)/merchcast airflow --home $(HOME_DIR)

clean-demo:  ## remove ./var
	@rm -rf $(HOME_DIR)

# Real servers and programs for the tests, from Debian's packages. Where they cannot be installed, their tests skip and say so.
tools:
	@missing=""; \
	command -v chromium >/dev/null || missing="$$missing chromium fonts-noto-cjk"; \
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v soffice >/dev/null || missing="$$missing libreoffice-calc-nogui"; \
	test -z "$$missing" || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing) >/dev/null 2>&1 \
	      || echo "could not install:$$missing; the tests that need them will skip" >&2; \
	  else echo "not here:$$missing; the tests that need them will skip (Debian: apt-get install$$missing)" >&2; fi
