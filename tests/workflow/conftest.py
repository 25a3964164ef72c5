"""One finished study per test session; a test that changes something gets a copy of it."""

from types import SimpleNamespace

import pytest
from studies import WEIGHTS, Clone, tiny, write_photos, write_weights


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> SimpleNamespace:
    """`clone`, whose study ran from beginning to end, and what was on disk when all training was done (`trained`).

    Do not change it: ask for `clone`.
    """
    clone = Clone.of_repository(tmp_path_factory.mktemp("finished") / "clone", tiny())
    write_weights(clone.root / WEIGHTS)
    write_photos(clone.root / "photos")
    clone.snakemake("--until", "train", "fit_probe")
    trained = set(clone.contents())
    printed = clone.snakemake()
    return SimpleNamespace(clone=clone, trained=trained, printed=printed)


@pytest.fixture
def clone(finished, tmp_path) -> Clone:
    """A copy of the finished study, to be changed at will."""
    return finished.clone.copy_to(tmp_path / "clone")
