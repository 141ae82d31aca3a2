# `make demo` and `make test` do all the set-up they need: a virtual environment in .venv, made once.
PYTHON ?= python3
BIN := .venv/bin
ACTIVATE := PATH="$$PWD/$(BIN):$$PATH"
CORES ?= all
MINUTES ?= 10
TEST_PROCESSES ?= 2

# What a user has set for installations elsewhere is not for this environment.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV PYTHONHOME

.PHONY: help demo test slurm-test test-all parity faults fuzz bench lint workflow-test sums clean
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# Made anew when the requirements change. Torch first: later packages must not choose another build of it.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fid,workflow,dev]'
	touch $@

demo: .venv/installed  ## all tables and the sample figure at demo scale, on embedded real data
	$(ACTIVATE) snakemake all --cores $(CORES)
	@echo "Tables: results/demo/tables  Samples: results/demo/figures/figure5.png"

test: .venv/installed  ## the test suite without the slow tests, in TEST_PROCESSES (2) processes of 1 GB
	$(BIN)/python -m pytest -m "not slow and not slurm" -n $(TEST_PROCESSES) --dist loadfile

fuzz: .venv/installed  ## files from outside, damaged in new ways each time, for MINUTES (10)
	PYTHONPATH=tests $(BIN)/python -m fuzz.long_run --minutes $(MINUTES)

slurm-test: .venv/installed  ## the workflow on a Slurm started here, about ten minutes (root, Debian's slurm packages)
	$(BIN)/python -m pytest -m slurm tests/workflow -rs

test-all: .venv/installed  ## the whole test suite
	$(BIN)/python -m pytest

parity: .venv/installed  ## docs/parity.md: our numbers and the published code's (needs LSGM_REFERENCE)
	PYTHONPATH=tests $(BIN)/python -m parity.report --out docs/parity.md

faults: .venv/installed  ## docs/faults.md: kills, damaged files, full disks, and what they cost (an hour)
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(ACTIVATE) $(BIN)/python -m faults.report --out docs/faults.md

bench: .venv/installed  ## docs/bench.md: what training, sampling and likelihoods cost on this machine (15 minutes)
	$(BIN)/lsgm bench --out docs/bench.json --table docs/bench.md

lint: .venv/installed  ## ruff, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(ACTIVATE) snakemake --lint

workflow-test: .venv/installed  ## all tables at test scale
	$(ACTIVATE) snakemake all --config scale=test --cores $(CORES)

sums: .venv/installed  ## sums of all models and numbers at test scale: equal before and after a refactoring
	@$(ACTIVATE) snakemake all_tables --config scale=test --cores $(CORES) --quiet all
	@$(BIN)/python tests/sums.py results/test

clean:  ## remove the environment; results stay
	rm -rf .venv
