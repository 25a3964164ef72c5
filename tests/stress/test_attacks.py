"""The attacks of `make stress`, a few of each: no result is changed, and no damaged file is read."""

import os
from pathlib import Path

import attacks
import pytest


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(folder, finished study, what every attacked study must end with)."""
    folder = tmp_path_factory.mktemp("attacks")
    clone = attacks.small_study(folder / "whole", quick=True)
    assert attacks.finish(clone) == ""
    return folder, clone, attacks.fingerprint(clone)


def test_every_file_of_a_finished_study_is_noted_and_refused_if_it_is_damaged(whole):
    result = attacks.damages(whole[1], seed=0)
    assert result["files"] > 40 and result["refused"] == dict.fromkeys(attacks.DAMAGES, result["files"])
    assert result["not refused"] == result["without a note"] == []


def test_kills_change_no_result(whole):
    folder, _, expected = whole
    result = attacks.kills(folder, count=2, seed=1, expected=expected, quick=True)
    assert result["kills"] == 2 and result["wrong"] == []


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/loop-control").exists(), reason="mounting a file needs root")
def test_a_power_cut_changes_no_result(whole):
    folder, _, expected = whole
    assert attacks.power_cuts(folder, count=1, seed=2, expected=expected, quick=True)["wrong"] == []
