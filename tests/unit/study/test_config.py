import copy
import functools
import math
import re
from pathlib import Path

import pytest
import yaml

from ftbench.base.errors import InputError
from ftbench.study import config, grid, kinds
from ftbench.study.checks import beyond_schema, given

FOLDER = Path(__file__).parents[3] / "config"
SHIPPED = sorted(FOLDER.glob("*.yaml"))


def minimal() -> dict:
    """The smallest study that runs everything: a network from scratch and one with weights."""
    return {
        "study": "small",
        "seeds": [0, 1],
        "datasets": {"digits": {"source": "digits"}},
        "backbones": {
            "plain": {"source": "ftbench", "model": "resnet8", "image_size": 8},
            "trained": {"model": "resnet18", "weights": "IMAGENET1K_V1", "image_size": 32},
        },
        "strategies": {
            "probe": {"kind": "linear_probe"},
            "finetune": {"kind": "finetune", "learning_rate": [0.01, 0.001, 0.1]},
            "lp_ft": {"kind": "lp_ft"},
            "scratch": {"kind": "scratch"},
            "tutorial": {"kind": "tutorial"},
        },
    }


def changed(key: str, value) -> dict:
    """`minimal()` with the value at a dotted key replaced, or removed where `value` is KeyError."""
    study = minimal()
    *parents, last = key.split(".")
    part = study
    for name in parents:
        part = part.setdefault(name, {})
    if value is KeyError:
        del part[last]
    else:
        part[last] = value
    return study


# --- what ships ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_config_resolves_to_a_complete_study(path):
    study = config.read(path)
    assert set(study) == set(config.schema()["properties"])
    assert grid.cells(study)
    for entry in study["strategies"].values():
        assert set(entry) == {"kind", "family", "learning_rate", "grid", "probe", "of", "given", "recipe"}
        assert set(entry["recipe"]) == {*config.recipe_keys(), *kinds.declared(entry["kind"]).get("options", {})}
    for table in ("datasets", "backbones"):
        keys = set(config.schema()["properties"][table]["additionalProperties"]["properties"])
        keys |= {"family", "fold_of", "fold"} if table == "datasets" else set()
        assert all(set(entry) == keys for entry in study[table].values())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_config_can_be_rehearsed(path):
    study = yaml.safe_load(path.read_text(encoding="utf-8"))
    small = config.resolve(study | {"smoke": True})
    assert small["study"] == f"{study['study']}_smoke"
    assert len(small["seeds"]) == small["tuning"]["trials"] == 1
    assert grid.cells(small) == grid.cells(config.resolve(study))
    for name, entry in small["strategies"].items():
        assert entry["recipe"]["epochs"] == 1
        assert len(grid.trials_of(small, name)) <= 1
    for entry in small["datasets"].values():
        assert entry["train_limit"] <= config.SMOKE_LIMIT
        assert entry["train_limit"] * entry["validation_fraction"] >= 1  # an image per class to validate on


def test_a_rehearsal_enlarges_no_data_set():
    study = changed("datasets.digits.train_limit", 7) | {"smoke": True}
    assert config.resolve(study)["datasets"]["digits"]["train_limit"] == 7


def test_the_full_study_is_the_study_at_other_sizes():
    full, study = (config.read(FOLDER / name) for name in ("full.yaml", "config.yaml"))
    assert full.pop("study") != study.pop("study")
    assert full.pop("exclude") == study.pop("exclude") == []
    large, moderate = full.pop("backbones"), study.pop("backbones")
    assert full == study
    assert len(large) == len(moderate)
    for (name, a), (other, b) in zip(large.items(), moderate.items()):
        assert name == f"{a['model']}_{a['image_size']}" and other == f"{b['model']}_{b['image_size']}"
        assert a["image_size"] >= b["image_size"]
        assert a | {"image_size": 0} == b | {"image_size": 0}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_grids_of_learning_rates_are_evenly_spaced_and_ascending(path):
    study = config.read(path)
    for name in study["strategies"]:
        ratios = [b / a for a, b in zip(grid.trials_of(study, name), grid.trials_of(study, name)[1:])]
        assert all(math.isclose(ratio, 10**0.5, rel_tol=0.1) for ratio in ratios), name  # half a decade


# --- resolving -------------------------------------------------------------------------------------------------------


def test_the_given_config_is_left_as_it_is():
    study = minimal()
    before = copy.deepcopy(study)
    config.resolve(study)
    assert study == before


