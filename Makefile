# make run     set everything up, then watch bots being caught live and get a report
# make lab     open the notebooks in JupyterLab
# make test    lint, types, the map of the packages, and the short tests: what is checked of a change (10 minutes)
# make test-long   the other tests: faults, a cluster, a secured broker, tours in a browser (25 minutes)
# make setup   only set up: .venv, the jars of the embedded broker and of Spark's Kafka connector, Spark's classes
# make coverage   how much of the pure modules the pure tests run; fails below 95%
# make bench   the same rule on other engines, beside the detector: bench/README.md (15 minutes; fetches them)
# make growth  what does the detector cost as sessions and partitions grow? bench/README.md (15 minutes)
# make soak    does anything grow in 20 minutes of steady load?
# make lock    renew requirements.lock and environment.yml from pyproject.toml
# make notebooks   store the notebooks' checked outputs anew, and drop all others
# make docs    make the parts of the pages anew that come from the code: modules, options, parameters
# make clean   delete what the above made in this folder (jars, broker data and logs live in the user's folders)

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/set-up
# One process for all that Spark is for, another for the rest meanwhile.
PYTEST := $(BIN)/pytest -n 2 --dist loadscope --no-loadscope-reorder
export PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run lab test test-long coverage bench growth soak setup lock notebooks docs clean
.DELETE_ON_ERROR:

run: $(STAMP)
	@$(BIN)/workbench run

lab: $(STAMP)
	@$(BIN)/workbench lab

test: $(STAMP)
	@sh tools/system.sh chromium kcat
	@echo "Lint ..."
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@echo "Types ..."
	@$(BIN)/mypy --no-error-summary
	@echo "Imports ..."
	@told=$$($(BIN)/lint-imports --no-logo) || { echo "$$told"; exit 1; }
	@echo "Tests ..."
	@$(PYTEST) -m "not long"

test-long: $(STAMP)
	@sh tools/system.sh chromium kcat
	@echo "Long tests ..."
	@$(PYTEST) -m long

coverage: $(STAMP)
	@$(BIN)/python tools/coverage.py

bench: $(STAMP)
	@sh tools/system.sh chromium
	@$(BIN)/python bench/peers.py --write

growth: $(STAMP)
	@sh tools/system.sh chromium
	@$(BIN)/python bench/growth.py --write

soak: $(STAMP)
	@sh tools/system.sh chromium
	@$(BIN)/python bench/soak.py

setup: $(STAMP)

# uv and setuptools come first, by pip; they install the rest. Every file is compared with its hash in the lock.
$(STAMP): requirements.lock pyproject.toml
	@sh tools/system.sh java venv
	@echo "Making .venv ..."
	@$(PYTHON) -m venv .venv
	@awk '/^[a-z]/ { wanted = /^(setuptools|uv)==/ } wanted' requirements.lock > .venv/first.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r .venv/first.txt
	@echo "Installing the packages of requirements.lock (a minute the first time) ..."
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --no-build-isolation requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/workbench prepare
	@touch $@

lock:
	@test -x $(BIN)/uv || $(MAKE) setup
	@echo "Resolving ..."
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --extra dev --output-file requirements.lock pyproject.toml
	@$(BIN)/python tools/environment.py

notebooks: $(STAMP)
	@$(BIN)/python tools/notebooks.py

docs: $(STAMP)
	@$(BIN)/python tools/docs.py

clean:
	@rm -rf .venv build out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage spark-warehouse
	@find $(wildcard workbench tests bench notebooks tools) \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
