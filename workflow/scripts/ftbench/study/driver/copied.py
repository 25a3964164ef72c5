"""Results that came without Snakemake's records of the settings that they were made with.

Snakemake repeats a job whose settings differ from its record of them, in the folder .snakemake. Where a folder of results was copied
alone, it has no record, believes every file, and says that nothing is to be done. The study's own record, study.json, knows better.
"""

import json
from base64 import urlsafe_b64encode
from pathlib import Path

from ftbench.base.errors import InputError, listed
from ftbench.base.files import read_json

RECORDS = Path(".snakemake", "metadata")
NAMED = ("datasets", "backbones", "strategies", "budgets")  # tables of entries, to which a config may add more
FORCE = ("--forcerun", "-R", "--forceall", "-F")  # Snakemake's options that say what to repeat


def forced(arguments: list[str]) -> bool:
    """Whether a command line says itself which jobs shall be repeated."""
    return any(argument.split("=")[0] in FORCE for argument in arguments)


def refuse_other_settings(folder: str, study: dict) -> None:
    """Raise InputError if the results in `folder` (results/<study>) were made with other settings than `study` and Snakemake, started in
    this directory, has no record of it.
    """
    path = f"{folder}/study.json"
    if not Path(path).is_file() or _recorded(path):
        return
    try:
        recorded = read_json(path)
    except InputError:  # damaged: the job that reads it says so
        return
    if differing := differences(recorded, json.loads(json.dumps(study))):
        raise InputError(
            f"{path} was made with other settings than this config has ({listed(differing)}), and Snakemake has no record here of what any "
            "file was made with: its folder .snakemake was not copied along. It would believe every file. Copy that folder too, use the "
            "config of these results, or give this study another name. To keep what is there as it is and make only what is missing, add "
            "--forcerun record_study collect_metrics."
        )


def _recorded(path: str) -> bool:
    """Whether Snakemake has noted with which settings a file was made, and does so in files."""
    if not RECORDS.is_dir():
        return RECORDS.parent.joinpath("metadata.db").exists()
    return (RECORDS / urlsafe_b64encode(path.encode()).decode()).exists()


def differences(recorded: dict, current: dict, prefix: str = "") -> list[str]:
    """The settings, as dotted names, that differ between two resolved studies. A key that only `current` has is none, unless it names an
    entry of a table: a later version has more keys.
    """
    found = [f"{prefix}{key}" for key in current if key not in recorded and prefix.rstrip(".") in NAMED]
    for key, value in recorded.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and isinstance(current.get(key), dict):
            found += differences(value, current[key], f"{name}.")
        elif key not in current or value != current[key]:
            found.append(name)
    return found
