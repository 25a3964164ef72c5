"""Take a trained model out of a study, as ONNX and safetensors with a model card, and prove that it answers as the study did.

The folder needs nothing of this project: example.py runs it with onnxruntime, Pillow and numpy. The exit status is 1 if a test image
gets another class than in the study, or a probability differs by 1e-4 in float32. docs/export.md explains every file.

    ftbench export demo --recommended model
    ftbench export demo --backbone efficientnet_lite0 --strategy finetune --seed 0 --dtype int8 model_int8
"""

from ftbench.tools.commands._arguments import add_run_options, chosen_run


def add_arguments(parser) -> None:
    parser.add_argument("study", metavar="STUDY", help="the name of a study below results/, or its folder")
    parser.add_argument("out", metavar="OUT", help="the folder to write, which must not exist yet")
    add_run_options(parser)
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16", "int8"),
        default="float32",
        help="of the weights in model.onnx (default: %(default)s); bfloat16 halves the file, int8 computes in 8 bits",
    )
    parser.add_argument(
        "--training-images",
        action="store_true",
        help="put up to 5,000 training images into the folder, which `ftbench serve` then shows beside an answer; whoever gets the folder has them",
    )


def run(arguments) -> None:
    from pathlib import Path

    from ftbench.export import package

    chosen = chosen_run(arguments)
    proof = package.export(chosen, Path(arguments.out), arguments.dtype, arguments.training_images)
    form = proof["forms"][-1]
    where = f"{proof['from_original_files']:,} from their files, {proof['from_stored_images']:,} from the stored images"
    print(f"{arguments.out}: {proof['images']:,} test images ({where}) get the study's class, the largest difference of a probability is "
          f"{proof['largest_difference']:.1g}")  # fmt: skip
    if proof["why_stored"]:
        print(proof["why_stored"])
    if form["dtype"] != "float32":
        print(f"{form['dtype']} against float32: {100 * form['difference']:+.2f} points of accuracy "
              f"({100 * form['ci_low']:+.2f} to {100 * form['ci_high']:+.2f})")  # fmt: skip
    print(f"model.onnx has {form['bytes']:,} bytes and takes {form['latency_ms_batch1']:.2f} ms per image here; "
          f"try: ftbench serve {arguments.out}, or elsewhere: python {arguments.out}/example.py PHOTO")  # fmt: skip
