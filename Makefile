# make run: the daemon on this host, no root needed.   make test: everything that CI runs.
.PHONY: install run test lint format bench soak fuzz clean
PYTHON ?= python3
VENV := .venv
LINT := .venv-lint

install: $(VENV)/installed
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable .
	touch $@

run: install
	$(VENV)/bin/paramedic run

$(VENV)/tested: $(VENV)/installed
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

# The linters live in a venv of their own: structlog imports rich when it is installed, and the daemon's memory is measured.
$(LINT)/installed: pyproject.toml
	$(PYTHON) -m venv $(LINT)
	$(LINT)/bin/pip install --quiet --disable-pip-version-check ruff mypy import-linter
	touch $@

test: $(VENV)/tested $(LINT)/installed
	tests/run-all

lint: $(VENV)/tested $(LINT)/installed
	$(LINT)/bin/ruff format --check .
	$(LINT)/bin/ruff check .
	$(LINT)/bin/mypy --python-executable $(VENV)/bin/python
	PYTHONPATH=. $(LINT)/bin/lint-imports

format: $(LINT)/installed
	$(LINT)/bin/ruff format .
	$(LINT)/bin/ruff check --fix .

bench: install
	benchmarks/run

# Longer than CI may take: many more kill points, and hypothesis with many more examples over every parser and machine.
soak: $(VENV)/tested
	JUDGE_SECONDS=1 CRASH_POINTS=300 FLAPS=100 $(VENV)/bin/python -m pytest -q -p no:cacheprovider tests/crash tests/host/test_hostile.py \
	  tests/host/test_contained.py tests/host/test_repair.py tests/agent/web/test_door.py
	HOST_SUITE=trixie $(VENV)/bin/python -m pytest -q -p no:cacheprovider tests/host
	LABEL_SETS=1000000 $(VENV)/bin/python -m pytest -q -p no:cacheprovider tests/acceptance/test_alert_storm.py
	OUTAGE_INCIDENTS=10000 $(VENV)/bin/python -m pytest -q -p no:cacheprovider tests/acceptance/test_ticket_outage.py

fuzz: $(VENV)/tested
	tests/fuzz

clean:
	rm -rf $(VENV) $(LINT) .cache
