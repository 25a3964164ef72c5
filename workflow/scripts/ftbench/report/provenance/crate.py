"""A study as an RO-Crate: the standard description that repositories and workflow hubs read (https://w3id.org/ro/crate).

The crate is the study's own folder: this writes its ro-crate-metadata.json and copies nothing. It follows the profile
Process Run Crate: one action, its instrument (this software), what it read and what it made.
"""

import mimetypes
from pathlib import Path

from rocrate.model import ContextEntity, SoftwareApplication
from rocrate.rocrate import ROCrate

from ftbench.base.digests import sha256_of_file
from ftbench.base.files import read_json, write_json

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
HOME = "https://github.com/finetune-bench/finetune-bench"
TYPES = {".safetensors": "application/octet-stream", ".npz": "application/octet-stream", ".md": "text/markdown"}


def describe_crate(environment: str, files: list, licence: str, out: str) -> None:
    """Write the RO-Crate metadata of a study to `out`, which must lie in the study's folder.

    `environment` is the study's environment.json, `files` are its results (below that folder), `licence` the licence of
    those results as the config gives it, a text or an address.
    """
    root = Path(out).parent
    known = read_json(environment)
    crate = ROCrate()
    crate.name = f"finetune-bench study {known['study']}"
    crate.description = (
        f"Pretrained backbones fine-tuned by several strategies and compared with paired statistics: the study "
        f"{known['study']}, config digest {known['config_sha256'][:16]}."
    )
    crate.license = licence
    profile = crate.add(
        ContextEntity(crate, PROFILE, {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"})
    )
    crate.root_dataset["conformsTo"] = profile
    crate.root_dataset["mentions"] = add_action(
        crate, known, add_inputs(crate, known), [add_file(crate, root, Path(file)) for file in files]
    )
    write_json(out, crate.metadata.generate())


def add_file(crate: ROCrate, root: Path, path: Path):
    properties = {
        "name": path.relative_to(root).as_posix(),
        "contentSize": str(path.stat().st_size),
        "sha256": sha256_of_file(path),
        "encodingFormat": TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream",
    }
    return crate.add_file(path, path.relative_to(root).as_posix(), properties=properties)


def add_inputs(crate: ROCrate, known: dict) -> list:
    """The data sets, weights and given predictions that the study read: described with digest and licence, not part of the crate."""
    entities = []
    for name, entry in known["datasets"].items():
        properties = {
            "@type": "Dataset",
            "name": entry["name"] or name,
            "description": f"{entry['train']['images']} training and {entry['test']['images']} test images",
            "license": entry["licence"],
            "identifier": f"sha256:{entry['train']['sha256']}",
            **({"url": entry["homepage"]} if entry["homepage"] else {}),
        }
        entities.append(crate.add(ContextEntity(crate, f"#dataset-{name}", properties)))
    for number, entry in enumerate(known["weights"]):
        properties = {
            "@type": "CreativeWork",
            "name": f"{entry['model']} {entry['weights']}",
            "description": entry["origin"],
            "license": entry["licence"],
            "identifier": f"sha256:{entry['sha256']}",
        }
        entities.append(crate.add(ContextEntity(crate, f"#weights-{number}", properties)))
    for number, entry in enumerate(known["predictions"]):
        properties = {
            "@type": "Dataset",
            "name": f"Predictions of {entry['backbone']} ({entry['strategy']}) on {entry['dataset']}",
            "description": "probabilities or logits of the validation images, made outside of this study",
            "identifier": f"sha256:{entry['sha256']}",
        }
        entities.append(crate.add(ContextEntity(crate, f"#predictions-{number}", properties)))
    return entities


def add_action(crate: ROCrate, known: dict, inputs: list, results: list):
    software = crate.add(
        SoftwareApplication(
            crate,
            HOME,
            {
                "name": "finetune-bench",
                "version": known["finetune_bench"],
                "url": HOME,
                "softwareRequirements": [f"{name}=={number}" for name, number in known["versions"].items()],
            },
        )
    )
    commands = known["commands"]
    machines = "; ".join(f"{entry['runs']} runs on {entry['device_name']}" for entry in known["machines"])
    properties = {
        "name": f"Run of the study {known['study']}",
        "description": f"{machines}. Commands: " + "; ".join(entry["command"] for entry in commands),
        **({"startTime": commands[0]["started"]} if commands else {}),
    }
    return crate.add_action(software, "#run", object=inputs, result=results, properties=properties)
