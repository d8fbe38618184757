# The only commands to know. `make check` on a fresh clone sets up .venv, builds and runs everything that must pass.
PYTHON3 ?= python3
VENV ?= .venv
PYTHON = $(VENV)/bin/python
MAKEFLAGS += --no-print-directory
export PATH := $(abspath $(VENV)/bin):$(PATH)

ifeq ($(shell uname),Darwin)
LIBRARY = libpercepnet.dylib
else
LIBRARY = libpercepnet.so
endif

.PHONY: setup build web lint types test check bench soak wheels docs clean

setup: $(VENV)/percepnet-ready

# Everything a developer needs, with the package itself in editable form.
$(VENV)/percepnet-ready: pyproject.toml
	test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --editable ".[train,eval,media,ray,studio,live,dev]"
	touch $@

# The core, placed beside the Python files; incremental.
build:
	@cmake -S . -B build/core -DCMAKE_BUILD_TYPE=Release --log-level=WARNING >/dev/null
	@cmake --build build/core --parallel 2
	@cmp -s build/core/$(LIBRARY) src/percepnet/$(LIBRARY) || \
	  { cp build/core/$(LIBRARY) src/percepnet/$(LIBRARY).new && mv src/percepnet/$(LIBRARY).new src/percepnet/$(LIBRARY); }

# The npm package in web/: the core as WebAssembly, and the models. zig keeps what did not change.
web: setup
	$(PYTHON) web/build.py

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

test: build web
	$(PYTHON) -m pytest

check: setup
	$(MAKE) lint types test docs

# dist/*.whl for Linux, macOS and Windows, made on Linux.
wheels: setup web
	$(PYTHON) native/build_wheels.py dist

docs: setup
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet

bench: build
	$(PYTHON) -m percepnet bench

# Fuzzers (they need clang) and threads with sanitizers, a day of audio, minutes in a browser: about an hour, on a machine with
# nothing else to do. The log of the first is committed.
soak: build web
	$(PYTHON) tests/soak/soak.py
	$(PYTHON) -m pytest -m soak

clean:
	rm -rf build src/percepnet/libpercepnet.* web/percepnet.wasm web/models
