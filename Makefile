# Every command works from a clean clone: the first one that needs it creates .venv and installs into it.
SHELL := /bin/bash
VENV  := .venv
BIN   := $(VENV)/bin
ARGS  ?=

.PHONY: up test check format soak bench clean help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml
	@python=$$(for p in python3.13 python3.12 python3.11 python3; do \
	    $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done); \
	  [ -n "$$python" ] || { echo "hopline: needs Python 3.11, 3.12 or 3.13 on PATH" >&2; exit 1; }; \
	  echo "Installing into $(VENV) with $$($$python --version)"; \
	  $$python -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

up: $(VENV)/.installed ## start the whole system here; ARGS=--exit ends after the sample runs
	@exec $(BIN)/hopline up $(ARGS)

test: $(VENV)/.installed ## the whole suite, on a real broker and the real ClickHouse engine
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.installed ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.installed ## rewrite the files in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

SECONDS ?= 1800
SEED    ?= 1
soak: $(VENV)/.installed ## two workers under random kills; SECONDS= SEED=
	$(BIN)/python -m bench.soak --seconds $(SECONDS) --seed $(SEED)

PEERS ?= restate
REPS  ?= 3
bench: $(VENV)/.installed ## side by side with the peers; PEERS=restate,dbos REPS=3
	$(BIN)/python -m bench --peers '$(PEERS)' --reps $(REPS)

clean: ## remove the environment and the local state
	rm -rf $(VENV) .hopline