def test_defaults_come_from_the_schema():
    study = config.resolve(minimal())
    properties = config.schema()["properties"]
    for key in set(properties) - set(minimal()):
        if "properties" not in properties[key]:
            assert study[key] == properties[key]["default"], key
    assert study["training"] == {key: part["default"] for key, part in properties["training"]["properties"].items()}
    assert study["hardware"] == {key: part["default"] for key, part in properties["hardware"]["properties"].items()}


@pytest.mark.parametrize(
    "key, value",
    [
        ("epochs", 3),
        ("batch_size", 7),
        ("optimizer", "adamw"),
        ("momentum", 0.5),
        ("nesterov", False),
        ("weight_decay", 0.25),
        ("schedule", "constant"),
        ("warmup_steps", 1),
        ("norm_momentum", 0.01),
        ("norm_statistics", "frozen"),
        ("label_smoothing", 0.1),
        ("augmentation", "none"),
        ("examples", 5000),
        ("patience", 2),
        ("accumulate", 4),
        ("clip_norm", 1.0),
        ("class_weights", "balanced"),
        ("mixup", 0.2),
        ("cutmix", 1.0),
        ("ema_decay", 0.999),
        ("image_sizes", [4, 8]),
    ],
)
def test_a_strategy_overrides_the_recipe_which_overrides_the_default(key, value):
    default = config.resolve(minimal())["strategies"]["finetune"]["recipe"][key]
    assert default != value
    same_size = {
        name: entry | {"image_size": 8} for name, entry in minimal()["backbones"].items()
    }  # as image_sizes wants it
    given = {"backbones": same_size, "exclude": [{"strategy": "scratch"}]}  # has no statistics to freeze
    shared = config.resolve(changed(f"training.{key}", value) | given)
    assert shared["strategies"]["finetune"]["recipe"][key] == shared["strategies"]["lp_ft"]["recipe"][key] == value
    own = config.resolve(changed(f"strategies.finetune.{key}", value) | given)
    assert own["strategies"]["finetune"]["recipe"][key] == value
    assert own["strategies"]["lp_ft"]["recipe"][key] == default
    assert set(kinds.declared("tutorial")["recipe"]) <= {*config.recipe_keys(), "learning_rate"}


def test_the_overrides_above_are_all_keys_of_a_recipe():
    marks = test_a_strategy_overrides_the_recipe_which_overrides_the_default.pytestmark
    assert {key for key, _ in marks[0].args[1]} == set(config.recipe_keys())


def test_the_tutorial_keeps_its_own_recipe_whatever_training_says():
    study = changed("training", {"optimizer": "adamw", "batch_size": 512, "schedule": "cosine", "epochs": 5})
    entry = config.resolve(study)["strategies"]["tutorial"]
    assert entry["learning_rate"] == 0.001
    wanted = {"optimizer": "sgd", "momentum": 0.9, "batch_size": 128, "schedule": "constant", "weight_decay": 0.0}
    assert wanted.items() <= entry["recipe"].items()
    assert entry["recipe"]["epochs"] == 5  # how long is not part of the textbook
    study["strategies"]["tutorial"]["batch_size"] = 32
    assert config.resolve(study)["strategies"]["tutorial"]["recipe"]["batch_size"] == 32


def test_learning_rates_keep_their_order_and_a_single_one_means_untuned():
    study = config.resolve(minimal())
    # A trial is known by its place: sorted, a value added below the others would rename and repeat them all.
    assert (
        grid.trials_of(study, "finetune") == minimal()["strategies"]["finetune"]["learning_rate"] == [0.01, 0.001, 0.1]
    )
    assert config.resolve(changed("strategies.finetune.learning_rate", 0.5))["strategies"]["finetune"] == (
        study["strategies"]["finetune"] | {"learning_rate": 0.5}
    )
    assert study["strategies"]["probe"]["learning_rate"] is None
    assert grid.trials_of(study, "tutorial") == grid.trials_of(study, "probe") == []


@pytest.mark.parametrize(
    "key, text, value",
    [
        ("seeds", ["0", "3"], [0, 3]),  # as --config 'seeds=[0,3]' arrives
        ("threads", "4", 4),
        ("training.weight_decay", "1e-3", 0.001),
        ("channels_last", "false", False),
        ("datasets.digits.train_limit", "null", None),
        ("study", "2024", "2024"),  # a name stays text
        ("seeds", [0.0, 1.0], [0, 1]),
        ("training.examples", 1.0e5, 100_000),  # as YAML wants a large number written
        ("threads", "2.0", 2),
        ("training.weight_decay", 1.0, 1.0),
    ],
)
def test_numbers_that_arrive_as_text_are_read(key, text, value):
    part = config.resolve(changed(key, text))
    for name in key.split("."):
        part = part[name]
    assert repr(part) == repr(value)


