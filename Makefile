# What CI runs is what a person runs. `make` alone lists the commands.
.DEFAULT_GOAL := help
# Compiled modules are kept, whatever the shell says: else each process that a test starts compiles them all anew
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3.11
VENV := .venv
LAKE ?= demo-lake
MINUTES ?= 5
# where tests run on the Python of Lambda: the one named so, else pyenv's
VENV_313 := .venv-3.13
PYTHON_313 := $(shell for python in python3.13 $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python); do \
  $$python -c '' 2>/dev/null && echo $$python && break; done)
# tests on every core and one more (tests/conftest.py); those of one file on one, so that what they share is made once, and long files first
PYTEST := -m pytest -n logical --dist loadfile --no-loadscope-reorder
# a quarter of the random examples, for the loop of change and try; `make test` tries all
QUICK := $(PYTEST) --hypothesis-profile=quick tests/unit
READERS := .venv-readers
SAM := .venv-sam
CHECKOV := .venv-checkov
ENGINES := .venv-engines
OPENAPI := .venv-openapi
PAGE := .venv-page
ASL := .asl
CHROMIUM ?= chromium
# the processors that are built for: x86_64 or arm64
ARCHITECTURE ?= x86_64
# what functions/Dockerfile installs; the AutoGluon container is built apart
CONTAINERS := $(filter-out functions/classify_autogluon/%,$(wildcard functions/*/requirements.txt))
DEMO_QUERY := SELECT label, modality, count(*) AS records, round(avg(score), 3) AS mean_score FROM predictions GROUP BY label, modality ORDER BY records DESC LIMIT 8

.PHONY: help setup demo lint docs report-picture unit fuzz test test-3.13 test-aws test-attacks test-wheel test-engines test-trino test-readers test-openapi test-page sam validate lint-template asl arm64 build autogluon-image test-containers requirements
help: ## list the commands
	@grep -hE '^[a-z0-9.-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## .venv with the `pixlake` command

$(VENV)/.ready: requirements/dev.txt requirements/uv.txt pyproject.toml
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install -q --require-hashes -r requirements/uv.txt
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip sync -q --require-hashes requirements/dev.txt
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## set up and run the main job on the sample upload
	@$(VENV)/bin/pixlake run samples/emoji.zip --lake $(LAKE)
	@echo; echo 'pixlake query "$(DEMO_QUERY)" --lake $(LAKE)'
	@$(VENV)/bin/pixlake query "$(DEMO_QUERY)" --lake $(LAKE)

lint: setup ## ruff, mypy and the layers of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: setup ## docs/cli.md from the commands' help; pixlake-json, limits and joins.md from what the code reads and finds
	$(VENV)/bin/python -m pixlake_cli.manual > docs/cli.md
	$(VENV)/bin/python -m pixlake_cli.fields > docs/pixlake-json.md
	$(VENV)/bin/python -m benchmarks.limits > docs/limits.md
	$(VENV)/bin/python -m tests.builders.shapes > docs/joins.md

report-picture: setup ## docs/report.png, the sample's report as Chromium shows it (CHROMIUM names it)
	$(VENV)/bin/python docs/report_picture.py $(CHROMIUM) docs/report.png

unit: setup ## the quick tests: each module by itself
	$(VENV)/bin/python $(QUICK)

# not a part of `make test`, which only proves that it finds what is planted
fuzz: setup ## hostile images, tables and zips for MINUTES, as SEED says; findings in build/fuzz
	$(VENV)/bin/python -m tests.fuzz --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

# mypy keeps one core busy, so the tests on Python 3.13 run beside it
test: setup ## lint, the quick tests on Python 3.13, and all but the slow, and those that need doubles of AWS, torch, containers or another environment
	@$(MAKE) -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync) lint $(if $(filter %3.13,$(PYTHON)),,test-3.13)
	$(VENV)/bin/python $(PYTEST)

test-3.13: setup ## the quick tests on Python 3.13, which Lambda has
ifeq ($(PYTHON_313),)
	@echo "NOT RUN on Python 3.13: none found"
else
test-3.13: $(VENV_313)/.ready
	$(VENV_313)/bin/python $(QUICK)
endif

$(VENV_313)/.ready: requirements/dev.txt $(VENV)/.ready
	@test -x $(VENV_313)/bin/python || $(VENV)/bin/uv venv -q --python $(PYTHON_313) $(VENV_313)
	VIRTUAL_ENV=$(VENV_313) $(VENV)/bin/uv pip sync -q --require-hashes requirements/dev.txt
	VIRTUAL_ENV=$(VENV_313) $(VENV)/bin/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@

test-aws: setup ## the deployment on doubles of AWS: its stack, rights and redrives, stores and catalogs
	$(VENV)/bin/python $(PYTEST) tests/deployment tests/contract

test-attacks: setup ## what must be waited for: runs after runs, hostile images, tables, models and queries against their limits, processes that end
	$(VENV)/bin/python $(PYTEST) tests/runs tests/attacks tests/processes

test-wheel: setup ## install the wheel into a new environment and run the sample there
	$(VENV)/bin/python -m pytest tests/wheel

test-engines: setup $(ENGINES)/.ready ## the state machine on a second interpreter, MiniStack, from an object put into its S3 to rows
	$(VENV)/bin/python -m pytest tests/engines

$(ENGINES)/.ready: requirements/engines.txt $(VENV)/.ready
	@test -x $(ENGINES)/bin/python || $(VENV)/bin/python -m venv $(ENGINES)
	VIRTUAL_ENV=$(ENGINES) $(VENV)/bin/uv pip sync -q --require-hashes requirements/engines.txt
	@touch $@

test-openapi: setup $(OPENAPI)/.ready ## requests that the API's description allows, and others, by schemathesis
	$(VENV)/bin/python -m pytest tests/openapi

$(OPENAPI)/.ready: requirements/openapi.txt $(VENV)/.ready
	@test -x $(OPENAPI)/bin/python || $(VENV)/bin/python -m venv $(OPENAPI)
	VIRTUAL_ENV=$(OPENAPI) $(VENV)/bin/uv pip sync -q --require-hashes requirements/openapi.txt
	@touch $@

test-page: setup $(PAGE)/.ready ## the page of `pixlake serve` in headless Chromium (CHROMIUM names it), axe-core looking at it
	@if command -v $(CHROMIUM) >/dev/null; then CHROMIUM=$(CHROMIUM) $(PAGE)/bin/python -m pytest tests/page; \
	  else echo "NOT RUN, no Chromium as '$(CHROMIUM)': the page of \`pixlake serve\` in a browser"; fi

$(PAGE)/.ready: requirements/dev.txt requirements/page.txt $(VENV)/.ready
	@test -x $(PAGE)/bin/python || $(VENV)/bin/python -m venv $(PAGE)
	VIRTUAL_ENV=$(PAGE) $(VENV)/bin/uv pip sync -q --require-hashes requirements/dev.txt requirements/page.txt
	VIRTUAL_ENV=$(PAGE) $(VENV)/bin/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@

test-trino: setup ## Athena's queries and merges on Trino, the engine that it is made from (Java 24, Maven; Go for a real S3)
	$(VENV)/bin/python -m pytest tests/trino

test-readers: $(READERS)/.ready ## the blocks of docs/python.md, with pandas and Polars; exports for Lance and FAISS
	$(READERS)/bin/python -m pytest tests/readers

$(READERS)/.ready: requirements/dev.txt requirements/readers.txt $(VENV)/.ready
	@test -x $(READERS)/bin/python || $(VENV)/bin/python -m venv $(READERS)
	VIRTUAL_ENV=$(READERS) $(VENV)/bin/uv pip sync -q --require-hashes requirements/dev.txt requirements/readers.txt
	VIRTUAL_ENV=$(READERS) $(VENV)/bin/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@

sam: $(SAM)/.ready ## .venv-sam with the SAM CLI, apart from .venv because of what it pins

$(SAM)/.ready: requirements/sam.txt $(VENV)/.ready
	@test -x $(SAM)/bin/python || $(VENV)/bin/python -m venv $(SAM)
	VIRTUAL_ENV=$(SAM) $(VENV)/bin/uv pip sync -q --require-hashes requirements/sam.txt
	@touch $@

validate build test-containers: export SAM_CLI_TELEMETRY := 0
validate build test-containers: export AWS_DEFAULT_REGION ?= eu-central-1
validate build test-containers: export PATH := $(CURDIR)/$(SAM)/bin:$(PATH)

validate: sam ## lint the template as SAM reads it
	sam validate --lint
	sam validate --lint --template-file api.yaml
	sam validate --lint --template-file collect.yaml
	sam validate --lint --template-file vectors.yaml

# WS1004 wants a log group for each function; they share one, so that one query follows an execution through all. E3724 is
# left out in the template, too, which says why
lint-template: $(CHECKOV)/.ready validate asl ## the template by cfn-lint's serverless rules and checkov's, the state machines by asl-validator's
	$(CHECKOV)/bin/cfn-lint template.yaml api.yaml collect.yaml vectors.yaml --append-rules cfn_lint_serverless.rules --ignore-checks WS1004 E3724
	$(CHECKOV)/bin/checkov --config-file .checkov.yaml
	$(VENV)/bin/python -m pytest -q -rs tests/template/test_states_language.py

asl: # asl-validator, where there is npm
	@if command -v npm >/dev/null; then mkdir -p $(ASL) && cp requirements/asl/*.json $(ASL) && \
	  npm ci --prefix $(ASL) --ignore-scripts --no-audit --no-fund --silent; else echo "NOT RUN, no npm: asl-validator"; fi

$(CHECKOV)/.ready: requirements/checkov.txt $(VENV)/.ready
	@test -x $(CHECKOV)/bin/python || $(VENV)/bin/python -m venv $(CHECKOV)
	VIRTUAL_ENV=$(CHECKOV) $(VENV)/bin/uv pip sync -q --require-hashes requirements/checkov.txt
	@touch $@

# Compiled for arm64 from wheels alone and the pins without their hashes, these have to come out as they are
arm64: setup ## prove that what is deployed installs on arm64, too, by the hashes that are pinned
	@folder=$$(mktemp -d) && for file in layers/pixlake/requirements.txt $(CONTAINERS); do \
	  grep -o '^[^ #]*==[^ ]*' $$file >$$folder/requirements.txt && $(VENV)/bin/uv pip compile -q --python-version 3.13 --only-binary :all: \
	  --python-platform aarch64-manylinux_2_34 --generate-hashes --no-annotate --no-header -c requirements/dev.txt \
	  $${file%.txt}.in -o $$folder/requirements.txt >/dev/null && grep -v '^#' $$file | diff - $$folder/requirements.txt \
	  && echo "$$file is good for arm64" || exit 1; done && rm -r $$folder

build: sam ## all that is deployed, into .aws-sam (needs a Docker engine)
	ARCHITECTURE=$(ARCHITECTURE) sam build --parameter-overrides Architecture=$(ARCHITECTURE)

# Lambda takes no OCI index, which BuildKit makes of an image that it attests
autogluon-image: ## the AutoGluon container, 6 GB, or with TORCH_INDEX=URL less (docs/autogluon-container.md)
	docker build --provenance=false --sbom=false --platform=linux/$(if $(filter arm64,$(ARCHITECTURE)),arm64,amd64) \
	  --build-arg TORCH_INDEX=$(TORCH_INDEX) -t pixlake-autogluon -f functions/classify_autogluon/Dockerfile .

test-containers: setup lint-template arm64 ## build, then run the functions in their containers
	@if docker info >/dev/null 2>&1; then $(MAKE) build && $(VENV)/bin/python -m pytest -s tests/containers; \
	  else echo "NOT RUN, no Docker engine: sam build, and the functions in their containers"; fi

requirements: setup ## pin all requirements again, the deployed ones to what the tests use
	cd requirements && for names in "../pyproject.toml dev" sam checkov engines uv; do ../$(VENV)/bin/uv pip compile -q \
	  --python-version 3.11 --generate-hashes $$names.in -o $${names##* }.txt || exit 1; done
	cd requirements && for name in readers openapi page; do ../$(VENV)/bin/uv pip compile -q --python-version 3.11 \
	  --generate-hashes -c dev.txt $$name.in -o $$name.txt || exit 1; done
	for folder in layers/pixlake $(dir $(CONTAINERS)); do $(VENV)/bin/uv pip compile -q \
	  --python-version 3.13 --python-platform x86_64-manylinux_2_34 --generate-hashes --no-annotate \
	  -c requirements/dev.txt $$folder/requirements.in -o $$folder/requirements.txt || exit 1; done
	cd functions/classify_autogluon && ../../$(VENV)/bin/uv pip compile -q --python-version 3.13 \
	  --python-platform x86_64-manylinux_2_34 --generate-hashes --no-annotate requirements.in -o requirements.txt

include models/Makefile.inc
