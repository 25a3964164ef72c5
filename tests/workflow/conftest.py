"""One finished study per test session, also of several workers; a test that changes something gets a copy of it."""

import json
import os
from types import SimpleNamespace

import pytest
from filelock import FileLock
from studies import WEIGHTS, Clone, runs, tiny, write_photos, write_weights


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> SimpleNamespace:
    """`clone`, whose study ran from beginning to end, and the files that were there when all training was done (`trained`).

    Do not change it: ask for `clone`. The first worker of a session that needs it makes it, the others wait.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "finished"
    clone, record = Clone(folder / "clone"), folder / "trained.json"
    with FileLock(f"{folder}.lock"):
        if not record.exists():
            make(clone)
            record.write_text(json.dumps(run_study(clone)))
    return SimpleNamespace(clone=clone, trained=set(json.loads(record.read_text())))


def make(clone: Clone) -> None:
    Clone.of_repository(clone.root, tiny())
    write_weights(clone.root / WEIGHTS)
    write_photos(clone.root / "photos")


def run_study(clone: Clone) -> list[str]:
    """Run the whole study; returns the files that were there when all training was done."""
    folders = ["results/tiny/runs/" + "/".join(map(str, cell)) + f"/seed{seed}" for *cell, seed in runs()]
    clone.snakemake(*(f"{folder}/model.safetensors" for folder in folders))
    trained = sorted(clone.contents())
    clone.snakemake()
    return trained


@pytest.fixture
def clone(finished, tmp_path) -> Clone:
    """A copy of the finished study, to be changed at will."""
    return finished.clone.copy_to(tmp_path / "clone")