def test_learning_rates_that_arrive_as_text_are_numbers():
    study = config.resolve(changed("strategies.finetune.learning_rate", ["1e-2", "0.001", "1"]))
    assert study["strategies"]["finetune"]["learning_rate"] == [0.01, 0.001, 1]


def test_lp_ft_takes_the_only_probe_or_the_one_it_names():
    assert config.resolve(minimal())["strategies"]["lp_ft"]["probe"] == "probe"
    study = changed("strategies.other", {"kind": "linear_probe", "l2": [0.5]})
    with pytest.raises(InputError, match="strategies.lp_ft.probe is None.*other, probe"):
        config.resolve(study)
    study["strategies"]["lp_ft"]["probe"] = "other"
    assert config.resolve(study)["strategies"]["lp_ft"]["probe"] == "other"


def test_a_list_of_policies_is_a_strategy_of_each_and_exclude_may_name_them_all():
    study = changed("strategies.finetune.augmentation", ["none", "crop"])
    resolved = config.resolve(study)
    assert [name for name in resolved["strategies"] if name.startswith("finetune")] == [
        "finetune-none",
        "finetune-crop",
    ]
    for policy in ("none", "crop"):
        entry = resolved["strategies"][f"finetune-{policy}"]
        assert (entry["family"], entry["recipe"]["augmentation"]) == ("finetune", policy)
    assert resolved["strategies"]["scratch"]["family"] == "scratch"
    assert list(resolved["strategies"]).index("finetune-crop") < list(resolved["strategies"]).index(
        "lp_ft"
    )  # in its place
    study["exclude"] = [{"strategy": ["finetune", "scratch"], "backbone": "trained"}]
    left = {cell.strategy for cell in grid.cells(config.resolve(study)) if cell.backbone == "trained"}
    assert left and not left & {"finetune-none", "finetune-crop", "scratch"}
    study["strategies"]["finetune-crop"] = {"kind": "finetune"}
    with pytest.raises(InputError, match="strategies.finetune.augmentation makes a strategy finetune-crop"):
        config.resolve(study)


def test_a_list_of_limits_is_a_data_set_of_each_and_exclude_may_name_them_all():
    study = changed("datasets.digits", {"source": "digits", "flip": False, "train_limit": [64, None, 8]})
    study["datasets"]["other"] = {"source": "digits"}
    resolved = config.resolve(study)
    limits = {name: (entry["family"], entry["train_limit"]) for name, entry in resolved["datasets"].items()}
    assert list(limits.items()) == [
        ("digits-8", ("digits", 8)),
        ("digits-64", ("digits", 64)),
        ("digits-all", ("digits", None)),
        ("other", ("other", None)),
    ]
    assert not any(resolved["datasets"][name]["flip"] for name in list(limits)[:3])
    study["exclude"] = [{"dataset": "digits", "backbone": "trained"}, {"dataset": "digits-8", "strategy": "scratch"}]
    cells = grid.cells(config.resolve(study))
    assert {cell.dataset for cell in cells if cell.backbone == "trained"} == {"other"}
    assert {cell.dataset for cell in cells if cell.strategy == "scratch"} == {"digits-64", "digits-all", "other"}
    rehearsal = config.resolve(study | {"smoke": True})["datasets"]
    assert [rehearsal[name]["train_limit"] for name in limits] == [8, 20, 20, 20]
    study["datasets"]["digits-8"] = {"source": "digits"}
    with pytest.raises(InputError, match="datasets.digits.train_limit makes a data set digits-8"):
        config.resolve(study)


# --- what is refused -------------------------------------------------------------------------------------------------

