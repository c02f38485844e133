# The verbs of the project. `make book` and `make test` work from a fresh clone.
PYTHON ?= python3
BIN := .venv/bin
REMOTE := origin
URL :=
BRANCH :=
LAB :=
WORKERS ?= 3  # on two cores; the third works while a kernel starts
RUNS ?= 1  # of make portable

.PHONY: help book pdf pages colab notebook check test portable versions lint outputs figures bench lock audit repository clean

help:  ## list the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

book: .venv/installed  ## build the HTML book and print where it is
	$(BIN)/jupyter-book build . --all -W -n --keep-going
	@echo "The book: $(CURDIR)/_build/html/index.html"

pdf: book  ## build the book, and print it into a PDF that its page of downloads offers; needs Chromium or Chrome
	$(BIN)/python tools/book_pdf.py _build/html

pages: check-address book  ## build the book that is published; refuse while it has no address

.PHONY: check-address
check-address:
	@$(PYTHON) tools/publish.py check

colab:  ## push chapters and package to the branch `colab`, to which the buttons of the published book point
	@$(PYTHON) tools/publish.py push $(REMOTE)

notebook: .venv/installed  ## open the chapters in JupyterLab; options for it: make notebook LAB="--no-browser"
	$(BIN)/jupyter lab chapters $(LAB)

check: .venv/installed lint  ## check style and run the unit tests of the package, in a minute and a half
	$(BIN)/pytest tests -m "not slow" -n $(WORKERS) --dist=loadfile --no-loadscope-reorder

test: .venv/installed lint  ## run everything that must hold
	$(BIN)/pytest --nbval -n $(WORKERS) --dist=loadfile --no-loadscope-reorder

portable: .venv/installed  ## compare the outputs under other kernels, threads and first weights (RUNS=3: three times)
	$(BIN)/python tools/portable.py --runs $(RUNS) --workers $(WORKERS)

versions: .venv/installed  ## test with other versions: make versions SET=oldest, or colab, or newest
	$(BIN)/python tools/versions.py $(SET)

lint: .venv/installed  ## check style and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

outputs: .venv/installed  ## run every chapter and store its outputs
	$(BIN)/python tools/run_notebooks.py

figures: .venv/installed  ## draw the figures in _static again
	for script in $(filter-out _static/drawing.py,$(wildcard _static/*.py)); do $(BIN)/python $$script || exit 1; done

bench: .venv/installed .venv-rivals/installed  ## measure speeds, in turns with PyTorch, into data/speeds.json
	$(BIN)/python benchmarks/encode.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/workers.py
	$(BIN)/python benchmarks/ingredients.py
	$(BIN)/python benchmarks/fit.py

lock: .venv/installed  ## resolve the dependencies anew into requirements.lock and print what changed
	cp requirements.lock .venv/lock.before
	$(BIN)/uv pip compile pyproject.toml --quiet --extra book --extra notebook --extra test --universal \
	  --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade \
	  --output-file requirements.lock
	@echo "Changed, before < and after >:"
	@diff .venv/lock.before requirements.lock | sed -nE 's/^([<>] [A-Za-z0-9][^ ;]*).*/\1/p'

audit: .venv/installed  ## list the licenses, and look up known vulnerabilities of what the lock file names
	$(BIN)/uv tool run pip-licenses@5.5.5 --python $(BIN)/python --order license
	$(BIN)/uv tool run pip-audit@2.10.1 --strict --require-hashes --disable-pip --requirement requirements.lock

repository:  ## set the book's one address: make repository URL=https://github.com/you/your-fork
	@$(PYTHON) tools/set_repository.py "$(URL)" "$(BRANCH)"

clean:  ## remove the built book
	rm -rf _build

# The environment is made once, with the Python that PYTHON names. Naming another one later is refused.
VERSION := import sys; print("%d.%d" % sys.version_info[:2])
.PHONY: same-python
same-python:
	@if [ -x .venv/bin/python ] && [ "$(origin PYTHON)" != file ]; then \
	  asked=$$($(PYTHON) -c '$(VERSION)'); made=$$(.venv/bin/python -c '$(VERSION)'); \
	  [ "$$asked" = "$$made" ] || { \
	    echo "error: .venv was made with Python $$made, and PYTHON=$(PYTHON) is $$asked; first: rm -r .venv" >&2; exit 1; }; \
	fi

.venv/installed: requirements.lock pyproject.toml | same-python
	@case $$($(PYTHON) -c '$(VERSION)') in 3.11|3.12|3.13) ;; *) \
	  echo "error: Python 3.11 to 3.13 is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1;; esac
	@echo "Installing into .venv: 2.8 GB of disk space, two to ten minutes."
	[ -x .venv/bin/python ] || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --no-deps --no-build-isolation --editable .
	touch $@

# PyTorch runs in an environment and in a process of its own, never beside TensorFlow.
.venv-rivals/installed: benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-rivals
	.venv-rivals/bin/python -m pip install --quiet -r benchmarks/requirements.txt
	touch $@
