# Every target works from a fresh clone with only Python (3.11 or newer), git and make.
#   make demo                 a click and a box on a real image, results in demo/
#   make test                 lint and tests, GUI included; make test ARGS="-k prompt" passes arguments on
#   make lint, make format    the checks without the tests; ruff's fixes and formatting
#   make docs                 the documentation, into docs/_build/html; warnings are errors
#   make dist                 sdist and wheel, into dist/; built, checked, installed and tried

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check
TOX := $(BIN)/python -m tox run -e py

# napari comes along where a window can be opened.
SCREEN := $(or $(filter Windows_NT,$(OS)),$(filter Darwin,$(shell uname -s)),$(DISPLAY),$(WAYLAND_DISPLAY))
INSTALLED := $(VENV)/installed$(if $(SCREEN),-gui)

.PHONY: demo test lint format docs dist clean

demo: $(INSTALLED)
	$(BIN)/napari-sam demo -o demo

test: $(VENV)/tox
	scripts/install_display.sh
	$(TOX) -- $(ARGS)

lint: $(VENV)/tox
	$(TOX) -x 'testenv.commands={[checks]lint}'

format: $(VENV)/tox
	$(TOX) -x 'testenv.commands={[checks]format}'

docs: $(VENV)/tox
	$(TOX) -x 'testenv.commands={[checks]docs}'

dist: $(VENV)/tox
	$(TOX) -x 'testenv.commands={[checks]dist}'

clean:
	rm -rf $(VENV) .tox build dist demo docs/_build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade pip

$(VENV)/tox: | $(BIN)/python
	$(PIP) install --quiet 'tox>=4.25'
	touch $@

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.$(if $(SCREEN),[gui])'
	$(if $(SCREEN),scripts/install_display.sh)
	touch $@