PIP = {"model": "resnet18", "weights": "pip:some-package", "image_size": 32}
REFUSED = [  # key, value, what the sentence has to contain
    ("flavour", 1, ["flavour", "valid keys", "backbones", "seeds"]),
    ("study", KeyError, ["lacks the key study", "datasets"]),
    ("study", "a b", ["study", "'a b'", "letters"]),
    ("study", "../up", ["study", "'../up'", "letters"]),
    ("training.epoch", 3, ["training.epoch", "epochs"]),
    ("training.weight_decay", math.nan, ["training.weight_decay", "nan", "finite"]),
    ("strategies.finetune.learning_rate", [0.1, math.inf, 1], ["strategies.finetune.learning_rate.1", "inf", "finite"]),
    ("training.epochs", 0, ["training.epochs", "0", "at least 1"]),
    ("training.momentum", 1, ["training.momentum", "1", "less than 1"]),
    ("training.optimizer", "adam", ["training.optimizer", "'adam'", "adamw, sgd"]),
    ("training.augmentation", "mirror", ["config: training.augmentation is 'mirror'", "crop_flip", "none"]),
    ("strategies.finetune.augmentation", "mirror", ["strategies.finetune.augmentation", "'mirror'", "crop_flip"]),
    ("strategies.finetune.kind", "finetuning", ["strategies.finetune.kind", "'finetuning'", "finetune", "lp_ft"]),
    ("strategies.finetune.kind", KeyError, ["strategies.finetune", "lacks the key kind"]),
    ("strategies.finetune.epoch", 3, ["strategies.finetune.epoch", "epochs", "learning_rate"]),
    ("strategies.finetune.learning_rate", [], ["strategies.finetune.learning_rate", "0 different", "trials is 3"]),
    ("strategies.finetune.learning_rate", [0.1, 0.2], ["strategies.finetune.learning_rate", "2 different", "is 3"]),
    ("strategies.finetune.learning_rate", [0.1, 0.1, 0.2], ["strategies.finetune.learning_rate", "twice"]),
    (
        "strategies.finetune",
        {"kind": "finetune", "epochs": 3, "examples": 99},
        ["strategies.finetune", "epochs (3)", "examples (99)", "remove one"],
    ),
    ("tuning.search", "successive_halving", ["tuning.trials is 3", "at least 4", "grid"]),
    ("tuning.rungs", 1, ["tuning.rungs", "1", "at least 2"]),
    ("gpus", 2, ["gpus", "2", "at most 1"]),
    (
        "datasets.digits.exclude_test",
        "nowhere.csv",
        ["datasets.digits.exclude_test", "nowhere.csv", "no such file", "id or file"],
    ),
    ("datasets.digits.slices", ["site"], ["datasets.digits.slices", "site", "source digits", "slices_table"]),
    ("datasets.digits.slices_table", "nowhere.csv", ["datasets.digits.slices_table", "no such file", "column file"]),
    ("strategies.finetune.learning_rate", "fast", ["strategies.finetune.learning_rate", "'fast'", "list or number"]),
    ("strategies.finetune.learning_rate", 0, ["strategies.finetune.learning_rate", "0", "greater than 0"]),
    ("strategies.finetune.rank", 4, ["strategies.finetune.rank", "no effect", "finetune"]),
    ("strategies.finetune.augmentation", [], ["strategies.finetune.augmentation", "[]", "at least 1"]),
    ("strategies.finetune.augmentation", ["crop", "mirror"], ["strategies.finetune.augmentation is 'mirror'"]),
    (
        "strategies.finetune",
        {"kind": "finetune", "augmentation": ["crop", "none"], "learning_rate": [0.1]},
        ["strategies.finetune.learning_rate", "1 different", "is 3"],
    ),
    ("backbones.plain.weights", "run:a/b/c/d/best", ["backbones.plain.weights", "'run:a/b/c/d/best'", "<seed>"]),
    ("backbones.plain.weights", "run:a//c/d/0", ["backbones.plain.weights", "'run:a//c/d/0'", "<dataset>"]),
    ("backbones.plain.weights", "run:a/b/c", ["backbones.plain.weights", "'run:a/b/c'", "run:<study>/<dataset>"]),
    (
        "backbones.plain.weights",
        "run:small/digit/plain/scratch/0",
        ["run:small/digit/", "'digit'", "datasets", "digits"],
    ),
    ("backbones.trained.weights", "run:small/digits/plan/scratch/0", ["'plan'", "backbones", "plain, trained"]),
    ("backbones.trained.weights", "run:small/digits/plain/none/0", ["'none'", "strategies", "finetune, lp_ft, probe"]),
    ("backbones.trained.weights", "run:small/digits/trained/finetune/0", ["start from itself (trained from trained)"]),
    ("backbones.plain.activation", "gelu", ["backbones.plain.activation", "'gelu'", "leaky_relu, prelu, relu"]),
    ("strategies.finetune.l2", [0.1], ["strategies.finetune.l2", "no effect", "finetune"]),
    ("strategies.finetune.probe", "probe", ["strategies.finetune.probe", "no effect", "finetune"]),
    ("strategies.probe.l2", [], ["strategies.probe.l2", "[]", "at least 1"]),
    ("strategies.probe.epochs", 3, ["strategies.probe.epochs", "no effect", "linear_probe"]),
    ("strategies.probe.learning_rate", 0.1, ["strategies.probe.learning_rate", "no effect", "linear_probe"]),
    ("strategies.tutorial.learning_rate", [0.1], ["strategies.tutorial.learning_rate", "[0.1]", "one number"]),
    ("strategies.lp_ft.probe", "scratch", ["strategies.lp_ft.probe", "'scratch'", "linear_probe", "(probe)"]),
    ("strategies.probe", KeyError, ["strategies.lp_ft.probe", "linear_probe", "add one"]),
    ("strategies", {}, ["strategies", "{}", "at least 1"]),
    ("strategies.finetune", None, ["strategies.finetune", "None", "table of names"]),
    ("seeds", [], ["seeds", "[]", "at least 1"]),
    ("seeds", [3, 3], ["seeds", "[3, 3]", "twice"]),
    ("seeds", [2**64], ["seeds.0", "18446744073709551616", "at most"]),
    ("seeds", [-1], ["seeds.0", "-1", "at least 0"]),
    ("tuning.seed", 1, ["tuning.seed", "1", "seeds", "another"]),
    (
        "datasets.digits.source",
        "zip",
        ["datasets.digits.source", "'zip'", "valid: digits, imagefolder, parquet, table, tar, torchvision"],
    ),
    ("datasets.digits.path", "photos", ["datasets.digits.path", "no effect", "digits"]),
    ("datasets.digits.md5", "abc", ["datasets.digits.md5", "no effect", "digits"]),
    ("datasets.digits.urls", ["https://mirror.example/"], ["datasets.digits.urls", "no effect", "digits"]),
    ("datasets.cifar", {"source": "torchvision"}, ["datasets.cifar.name", "missing", "torchvision"]),
    ("datasets.cifar", {"source": "torchvision", "name": "CIFAR11"}, ["datasets.cifar.name", "'CIFAR11'", "CIFAR10"]),
    ("datasets.mine", {"source": "imagefolder"}, ["datasets.mine.path", "missing", "imagefolder"]),
    ("datasets.digits.train_limit", 1, ["datasets.digits.train_limit", "1", "at least 2"]),
    ("datasets.digits.train_limit", [8], ["datasets.digits.train_limit", "[8]", "at least 2 entries"]),
    ("datasets.digits.train_limit", [8, 1], ["datasets.digits.train_limit.1", "1", "at least 2"]),
    ("datasets.digits.train_limit", [8, 8], ["datasets.digits.train_limit", "lists a value twice"]),
    ("datasets.digits.validation_fraction", 1, ["datasets.digits.validation_fraction", "1", "less than 1"]),
    ("datasets", {224: {"source": "digits"}}, ["datasets", "224", "quotes"]),
    ("datasets", {"a/b": {"source": "digits"}}, ["datasets", "'a/b'", "letters"]),
    ("backbones.trained.source", "keras", ["backbones.trained.source", "'keras'", "ftbench, timm, torchvision"]),
    ("backbones.plain.weights", "best", ["backbones.plain.weights", "'best'", "none, file:<path> or run:"]),
    ("backbones.trained.weights", "pip:", ["backbones.trained.weights", "'pip:'", "pip:<package>", "none"]),
    ("backbones.trained.mean", [0.5, 0.5, 0.5], ["backbones.trained", "mean and std", "both"]),
    ("backbones.trained.mean", [0.5], ["backbones.trained.mean", "[0.5]", "at least 3"]),
    ("backbones.plain", {"model": "resnet18", "mean": [0.5] * 3, "std": [0.2] * 3}, ["backbones.plain.mean", "none"]),
    ("backbones.mine", PIP, ["backbones.mine.mean", "missing", "pip:some-package"]),
    ("exclude", [{"backbone": "resnet8"}], ["exclude.0.backbone", "'resnet8'", "plain, trained"]),
    ("exclude", [{"strategy": ["scratch", "knn"]}], ["exclude.0.strategy", "'knn'", "finetune", "tutorial"]),
    ("exclude", [{"dataset": "digit"}], ["exclude.0.dataset", "'digit'", "digits"]),
    ("exclude", [{"model": "resnet8"}], ["exclude.0.model", "backbone, dataset, strategy"]),
    ("exclude", [{}], ["exclude.0", "{}", "at least 1"]),
    ("exclude", [{"backbone": [["plain"]]}], ["exclude.0.backbone.0", "['plain']", "string"]),
    ("exclude", [{"dataset": "digits"}], ["grid is empty", "exclude"]),
    ("device", "gpu", ["device", "'gpu'", "auto, cpu, cuda"]),
    ("precision", "float8", ["precision", "'float8'", "bfloat16, float16, float32"]),
    ("threads", 0, ["threads", "0", "at least 1"]),
    ("channels_last", "perhaps", ["channels_last", "'perhaps'", "boolean"]),
]


