"""Validate a study's config and fill in its defaults, or say in one sentence what is wrong.

`resolve` is the only door: the Snakefile, the command `ftbench` and the tests all read a config through it. The schema
(workflow/schemas/config.schema.yaml) knows keys, types and defaults; what crosses tables is checked in `crosschecks`.
"""

import copy
import functools
from pathlib import Path

import jsonschema
import yaml

from ftbench.base.errors import InputError, choices
from ftbench.base.given.user_csv import at_home
from ftbench.study import expand, kinds, reader
from ftbench.study.checks import beyond_schema, given
from ftbench.study.reader import shown, shown_text
from ftbench.study.tuning.equal_compute import allot

SCHEMA = Path(__file__).parents[3] / "schemas" / "config.schema.yaml"
TYPES = {"array": "list", "object": "table of names"}  # as a user of YAML calls them
SMOKE_LIMIT = 20  # images per class of a rehearsal
SMOKE = "_smoke"  # ends a rehearsal's name
UNTRAINED = {
    "features": "fitted on cached features without augmentation",
    "runs": "made of the finished runs of another strategy",
    "given": "a model that was trained elsewhere",
}  # engine -> why its strategies have no recipe
OWN_KEYS = {"runs": ("of",), "given": given.KEYS}  # engine -> keys that no other engine has
MAX_FAULTS = 20  # shown of one config


@functools.cache
def schema() -> dict:
    return yaml.load(SCHEMA.read_text(encoding="utf-8"), Loader=reader.PARSER)


def recipe_keys() -> list[str]:
    """The keys of `training`, each of which a strategy may override."""
    return list(schema()["properties"]["training"]["properties"])


def read(path: str | Path) -> dict:
    """A config file as a dict, validated, with defaults."""
    return resolve(reader.load(path))


def study_name(path: str | Path) -> str:
    """The name of the study of a config file, a rehearsal's with its ending; the rest of the config may be wrong.

    Raises InputError if there is none, or one that is no valid name of a folder.
    """
    config = reader.load(path)
    name = config.get("study")
    if not name:
        raise InputError(f"{path} gives no study a name; it needs a line such as study: flowers.")
    faults = list(jsonschema.Draft202012Validator(schema()["properties"]["study"]).iter_errors(name))
    if faults:
        raise InputError(
            f"{path}: study is {shown(name)}; valid are up to 60 letters, digits, - and _, starting with a letter or digit."
        )
    return name + SMOKE * (config.get("smoke") is True)


def resolve(config: dict) -> dict:
    """Return a validated copy of `config` with every default filled in and every recipe resolved.

    In the result each data set has the key family, the name that the config gives it, and fold_of and fold (see `ftbench.study.expand`), and each strategy has the keys kind, family, learning_rate, grid (of a strategy fitted on features), probe
    and `recipe`, the whole of `training` with the kind's and the entry's own values laid over it. Raises InputError, one sentence per fault.
    """
    reader.check_plain(config)
    config = _read_text(copy.deepcopy(dict(config)), schema())
    reader.check_plain(config)  # once more: to YAML 1e+300 is no whole number, to the schema it is one
    faults = sorted(
        jsonschema.Draft202012Validator(schema()).iter_errors(config), key=lambda fault: list(map(str, fault.path))
    )
    if faults:
        raise InputError(_sentences(faults))
    _fill_defaults(config, schema())
    _expand_home(config)
    expand.limits(config)
    expand.folds(config)
    expand.policies(config)
    given.expand_files(config)
    for name, entry in config["strategies"].items():
        config["strategies"][name] = _resolve_strategy(name, entry, config)
    if config["smoke"]:
        _shrink(config)
    beyond_schema.check(config)
    allot(config)
    return config


def _read_text(value, part: dict):
    """`value` with text turned into numbers where `part` of the schema wants no text, and 2.0 into 2 where it wants whole ones.

    Snakemake hands lists and tables given by --config on with every scalar as text: seeds=[0,1] arrives as ["0", "1"].
    To the schema 1.0e+5 is an integer; to a path or a range it is none.
    """
    if isinstance(value, dict):
        known, rest = part.get("properties", {}), part.get("additionalProperties")
        rest = rest if isinstance(rest, dict) else {}
        return {key: _read_text(entry, known.get(key, rest)) for key, entry in value.items()}
    if isinstance(value, list):
        return [_read_text(entry, part.get("items", {})) for entry in value]
    types = part.get("type", "string")
    types = types if isinstance(types, list) else [types]
    if isinstance(value, str) and "string" not in types:
        value = reader.number(value)  # what stays text will be named by the schema's sentence
    if isinstance(value, float) and value.is_integer() and "integer" in types and "number" not in types:
        return int(value)
    return value


def _sentences(faults: list[jsonschema.ValidationError]) -> str:
    """One line per fault, of very many the first ones."""
    lines = list(dict.fromkeys(_sentence(fault) for fault in faults))
    more = [f"config: {len(lines) - MAX_FAULTS} more faults like these."] * (len(lines) > MAX_FAULTS)
    return "\n".join(lines[:MAX_FAULTS] + more)


