"""Validate a study's config and fill in its defaults, or say in one sentence what is wrong.

`resolve` is the only door: the Snakefile, `make plan` and the tests all read a config through it. The schema
(workflow/schemas/config.schema.yaml) knows keys, types and defaults; what crosses tables (an unknown backbone in an
`exclude`, grids of unequal length, an empty product) is checked here by hand.
"""

import copy
import functools
import math
from pathlib import Path

import jsonschema
import yaml

from ftbench import grid, kinds
from ftbench.errors import InputError, choices

SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
SMOKE_LIMIT = 20  # images per class of a rehearsal


@functools.cache
def schema() -> dict:
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def recipe_keys() -> list[str]:
    """The keys of `training`, each of which a strategy may override."""
    return list(schema()["properties"]["training"]["properties"])


def read(path: str | Path) -> dict:
    """A config file as a dict, validated, with defaults."""
    try:
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no config file {path}.") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(config or {}, dict):
        raise InputError(f"{path} holds {config!r:.60}; a config is a mapping of keys to values.")
    return resolve(config or {})


def resolve(config: dict) -> dict:
    """Return a validated copy of `config` with every default filled in and every recipe resolved.

    In the result each strategy has the keys kind, learning_rate, l2, probe and `recipe`, the whole of `training` with
    the kind's and the entry's own values laid over it. Raises InputError, one sentence per fault.
    """
    config = _read_text(copy.deepcopy(dict(config)), schema())
    faults = sorted(
        jsonschema.Draft202012Validator(schema()).iter_errors(config), key=lambda fault: list(map(str, fault.path))
    )
    if faults:
        raise InputError("\n".join(dict.fromkeys(_sentence(fault) for fault in faults)))
    _check_finite(config)
    _fill_defaults(config, schema())
    for name, entry in config["strategies"].items():
        config["strategies"][name] = _resolve_strategy(name, entry, config)
    if config["smoke"]:
        _shrink(config)
    _check_seeds_and_trials(config)
    _check_datasets(config)
    _check_backbones(config)
    _check_probes(config)
    _check_grid(config)
    return config


def _read_text(value, part: dict):
    """`value` with text turned into numbers where `part` of the schema wants no text.

    Snakemake hands lists and tables given by --config on with every scalar as text: seeds=[0,1] arrives as ["0", "1"].
    """
    if isinstance(value, dict):
        known, rest = part.get("properties", {}), part.get("additionalProperties")
        rest = rest if isinstance(rest, dict) else {}
        return {key: _read_text(entry, known.get(key, rest)) for key, entry in value.items()}
    if isinstance(value, list):
        return [_read_text(entry, part.get("items", {})) for entry in value]
    types = part.get("type", "string")
    if isinstance(value, str) and "string" not in (types if isinstance(types, list) else [types]):
        try:
            return float(value) if "e" in value.lower() and "number" in types else yaml.safe_load(value)
        except (ValueError, yaml.YAMLError):
            return value  # the schema's sentence will name it
    return value


def _check_finite(value, key: str = "") -> None:
    """YAML's .nan and .inf are numbers to the schema, and pass every limit or none."""
    if isinstance(value, dict | list):
        for name, entry in value.items() if isinstance(value, dict) else enumerate(value):
            _check_finite(entry, f"{key}.{name}" if key else str(name))
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"config: {key} is {value}; it must be a finite number.")


