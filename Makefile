# Everything a checkout can do. Each target sets up what it needs; ARGS="..." goes to the program.
.PHONY: run test soak check app-check screens format bench lock clean
BIN := .venv/bin
# One more than there are cores: tests wait for processes, leases and pages as often as they work.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

run:
	@./scripts/environment run
	@exec $(BIN)/tikiwallet serve $(ARGS)

test:
	@./scripts/environment dev
	@./scripts/system-tools
	@./scripts/web-tools
	@./scripts/oracles
	@TIKIWALLET_TEST_SERVER=$${TIKIWALLET_TEST_SERVER:-all} $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# The fault tests for an hour, or as long as TIKIWALLET_SOAK_SECONDS says; then, for a tenth of
# that, games of the offline simulator.
soak:
	@./scripts/environment dev
	@TIKIWALLET_SOAK_SECONDS=$${TIKIWALLET_SOAK_SECONDS:-3600} $(BIN)/python -m pytest -s tests/faults $(ARGS)
	@TIKIWALLET_SOAK_SECONDS=$$(($${TIKIWALLET_SOAK_SECONDS:-3600} / 10)) $(BIN)/python -m pytest -s tests/offline/test_simulator.py $(ARGS)

check:
	@./scripts/environment dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports

# Types of the phone app. Only where node is, so that the rest needs none.
app-check:
	@if command -v npm >/dev/null; then ./scripts/web-tools && cd web && npm run --silent check; \
	else echo "app-check: no node here, skipped"; fi

# Pictures of every screen, in both themes, into docs/screens; ARGS="FOLDER [NAME...]" for others.
screens:
	@./scripts/environment dev
	@./scripts/system-tools
	@PYTHONPATH=src:. $(BIN)/python -m tests.app.screens $(ARGS)

format:
	@./scripts/environment dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench:
	@./scripts/environment run
	@exec $(BIN)/tikiwallet bench $(ARGS)

lock:
	@./scripts/environment dev
	./scripts/lock $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
