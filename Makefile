# What CI runs is what a person runs. `make` alone lists the commands.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
LAKE ?= demo-lake
DEMO_QUERY := SELECT label, count(*) AS records, round(avg(score), 3) AS mean_score, count_if(modality = 'image+tabular') AS with_image FROM predictions GROUP BY label ORDER BY records DESC

.PHONY: help setup demo lint test
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

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

lint: setup ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

test: setup lint ## lint and all tests but those that need torch or containers
	$(VENV)/bin/python -m pytest

include models/Makefile.inc
