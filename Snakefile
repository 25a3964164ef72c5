# finetune-bench: which pretrained backbone, fine-tuned by which strategy, at which cost, for these images.
#
#   resources/datasets/<source>/<name>/     downloads            resources/weights/<source>/<model>.<tag>.safetensors
#   results/<study>/data/<dataset>/         images as arrays, split, normalization
#   results/<study>/features/<dataset>/<backbone>/
#   results/<study>/tuning/<dataset>/<backbone>/<strategy>[/seed<k>]/trial<k>[/rung<r>]/trial.json   selected.json
#   results/<study>/runs/<dataset>/<backbone>/<strategy>/seed<k>/                model, logits, metrics, cost
#   results/<study>/summary.html   tables/   plots/   report.zip   study.json   environment.json   ro-crate-metadata.json
#
# Only the test set's own jobs (prepare_test, extract_test_features, predict_test and what follows) see a test image.
from snakemake.utils import min_version

min_version("9.27")


# Given a config file, only that one counts: Snakemake would merge its tables with the default study's.
if "backbones" not in config:

    configfile: "config/config.yaml"


include: "workflow/rules/speedups.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/warm_start.smk"


report: "workflow/report/workflow.rst"


# Without effect until `--sdm apptainer` asks for it; `make image` builds it here.
container: "finetune-bench.sif"


resource_scopes:
    gpu="local",


pathvars:
    **SPLIT_PATHS[STUDY["splits"]],
    studies="results",
    results=f"results/{STUDY['study']}",
    logs=f"results/{STUDY['study']}/logs",
    benchmarks=f"results/{STUDY['study']}/benchmarks",


wildcard_constraints:
    dataset=any_of(STUDY["datasets"]),
    backbone=any_of(AXES["backbones"]),
    strategy=any_of(STUDY["strategies"]),
    trial=r"\d+",
    seed=r"\d+",


include: "workflow/rules/data.smk"
include: "workflow/rules/folds.smk"
include: "workflow/rules/backbones.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/combine.smk"
include: "workflow/rules/given.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/report_data.smk"
include: "workflow/rules/report_protocol.smk"
include: "workflow/rules/report_result.smk"
include: "workflow/rules/report_classes.smk"
include: "workflow/rules/report_uncertainty.smk"
include: "workflow/rules/report_choice.smk"
include: "workflow/rules/report_provenance.smk"
include: "workflow/rules/report_summary.smk"


onstart:
    try:
        if workflow.is_main_process:
            held = hold(f"results/{STUDY['study']}")  # until Snakemake ends
        note_command(f"results/{STUDY['study']}")
        if workflow.is_main_process and not workflow.touch:
            keep_endangered(workflow.dag)
    except InputError as error:
        raise WorkflowError(str(error))


rule all:
    default_target: True
    input:
        report_files.tables(STUDY, CELLS),
        report_files.plots(STUDY, CELLS),
