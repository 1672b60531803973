# make run: install into .venv and start on http://127.0.0.1:8080. make test: install what tests need and run everything.
PYTHON ?= python3
RUN = .venv/bin

.PHONY: run test lint install

run: .venv/installed
	$(RUN)/minqing serve

test: .venv/installed-tests
	$(RUN)/ruff check .
	$(RUN)/lint-imports
	$(RUN)/pytest -n 2 --dist loadgroup

lint: .venv/installed-tests
	$(RUN)/ruff check .
	$(RUN)/lint-imports

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(RUN)/python || $(PYTHON) -m venv .venv
	$(RUN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-tests: .venv/installed scripts/install-test-needs
	$(RUN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	scripts/install-test-needs
	touch $@
