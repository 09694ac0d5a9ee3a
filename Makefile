# Each target needs no other step: whatever is missing is set up first, by .ci/setup, which says what it does.

PYTHON := .venv/bin/python
READY  := .venv/.ready
DEMO   := tests.stories.demo

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-vm soak lint format clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: $(READY) ## the virtual environment, and the Debian packages that are absent

$(READY): pyproject.toml .ci/setup
	@.ci/setup

demo: $(READY) ## the main job on real input: install, upgrade and what a user did between
	$(PYTHON) -m $(DEMO)

test: lint ## ruff, mypy and pytest
	$(PYTHON) -m pytest

test-vm: $(READY) ## the slow tests: Debian systems, built once with mmdebstrap and booted; kills; and Ansible
	timeout --foreground --signal=INT --kill-after=30 60m $(PYTHON) -m pytest -m vm tests/vm tests/real tests/stories

soak: $(READY) ## thousands of new examples for each test that draws them, of products under the laws for one
	CONVERGE_EXAMPLES=5000 $(PYTHON) -m pytest -m hypothesis

lint: $(READY) ## ruff and mypy
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

format: $(READY) ## put the code in its form
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

clean: ## remove what was set up and what tools have cached
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
