"""What was parsed is remembered by content, and a store that cannot be read or written costs time alone."""

import json

from ftbench.base.parsed import Parsed


def test_what_was_added_is_there_for_the_next_process_and_only_what_it_asked_for_stays(tmp_path):
    first = Parsed(tmp_path)
    assert first.get("a") is None and first.add("a", ("x", ["b"])) == ("x", ["b"])
    first.add("old", ("y", []))
    first.save()
    second = Parsed(tmp_path)
    assert second.get("a") == ["x", ["b"]]
    second.add("new", ("z", []))
    second.save()
    assert set(json.loads(second.path.read_text())) == {"a", "new"}


def test_nothing_new_writes_nothing(tmp_path):
    Parsed(tmp_path).save()
    assert list(tmp_path.iterdir()) == []


def test_half_a_file_and_a_missing_folder_are_as_none(tmp_path):
    whole = Parsed(tmp_path)
    whole.add("a", ("x", []))
    whole.save()
    whole.path.write_text(whole.path.read_text()[:5])
    assert Parsed(tmp_path).get("a") is None
    missing = Parsed(tmp_path / "missing")
    missing.add("a", ("x", []))
    missing.save()
    assert not (tmp_path / "missing").exists()
