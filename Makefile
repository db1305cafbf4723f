# Two commands on a fresh machine: `make run` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
export RUST_BACKTRACE := 0

.PHONY: help install run serve test check ui dashboard bench clean
.DEFAULT_GOAL := help

help:  ## what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 16

.venv/.installed: pyproject.toml constraints.txt
	@echo "installing the pinned set into .venv (about two minutes)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,cloud,dev]'
	touch $@

install: .venv/.installed  ## make .venv with the pinned set

run: .venv/.installed  ## the whole pipeline on real logos, to a model in Production (about 10 minutes)
	@$(BIN)/svg-quality main

test: .venv/.installed  ## every test, with coverage, in two processes (about half an hour on two cores)
	$(BIN)/python -m pytest -m 'not alone' --numprocesses 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=
	$(BIN)/python -m pytest -m alone tests --cov --cov-append --cov-report=term

check: .venv/.installed  ## ruff, mypy strict, import-linter
	$(BIN)/ruff format --check src tests experiments
	$(BIN)/ruff check src tests experiments
	$(BIN)/mypy
	$(BIN)/lint-imports

serve: .venv/.installed  ## the REST API and the web page on http://127.0.0.1:8000
	@$(BIN)/svg-quality serve

ui: .venv/.installed  ## the MLflow UI on http://127.0.0.1:5000, on the same store
	$(BIN)/mlflow ui --host 127.0.0.1 --port 5000

STUDY ?= svg-quality
dashboard: .venv/.installed  ## optuna-dashboard on http://127.0.0.1:8080, on the study of `search` (STUDY=name)
	$(BIN)/optuna-dashboard sqlite:///data/optuna/$(STUDY).db --host 127.0.0.1 --port 8080

bench: .venv/.installed  ## measure the figures of the README; results in experiments/benchmarks/*.json
	for program in experiments/benchmarks/measure_*.py; do $(BIN)/python $$program || exit 1; done

clean:  ## remove everything that commands wrote (.venv stays)
	rm -rf data
	find mlruns reports -mindepth 1 ! -name .gitkeep -delete