def _sentence(fault: jsonschema.ValidationError) -> str:
    """One sentence for one schema error: the key, the value, what would be valid."""
    key = shown_text(".".join(str(part) for part in fault.absolute_path)) or "the config"
    if fault.validator == "type" and "propertyNames" in fault.absolute_schema_path:
        return f"config: {key} has the name {shown(fault.instance)}, which YAML reads as no text; put it in quotes."
    match fault.validator:
        case "additionalProperties":
            known = fault.schema.get("properties", {})
            unknown = sorted(str(name) for name in fault.instance if name not in known)
            prefix = "" if key == "the config" else f"{key}."
            return f"config: {prefix}{shown_text(unknown[0])} is not a known key; valid keys: {choices(known)}."
        case "required":
            missing = [name for name in fault.validator_value if name not in fault.instance]
            return f"config: {key} lacks the key {missing[0]}; it needs {choices(fault.validator_value)}."
        case "enum":
            return f"config: {key} is {shown(fault.instance)}; valid: {choices(v for v in fault.validator_value if v is not None)}."
        case "type":
            types = fault.validator_value if isinstance(fault.validator_value, list) else [fault.validator_value]
            named = " or ".join(TYPES.get(name, name) for name in types)
            return f"config: {key} is {shown(fault.instance)}, which is not of type {named}."
        case "minItems" | "minProperties":
            return f"config: {key} is {shown(fault.instance)}; it needs at least {fault.validator_value} entries."
        case "maxLength":
            return f"config: {key} has the name {shown(fault.instance)}; a name has at most {fault.validator_value} characters."
        case "pattern":
            return f"config: {key} has the name {shown(fault.instance)}; valid are letters, digits, - and _, starting with a letter or digit."
        case "uniqueItems":
            return f"config: {key} is {shown(fault.instance)}, which lists a value twice; every value must be another."
        case _:
            limits = {
                "minimum": "at least",
                "exclusiveMinimum": "greater than",
                "maximum": "at most",
                "exclusiveMaximum": "less than",
                "maxItems": "of a length of at most",
            }
            rule = limits.get(fault.validator, fault.validator)
            return f"config: {key} is {shown(fault.instance)}; it must be {rule} {fault.validator_value}."


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


def _expand_home(config: dict) -> None:
    """A ~ in front of a path of the user's becomes the home folder, as it does in a shell."""
    for entry in config["datasets"].values():
        for key in ("path", "images", "groups", "exclude_test", "slices_table"):
            if entry[key] is not None:
                entry[key] = at_home(entry[key])
    for entry in config["backbones"].values():
        if entry["weights"].startswith("file:~"):
            entry["weights"] = f"file:{at_home(entry['weights'].removeprefix('file:'))}"


def _resolve_strategy(name: str, entry: dict, config: dict) -> dict:
    kinds.check("strategies", entry["kind"], f"strategies.{name}.kind")
    declares = kinds.declared(entry["kind"])
    properties = schema()["properties"]["strategies"]["additionalProperties"]["properties"]
    overrides = {key: value for key, value in entry.items() if key in recipe_keys()}
    options = declares.get("options", {})
    extra = OWN_KEYS.get(declares["engine"], ())
    own = {"kind", "family", "learning_rate", "probe", *recipe_keys(), *options, *extra, declares["tuned"]}
    for key in entry:
        if key not in own:
            raise InputError(f"config: strategies.{name}.{key} has no effect on the kind {entry['kind']}; remove it.")
    ignored = [key for key in entry if key in overrides or key == "learning_rate"]
    if declares["engine"] in UNTRAINED and ignored:
        raise InputError(
            f"config: strategies.{name}.{ignored[0]} has no effect on the kind {entry['kind']}, "
            f"which is {UNTRAINED[declares['engine']]}; remove it."
        )
    recipe = (
        config["training"] | declares["recipe"] | overrides | {key: entry.get(key, options[key]) for key in options}
    )
    if "epochs" in entry:  # the strategy's own budget, whatever all others have
        if entry.get("examples") is not None:
            raise InputError(
                f"config: strategies.{name} gives epochs ({entry['epochs']}) and examples ({entry['examples']}); remove one."
            )
        recipe["examples"] = None
    where = f"strategies.{entry['family']}" if "augmentation" in overrides else "training"
    kinds.check("policies", recipe["augmentation"], f"{where}.augmentation")
    learning_rate = recipe.pop("learning_rate", properties["learning_rate"]["default"])
    learning_rate = entry.get("learning_rate", learning_rate)
    if declares["tuned"] != "learning_rate" and isinstance(learning_rate, list):
        if "learning_rate" in entry:
            raise InputError(
                f"config: strategies.{name}.learning_rate is {shown(learning_rate)}; the kind {entry['kind']} is not tuned "
                "over learning rates and takes at most one number."
            )
        learning_rate = None
    grid_of = declares["tuned"] if declares["engine"] != "loop" else None
    return {
        "kind": entry["kind"],
        "family": entry["family"],
        "learning_rate": learning_rate,
        "grid": sorted(entry.get(grid_of, properties[grid_of]["default"])) if grid_of else None,
        "probe": entry.get("probe"),
        "of": entry.get("of"),
        "given": {key: entry.get(key, properties[key]["default"]) for key in extra} if extra is given.KEYS else None,
        "recipe": recipe,
    }


def _shrink(config: dict) -> None:
    """Turn the study into its rehearsal: every stage runs, on as little as possible."""
    config["study"] += SMOKE
    given.leave_out(config)
    config["seeds"] = config["seeds"][:1]
    kept = 1 if config["tuning"]["search"] == "grid" else 4  # of four, two reach the second rung
    config["corruptions"]["images"] = min(config["corruptions"]["images"], SMOKE_LIMIT)
    config["tuning"] |= {"trials": min(config["tuning"]["trials"], kept), "rungs": 2, "equal_compute": False}
    for entry in config["datasets"].values():
        entry["train_limit"] = min(entry["train_limit"] or SMOKE_LIMIT, SMOKE_LIMIT)
        entry["validation_fraction"] = max(entry["validation_fraction"], 0.2)
    for entry in config["strategies"].values():
        entry["recipe"] |= {"epochs": 1, "examples": None}
        if isinstance(entry["learning_rate"], list):
            entry["learning_rate"] = entry["learning_rate"][:kept]