@pytest.mark.parametrize("key, value, words", REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_fault_is_one_sentence_with_key_value_and_choices(key, value, words):
    with pytest.raises(InputError) as caught:
        config.resolve(changed(key, value))
    sentence = str(caught.value)
    assert all(word in sentence for word in words), sentence
    assert sentence.startswith("config: ") and sentence.endswith(".") and "\n" not in sentence


def test_one_metal_device_is_not_shared():
    with pytest.raises(InputError, match="gpus_per_run is 2, but device mps is a single one"):
        config.resolve(changed("device", "mps") | {"gpus_per_run": 2})
    assert config.resolve(changed("device", "mps"))["gpus_per_run"] == 1


@pytest.mark.parametrize(
    "sizes, says",
    [
        ([24, 28], "strategies.finetune trains with image_sizes [24, 28], but backbones.trained has image_size 32"),
        ([32, 24], "which do not grow"),
        ([24, 24, 32], "which do not grow"),
        ([32], "at least 2 entries"),
        ([2, 32], "at least 4"),
        (32, "not of type list or null"),
    ],
)
def test_training_sizes_grow_to_the_backbones_own(sizes, says):
    with pytest.raises(InputError, match=re.escape(says)):
        config.resolve(changed("strategies.finetune.image_sizes", sizes))


@pytest.mark.parametrize(
    "change, refused",
    [
        ({"strategies.finetune.norm_statistics": "frozen"}, None),
        ({"training.norm_statistics": "frozen", "strategies.scratch.norm_statistics": "batch"}, None),
        ({"training.norm_statistics": "frozen"}, "strategies.scratch.norm_statistics is frozen, but it starts from random weights on backbones.plain"),
        ({"strategies.finetune.norm_statistics": "kept"}, "strategies.finetune.norm_statistics is 'kept'; valid: batch, frozen"),
        ({"strategies.probe.norm_statistics": "frozen"}, "strategies.probe.norm_statistics has no effect on the kind linear_probe"),
        ({"strategies.tutorial.norm_statistics": "frozen"}, "strategies.tutorial.norm_statistics"),
    ],
    ids=str,
)  # fmt: skip
def test_statistics_of_a_network_that_has_seen_no_image_are_not_kept(change, refused):
    study = minimal()
    for key, value in change.items():
        *tables, last = key.split(".")
        functools.reduce(lambda part, name: part.setdefault(name, {}), tables, study)[last] = value
    if refused is None:
        assert config.resolve(study)["strategies"]["finetune"]["recipe"]["norm_statistics"] == "frozen"
        return
    with pytest.raises(InputError) as caught:
        config.resolve(study)
    sentence = str(caught.value)
    assert refused in sentence and sentence.startswith("config: ") and sentence.endswith(".") and "\n" not in sentence


@pytest.mark.parametrize(
    "change, says",
    [
        ({"strategies.last.mixup": 0.2}, "but its mixup is 0.2, which mixes images before the frozen part; set mixup to 0"),
        ({"strategies.last.cutmix": 1.0}, "but its cutmix is 1, which mixes images"),
        ({"strategies.last.image_sizes": [24, 32]}, "but its image_sizes are [24, 32], and views are cached at one size"),
        ({"gpus_per_run": 2}, "but gpus_per_run is 2; cached views are read by one process"),
        ({"compile": True}, "but compile is true, which compiles whole networks; set it to false"),
        ({"strategies.last.augmentation": "none"}, "under the augmentation none all views of an image are the same; set it to 1"),
        ({"strategies.last.cached_views": 0}, "strategies.last.cached_views is 0; it must be at least 1"),
        ({"strategies.finetune.cached_views": 2}, "strategies.finetune.cached_views has no effect on the kind finetune; remove it"),
        ({"cached_views_gb": 0}, "cached_views_gb is 0; it must be greater than 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_views_that_a_step_would_not_see_are_refused(change, says):
    study = changed("strategies.last", {"kind": "last_block", "cached_views": 2})
    config.resolve(study)
    for key, value in change.items():
        *tables, last = key.split(".")
        functools.reduce(dict.__getitem__, tables, study)[last] = value
    with pytest.raises(InputError) as caught:
        config.resolve(study)
    sentence = str(caught.value)
    assert says in sentence and sentence.startswith("config: ") and sentence.endswith(".") and "\n" not in sentence


def test_a_cell_that_is_left_out_may_have_another_size_than_training_ends_at():
    study = changed("training.image_sizes", [24, 32])
    with pytest.raises(InputError, match="backbones.plain has image_size 8, .* or leave the cell out by exclude"):
        config.resolve(study)
    config.resolve(study | {"exclude": [{"backbone": "plain", "strategy": "scratch"}]})  # the tutorial never grows


def test_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("study: s\nseeds: [0]\ntraining: {epochs: 3}\ntraining:\n  batch_size: 8\n")
    with pytest.raises(
        InputError, match=r"study\.yaml is not valid YAML: the key training stands here and in line 3 .* line 4"
    ):
        config.read(path)
    path.write_text("a: &one {x: 1, y: 2}\nb: {<<: *one, x: 3}\n")  # a merged key may be replaced
    with pytest.raises(InputError, match="is not a known key"):
        config.read(path)


def test_missing_folders_and_weights_are_said_before_a_study_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = changed("datasets.photos", {"source": "imagefolder", "path": "fotos"})
    study["backbones"]["plain"] |= {"weights": "file:gone.pt", "mean": [0.5] * 3, "std": [0.5] * 3}
    resolved = config.resolve(study)
    with pytest.raises(
        InputError, match=r"^config: datasets\.photos\.path is fotos, and there is no such folder; give the folder"
    ):
        beyond_schema.check_files(resolved)
    (tmp_path / "fotos").mkdir()
    with pytest.raises(
        InputError, match=r"^config: backbones\.plain\.weights is file:gone\.pt, and there is no such file; give"
    ):
        beyond_schema.check_files(resolved)
    (tmp_path / "gone.pt").touch()
    beyond_schema.check_files(resolved)


def test_a_missing_run_of_another_study_is_said_before_a_study_starts(tmp_path, monkeypatch):
    """Its model is what is started from; its images and their division say whether it saw test images of this study."""
    monkeypatch.chdir(tmp_path)
    resolved = config.resolve(changed("backbones.plain.weights", "run:other/photos/plain/scratch/seed1"))
    run, data = tmp_path / "results/other/runs/photos/plain/scratch/seed1", tmp_path / "results/other/data/photos"
    run.mkdir(parents=True)
    data.mkdir(parents=True)
    for file in (run / "run.json", run / "model.safetensors", data / "files.csv", data / "split.npz"):
        with pytest.raises(
            InputError, match=rf"^config: backbones\.plain\.weights .*/{file.name} is missing; run that study first"
        ):
            beyond_schema.check_files(resolved)
        file.touch()
    beyond_schema.check_files(resolved)


def test_backbones_that_start_from_runs_of_each_other_are_refused_and_a_chain_is_not():
    study = changed("backbones.trained", {"source": "ftbench", "model": "resnet8", "image_size": 8, "weights": "none"})
    study["backbones"]["plain"]["weights"] = "run:small/digits/trained/scratch/0"
    config.resolve(study)
    study["backbones"]["third"] = study["backbones"]["plain"] | {"weights": "run:small/digits/plain/finetune/1"}
    config.resolve(study)
    study["backbones"]["trained"]["weights"] = "run:small/digits/third/finetune/1"
    with pytest.raises(InputError, match=r"itself \(plain from trained from third from plain\); start one of them"):
        config.resolve(study)


def test_a_study_of_backbones_without_weights_needs_a_strategy_that_needs_none():
    study = minimal()
    del study["backbones"]["trained"]
    study["strategies"] = {"finetune": {"kind": "finetune"}}
    with pytest.raises(InputError, match=r"^config: the grid is empty.*scratch for backbones with weights none\.$"):
        config.resolve(study)
    study["strategies"]["scratch"] = {"kind": "scratch"}
    assert grid.cells(config.resolve(study)) == [("digits", "plain", "scratch")]


def test_a_backbone_on_which_nothing_would_run_is_said():
    """Without weights given it has none: left out in silence, it would be missed in the table only."""
    study = minimal()
    del study["strategies"]["scratch"], study["strategies"]["tutorial"]
    sentence = r"^config: backbones.plain has weights none, from which finetune, lp_ft, probe cannot start.*exclude\.$"
    with pytest.raises(InputError, match=sentence):
        config.resolve(study)
    study["exclude"] = [{"backbone": "plain"}]
    assert {cell.backbone for cell in grid.cells(config.resolve(study))} == {"trained"}


def test_two_data_sets_from_one_download_agree_about_it():
    study = minimal()
    one, other = {"source": "torchvision", "name": "CIFAR10"}, {"urls": ["https://mirror.example/"]}
    study["datasets"] = {"a": one, "b": one | other}
    with pytest.raises(InputError, match=r"^config: datasets.b and datasets.a give different urls.*\.$"):
        config.resolve(study)
    study["datasets"] = {"a": one | other, "b": one | other | {"train_limit": 10}}
    config.resolve(study)


def test_two_faults_are_two_sentences():
    with pytest.raises(InputError) as caught:
        config.resolve(changed("device", "gpu") | {"precision": "half"})
    assert [line.split(" is ")[0] for line in str(caught.value).splitlines()] == ["config: device", "config: precision"]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "seeds: [0,\n", "42\n"])
def test_a_file_that_is_no_mapping_is_one_sentence(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"study.yaml (holds|is not valid YAML).*\.$") as caught:
        config.read(path)
    assert "\n" not in str(caught.value)


def test_an_empty_file_lacks_keys_and_a_missing_one_is_named(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(InputError, match="lacks the key study"):
        config.read(tmp_path / "empty.yaml")
    with pytest.raises(InputError, match=r"no config file .*missing\.yaml"):
        config.read(tmp_path / "missing.yaml")
    (tmp_path / "other.yaml").write_bytes("study: Zürich\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"other\.yaml is not in UTF-8"):
        config.read(tmp_path / "other.yaml")


# --- the schema ------------------------------------------------------------------------------------------------------


def levels():
    """(dotted name, its properties) of every level of the schema."""
    properties = config.schema()["properties"]
    yield "", properties
    for name, part in properties.items():
        inner = part.get("additionalProperties") if isinstance(part.get("additionalProperties"), dict) else part
        inner = part["items"] if isinstance(part.get("items"), dict) and "properties" in part["items"] else inner
        if "properties" in inner:
            yield name, inner["properties"]


def test_every_key_has_a_description_and_a_default():
    found = dict(levels())
    assert set(found) == {
        "",
        "corruptions",
        "hardware",
        "tuning",
        "training",
        "datasets",
        "backbones",
        "strategies",
        "budgets",
        "exclude",
    }
    for level, properties in found.items():
        for key, part in properties.items():
            assert part["description"].endswith("."), f"{level}.{key}"
            assert "default" in part, f"{level}.{key}"


def test_no_level_takes_unknown_keys():
    def closed(part):
        if "properties" in part:
            assert part["additionalProperties"] is False, list(part["properties"])
        for inner in [*part.get("properties", {}).values(), part.get("additionalProperties"), part.get("items")]:
            if isinstance(inner, dict):
                closed(inner)

    closed(config.schema())


def test_a_strategys_overrides_are_the_keys_of_training_with_the_same_types():
    properties = config.schema()["properties"]
    strategy, training = properties["strategies"]["additionalProperties"]["properties"], properties["training"]
    for key, part in training["properties"].items():
        shared, own = ({k: v for k, v in side.items() if k != "description"} for side in (part, strategy[key]))
        if key == "augmentation":  # a list of them is an axis
            assert own.pop("type") == ["string", "array"] and shared.pop("type") == "string"
            own = {k: v for k, v in own.items() if k not in ("items", "minItems", "uniqueItems")}
        assert own == shared, key
    options = {"layer_decay", "rank", "pull", "soup", "cached_views"}
    assert (
        set(strategy) - set(training["properties"])
        == {"kind", "learning_rate", "l2", "k", "alpha", "probe", "of", *given.KEYS} | options
    )


def test_policies_that_are_one_where_images_must_not_be_mirrored_are_refused():
    study = minimal()
    study["strategies"]["finetune"]["augmentation"] = ["crop", "crop_flip"]
    assert "finetune-crop_flip" in config.resolve(study)["strategies"]
    study["datasets"]["digits"]["flip"] = False
    sentence = "strategies.finetune.augmentation lists crop and crop_flip.*datasets.digits.*flip is false"
    with pytest.raises(InputError, match=sentence):
        config.resolve(study)
    study["exclude"] = [{"strategy": "finetune-crop_flip"}]
    config.resolve(study)


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"model": "vit_tiny_patch16_224.augreg_in21k", "source": "timm"}, "write model: vit_tiny_patch16_224 and weights: augreg_in21k"),
        ({"model": "hf-hub:timm/resnet18.a1_in1k", "source": "timm"}, "a place and not an architecture"),
        ({"mean": [123.7, 116.3, 103.5], "std": [58.4, 57.1, 57.4]}, "divide values of the scale 0 to 255 by 255"),
        ({"mean": [0.5, 0.5, 0.5], "std": [58.4, 57.1, 57.4]}, "backbones.trained.std is"),
    ],
)  # fmt: skip
def test_what_no_network_stands_is_refused_with_advice(changes, says):
    study = minimal()
    study["backbones"]["trained"] |= changes
    with pytest.raises(InputError, match=says) as caught:
        config.resolve(study)
    assert "\n" not in str(caught.value)
