# The two that matter: `make run` compares policies on the default trace, `make test` checks everything.
# Each makes .venv when it is missing and installs anew only when pyproject.toml or constraints.txt changed.

VENV := .venv
PIP  := $(VENV)/bin/python -m pip -qq --disable-pip-version-check
ARGS ?=

# A candidate must start (a version manager's shim may not), be 3.11 or newer, and be able to make environments.
FIND_PYTHON = for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	python=; \
done; \
[ -n "$$python" ] || { echo "keepwarm needs Python 3.11 or newer with its venv module; none was found. Name one with: make PYTHON=/path/to/python" >&2; exit 1; }

.PHONY: run test lint format bench constraints clean distclean

run: $(VENV)/.runtime
	@$(VENV)/bin/python -m sim $(ARGS)

bench: $(VENV)/.runtime
	@$(VENV)/bin/keepwarm bench $(ARGS)

# Every check runs, whatever the ones before it found. pytest is the last, so that its closing line ends the output.
CHECKS = failed=; \
check() { printf '\n== %s\n' "$$*"; "$(VENV)/bin/$$@" || failed="$$failed [$$*]"; }; \
check ruff check; \
check ruff format --check; \
check mypy sim; \
check lint-imports --no-logo --no-cache; \
[ -z "$$failed" ] || printf '\n== FAILED:%s\n' "$$failed"

lint: $(VENV)/.test
	@$(CHECKS); [ -z "$$failed" ]

test: $(VENV)/.test
	@$(CHECKS); check pytest -n 2 --dist loadgroup; [ -z "$$failed" ]

format: $(VENV)/.test
	@$(VENV)/bin/ruff check --fix; $(VENV)/bin/ruff format

$(VENV)/.runtime: pyproject.toml constraints.txt $(VENV)/pyvenv.cfg
	@echo "== installing keepwarm into $(VENV)"
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(VENV)/pyvenv.cfg
	@echo "== installing keepwarm and what its tests need into $(VENV)"
	@$(PIP) install -c constraints.txt -e '.[test]'
	@touch $(VENV)/.runtime $@

$(VENV)/pyvenv.cfg:
	@$(FIND_PYTHON); echo "== making $(VENV) with $$("$$python" --version)"; "$$python" -m venv --clear $(VENV)

# Resolves every version anew. Look at the difference, and run the tests, before committing it.
constraints:
	@$(FIND_PYTHON); new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; set -e; \
	"$$python" -m venv "$$new"; \
	"$$new/bin/python" -m pip -qq --disable-pip-version-check install '.[test]'; \
	sed '/^[^#]/,$$d' constraints.txt > "$$new/constraints.txt"; \
	"$$new/bin/python" -m pip freeze --exclude keepwarm >> "$$new/constraints.txt"; \
	cp "$$new/constraints.txt" constraints.txt

# Results (outputs/, multirun/, runs/) stay.
clean:
	rm -rf build dist *.egg-info .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find sim tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf $(VENV)

# An environment that was only half made is not kept.
.DELETE_ON_ERROR:
