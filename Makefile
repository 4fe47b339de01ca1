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

.PHONY: help run test check bench airflow clean-demo browser

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

test: $(VENV)/.ready browser  ## all tests
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

# The page tests drive Debian's chromium. Where it cannot be installed, they skip and say so.
browser:
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk) >/dev/null 2>&1 \
	      || echo "chromium could not be installed: the page tests will skip" >&2; \
	  else echo "no chromium here: the page tests will skip (Debian: apt-get install chromium fonts-noto-cjk)" >&2; fi; }
