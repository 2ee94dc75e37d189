# Dubito's commands: `make help` lists them. Everything is installed into .venv, from hashed locks.

PYTHON ?= python3

BIN := .venv/bin
# What is imported is compiled then: compiling all that is installed takes as long as installing it.
PIP := $(BIN)/pip install --quiet --no-compile
# A dot every few seconds while something is installed.
WAIT = & pid=$$!; while kill -0 $$pid 2>/dev/null; do printf .; sleep 3; done; echo; wait $$pid
# What checks the page's JavaScript, by the Node of .venv. Serving needs none of it.
export PATH := $(CURDIR)/$(BIN):$(PATH)
NODE := node_modules/.package-lock.json
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"
COMPILE := $(LOCK) pyproject.toml app/pyproject.toml --no-emit-package dubito --group build
# Where there is no C compiler, one from PyPI builds the kernels, for any processor of this kind.
COMPILER := $(shell $(PYTHON) -c 'import sysconfig; print((sysconfig.get_config_var("CC") or "cc").split()[0])')
ZIG := $(if $(shell command -v $(COMPILER)),,CC="$(CURDIR)/$(BIN)/python -m ziglang cc -mcpu=baseline")

# How the shipped bundles were trained: the study's network, a deeper one, and the one that is served.
# Versions 3 and 4 have version 5's network; what calibrated them is in the history.
TRAIN := DUBITO_BACKEND=numpy $(BIN)/dubito train --out build/models --name loan-grade --seed 0 --split-seed 0
VERSION_1 := --version 1 --architecture study
VERSION_2 := --version 2 --architecture residual
VERSION_5 := --version 5 --architecture lattice
# Those of any table: an application's grade and rate, and the study's regressor, which seed 0 leaves dead.
# Version 1 of an application's has version 2's network; that every missing value refers is in the history.
TRAIN_TABLE := DUBITO_BACKEND=native $(BIN)/dubito train --out build/models --split-seed 0

.PHONY: help serve develop test check cover train proof docs links pictures bench wheel lock

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-9s%s\n", $$1, $$2 }' Makefile

serve: .venv/serve.stamp ## serve the newest bundle; ARGS and DUBITO_* variables set the rest
	$(BIN)/dubito serve $(ARGS)

develop: .venv/dev.stamp ## install what training, tests and checks need

# A module's tests stay in one worker (loadscope): its networks and servers are built once. A fifth of
# a test's time it waits, for a server or the disk: one worker more than there are cores uses that.
test: .venv/dev.stamp .venv/triton.stamp $(NODE) ## run the tests; ARGS go to pytest
	$(BIN)/pytest -n 3 --dist loadscope --no-loadscope-reorder -q $(ARGS)

check: .venv/dev.stamp $(NODE) ## lint, format, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	node_modules/.bin/biome ci
	node_modules/.bin/tsc

# Child processes are followed by `patch = subprocess` in pyproject.toml, and so are pytest's workers.
cover: .venv/dev.stamp .venv/triton.stamp ## run the tests with the coverage of lines and branches; below 95% fails
	rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/coverage run -m pytest -n 2 --dist loadscope --no-loadscope-reorder -q $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet --fail-under 0
	$(BIN)/coverage report

train: .venv/dev.stamp ## train the shipped bundles anew into build/models, and compare
	rm -rf build/models
	$(TRAIN) $(VERSION_1)
	$(TRAIN) $(VERSION_2)
	$(TRAIN) $(VERSION_5)
	$(TRAIN_TABLE) --columns models/loan-application/columns.toml --name loan-application --version 2
	$(TRAIN_TABLE) --columns models/loan-rate/columns.toml --name loan-rate --version 2
	$(TRAIN_TABLE) --columns models/study-income/columns.toml --name study-income --version 1 --architecture regressor --seed 1
	for name in build/models/*; do \
		$(BIN)/python -m benchmarks.reproduction models/$${name##*/} $$name || exit 1; \
	done

proof: .venv/dev.stamp .venv/triton.stamp .venv/kserve.stamp .venv/mlserver.stamp .venv/ray.stamp ## prove what the README claims; ONLY=name proves one claim
	$(BIN)/pytest -n 2 --dist loadscope -q --proof $(if $(ONLY),--only "$(ONLY)")

docs: .venv/docs.stamp ## build the documentation site into build/docs; a warning is an error
	rm -rf build/docs
	$(BIN)/sphinx-build -W --keep-going -n -E -q -b html docs build/docs
	@echo "build/docs/index.html"

