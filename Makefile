# `make help` lists the targets.
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-economy test test-slow lint typecheck layers figures soundness fuzz random models mutate disprove slot real-node kill bench docs ci clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 14

$(READY): pyproject.toml native/build.py $(wildcard native/csrc/*)
	@.ci/setup

setup: $(READY) ## .venv with everything, C kernels built

demo: setup ## signed transactions in, a 128-bit proof out, told step by step
	@.venv/bin/python -m examples.demo

demo-economy: setup ## a season of 200 blocks, every batch proven, every sat traced; ARGS=--json for figures
	@$(PY) -m examples.economy $(ARGS)

test: setup ## the test suite without the slow tests
	@$(PYTEST) -m "not slow" -n 2

test-slow: setup ## the slow tests alone
	@$(PYTEST) -m slow -n 2

soundness: setup ## every mutation of proofs and traces
	@$(PYTEST) tests/soundness tests/constraints -n 2

fuzz: setup ## 100,000 byte strings through the fast verifier
	@$(PYTEST) tests/fuzz -n 2

random: setup ## 20,000 random programs in specification and kernel, 200 of them proven
	@PEGPROOF_PROGRAMS=20000 PEGPROOF_PROVEN=200 $(PYTEST) -m slow tests/properties tests/circuits/machine/test_user_mode.py -n 2

models: setup ## 10,000 random steps of each program of the economy against its model in plain integers
	@PEGPROOF_STEPS=10000 $(PYTEST) tests/circuits/programs -k model -n 2

mutate: setup ## each constraint and interaction is taken out, and something false is accepted
	@$(PY) -u -m tests.constraints.campaign

kill: setup ## kill -9 at 200 random moments of execute, prove and commit: nothing is lost
	@$(PY) -m tests.kill.campaign --moments 200

disprove: setup ## wires wrong alone, malformed hints, mutated files against the rollup's leaves: small whole, standard sampled; ARGS=--help
	@$(PY) -u -m tests.bridge.campaign $(ARGS)

slot: setup ## the rollup's slot set up in build/slot: keys, 5 GB of leaves, 96,000 signatures; resumes; ARGS=--predict
	@$(PY) -m verifier.cli.main bridge setup build/slot --shape small $(ARGS)

real-node: setup ## a real node judges contract, mempool, games, exports; PEGPROOF_BITCOIND=PATH of a bitcoind, or the URL of one
	@$(PYTEST) tests/chain/test_contract.py tests/chain/test_verdicts.py tests/chain/test_differential.py tests/bridge/test_real_node.py tests/bridge/test_replay.py -n 0 -rs

lint: setup ## ruff
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

typecheck: setup ## mypy, strict, on the four packages
	@$(PY) -m mypy

layers: setup ## imports go downward only
	@.venv/bin/lint-imports

figures: setup ## deterministic figures against their baseline
	@$(PYTEST) tests/figures

bench: setup ## pytest-benchmark suites, then the kernels beside anchors and floors
	@$(PYTEST) bench --benchmark-only
	@$(PY) -m verifier.cli.main bench kernels

docs: setup ## site/: the pages in docs/ and the API reference; no warning is let pass
	@.venv/bin/python -c 'import mkdocstrings_handlers.python' 2>/dev/null || \
		.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet
	@echo "docs: site/index.html"

ci: lint typecheck layers docs test test-slow ## what CI runs

clean: ## remove what was built
	@rm -rf .venv build out site *.egg-info native/_kernels* .pytest_cache .mypy_cache .ruff_cache .hypothesis
