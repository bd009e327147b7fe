# Everything runs in .venv, which the first target needing it makes. PYTHON picks the interpreter
# (3.11 or newer). Only that first time needs a network (or pip configured for a local mirror).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: demo test check prove old-kernel bench docs wheel-fast lock clean
.DEFAULT_GOAL := demo

demo: $(STAMP)  ## compile, verify and run the example firewall over the example capture
	$(BIN)/python examples/demo.py

test: $(STAMP)  ## all tests; those needing bpf(2) say why when they cannot run
	$(BIN)/python -m pytest -n $(WORKERS)

check: $(STAMP)  ## format, lint, types, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

prove: $(STAMP)  ## z3: the verifier's arithmetic is sound, and mutants of it are not
	$(BIN)/python proofs/run.py --jobs $(WORKERS)

old-kernel: $(STAMP)  ## the tables' rows for 6.1 against that kernel, in qemu (tests/support/old_kernel.py)
	BEEBOX_OLD_KERNEL=1 $(BIN)/python -m pytest -q -n0 -rs tests/linux/test_kernel_6_1.py

bench: $(STAMP)  ## ns per packet beside the running kernel's, where it may be asked
	$(BIN)/python benchmarks/replay.py

docs: $(STAMP)  ## write docs/reference from the tables
	$(BIN)/python docs/generate.py

wheel-fast: $(STAMP)  ## dist/: the wheel with a verifier compiled by mypyc, for this Python and platform
	$(BIN)/python wheels/fast.py

lock: $(STAMP)  ## pin what requirements-dev.in and pyproject.toml ask for, as of today
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager \
		-r requirements-dev.in -e . --no-build-isolation
	{ sed -n '/^#/p' requirements-dev.lock; \
	  $(BIN)/python -m pip freeze --all --exclude pip --exclude-editable; } > requirements-dev.lock.new
	mv requirements-dev.lock.new requirements-dev.lock

clean:  ## remove .venv and every cache
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "beebox needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing: install it (Debian: apt install python3-venv)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation -e .
	touch $@
