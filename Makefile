# Two commands do everything on a fresh machine: `make demo` and `make test`.

# The first Python 3.11 or later on this machine; `make PYTHON=...` names another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
# For diff and deploy: the config, one of its environments, the region where that of your credentials is not the one, and the
# qualifier of `cdk bootstrap` where it has one of its own.
# They reach the shell through its environment, as they were written: neither make nor the shell runs what is in them.
override CONFIG := $(or $(value CONFIG),config/movielens.yaml)
override ENV := $(value ENV)
override REGION := $(value REGION)
override QUALIFIER := $(value QUALIFIER)
override SINCE := $(value SINCE)
export CONFIG ENV REGION QUALIFIER SINCE
CONTEXT := -c "config=$$CONFIG" $${ENV:+-c "env=$$ENV"} $${REGION:+-c "region=$$REGION"} \
	$${QUALIFIER:+-c "@aws-cdk/core:bootstrapQualifier=$$QUALIFIER"}

.PHONY: help demo test check chaos kills walk permissions conformance bench bench-full lint setup setup-test setup-bench synth clean audit diff deploy

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo: setup  ## the main job on this machine: MovieLens from CSVs to recommendations over HTTP
	@$(BIN)/reco demo

test: setup-test  ## all tests
	@$(BIN)/python -m pytest

check: setup-test  ## lint, types and the tests nearest to what changed (half a minute; SINCE=main: since then)
	@$(BIN)/python -m tools.check $${SINCE:+--since "$$SINCE"}

chaos: setup-test  ## shows that ingestion loses nothing: 100,000 events, faults, kills (minutes)
	@$(BIN)/python -m bench.chaos --events 100000

kills: setup-test  ## shows that `kill -9` of Personalize or of all loses nothing, 20 times (minutes)
	@$(BIN)/python -m bench.kills --times 20

permissions: setup-test  ## what each role was denied in the end-to-end tests, and what no run used (minutes)
	@$(BIN)/python -m tests.permissions

conformance: setup-test  ## mapping templates held against Apache Velocity, JSONata against the JavaScript one (a minute)
	@$(BIN)/python -m tests.conformance

walk: setup-test  ## a new user's first hour on six kinds of exports, timed (minutes)
	@$(BIN)/python -m bench.walk

bench: setup-bench  ## all benchmarks at small sizes, and the page of their figures (minutes)
	@$(BIN)/python -m bench

bench-full: setup-bench  ## the same with all sizes (hours)
	@$(BIN)/python -m bench --full

lint: setup-test  ## ruff, mypy strict, who imports whom, the synth with cdk-nag, cfn-lint, checkov
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/mypy app.py examples/own_data/*.py
	@$(BIN)/python -m tools.rooms
	@$(MAKE) --no-print-directory synth && $(BIN)/cfn-lint && $(BIN)/python -m tools.checkov

synth: setup  ## the CloudFormation templates, in cdk.out/
	@$(BIN)/python -c "from pathlib import Path; from reco.local.synth import synthesize; synthesize(Path('config/movielens.yaml'), Path('cdk.out'))"
	@echo "The templates are in cdk.out/."

audit: setup  ## known vulnerabilities in the pinned packages
	@$(BIN)/python -m tools.audit

diff: setup npm  ## what a deployment would change: make diff ENV=prod CONFIG=config/shop.yaml
	@npx --no-install cdk diff --all --method template $(CONTEXT)

deploy: diff  ## the same, then a question, then the deployment (YES=1: without the question)
	@test -n "$(YES)" || { printf 'Deploy this to the account of your credentials? [y/N] '; read answer; test "$$answer" = y; } \
		|| { echo "Nothing was deployed."; exit 1; }
	@npx --no-install cdk deploy --all --require-approval never $(CONTEXT)

.PHONY: npm
npm:
	@test -d node_modules || npm install --silent --no-fund --no-audit --no-package-lock

setup: python
	@$(PYTHON) tools/install.py demo

setup-bench: python
	@$(PYTHON) tools/install.py bench

setup-test: python
	@$(PYTHON) tools/install.py test

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "recostack needs Python 3.11 or later, and none was found: install one, or name it with make PYTHON=/path/to/python3 ..."; exit 1; }

clean:  ## remove the environment, caches and what the local AWS environment kept
	rm -rf .venv .cache .recostack cdk.out node_modules
