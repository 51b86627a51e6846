# make help

PYTHON ?= python3
PORT ?= 8800
ARGS ?=
VENV := .venv
PY := $(VENV)/bin/python
SOURCES := alyx subjects sessions datasets transfers rig_outbox tests demo benchmarks

export PYTHONDONTWRITEBYTECODE :=  # an instance is many processes; each would compile everything anew

.DEFAULT_GOAL := help
.PHONY: help demo serve dev test test-faults journeys journal-random check lint types client client-check goldens bench screenshots clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.dev ## a small lab, a night of copies, an analyst; then serves (ARGS=--once: ends instead)
	@$(PY) -m demo $(ARGS)

serve: $(VENV)/.run ## the instance in ALYX_VAR (default var/) at http://127.0.0.1:PORT, until Ctrl-C
	@exec $(PY) -m alyx.runtime serve --port $(PORT)

dev: $(VENV)/.dev ## the site with debug pages and reload at PORT; no worker
	@$(PY) manage.py bootstrap
	@ALYX_DEBUG=on exec $(PY) manage.py runserver 127.0.0.1:$(PORT)

test: $(VENV)/.dev ## every test on the embedded PostgreSQL, then the integration tests on Debian's PostgreSQL and Redis
	@$(PY) -m tests.run $(ARGS)

test-faults: $(VENV)/.dev ## kills, faults on the wire, the soak, the model: whole, in under 50 minutes
	@$(PY) -m tests.run --faults $(ARGS)

journeys: $(VENV)/.dev ## days of real people in a real browser, alone
	@$(PY) -m tests.run --journeys $(ARGS)

journal-random: $(VENV)/.dev ## 10,000 random histories of the bench screens' journal, in a real browser
	@ALYX_HISTORIES=10000 $(PY) -m tests.run --journeys tests/journeys/bench/test_random.py

check: lint types client-check ## lint, types, import contracts, missing migrations, settings, goldens
	$(PY) -m pytest -q tests/contracts -m "not once"

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check --database default --fail-level WARNING

types: $(VENV)/.dev
	$(VENV)/bin/mypy --explicit-package-bases $(SOURCES)

client: ## the bench screens' scripts, built from alyx/client (needs Node.js)
	sh alyx/client/build.sh

client-check: ## their types, their tests, and that the built ones are of these sources (where Node.js is)
	sh alyx/client/check.sh

goldens: $(VENV)/.dev ## write the golden files anew; read the diff before you commit it
	ALYX_REFRESH_GOLDENS=1 $(PY) -m pytest -q tests/contracts

bench: $(VENV)/.dev ## every figure in benchmarks/README.md (one of them: .venv/bin/python -m benchmarks.planner)
	@$(PY) -m benchmarks

screenshots: $(VENV)/.dev ## pages of the demo's lab, tablet and desktop, into screenshots/
	@$(PY) -m tests.run --screenshots

clean: ## forget the environment; state in var/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

# The environment: made when missing, brought up to date when a requirements file is newer.

$(VENV)/.run: requirements.txt | $(PY)
	@echo "installing what an instance needs …"
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "installing what demo, tests and checks need …"
	@$(PY) -m pip install --quiet --no-compile --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(PY):
	@PYTHON='$(PYTHON)' sh deploy/make-venv.sh $(VENV)
