# agenthub: every command that the README names. `make help` lists them.
VENV    := .venv
PY      := $(VENV)/bin/python
STAMP   := $(VENV)/.stamp
SEEDS   ?= 1000
SOURCES := libs services tests
# A hub is more than a dozen processes: they start from bytecode that is kept.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo up ui test test-extras test-ui test-cluster check format docs simulate bench lock clean

help: ## Show what can be done here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): bootstrap.lock dev.lock schemas.lock pyproject.toml
	python3 -m venv $(VENV)
	$(PY) -m pip install --quiet --require-hashes -r bootstrap.lock
	$(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes --compile-bytecode -r dev.lock
	$(VENV)/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation -e .
	# Apart: with it comes a plugin of pytest that no run of ours may load.
	$(VENV)/bin/uv pip install --quiet --python $(PY) --target $(VENV)/schemas --require-hashes -r schemas.lock
	@touch $(STAMP)

# The install step has built the web UI; this does so again when its sources are newer.
ui: $(STAMP) ## Build the web UI, if its sources have changed (AGENTHUB_SKIP_UI=1 leaves it)
	@$(PY) hatch_build.py

demo: $(STAMP) ## Play the sample goal through the whole system, live
	@$(VENV)/bin/agenthub demo

up: ui ## Start the embedded stack on 127.0.0.1:8000 and keep it running
	@$(VENV)/bin/agenthub up

test: ui ## Run the tests: no Docker, no internet, nothing skipped
	$(VENV)/bin/pytest -n 4 --dist loadscope --ignore tests/ui --ignore tests/cluster -m "not extra"

test-extras: ui ## Run the tests that take longer: kills, forged gates, whole goals, 900 of the thousand simulated worlds
	$(VENV)/bin/pytest -n 4 --dist loadscope --ignore tests/ui --ignore tests/cluster -m extra

test-ui: ui ## Use the web UI in a browser (Debian's chromium), against a whole hub
	$(VENV)/bin/pytest -n 2 --dist loadscope tests/ui

test-cluster: ui ## Run what compose.yaml says as processes: three NATS servers, two of each service, crashes
	$(VENV)/bin/pytest tests/cluster

check: $(STAMP) ## Format, lint, types, import rules, lock files
	$(VENV)/bin/ruff format --check $(SOURCES)
	$(VENV)/bin/ruff check $(SOURCES)
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy tests
	$(VENV)/bin/lint-imports
	$(PY) -m tests.support.check_locks
	$(PY) hatch_build.py check

format: $(STAMP) ## Mend format and what the linter can mend by itself
	$(VENV)/bin/ruff format $(SOURCES)
	$(VENV)/bin/ruff check --fix $(SOURCES)

docs: $(STAMP) ## Write docs/reference and the dashboards out of the code
	$(PY) -m tests.docs.reference
	$(PY) -m tests.docs.write_dashboards

simulate: $(STAMP) ## Run SEEDS (default 1000) schedules of the simulation
	$(PY) -m tests.simulation --seeds $(SEEDS)

bench: $(STAMP) ## Measure throughput, hop latency and what a task costs, with a floor of the same run
	$(VENV)/bin/agenthub bench throughput
	$(VENV)/bin/agenthub bench latency
	$(VENV)/bin/agenthub bench overhead

lock: ## Refresh the lock files (hashes, no addresses)
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate schemas.in -o schemas.lock
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate bootstrap.in -o bootstrap.lock
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra embedded pyproject.toml -o requirements.lock
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o services.lock
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra embedded --extra dev pyproject.toml -o dev.lock

clean: ## Remove the virtual environment and what runs have left in var/
	rm -rf $(VENV) var
