"""One finished study per test session; a test that changes something gets a copy of it."""

from types import SimpleNamespace

import pytest
from studies import WEIGHTS, Clone, runs, tiny, write_photos, write_weights


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> SimpleNamespace:
    """`clone`, whose study ran from beginning to end, and the files that were there when all training was done (`trained`).

    Do not change it: ask for `clone`.
    """
    clone = Clone.of_repository(tmp_path_factory.mktemp("finished") / "clone", tiny())
    write_weights(clone.root / WEIGHTS)
    write_photos(clone.root / "photos")
    folders = ["results/tiny/runs/" + "/".join(map(str, cell)) + f"/seed{seed}" for *cell, seed in runs()]
    clone.snakemake(*(f"{folder}/model.safetensors" for folder in folders))
    trained = set(clone.contents())
    clone.snakemake()
    return SimpleNamespace(clone=clone, trained=trained)


@pytest.fixture
def clone(finished, tmp_path) -> Clone:
    """A copy of the finished study, to be changed at will."""
    return finished.clone.copy_to(tmp_path / "clone")
