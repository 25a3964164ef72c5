"""The protocol page says what trained each strategy, the rarer settings too."""

from pathlib import Path

from ftbench.base.files import write_json
from ftbench.report.protocol.protocol_page import protocol_page
from ftbench.study import config

CONFIGS = Path(__file__).parents[3] / "config"


def page(folder, **changes) -> str:
    study = config.read(CONFIGS / "demo.yaml")
    for name, settings in changes.items():
        study["strategies"][name]["recipe"] |= settings
    write_json(folder / "study.json", study)
    protocol_page(folder / "study.json", folder / "protocol.html")
    return (folder / "protocol.html").read_text()


def test_what_is_switched_on_is_said_and_what_is_off_is_not(tmp_path):
    written = page(tmp_path, finetune={"mixup": 0.2, "patience": 3, "image_sizes": [24, 48]})
    assert "image sizes 24 → 48 px, patience 3, mixup 0.2" in written
    assert "cutmix" not in written and "None" not in written


def test_cached_views_are_said_with_what_they_are(tmp_path):
    written = page(tmp_path, finetune={"cached_views": 4})
    assert (
        "cached views 4 (of each training image, in half precision: what is frozen ran once; all seeds share them, so intervals lack"
        in written
    )


def test_a_setting_whose_value_is_one_is_said_unless_one_is_off(tmp_path):
    ones = {"cutmix": 1.0, "mixup": 1.0, "clip_norm": 1.0, "patience": 1, "accumulate": 1, "norm_momentum": 1.0}
    written = page(tmp_path, finetune=ones)
    assert (
        "patience 1, clip norm 1.0, mixup 1.0, cutmix 1.0, norm momentum 1.0" in written and "accumulate" not in written
    )


def test_splits_of_their_own_are_said(tmp_path):
    assert "validation split of its own" not in page(tmp_path)
    study = config.read(CONFIGS / "demo.yaml") | {"splits": "per_seed"}
    write_json(tmp_path / "study.json", study)
    protocol_page(tmp_path / "study.json", tmp_path / "protocol.html")
    assert "seeds 0, 1, 2, each with a validation split of its own" in (tmp_path / "protocol.html").read_text()


def test_the_search_is_named(tmp_path):
    assert "3 learning-rate trials, each as long as a final run" in page(tmp_path)
    study = config.read(CONFIGS / "demo.yaml")
    study["tuning"] |= {"search": "successive_halving", "trials": 9}
    write_json(tmp_path / "study.json", study)
    protocol_page(tmp_path / "study.json", tmp_path / "protocol.html")
    assert "successive halving of 2 rungs, the last of them as long" in (tmp_path / "protocol.html").read_text()
