# Two commands are all there is to know: `make run` and `make test`.
# Both make `.venv` ready by themselves; they need Python 3.11 or later and make.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint page soak broken attack mutation fuzz bench docs types screenshots wheel lock clean

run:
	@$(PYTHON) tools/prepare.py run
	@$(BIN)/ownkey serve $(ARGS)

test:
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/pyright
	@$(BIN)/python -m pytest -m "not soak" -n 2 --dist worksteal $(ARGS)

lint:
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/lint-imports
	@$(BIN)/pyright

# The page of web/, into the package; by `run`, `test` and `wheel` too, where its sources have changed.
page:
	@$(PYTHON) tools/prepare.py page

soak:
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/python -m pytest -m soak --timeout 3600 $(ARGS)

attack:
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/python tools/attack.py $(ARGS)

broken:
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/python -m pytest -m soak --timeout 900 -n 2 tests/broken $(ARGS)

mutation:
	@$(PYTHON) tools/prepare.py test
	@for group in $(or $(GROUPS),vault transport guard); do $(BIN)/python tools/mutate.py $$group $(or $(ARGS),--sample 200); done

fuzz:
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/python tools/run_fuzz.py $(ARGS)

bench:
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/python -m bench $(ARGS)

# The types in which the page asks the API, from its document.
types:
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/python tools/write_types.py

# Into .screenshots/; `make screenshots ARGS="home dark"` makes those in whose names both words stand.
screenshots:
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/python tools/screenshots.py $(ARGS)

docs:
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/python tools/write_docs.py
	@PYTHONPATH=src:tests $(BIN)/python tests/matrix.py

# The same bytes wherever it is run, unless SOURCE_DATE_EPOCH says otherwise; into dist/.
wheel:
	@$(PYTHON) tools/prepare.py page
	@$(BIN)/python -m hatchling build --target wheel

lock:
	uv pip compile --universal --generate-hashes --no-header --group build pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-header --group build --group dev pyproject.toml -o requirements-dev.lock -c requirements.lock
	uv pip compile --universal --generate-hashes --no-header --group page -o requirements-page.lock -c requirements-dev.lock

clean:
	rm -rf .venv .mutation .fuzz build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf src/ownkey/server/page web/node_modules web/dist
