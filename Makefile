# The same commands for people and for CI. Each sets up what it needs and is quick when that is done already.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
JS_READY := js/node_modules/.ready
LINKED := $(VENV)/share/jupyter/labextensions/jupyter-assistant
# JupyterLab asks on a first start whether to fetch news, right over the assistant's composer: not in this environment.
QUIET_LAB := $(VENV)/share/jupyter/lab/settings
ARGS ?=
ROOT_ALLOWED := $(if $(filter 0,$(shell id -u)),--allow-root)

# As in an activated environment: its python, and its node where the machine has none.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DEBIAN_FRONTEND := noninteractive

.PHONY: help setup run test test-js test-py check fix build bench gallery pictures watch clean front-end browser proxy

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(READY) $(JS_READY) front-end ## make the environment for development

run: $(READY) front-end ## open JupyterLab on examples/ (ARGS="--port 9999" goes to JupyterLab)
	jupyter lab --ServerApp.root_dir=examples --LabApp.default_url=/lab/tree/failing-sales.ipynb $(ROOT_ALLOWED) $(ARGS)

test: test-js test-py ## run vitest and pytest

test-js: $(JS_READY)
	npm --prefix js test

test-py: $(READY) $(JS_READY) front-end browser proxy
	python -m pytest $(ARGS)

check: $(READY) $(JS_READY) ## formatting, linters and types; changes nothing
	ruff format --check
	ruff check
	mypy
	npm --prefix js run check

fix: $(READY) $(JS_READY) ## format, and mend what the linters can
	ruff format
	ruff check --fix
	npm --prefix js run lint:fix
	npm --prefix js run format

build: $(READY) ## wheel and sdist in dist/
	python -m build

bench: $(READY) front-end ## print the figures of benchmarks/
	@for file in $$(grep -l __main__ benchmarks/*.py); do python -m benchmarks.$$(basename $$file .py); done

gallery: $(READY) $(JS_READY) front-end browser ## every state of the sidebar in dist/gallery/index.html (ARGS="history" draws one)
	python -m tests.chromium.gallery $(ARGS)

pictures: $(READY) front-end browser ## the README's pictures of the sidebar
	python -m docs.pictures

watch: $(READY) $(JS_READY) ## rebuild the front-end at every change; reload the page to see it
	npm --prefix js run watch

clean: ## remove all that the commands made
	rm -rf $(VENV) js/node_modules jupyter_assistant/labextension jupyter_assistant/static dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, with Node.js if the machine has none and the package in it for development. The link to the built
# front-end comes last and goes first: pip would write through it.
$(READY): pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=...")'
	@$(PYTHON) -c 'import ensurepip' || { [ "$$(id -u)" = 0 ] && apt-get update && apt-get install -y python3-venv; } \
	  || { echo 'Python cannot make environments here: install python3-venv'; exit 1; }
	[ -x $(VENV)/bin/pip ] || $(PYTHON) -m venv --clear $(VENV)
	python -m pip install --quiet 'hatchling>=1.27'
	@wheel=$$(python -c 'import hatch_build as b; print("" if b.find_node(b.search_paths()) else b.NODE_WHEEL)'); \
	  [ -z "$$wheel" ] || { set -x; python -m pip install --quiet "$$wheel"; }
	@[ ! -L $(LINKED) ] || rm $(LINKED)
	python -m pip install --quiet --editable '.[dev]'
	jupyter-builder develop --overwrite .
	mkdir -p $(QUIET_LAB)
	printf '%s\n' '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}' > $(QUIET_LAB)/overrides.json
	@touch $@

$(JS_READY): js/package.json js/package-lock.json | $(READY)
	npm --prefix js ci
	@touch $@

front-end: $(READY)
	@python hatch_build.py

# Any Chromium on PATH will do; else Debian's, else the one that Playwright brings.
browser: $(READY)
	@for name in chromium chromium-browser google-chrome; do ! command -v $$name >/dev/null || exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update && apt-get install -y chromium; then exit 0; fi; \
	playwright install $(if $(ROOT_ALLOWED),--with-deps) chromium || { echo 'The tests need a browser: install chromium'; exit 1; }

# nginx for the tests of the doctor: its program alone, so that no server starts here. Without it they are skipped.
proxy: $(READY)
	@command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || [ -x $(VENV)/nginx/usr/sbin/nginx ] || { \
	  [ "$$(id -u)" != 0 ] || apt-get update -qq; \
	  cd $(VENV) && apt-get download -qq nginx && dpkg -x nginx_*.deb nginx && rm nginx_*.deb; } 2>/dev/null \
	  || echo 'nginx is not to be had: the tests that need it are skipped'
