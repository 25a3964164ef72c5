"""What the drop-in files declare: strategies, augmentation policies, image sources and architectures, read without importing them.

A kind is one file behind one of four doors, and its `DECLARES` is a literal dict. Snakemake parses the workflow once per
cluster job and torch costs seconds, so the declarations are read from the syntax tree. Dropping a file into the folder
is all it takes to add a kind: the checks, the plan and the rules ask for its facts, never for its name.

What a strategy declares:
    start       "random" | "pretrained" | "probe" (a fitted linear probe) | "any" (pretrained if the backbone is) | "of" (as the strategy
                that it is made of) | "given" (nothing starts: its predictions come from outside)
    engine      "loop" (the training loop) | "features" (fitted on cached features) | "runs" (made of the finished runs of the strategy
                of the loop that the key `of` names, on the same data set and backbone) | "given" (its predictions are files of the
                user's, under a label of its own that stands where others have a backbone)
    tuned       "learning_rate" | "l2" | "k" | "alpha" | None: which value the tuning grid lists
    stochastic  False: one run, shown as seed0, without a seed interval (with splits: per_seed a run for every split, if it is fitted on features)
    recipe      values that replace the study's `training` block for this kind
    options     settings of this kind alone, with their defaults (may be left out). `cached_views` suits a kind whose `trainable` depends on the
                network alone and leaves its first layers frozen all the time: this part then runs once (`ftbench.train.cache_views`)
    linear_head     True: what it fits is the weight and the bias of a linear head, which a network can carry and a strategy
                    that starts from a "probe" starts from (may be left out: False)
    bank        True: what it fits is a bank of training features, compared with every image at prediction: its bytes, operations and time
                    are charged (may be left out: False)
    together    True: it has no network of its own; the networks that it is made of answer together, and all are charged (may be left
                out: False)
    shared_start    True: what it is made of must have started from the same weights (may be left out: False)
    training_passes a training step's operations in forward passes of its images, about (may be left out: 3, one forward and two
                    backward); tuning.equal_compute and the plan's comparison of budgets read it

What an augmentation policy declares:
    without_flip    its stand-in for images that must not be mirrored; the policy itself if it mirrors none
    random      False: it gives the same for an image every time (may be left out: True)

What a source of images declares:
    needs       the key of a data set's entry that names its images: "name", "path" or None
    options     those keys of an entry that have an effect on some sources alone, and have one on this
    download    True: a job fetches its archives first, if there are any; data sets of one `name` share them
    listing     "folder" | "rows" | "shards": what `path` is; a file of the user's that is added, removed or resized there reruns what
                reads it (`ftbench.study.listing`). None: nothing of the user's is read
    sizes       {name: (images to train and validate with, test images, classes)} of every set that it knows, as published; under
                None if it needs no name; {} if it cannot know, and then any name is taken
    suffixes    endings of the files that are its shards (may be left out unless it lists "shards")

What a library of architectures declares:
    publishes   whether it has pretrained weights of its own; if not, a backbone starts from a file, a run or none
"""

import ast
import functools
from pathlib import Path

from ftbench.base.errors import InputError, choices

PACKAGE = Path(__file__).parents[1]
# Where the files of each door lie. Nothing else knows.
DOORS = {
    "strategies": "train/strategies",
    "policies": "pixels/policies",
    "sources": "data/sources",
    "architectures": "model/architectures",
}


def module(door: str, kind: str) -> str:
    """The dotted name of the module of a kind: ("strategies", "lora") is ftbench.train.strategies.lora."""
    return ".".join(["ftbench", *DOORS[door].split("/"), kind])


@functools.cache
def names(door: str) -> tuple[str, ...]:
    """The kinds behind a door ("strategies", "policies", "sources", "architectures"): the files of its folder, sorted."""
    return tuple(sorted(path.stem for path in (PACKAGE / DOORS[door]).glob("*.py") if not path.stem.startswith("_")))


def check(door: str, name: str, key: str) -> None:
    """Raise InputError, naming the config `key`, if no file behind `door` has this `name`."""
    if name not in names(door):
        raise InputError(f"config: {key} is {name!r}, which does not exist; valid: {choices(names(door))}.")


def having(door: str, fact: str, value=True) -> list[str]:
    """The kinds behind a door that declare this value of a fact, sorted."""
    return [kind for kind in names(door) if declared(kind, door).get(fact) == value]


@functools.cache
def _tree(kind: str, door: str) -> ast.Module:
    check(door, kind, "kind")
    return ast.parse((PACKAGE / DOORS[door] / f"{kind}.py").read_text(encoding="utf-8"))


@functools.cache
def declared(kind: str, door: str = "strategies") -> dict:
    """The `DECLARES` dict of strategy `kind`, or of a kind behind another door, as written in its file."""
    for node in _tree(kind, door).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "DECLARES":
            return ast.literal_eval(node.value)
    raise InputError(f"{DOORS[door]}/{kind}.py has no DECLARES dict; see ftbench/study/kinds.py for its keys.")


def says(kind: str, door: str = "strategies") -> str:
    """What strategy `kind`, or a kind behind another door, is: the first line of its file, for readers of the report; "" if there is none."""
    return (ast.get_docstring(_tree(kind, door)) or "").partition("\n")[0]
