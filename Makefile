# Every command works from a clean clone: the first one that needs it creates .venv and installs into it.
SHELL := /bin/bash
VENV  := .venv
BIN   := $(VENV)/bin
ARGS  ?=
GRAPHON := .venv-graphon

.PHONY: up test differential corpus graphon check dashboards format soak rolling chaos bench cpu bench-analytics sample-sql clean help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

# The system's Python first: a distribution builds it with profile-guided optimization, pyenv doesn't unless it is
# told to, and a run takes a tenth less CPU with it. PYTHON= chooses another one.
PYTHONS := $(or $(PYTHON),/usr/bin/python3 python3.13 python3.12 python3.11 python3)
$(VENV)/.installed: pyproject.toml
	@python=$$(for p in $(PYTHONS); do \
	    $$p -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done); \
	  [ -n "$$python" ] || { echo "hopline: needs Python 3.11, 3.12 or 3.13 with its venv module, and found none in: $(PYTHONS)" >&2; exit 1; }; \
	  echo "Installing into $(VENV) with $$($$python --version)"; \
	  $$python -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

up: $(VENV)/.installed ## start the whole system here; ARGS=--exit ends after the sample runs
	@exec $(BIN)/hopline up $(ARGS)

# Four processes on two cores, because many tests mostly wait. They start a hundred others, which would all
# compile the same files where the environment forbids Python to keep what it has compiled. The model has a process
# of its own: Hypothesis draws from the constants of all modules that are loaded, and is to find the same each time.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.installed graphon ## the whole suite, on a real broker and the real ClickHouse engine
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --ignore tests/model $(ARGS)
	$(BIN)/python -m pytest tests/model

EXAMPLES ?= 2000
differential: $(VENV)/.installed graphon ## the same graphs on Dify's engine and here; EXAMPLES= of the generator
	DIFFERENTIAL_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/differential $(ARGS)

corpus: $(VENV)/.installed ## how many DSL files of a folder import and run; DSL=folder
	@[ -n '$(DSL)' ] || { echo "make corpus: DSL=folder is missing" >&2; exit 2; }
	$(BIN)/python -m tests.differential.dsl '$(DSL)' $(ARGS)

# Dify's engine wants a newer Python than Hopline; where there is none, the tests that need it are skipped.
graphon:
	@[ $(GRAPHON)/.installed -nt tests/differential/requirements.txt ] && exit 0; \
	python=$$(for p in python3.13 python3.12 ~/.pyenv/versions/3.1[23].*/bin/python; do \
	    $$p -c 'import sys; sys.exit(not (3, 12) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done); \
	[ -n "$$python" ] || { echo "No Python 3.12 or 3.13: the comparison with Dify's engine is skipped." >&2; exit 0; }; \
	echo "Installing graphon into $(GRAPHON) with $$($$python --version)"; \
	$$python -m venv $(GRAPHON) && $(GRAPHON)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps -r tests/differential/requirements.txt && touch $(GRAPHON)/.installed || \
	{ echo "graphon could not be installed: the comparison with Dify's engine is skipped." >&2; rm -rf $(GRAPHON); }

check: $(VENV)/.installed ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

dashboards: $(VENV)/.installed ## write deploy/grafana/dashboards from its boards
	$(BIN)/python -m deploy.grafana.build

format: $(VENV)/.installed ## rewrite the files in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

SECONDS ?= 1800
SEED    ?= 1
soak: $(VENV)/.installed ## two workers under random kills; SECONDS= SEED=
	$(BIN)/python -m bench.soak --seconds $(SECONDS) --seed $(SEED)

OLD ?= HEAD~1
rolling: $(VENV)/.installed ## every role restarted under load, from OLD= to the code here and back
	$(BIN)/python -m bench.rolling --old $(OLD) $(ARGS)

EVENTS ?= 100000
FAULTS ?= 200
chaos: $(VENV)/.installed ## all roles on three brokers, struck one by one; EVENTS= FAULTS= SEED=
	$(BIN)/python -m bench.chaos --events $(EVENTS) --faults $(FAULTS) --seed $(SEED) $(ARGS)

PEERS ?= restate
REPS  ?= 3
bench: $(VENV)/.installed ## side by side with the peers; PEERS=restate,dbos REPS=3
	$(BIN)/python -m bench --peers '$(PEERS)' --reps $(REPS)

cpu: $(VENV)/.installed ## the CPU of a run's hot path beside the figure that was landed last; ARGS=--check
	$(BIN)/python -m bench.cpu $(ARGS)

RUNS ?= 10000000
bench-analytics: $(VENV)/.installed ## the analysts' queries on generated runs; RUNS= SEED=
	$(BIN)/python -m bench.analytics --runs $(RUNS) --seed $(SEED) $(ARGS)

sample-sql: export SQL ?=
sample-sql: $(VENV)/.installed ## a query on the sample data of docs/analytics.md; SQL="SELECT ..."
	@$(BIN)/python -m bench.analytics.sample "$$SQL"

clean: ## remove the environment and the local state
	rm -rf $(VENV) $(GRAPHON) .hopline .hopline-sample
