"""What is downloaded for an entry, under which name, and once for all that want the same."""

import pytest

from ftbench.base.errors import InputError
from ftbench.study import config, inputs, settings
from ftbench.study.downloads import download_of


def study(**datasets) -> dict:
    return config.resolve(
        {
            "study": "s",
            "seeds": [0],
            "datasets": datasets,
            "backbones": {"small": {"source": "ftbench", "model": "resnet8", "image_size": 8}},
            "strategies": {"scratch": {"kind": "scratch", "learning_rate": 0.1}},
        }
    )


@pytest.mark.parametrize(
    "path, folder",
    [
        ("hf:me/pets", "me--pets"),
        ("hf:me/pets@v1.0", "me--pets--v1.0"),
        ("hf:me/pets/plain_text/train-*", "me--pets--plain_text--train-+"),
        ("shards/train-*", None),
    ],
)
def test_a_set_of_the_hub_has_a_folder_of_its_own_and_local_shards_none(path, folder):
    resolved = study(pets={"source": "parquet", "path": path})
    assert download_of(resolved["datasets"]["pets"]) == folder
    assert inputs.downloads(resolved, ["pets"]) == [f"<resources>/datasets/parquet/{folder}/files.json"] * (
        folder is not None
    )
    if folder is not None:
        asked = settings.download(resolved, "parquet", folder)
        assert asked["path"] == path and asked["name"] is None
        assert settings.prepare(resolved, "pets")["listing"] is None


def test_two_entries_share_a_download_and_a_published_one_is_named_as_ever():
    resolved = study(
        one={"source": "parquet", "path": "hf:me/pets"},
        two={"source": "parquet", "path": "hf:me/pets", "train_limit": 5},
        mnist={"source": "torchvision", "name": "MNIST"},
        digits={"source": "digits"},
    )
    assert len(inputs.downloads(resolved, ["one", "two"])) == 1
    assert download_of(resolved["datasets"]["mnist"]) == "MNIST" and download_of(resolved["datasets"]["digits"]) is None
    assert "path" not in settings.download(resolved, "torchvision", "MNIST")


@pytest.mark.parametrize("entry", [{"source": "parquet", "path": "hf:pets"}, {"source": "tar", "path": "hf:me/pets"}])
def test_what_names_no_set_of_the_hub_is_a_sentence(entry):
    with pytest.raises(InputError, match=r"datasets\.pets\.path is hf:.*read by source parquet as hf:<owner>/<name>"):
        study(pets=entry)
