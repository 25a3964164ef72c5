"""A file that a job reads is the file that was written, or the job says so."""

import json
import os
import random

import pytest

from ftbench.base import verified
from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, write_json, write_text


def flip(path, place):
    """Change one byte of a file, and neither its size nor its times."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "run.json"
    write_json(path, {"status": "finished", "digits": list(range(100))})
    return path


def test_what_was_written_passes_as_often_as_it_is_read(written):
    for _ in range(3):
        assert verified.check([written]) == []


def test_every_single_byte_counts(written):
    size = written.stat().st_size
    for place in random.Random(0).sample(range(size), 20):
        flip(written, place)
        with pytest.raises(InputError, match=rf"{written} is damaged: its sha256 is .* was written; delete it"):
            verified.check([written])
        flip(written, place)
    verified.check([written])


@pytest.mark.parametrize("keep", [0, 0.5, 0.99])
def test_a_file_that_is_emptied_or_cut_short_is_named_with_both_sizes(written, keep):
    size = written.stat().st_size
    os.truncate(written, int(keep * size))
    with pytest.raises(InputError, match=rf"it has {int(keep * size)} bytes, {size} were written"):
        verified.check([written])


def test_a_longer_file_is_refused_too(written):
    with written.open("a") as stream:
        stream.write("\n")
    with pytest.raises(InputError, match="were written"):
        verified.check([written])


def test_a_file_that_is_written_again_passes_and_so_does_the_earlier_one(written):
    first = written.read_bytes()
    write_json(written, {"status": "diverged"})
    assert verified.check([written]) == []
    written.write_bytes(first)  # a backup, say
    assert verified.check([written]) == []


def test_a_file_that_no_job_of_ours_wrote_is_reported_and_read(tmp_path, written):
    stranger = tmp_path / "notes.txt"
    stranger.write_text("mine")
    assert verified.check([stranger, written, tmp_path / "missing.json"]) == [stranger]


def test_a_record_that_a_crash_cut_short_harms_no_other_file(tmp_path, written, capsys):
    other = tmp_path / "other.txt"
    write_text(other, "other")
    record = tmp_path / verified.RECORD
    os.truncate(record, record.stat().st_size - 10)
    assert verified.check([written, other]) == [other]
    assert "a line is damaged" in capsys.readouterr().out
    write_text(other, "again")
    flip(other, 0)
    with pytest.raises(InputError, match=r"other\.txt is damaged"):
        verified.check([other])


def test_a_large_file_is_compared_by_samples_and_whole_where_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(verified, "WHOLE", 10_000)
    monkeypatch.setattr(verified, "SAMPLES", 4)
    monkeypatch.setattr(verified, "BLOCK", 16)
    large = tmp_path / "images.npy"
    with atomic_write(large) as temporary:
        temporary.write_bytes(random.Random(0).randbytes(20_000))
    noted = verified.notes(tmp_path)["images.npy"]
    for place in (0, 19_999, (20_000 - 16) // 3):  # the first block, the last, one between
        flip(large, place)
        with pytest.raises(InputError, match="samples of its 20,000 bytes"):
            verified.check([large])
        flip(large, place)
    flip(large, 1000)  # between the samples
    assert verified.check([large]) == []
    assert "its sha256 is" in verified.difference(large, noted, whole=True)
    os.truncate(large, 19_000)
    with pytest.raises(InputError, match=r"it has 19,000 bytes, 20,000 were written"):
        verified.check([large])


def test_a_file_that_failed_to_be_written_leaves_no_note(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "half.txt") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert "half.txt" not in verified.notes(tmp_path)


def test_a_state_that_is_replaced_every_minute_is_not_noted(tmp_path):
    with atomic_write(tmp_path / "state.pt", noted=False) as temporary:
        temporary.write_text("state")
    assert not (tmp_path / verified.RECORD).exists()


def test_jobs_that_share_a_folder_lose_no_line(tmp_path):
    for number in range(50):
        if os.fork() == 0:
            write_text(tmp_path / f"{number}.txt", str(number))
            os._exit(0)
    for _ in range(50):
        os.wait()
    lines = (tmp_path / verified.RECORD).read_text().splitlines()
    assert {json.loads(line)["file"] for line in lines} == {f"{number}.txt" for number in range(50)}
    assert verified.check(tmp_path.glob("*.txt")) == []
