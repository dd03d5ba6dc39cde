# The commands of the tree. A machine needs Python 3.11 or newer and make, nothing else; PYTHON=… names another one.
.POSIX:
.SUFFIXES:

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
INPUT =
ONLY =
UPGRADE =
QUICK =
NAMES =
SERVERS = $(BIN)/python -m infra.local_servers
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(UPGRADE)

help:
	@echo 'make demo [INPUT=path]  import, analyse, generate, and show the lineage of the result'
	@echo 'make serve              start the service and print its addresses'
	@echo 'make test               lint, types, imports, all tests'
	@echo 'make bench [ONLY=name]  write build/bench.json'
	@echo 'make hearing [ONLY=task] hold what is heard against the kept figures (needs fluidsynth and SoundFonts)'
	@echo 'make servers [QUICK=1] [NAMES=kafka…]  install and start Kafka, Neo4j, TimescaleDB, Milvus, S3 on loopback'
	@echo 'make servers-stop       stop them; their data stays in build/servers'
	@echo 'make env                everything for development in $(VENV), the command disco included'
	@echo 'make lint               ruff, mypy and import-linter alone'
	@echo 'make lock [UPGRADE=--upgrade]  write the hashed requirements anew'
	@echo 'make clean              remove what was built; make distclean: $(VENV) too; make servers-clean: the servers'

demo: $(VENV)/.base
	@set --; if test -n '$(INPUT)'; then set -- '$(INPUT)'; fi; \
	$(BIN)/python -m api.cli.main demo --into build/demo "$$@"

serve: $(VENV)/.base
	@$(BIN)/python -m api.cli.main serve --development

# Three at a time on two cores: much of it is waiting for servers. A file's tests stay together, for what they share.
test: lint
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	@mkdir -p build
	$(BIN)/python -m benchmarks --only '$(ONLY)' --out build/bench.json

# For a schedule, not for every change: it renders an hour of music the first time, and fails where a figure fell.
hearing: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.hearing --split test --check --only '$(ONLY)'

env: $(VENV)/.dev

servers: $(VENV)/.base
	@if test -n '$(QUICK)'; then $(SERVERS) up --quick $(NAMES); else $(SERVERS) up $(NAMES); fi

servers-stop: $(VENV)/.base
	@$(SERVERS) stop $(NAMES)

# What was fetched and built of them, for every checkout of this user.
servers-clean: servers-stop
	@$(SERVERS) forget

$(VENV)/.tools: requirements/uv.txt
	@sh requirements/install.sh tools '$(PYTHON)' '$(VENV)'

$(VENV)/.base: $(VENV)/.tools requirements/base.txt
	@sh requirements/install.sh base '$(PYTHON)' '$(VENV)'

$(VENV)/.dev: $(VENV)/.tools requirements/dev.txt pyproject.toml
	@sh requirements/install.sh dev '$(PYTHON)' '$(VENV)'

lock: $(VENV)/.tools
	$(COMPILE) requirements/uv.in -o requirements/uv.txt
	$(COMPILE) pyproject.toml --extra dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/base.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt --extra otel --extra server -o requirements/server.txt
	$(COMPILE) infra/local_servers/locks/milvus-lite.in -o infra/local_servers/locks/milvus-lite.txt

# A server whose data is removed under it would run on for ever.
clean:
	@if test -d build/servers && test -x $(BIN)/python; then $(SERVERS) stop; fi
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

.PHONY: help demo serve test lint bench hearing env servers servers-stop servers-clean lock clean distclean
