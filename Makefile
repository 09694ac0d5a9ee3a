# Each target needs no other step: .ci/setup first sets up what is missing, and prints its steps.

PYTHON := .venv/bin/python
READY  := .venv/.ready
DEMO   := tests.stories.demo
PYTEST := $(PYTHON) -m pytest
SPREAD := -n auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup demo test quick test-vm soak lint format schemas clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: $(READY) ## make the virtual environment, and install missing Debian packages

$(READY): pyproject.toml .ci/setup
	@.ci/setup

demo: $(READY) ## the main job on real input: an installation, changes by a user, an upgrade
	$(PYTHON) -m $(DEMO)

test: lint ## ruff, mypy and all tests but the slow ones; the last line is the coverage
	@rm -f .coverage .coverage.*
	$(PYTEST) $(SPREAD) --cov --cov-report=
	@echo "coverage: $$($(PYTHON) -m coverage report --format=total) % of the lines of converge/"

quick: $(READY) ## the tests that need no real parts: under a minute
	$(PYTEST) $(SPREAD) --ignore=tests/real --ignore=tests/stories --ignore=tests/laws --ignore=tests/cases

test-vm: $(READY) ## the slow tests: Debian systems, built once with mmdebstrap and booted; kills; and Ansible
	timeout --foreground --signal=INT --kill-after=30 60m $(PYTEST) -m vm tests/vm tests/real tests/stories tests/laws

soak: $(READY) ## thousands of new examples for each test that draws them, such as products under the laws
	CONVERGE_EXAMPLES=5000 $(PYTEST) $(SPREAD) -m hypothesis

lint: $(READY) ## ruff and mypy
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

format: $(READY) ## format the code
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

schemas: $(READY) ## after adding a type: write its block in manifest.json and its row in the README
	$(PYTHON) .ci/generate

clean: ## remove the virtual environment and the caches of tools
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