def _sentence(fault: jsonschema.ValidationError) -> str:
    """One sentence for one schema error: the key, the value, what would be valid."""
    key = ".".join(str(part) for part in fault.absolute_path) or "the config"
    if fault.validator == "type" and "propertyNames" in fault.absolute_schema_path:
        return f"config: {key} has the name {fault.instance!r}, which YAML reads as no text; put it in quotes."
    match fault.validator:
        case "additionalProperties":
            known = fault.schema.get("properties", {})
            unknown = sorted(str(name) for name in fault.instance if name not in known)
            prefix = "" if key == "the config" else f"{key}."
            return f"config: {prefix}{unknown[0]} is not a known key; valid keys: {choices(known)}."
        case "required":
            missing = [name for name in fault.validator_value if name not in fault.instance]
            return f"config: {key} lacks the key {missing[0]}; it needs {choices(fault.validator_value)}."
        case "enum":
            return f"config: {key} is {fault.instance!r}; valid: {choices(v for v in fault.validator_value if v is not None)}."
        case "type":
            types = fault.validator_value if isinstance(fault.validator_value, list) else [fault.validator_value]
            return f"config: {key} is {fault.instance!r}, which is not of type {' or '.join(types)}."
        case "minItems" | "minProperties":
            return f"config: {key} is {fault.instance!r}; it needs at least {fault.validator_value} entries."
        case "pattern":
            return f"config: {key} has the name {fault.instance!r}; valid are letters, digits, - and _, starting with a letter or digit."
        case "uniqueItems":
            return f"config: {key} is {fault.instance!r}, which lists a value twice; every value must be another."
        case _:
            limits = {
                "minimum": "at least",
                "exclusiveMinimum": "greater than",
                "maximum": "at most",
                "exclusiveMaximum": "less than",
                "maxItems": "of a length of at most",
            }
            rule = limits.get(fault.validator, fault.validator)
            return f"config: {key} is {fault.instance!r}; it must be {rule} {fault.validator_value}."


def _fill_defaults(instance: dict, part: dict) -> None:
    """Write the schema's defaults into `instance`, tables included; strategies keep only what they say themselves."""
    for key, sub in part.get("properties", {}).items():
        if key not in instance and "default" in sub:
            instance[key] = copy.deepcopy(sub["default"])
        if isinstance(instance.get(key), dict) and key != "strategies":
            _fill_defaults(instance[key], sub)
            if isinstance(sub.get("additionalProperties"), dict):
                for entry in instance[key].values():
                    _fill_defaults(entry, sub["additionalProperties"])


def _resolve_strategy(name: str, entry: dict, config: dict) -> dict:
    kinds.check("strategies", entry["kind"], f"strategies.{name}.kind")
    declares = kinds.declared(entry["kind"])
    properties = schema()["properties"]["strategies"]["additionalProperties"]["properties"]
    overrides = {key: value for key, value in entry.items() if key in recipe_keys()}
    if declares["tuned"] != "l2" and "l2" in entry:
        raise InputError(f"config: strategies.{name}.l2 has no effect on the kind {entry['kind']}; remove it.")
    recipe = config["training"] | declares["recipe"] | overrides
    learning_rate = entry.get(
        "learning_rate", declares["recipe"].get("learning_rate", properties["learning_rate"]["default"])
    )
    recipe.pop("learning_rate", None)
    kinds.check("policies", recipe["augmentation"], f"strategies.{name}.augmentation")
    ignored = [key for key in entry if key in overrides or key == "learning_rate"]
    if declares["engine"] == "features" and ignored:
        raise InputError(
            f"config: strategies.{name}.{ignored[0]} has no effect on the kind {entry['kind']}, "
            "which is fitted on cached features without augmentation; remove it."
        )
    if declares["tuned"] != "learning_rate" and isinstance(learning_rate, list):
        if "learning_rate" in entry:
            raise InputError(
                f"config: strategies.{name}.learning_rate is {learning_rate!r}; the kind {entry['kind']} is not tuned "
                "over learning rates and takes at most one number."
            )
        learning_rate = None
    return {
        "kind": entry["kind"],
        "learning_rate": learning_rate,
        "l2": sorted(entry.get("l2", properties["l2"]["default"])),
        "probe": entry.get("probe"),
        "recipe": recipe,
    }


def _shrink(config: dict) -> None:
    """Turn the study into its rehearsal: every stage runs, on as little as possible."""
    config["study"] += "_smoke"
    config["seeds"] = config["seeds"][:1]
    config["tuning"]["trials"] = 1
    for entry in config["datasets"].values():
        entry["train_limit"] = min(entry["train_limit"] or SMOKE_LIMIT, SMOKE_LIMIT)
        entry["validation_fraction"] = max(entry["validation_fraction"], 0.2)
    for entry in config["strategies"].values():
        entry["recipe"]["epochs"] = 1
        if isinstance(entry["learning_rate"], list):
            entry["learning_rate"] = entry["learning_rate"][:1]


