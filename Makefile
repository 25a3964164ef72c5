# `make help` lists the targets. CONFIG chooses the study, CORES how many cores Snakemake may use.
PYTHON ?= python3
ENGINE ?= docker
CORES ?= all
CONFIG ?= config/config.yaml
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG)
FTBENCH := $(BIN)/ftbench
STUDY = $(shell $(FTBENCH) name $(CONFIG))
# Without a name, results/$(STUDY) would be the results of all studies; `ftbench name` has said what is wrong.
NAMED = @test -n "$(STUDY)"

# What is wrong with a config, in a sentence, before Snakemake reads it.
CHECKED = @$(FTBENCH) check --quiet $(CONFIG)

.PHONY: help setup docs figures demo study smoke unlock plan watch tensorboard report crate test test-unit test-gpu test-slurm stress lint format bench bench-accuracy bench-halving bench-tables bench-gpu scale simulate image lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo "  variables: CONFIG=$(CONFIG)  CORES=$(CORES)  PYTHON=$(PYTHON)"

setup: .venv/installed ## create .venv with the pinned packages, each compared with its sha256, and the package and command ftbench of this folder

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, $(PYTHON) is {sys.version.split()[0]}; name another with PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: ## the whole workflow on the embedded study, and its report: some four minutes, no network
	@$(MAKE) --no-print-directory study report CONFIG=config/demo.yaml

study: setup ## run the study of CONFIG
	$(CHECKED)
	$(SNAKEMAKE)
	@echo "done: file://$(CURDIR)/results/$(STUDY)/summary.html is the answer; make report CONFIG=$(CONFIG) writes the whole report"

smoke: setup ## rehearse the study of CONFIG and its report: one seed, one epoch, few images
	$(CHECKED)
	$(SNAKEMAKE) --config smoke=true
	@$(MAKE) --no-print-directory report STUDY=$(STUDY)_smoke REPORT_CONFIG="--config smoke=true"

unlock: setup ## after a crash of Snakemake itself: let the next start go on where the study was
	$(BIN)/snakemake --unlock --configfile $(CONFIG)

plan: setup ## print the jobs and estimated hours of the study of CONFIG, and run nothing
	@$(FTBENCH) plan $(CONFIG)
	@$(SNAKEMAKE) --dry-run --quiet rules

watch: setup ## show the trials and runs of CONFIG while they train, in another terminal
	@$(FTBENCH) watch $(CONFIG)

tensorboard: setup ## write TensorBoard event files of every trial and run of CONFIG
	@$(FTBENCH) tensorboard $(CONFIG)

report: setup ## write the report of the study of CONFIG from its results; runs no job
	$(NAMED)
	$(BIN)/snakemake --configfile $(CONFIG) $(REPORT_CONFIG) --report results/$(STUDY)/report.zip
	@rm -rf results/$(STUDY)/report
	@$(BIN)/python -m zipfile -e results/$(STUDY)/report.zip results/$(STUDY)
	@echo "report: file://$(CURDIR)/results/$(STUDY)/report/report.html"
	@echo "summary: file://$(CURDIR)/results/$(STUDY)/summary.html"
	@echo "the model out: $(FTBENCH) export $(STUDY) --recommended model"

crate: setup ## describe the finished study of CONFIG as an RO-Crate, in its folder
	$(NAMED)
	$(BIN)/snakemake --cores $(CORES) results/$(STUDY)/ro-crate-metadata.json --configfile $(CONFIG)
	@echo "crate: results/$(STUDY)/ro-crate-metadata.json"

test: setup ## run every test
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder tests

test-unit: setup ## run the fast tests
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit

test-gpu: setup ## run the tests of what differs on CUDA: under ten minutes on a GPU; without one each is skipped and says so
	FTBENCH_TEST_DEVICES=cuda $(BIN)/python -m pytest -p no:cacheprovider tests/gpu

lint: setup ## check the workflow and the code
	$(BIN)/snakemake --lint
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/ruff check workflow tests benchmarks examples
	$(BIN)/ruff format --check workflow tests benchmarks examples

format: setup ## format the workflow and the code
	$(BIN)/snakefmt Snakefile workflow
	$(BIN)/ruff format workflow tests benchmarks examples
	$(BIN)/ruff check --fix workflow tests benchmarks examples

bench: setup ## measure the training loop against the reference loop (results/bench.json)
	$(BIN)/python benchmarks/bench.py

scale: setup ## measure planning and aggregation of studies of 100 to 9,000 jobs, and start-up of a job (results/scale.json)
	$(BIN)/python benchmarks/scale.py

test-slurm: setup ## run the cluster tests on a real Slurm, installed from Debian's packages where it is missing
	FTBENCH_SLURM=required $(BIN)/python -m pytest tests/cluster

stress: setup ## attack a study: 100 kills, 20 power cuts (needs root), every file damaged; under half an hour
	$(BIN)/python tests/stress/attacks.py

bench-accuracy: setup ## measure seconds until an accuracy, beside other libraries' loops, on real images (results/bench_accuracy.json); an hour
	$(BIN)/python benchmarks/time_to_accuracy.py $(if $(ARCHIVE),--archive $(ARCHIVE))

bench-halving: setup ## measure what successive halving saves and loses, on real trials (results/bench_halving.json)
	$(BIN)/python benchmarks/halving.py

bench-tables: setup ## measure tables and figures of a large study (results/bench_tables.json)
	$(BIN)/python benchmarks/bench_tables.py

bench-gpu: setup ## measure matrix products and training steps on a GPU: TFLOP/s of the peak, images/s (results/bench_gpu.json)
	$(BIN)/python benchmarks/gpu.py

simulate: setup ## simulate how well intervals and tests keep their promise, and write the table of docs/statistics.md; a quarter of an hour
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/simulate.py --write

# An environment of its own: mkdocs stays out of the lock of the whole.
docs: .docs/installed ## build the pages of docs/ as a site, strictly: site/index.html
	NO_MKDOCS_2_WARNING=1 .docs/bin/mkdocs build --strict --quiet
	@echo "pages: file://$(CURDIR)/site/index.html"

figures: setup ## make the pictures of docs/ anew from the demo study, which runs first where it is not up to date; the summary's needs Chromium
	@$(MAKE) --no-print-directory study CONFIG=config/demo.yaml
	@$(BIN)/python -m ftbench.tools.documents.figure_doc

.docs/installed: docs/requirements.txt
	$(PYTHON) -m venv .docs
	.docs/bin/pip install --quiet --disable-pip-version-check --require-hashes -r docs/requirements.txt
	@touch $@

image: ## build the container image with the locked packages here: ENGINE=docker (finetune-bench) or apptainer (finetune-bench.sif)
	$(if $(filter apptainer,$(ENGINE)),apptainer build finetune-bench.sif apptainer.def,docker build $(if $(BASE),--build-arg BASE=$(BASE)) -t finetune-bench .)

# Pins that still fit stay; UPGRADE="--upgrade" or "--upgrade-package torch" moves them. For Linux and macOS, Python 3.11 and newer.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock" $(UPGRADE)
lock: setup ## write requirements.txt, with the sha256 of every published file, from requirements.in
	$(LOCK) requirements.in -o requirements.txt >/dev/null
	$(LOCK) --constraints requirements.txt docs/requirements.in -o docs/requirements.txt >/dev/null
	$(LOCK) --no-deps profiles/kubernetes/requirements.in -o profiles/kubernetes/requirements.txt >/dev/null

clean: setup ## remove the results of the study of CONFIG, downloads and weights stay
	@$(FTBENCH) clean $(CONFIG)
