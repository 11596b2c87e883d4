# The commands of the project. `make book` and `make test` need python3 (3.11 or 3.12), make and a package registry.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

# One thread per process, two processes: faster on two cores than the libraries' own threads, and repeatable.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export MPLBACKEND := agg
# Compiled modules are kept, whatever the shell says: without them every process compiles torch anew, 4 s each.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONWARNINGS := ignore::DeprecationWarning
# The environment's own notebook kernel, whatever the user has installed elsewhere.
export JUPYTER_PREFER_ENV_PATH := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

# The stamp's name carries a checksum of what the environment is made from: same content, nothing to do.
STAMP = .venv/.made-from-$(shell cat requirements.lock pyproject.toml | cksum | tr ' ' '-')
POSE_STAMP = .venv/.pose-from-$(shell cat requirements.lock requirements-pose.lock pyproject.toml | cksum | tr ' ' '-')

.PHONY: help env book test test-all lint bench clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

env:  ## create .venv from requirements.lock (20 s and 5.4 GB the first time); POSE=1 adds joints from photographs
	@test -e $(STAMP) || { \
	  $(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else f"expected Python 3.11 or 3.12, got {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'; \
	  echo "creating .venv from requirements.lock"; \
	  $(PYTHON) -m venv .venv; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.lock)"; \
	  $(BIN)/uv pip sync --quiet --require-hashes requirements.lock; \
	  $(BIN)/uv pip install --quiet --no-deps -e .; \
	  rm -f .venv/.made-from-*; touch $(STAMP); }
	@test -z "$(POSE)$(wildcard .venv/.pose-from-*)" || test -e $(POSE_STAMP) || { \
	  echo "adding the pose extra from requirements-pose.lock"; \
	  $(BIN)/uv pip install --quiet --no-deps --require-hashes -r requirements-pose.lock; \
	  rm -f .venv/.pose-from-*; touch $(POSE_STAMP); }

book: env  ## execute copies of all pages, rebuild every table small, write the HTML (12 minutes on 2 cores)
	@$(BIN)/python -m repro.pages.build book

test: env lint  ## lint, the book from committed outputs, unit tests, drift check of the notebooks (20 minutes on 2 cores)
	$(BIN)/python -m repro.pages.build check
	$(BIN)/pytest -n 2 --dist loadfile --nbval-lax --nbval-current-env --nbval-cell-timeout=300 tests notebooks

test-all: test  ## what `make test` does, then `make book` with every page executed afresh
	$(BIN)/python -m repro.pages.build book --fresh

lint: env  ## ruff, mypy, and the rule that rooms import downwards only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: env  ## every script of benchmarks/, one after the other
	@for script in benchmarks/*.py; do [ -e "$$script" ] || continue; echo "== $$script"; $(BIN)/python "$$script"; done

clean:  ## remove what the commands made, but not the environment, the caches and the runs
	rm -rf _build
