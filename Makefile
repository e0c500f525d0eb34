PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP_FLAGS := --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: setup bench test test-fast docs lint types fuzz kill bench-fit bench-tune defaults clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "lstm-zoo needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_FLAGS) --editable ".[dev]"
	@# Alone, since they ask for older packages than these: of aeon only its files are read, the others work with both.
	$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps aeon holidays sktime scikit-base
	@# Where Python is told to write no bytecode, each command would compile the zoo anew.
	@$(BIN)/python -m compileall -q zoo
	@touch $@

BENCH_MODELS := lstm,gru,stacked-lstm,bilstm,cnn-lstm,attention-lstm,ar-lstm,hybrid-lstm,naive,linear,ridge,gradient-boosting

# --force: the committed rows were measured on another machine. The leaderboard follows the new rows.
bench: $(READY)
	$(BIN)/zoo bench benchmarks/suites/sp500.toml --models $(BENCH_MODELS) --out results/sp500 --force
	@$(BIN)/zoo report results --leaderboard > /dev/null 2>&1

test: $(READY)
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

# For daily work: what starts no process and needs no server.
test-fast: $(READY)
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not process and not browser and not postgres and not gpu and not slow"

# Random hostile inputs for FUZZ_MINUTES; make test runs a few hundred of the same.
FUZZ_MINUTES ?= 10
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz $(FUZZ_MINUTES)

# 50 kills at random moments of zoo bench, and of zoo tune.
kill: $(READY)
	ZOO_KILLS=50 $(BIN)/python -m pytest --timeout 0 tests/run/test_kills.py

docs: $(READY)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "open site/index.html; with search: python3 -m http.server --directory site"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

bench-fit: $(READY)
	$(BIN)/python benchmarks/cpu_step.py --out results/cpu-step

bench-tune: $(READY)
	$(BIN)/python -m pytest --timeout 0 benchmarks/tuning_overhead.py -s

defaults: $(READY)
	$(BIN)/python benchmarks/choose_defaults.py

clean:
	rm -rf $(VENV)
