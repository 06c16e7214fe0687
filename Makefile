# Every target sets up what it needs, once; a stamp file in each environment says that it was done.
# Two environments that share nothing: one for serving (small, no torch), one for all the rest.

SERVE_VENV := .venv-serve
VENV := .venv
PEERS_VENV := .venv-peers
EXTRAS := training,export,otel,bench,dev

# The service reads PATSUM_* itself; these are its defaults, for the messages below.
PATSUM_HOST ?= 127.0.0.1
PATSUM_PORT ?= 8000
URL := http://$(PATSUM_HOST):$(PATSUM_PORT)

PYTEST_ARGS ?=
BENCH_ARGS ?=
DATA ?=
ENCODER ?=
REPRODUCE_ARGS ?=

# The image; ENGINE=docker, podman or buildah takes that one, else the first that works is taken.
IMAGE ?= localhost/patsum:$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
export IMAGE ENGINE PYTHON_IMAGE IMAGE_EXTRAS REVISION SOURCE
# Debian packages: a browser for the page's tests, and what builds an image without any engine.
SYSTEM_PACKAGES := buildah ca-certificates chromium debootstrap python3-venv

# The first Python that is new enough; another one: make test PYTHON=python3.12
PYTHON ?= $(shell for python in python3.11 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)

# The constraints keep every package on its tested release, torch among them.
INSTALL := -m pip install --quiet --no-input --disable-pip-version-check -c constraints.txt