def _check_seeds_and_trials(config: dict) -> None:
    if config["tuning"]["seed"] in config["seeds"]:
        raise InputError(
            f"config: tuning.seed is {config['tuning']['seed']}, which is also one of seeds; choose another, "
            "so that no final run repeats the trial that selected its recipe."
        )
    for name, entry in config["strategies"].items():
        trials = entry["learning_rate"]
        if isinstance(trials, list) and len(set(trials)) != config["tuning"]["trials"]:
            raise InputError(
                f"config: strategies.{name}.learning_rate lists {len(set(trials))} different values, but tuning.trials is "
                f"{config['tuning']['trials']}; every tuned strategy gets the same number of trials."
            )


def _check_datasets(config: dict) -> None:
    for name, entry in config["datasets"].items():
        key = f"datasets.{name}"
        kinds.check("sources", entry["source"], f"{key}.source")
        needed = {"torchvision": "name", "imagefolder": "path"}.get(entry["source"])
        if needed and not entry[needed]:
            raise InputError(f"config: {key}.{needed} is missing; a {entry['source']} data set needs it.")
        for unused in {"name", "path"} - {needed}:
            if entry[unused] is not None:
                raise InputError(f"config: {key}.{unused} has no effect with source {entry['source']}; remove it.")

    published = {}
    for name, entry in config["datasets"].items():
        if entry["source"] == "torchvision":
            first = published.setdefault(entry["name"], (name, entry["urls"], entry["md5"]))
            if first[1:] != (entry["urls"], entry["md5"]):
                raise InputError(
                    f"config: datasets.{name} and datasets.{first[0]} give different urls or md5 for {entry['name']}, "
                    "which is downloaded once for both; give both the same."
                )


def _check_backbones(config: dict) -> None:
    for name, entry in config["backbones"].items():
        key = f"backbones.{name}"
        kinds.check("architectures", entry["source"], f"{key}.source")
        weights = entry["weights"]
        if weights in ("pip:", "file:", ""):
            raise InputError(f"config: {key}.weights is {weights!r}; valid: a tag, pip:<package>, file:<path> or none.")
        if entry["source"] == "ftbench" and weights != "none" and not weights.startswith("file:"):
            raise InputError(
                f"config: {key}.weights is {weights!r}; the source ftbench publishes none: use none or file:<path>."
            )
        if (entry["mean"] is None) != (entry["std"] is None):
            raise InputError(f"config: {key} gives only one of mean and std; give both or neither.")
        if weights == "none" and entry["mean"]:
            raise InputError(
                f"config: {key}.mean has no effect with weights none: a network from scratch gets the data set's "
                "own measured statistics; remove mean and std."
            )
        if weights.startswith(("pip:", "file:")) and entry["mean"] is None:
            raise InputError(
                f"config: {key}.mean and std are missing; weights from {weights} do not say what they were trained with."
            )


def _check_probes(config: dict) -> None:
    probes = [name for name, entry in config["strategies"].items() if entry["kind"] == "linear_probe"]
    for name, entry in config["strategies"].items():
        if kinds.declared(entry["kind"])["start"] != "probe":
            if entry["probe"] is not None:
                raise InputError(
                    f"config: strategies.{name}.probe has no effect on the kind {entry['kind']}; remove it."
                )
            continue
        if entry["probe"] is None and len(probes) == 1:
            entry["probe"] = probes[0]
        if entry["probe"] not in probes:
            raise InputError(
                f"config: strategies.{name}.probe is {entry['probe']!r}; it must name a strategy of kind linear_probe "
                f"({choices(probes) or 'the study has none: add one'})."
            )


def _check_grid(config: dict) -> None:
    tables = {"dataset": "datasets", "backbone": "backbones", "strategy": "strategies"}
    for number, pattern in enumerate(config["exclude"]):
        for axis, given in pattern.items():
            for name in given if isinstance(given, list) else [given]:
                if name not in config[tables[axis]]:
                    raise InputError(
                        f"config: exclude.{number}.{axis} is {name!r}, which is not in {tables[axis]}; "
                        f"valid: {choices(config[tables[axis]])}."
                    )
    if not grid.cells(config):
        raise InputError(
            "config: the grid is empty, since exclude and the backbones without weights leave no cell; "
            "drop an exclude entry, or add a strategy of kind scratch for backbones with weights none."
        )