links: .venv/docs.stamp ## try the external links of the documentation site
	$(BIN)/sphinx-build -n -E -q -b linkcheck docs build/links

pictures: .venv/dev.stamp ## take the pictures of the page anew, into docs/page
	$(BIN)/pytest -q tests/app/dashboard/pictures.py

bench: .venv/bench.stamp ## measure: ONLY=quick, engine, rate, serving, peers, inference, fronts, libraries, overload, beside, neighbours, swaps, shadow, score, soak, records, startup, quality, applications, ensembles, regression, study or oracles; serving and records beside another commit with ARGS='--against COMMIT'
	$(BIN)/python -m benchmarks.$(or $(ONLY),engine) $(ARGS)

# By a compiler that knows the oldest glibc of manylinux2014, whatever this system's is.
wheel: .venv/dev.stamp ## build the library's wheel for Linux on x86-64 into build/wheels
	rm -rf build/wheels build/lib.linux-x86_64-* build/bdist.*
	CC="$(CURDIR)/$(BIN)/python -m ziglang cc -target x86_64-linux-gnu.2.17 -mcpu=baseline" \
		$(BIN)/python -W ignore -c "from setuptools import setup; setup()" --quiet \
		bdist_wheel --plat-name manylinux2014_x86_64 --dist-dir build/wheels
	@ls build/wheels

lock: .venv/dev.stamp ## renew requirements/ from pyproject.toml; ARGS=--upgrade takes newer versions
	$(COMPILE) $(ARGS) --output-file requirements/serve.txt
	$(COMPILE) $(ARGS) --output-file requirements/image.txt --extra postgres --constraints requirements/serve.txt
	$(COMPILE) $(ARGS) --output-file requirements/dev.txt --extra dev --extra postgres --constraints requirements/image.txt
	$(COMPILE) $(ARGS) --output-file requirements/docs.txt --extra docs --constraints requirements/dev.txt
	$(COMPILE) $(ARGS) --output-file requirements/bench.txt --extra bench --extra postgres --constraints requirements/dev.txt
	$(LOCK) $(ARGS) --group compiler --output-file requirements/compiler.txt --constraints requirements/dev.txt
	for client in triton kserve mlserver ray; do \
		$(LOCK) $(ARGS) --group $$client --output-file requirements/$$client.txt || exit 1; \
	done

.venv/bin/pip:
	$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("Dubito needs Python 3.11 to 3.13: make PYTHON=…")'
	$(PYTHON) -m venv .venv

KERNEL := $(wildcard dubito/engine/backends/native/*.[ch] dubito/loans/formulas/*.[ch])

.venv/serve.stamp: requirements/serve.txt pyproject.toml app/pyproject.toml $(KERNEL) | .venv/bin/pip
	@echo "Installing Dubito into .venv: minutes at first, nothing afterwards."
	@$(PIP) --require-hashes -r requirements/serve.txt $(WAIT)
	$(if $(ZIG),-@$(PIP) --require-hashes -r requirements/compiler.txt $(WAIT))
	$(ZIG) $(PIP) --no-deps --no-build-isolation -e .
	$(PIP) --no-deps --no-build-isolation -e app
	touch $@

.venv/dev.stamp: requirements/dev.txt .venv/serve.stamp
	@echo "Installing what training and tests need."
	@$(PIP) --require-hashes -r requirements/dev.txt $(WAIT)
	touch $@

.venv/docs.stamp: requirements/docs.txt .venv/serve.stamp
	@echo "Installing what the documentation site needs."
	@$(PIP) --require-hashes -r requirements/docs.txt $(WAIT)
	touch $@

# Other people's programs, as they have them: not beside what they test.
.venv/triton.stamp .venv/kserve.stamp .venv/mlserver.stamp .venv/ray.stamp: .venv/%.stamp: requirements/%.txt | .venv/bin/pip
	@echo "Installing $* into .venv/$*."
	$(PYTHON) -m venv .venv/$*
	@.venv/$*/bin/pip install --quiet --no-compile --require-hashes -r requirements/$*.txt $(WAIT)
	touch $@

.venv/bench.stamp: requirements/bench.txt .venv/dev.stamp
	@echo "Installing what benchmarks need."
	@$(PIP) --require-hashes -r requirements/bench.txt $(WAIT)
	touch $@

$(NODE): package-lock.json .npmrc | .venv/dev.stamp
	$(BIN)/npm ci --no-progress