SERVE_READY := $(SERVE_VENV)/.installed
READY := $(VENV)/.installed
PEERS_READY := $(PEERS_VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup serve test check fix bench bench-peers bench-sentences reproduce soak image image-check system
MAKEFLAGS += --no-builtin-rules

define HELP
patsum: text in, its own most important sentences out, with reasons.

  make serve      start the service on $(URL)  (serving packages only, no torch)
  make test       run the tests, without the slow ones
  make soak       the slow tests: overload, memory, fuzzing and the rest; SOAK_S=60 shortens the long ones
  make check      lint, formatting, types, and which package may import which
  make fix        let ruff mend what it can
  make bench      latency and throughput of the embedded model here, minutes; report in bench/results/
                  DATA=articles.jsonl: on your own articles; BENCH_ARGS="--url http://...": of a service
  make bench-peers DATA=articles.jsonl
                  the same articles through sumy and bert-extractive-summarizer, ROUGE beside the times
  make bench-sentences DATA=gum.jsonl.xz
                  sentence boundaries against gold ones, beside pysbd
  make reproduce DATA=articles.jsonl
                  measure the embedded model again: ROUGE beside Lead-3 and the oracle
  make image      build the container image with docker, podman or buildah: $(IMAGE)
  make image-check
                  run it on a read-only root: does it answer, how large is it, how soon is it ready
  make system     as root on Debian: install the packages that images and all tests need
  make setup      only install what all of these need, except serve

Each one installs what it needs the first time, into $(SERVE_VENV) (serve), $(PEERS_VENV) (bench-peers) or
$(VENV) (the rest). Nothing outside this folder changes but pip's cache. To start over, delete them.

  make serve PATSUM_PORT=8080               another port; each PATSUM_* setting works so
  make test PYTEST_ARGS="tests/service -x"  some of the tests
  make test PYTEST_ARGS="-m slow"           the slow ones
  make test PYTHON=python3.12               make the environment with another Python than 3.11

New here? `make serve`, then the curl of README.md. Changing something?
CONTRIBUTING.md says how this is built; `make check test` is what has to pass.
endef
export HELP

help:
	@printf '%s\n' "$$HELP"

setup: $(READY)
	@echo "Ready. 'make test' runs the tests; '$(VENV)/bin/patsum --help' lists the commands."

serve: $(SERVE_READY)
	@echo "Serving on $(URL) (Ctrl-C stops it)"
	@exec $(SERVE_VENV)/bin/patsum serve

test: $(READY)
	@$(VENV)/bin/python -m pytest $(PYTEST_ARGS)

# Without SOAK_S: 60 s of overload, 10 minutes of fuzzing, an hour of mixed lengths.
soak: $(READY)
	@$(if $(SOAK_S),SOAK_OVERLOAD_S=$(SOAK_S) SOAK_FUZZ_S=$(SOAK_S) SOAK_MEMORY_S=$(SOAK_S)) \
		$(VENV)/bin/python -m pytest -m slow $(PYTEST_ARGS)

# All four run, whichever fails, so that one round shows everything.
check: $(READY)
	@failed=; \
	echo "ruff check"; $(VENV)/bin/ruff check --quiet . || failed="$$failed lint"; \
	echo "ruff format"; $(VENV)/bin/ruff format --check --quiet . || failed="$$failed format"; \
	echo "mypy --strict"; $(VENV)/bin/mypy --strict || failed="$$failed types"; \
	echo "lint-imports"; $(VENV)/bin/lint-imports --no-logo || failed="$$failed imports"; \
	test -z "$$failed" || { echo "Failed:$$failed ('make fix' mends lint and format where it can)"; exit 1; }

fix: $(READY)
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

bench: $(READY)
	@mkdir -p bench/results
	@$(VENV)/bin/patsum bench $(if $(DATA),--data "$(DATA)") --html bench/results/bench.html \
		--json bench/results/bench.json --svg bench/results/bench.svg $(BENCH_ARGS)
	@echo "The report is bench/results/bench.html"

# An environment of its own: these packages are old, and hold others back.
bench-peers: $(PEERS_READY)
	@test -n "$(DATA)" || { echo "Which articles? make bench-peers DATA=articles.jsonl (keys article, summary)"; exit 1; }
	@mkdir -p bench/results
	@$(PEERS_VENV)/bin/python -m bench.peers --check $(if $(ENCODER),--encoder "$(ENCODER)")
	@$(PEERS_VENV)/bin/python -m bench.peers --data "$(DATA)" $(if $(ENCODER),--encoder "$(ENCODER)") \
		--json bench/results/peers.json --svg bench/results/peers.svg $(BENCH_ARGS)

bench-sentences: $(READY)
	@test -n "$(DATA)" || { echo "Which sentences? make bench-sentences DATA=gum.jsonl.xz (one gold sentence a line)"; exit 1; }
	@$(VENV)/bin/python -m bench.sentence_boundaries --data "$(DATA)" $(BENCH_ARGS)

reproduce: $(READY)
	@test -n "$(DATA)" || { echo "Which articles? make reproduce DATA=articles.jsonl (also .gz, .xz)"; \
		echo "or, with a network, DATA=hf:NAME:CONFIG:SPLIT from the Hugging Face hub."; exit 1; }
	@$(VENV)/bin/patsum evaluate --data "$(DATA)" $(REPRODUCE_ARGS)

image:
	@image/build

image-check:
	@"$(PYTHON)" image/check.py "$(IMAGE)"

# promtool is taken out of Debian's prometheus package: installed whole, that would start a server.
system:
	@test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { \
		echo "make system is for root on Debian. Elsewhere, install yourself: $(SYSTEM_PACKAGES), promtool"; exit 1; }
	@apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq --no-install-recommends $(SYSTEM_PACKAGES) >/dev/null
	@command -v promtool >/dev/null || { folder=$$(mktemp -d) && cd "$$folder" && chmod 755 . \
		&& apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . \
		&& install usr/bin/promtool /usr/local/bin/ && rm -r "$$folder"; }

# An environment counts as made when pip stands in it: the last thing that venv puts there.
$(SERVE_VENV)/bin/pip $(VENV)/bin/pip $(PEERS_VENV)/bin/pip: %/bin/pip:
	@test -n "$(PYTHON)" || { echo "patsum needs Python 3.11 or newer and found none on PATH."; \
		echo "Install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "patsum needs Python 3.11 or newer; $(PYTHON) is not."; exit 1; }
	@"$(PYTHON)" -m venv $* || { \
		echo "$(PYTHON) could not make an environment; Debian and Ubuntu need python3-venv for it."; \
		exit 1; }

$(SERVE_READY): pyproject.toml constraints.txt | $(SERVE_VENV)/bin/pip
	@echo "Installing the service into $(SERVE_VENV) (about a minute, no torch) ..."
	@$(SERVE_VENV)/bin/python $(INSTALL) -e .
	@touch $@

$(READY): pyproject.toml constraints.txt | $(VENV)/bin/pip
	@echo "Installing service, training, export and tools into $(VENV) (some minutes) ..."
	@$(VENV)/bin/python $(INSTALL) -e '.[$(EXTRAS)]'
	@touch $@

$(PEERS_READY): pyproject.toml constraints.txt | $(PEERS_VENV)/bin/pip
	@echo "Installing the peers into $(PEERS_VENV) (some minutes) ..."
	@$(PEERS_VENV)/bin/python $(INSTALL) -e '.[peers,minilm]'
	@touch $@
