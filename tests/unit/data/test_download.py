import contextlib
import errno
import hashlib
import http.server
import json
import threading
import time

import pytest
from entries import entry
from filelock import FileLock

from ftbench.base.errors import InputError
from ftbench.data import download
from ftbench.data.download import fetch
from ftbench.data.download_dataset import download_dataset

CONTENT = bytes(range(256)) * 4096  # 1 MiB
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "BACKOFF_SECONDS", 0.001)


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; `requests` lists (path, Range header) of what was asked. The path says how it misbehaves."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        name = self.path.split("/")[1]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and name != "norange" else 0
        content = CONTENT[::-1] if name == "wrong" else CONTENT
        if name == "missing":
            return self.send_error(404)
        if name == "circle":  # of which urllib makes several lines
            self.send_response(302, "Found " + "x" * 1000)
            self.send_header("Location", self.path)
            return self.end_headers()
        if name == "busy" and len(self.server.requests) < 3:
            return self.send_error(503)
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return None
        self.send_response(206 if start else 200)
        if name == "endless":  # says no length and never stops
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(bytes(1 << 16))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if name == "breaking":  # every connection ends after 400 kB
            self.wfile.write(body[:400_000])
        elif name == "dead":  # promises bytes and closes
            pass
        elif name == "stalling":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            time.sleep(0.6)
        elif name == "trickle":  # some bytes now and then, so that no single wait is long
            for offset in range(0, 20_000, 100):
                self.wfile.write(body[offset : offset + 100])
                self.wfile.flush()
                time.sleep(0.02)
        elif name == "slow":
            for offset in range(0, len(body), 1 << 18):
                self.wfile.write(body[offset : offset + (1 << 18)])
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self.wfile.write(body)
        return None

    def handle(self):
        with contextlib.suppress(ConnectionError):  # the client may leave first
            super().handle()


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def quiet(text):
    pass


def get(server, tmp_path, *kinds, md5=MD5, **options):
    urls = [f"{server.url}/{kind}/file.bin" for kind in kinds]
    return fetch(urls, tmp_path / "file.bin", md5, report=options.pop("report", quiet), **options)


def assert_complete(tmp_path):
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.bin"]


def test_good_file_arrives_and_says_where_from(server, tmp_path):
    got = get(server, tmp_path, "good")
    assert got == {"url": f"{server.url}/good/file.bin", "md5": MD5, "bytes": len(CONTENT)}
    assert_complete(tmp_path)


def test_bytes_then_name_are_on_the_disk_when_a_download_is_over(server, tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(
        download, "flush", lambda path: flushed.append((path.name, sorted(p.name for p in tmp_path.iterdir())))
    )
    get(server, tmp_path, "good")
    name = next(tmp_path.iterdir()).name
    assert flushed == [(f"{name}.part", [f"{name}.part"]), (tmp_path.name, [name])]


def test_complete_file_is_left_alone(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT)
    before = (tmp_path / "file.bin").stat().st_mtime_ns
    assert get(server, tmp_path, "good") == {"url": None, "md5": MD5, "bytes": len(CONTENT)}
    assert get(server, tmp_path, "good", md5=None)["url"] is None
    assert (tmp_path / "file.bin").stat().st_mtime_ns == before
    assert server.requests == []


def test_file_with_another_checksum_is_replaced_only_by_a_verified_one(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"old")
    with pytest.raises(InputError, match="has md5 .* instead of"):
        get(server, tmp_path, "wrong")
    assert (tmp_path / "file.bin").read_bytes() == b"old"
    get(server, tmp_path, "good")
    assert_complete(tmp_path)


@pytest.mark.parametrize("kind", ["breaking", "slow", "busy", "norange"])
def test_difficult_servers_still_give_the_file(server, tmp_path, kind):
    get(server, tmp_path, kind)
    assert_complete(tmp_path)


def test_broken_connection_is_resumed_where_it_ended(server, tmp_path):
    get(server, tmp_path, "breaking", attempts=2)
    ranges = [wanted for _, wanted in server.requests]
    assert ranges == [None, "bytes=400000-", "bytes=800000-"]


def test_part_of_an_earlier_call_is_resumed(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    get(server, tmp_path, "good")
    assert server.requests == [("/good/file.bin", "bytes=1000-")]
    assert_complete(tmp_path)


@pytest.mark.parametrize("part", [b"from another version", CONTENT[::-1], CONTENT + b"more"])
@pytest.mark.parametrize("kind", ["good", "norange"])
def test_wrong_part_is_thrown_away_and_the_mirror_gets_a_second_chance(server, tmp_path, part, kind):
    (tmp_path / "file.bin.part").write_bytes(part)
    get(server, tmp_path, kind)
    assert_complete(tmp_path)


def test_server_that_ignores_ranges_is_asked_once(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    get(server, tmp_path, "norange")
    assert len(server.requests) == 1
    assert_complete(tmp_path)


def test_complete_part_needs_no_bytes(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    get(server, tmp_path, "good")
    assert_complete(tmp_path)
    assert len(server.requests) == 1


def test_without_checksum_no_part_is_trusted(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"x" * 1000)
    assert get(server, tmp_path, "missing", "good", md5=None)["md5"] == MD5
    assert all(wanted is None for _, wanted in server.requests)
    assert_complete(tmp_path)


@pytest.mark.parametrize("first", ["wrong", "missing", "dead", "stalling"])
def test_next_mirror_takes_over(server, tmp_path, first):
    got = get(server, tmp_path, first, "good", timeout=0.2, attempts=2)
    assert "/good/" in got["url"]
    assert_complete(tmp_path)


def test_missing_file_is_not_asked_for_again(server, tmp_path):
    with pytest.raises(InputError, match="404"):
        get(server, tmp_path, "missing")
    assert len(server.requests) == 1


def test_wrong_content_everywhere_names_file_and_both_checksums(server, tmp_path):
    found = hashlib.md5(CONTENT[::-1]).hexdigest()
    with pytest.raises(InputError, match=f"file.bin: expected md5 {MD5}, but .*has md5 {found}"):
        get(server, tmp_path, "wrong")
    assert list(tmp_path.iterdir()) == []


def test_no_network_says_what_to_put_where(tmp_path):
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as gone:
        port = gone.server_port
    url = f"http://127.0.0.1:{port}/file.bin"
    with pytest.raises(InputError) as caught:
        fetch([url], tmp_path / "file.bin", MD5, report=quiet)
    text = str(caught.value)
    assert url in text and MD5 in text and str(tmp_path / "file.bin") in text and "by hand" in text
    assert "\n" not in text


def test_attempts_without_a_new_byte_are_counted(server, tmp_path):
    with pytest.raises(InputError, match="3 attempts"):
        get(server, tmp_path, "dead")
    assert len(server.requests) == 3


def test_local_file_urls(tmp_path):
    (tmp_path / "origin.bin").write_bytes(CONTENT)
    target = tmp_path / "into" / "file.bin"
    urls = [(tmp_path / name).as_uri() for name in ("absent.bin", "origin.bin")]
    assert fetch(urls, target, MD5, report=quiet)["url"] == urls[1]
    assert target.read_bytes() == CONTENT
    with pytest.raises(InputError, match="no such file"):
        fetch(urls[:1], tmp_path / "other.bin", MD5, report=quiet)
    with pytest.raises(InputError, match="unknown url type"):
        fetch(["origin.bin"], tmp_path / "other.bin", MD5, report=quiet)


def test_full_disk_is_said_before_the_first_byte_and_while_writing(server, tmp_path, monkeypatch):
    full = type("Usage", (), {"free": 10})
    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "disk_usage", lambda path: full)
        with pytest.raises(InputError, match="No space left on the disk .*1.0 MB"):
            get(server, tmp_path, "good")
    (tmp_path / "file.bin.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match="No space left"):
        get(server, tmp_path, "good")


def test_progress_is_reported_now_and_then(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "REPORT_SECONDS", 0)
    monkeypatch.setattr(download, "BLOCK", 1 << 18)
    lines = []
    get(server, tmp_path, "good", report=lines.append)
    assert lines[0].startswith("file.bin: 0.3 of 1.0 MB (25 %), ")
    assert lines[-1] == f"file.bin: complete, 1.0 MB, md5 {MD5}."


# download_dataset


def mirrored(server, kind="good"):
    return entry(source="torchvision", name="CIFAR10", urls=[f"{server.url}/{kind}/"], md5=MD5)


def test_data_set_is_fetched_and_recorded(server, tmp_path):
    download_dataset(mirrored(server), tmp_path / "root", tmp_path / "done.json", report=quiet)
    done = json.loads((tmp_path / "done.json").read_text())
    url = f"{server.url}/good/cifar-10-python.tar.gz"
    assert done["files"] == [{"file": "cifar-10-python.tar.gz", "url": url, "md5": MD5, "bytes": len(CONTENT)}]
    assert done["name"] == "CIFAR10" and done["homepage"] and done["licence"]
    download_dataset(mirrored(server), tmp_path / "root", tmp_path / "again.json", report=quiet)
    assert len(server.requests) == 1


@pytest.mark.parametrize("source", ["digits", "imagefolder"])
def test_sources_without_archives_have_an_empty_record(tmp_path, source):
    download_dataset(entry(source=source, path=str(tmp_path)), tmp_path / "root", tmp_path / "done.json")
    assert json.loads((tmp_path / "done.json").read_text())["files"] == []


def test_second_study_waits_for_the_first(server, tmp_path):
    lines = []
    (tmp_path / "root").mkdir()
    with FileLock(tmp_path / "root" / ".download.lock"):
        second = threading.Thread(
            target=download_dataset,
            args=(mirrored(server), tmp_path / "root", tmp_path / "done.json"),
            kwargs={"report": lines.append},
        )
        second.start()
        time.sleep(0.2)
        assert "waiting" in lines[0] and server.requests == []
    second.join(timeout=10)
    assert (tmp_path / "done.json").exists()


def test_what_a_server_says_is_a_part_of_one_line(server, tmp_path):
    with pytest.raises(InputError) as caught:
        fetch([f"{server.url}/circle/file.bin"], tmp_path / "file.bin", MD5)
    assert "the server answered 302" in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_folder_in_the_place_of_a_file_and_a_file_in_that_of_a_folder_are_sentences(server, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "folder", tmp_path / "file" / "file.bin"):
        with pytest.raises(InputError, match="remove what is there"):
            fetch([f"{server.url}/good/file.bin"], path, MD5)


def test_errors_of_the_disk_are_no_errors_of_the_network(tmp_path):
    with pytest.raises(InputError, match="cannot be written"), download._writable(tmp_path / "x", None):
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("kind", ["endless", "good"])
def test_a_body_beyond_the_limit_is_cut_off_and_the_next_mirror_asked(server, tmp_path, kind):
    said = []
    with pytest.raises(InputError, match=r"the server sends more than 0.001 GB \(download_gb\), cut off"):
        get(server, tmp_path, kind, most=1_000_000, report=said.append)
    assert list(tmp_path.iterdir()) == [] and len(server.requests) == 1
    got = get(server, tmp_path, "endless", "good", most=len(CONTENT))
    assert got["url"].endswith("/good/file.bin")
    assert_complete(tmp_path)


def test_a_server_that_never_ends_and_never_pauses_ends_in_time_and_goes_on_at_the_next_start(server, tmp_path):
    """Its idle time is never long, so only the time of the whole download ends it."""
    with pytest.raises(
        InputError, match=r"file.bin did not arrive in time: 0.0 MB are in .*file.bin.part, and the next start"
    ):
        get(server, tmp_path, "trickle", hours=0.3 / 3600, timeout=5)
    arrived = (tmp_path / "file.bin.part").stat().st_size
    assert 0 < arrived < 20_000
    get(server, tmp_path, "good")
    assert server.requests[-1][1] == f"bytes={arrived}-"
    assert_complete(tmp_path)


def test_the_progress_of_a_slow_server_is_said_while_it_sends(server, tmp_path, monkeypatch):
    """Less than a block has arrived: waiting for a whole one would say nothing until then."""
    monkeypatch.setattr(download, "REPORT_SECONDS", 0.1)
    said = []
    with pytest.raises(InputError):
        get(server, tmp_path, "trickle", attempts=1, report=said.append)
    assert sum("of 1.0 MB" in line for line in said) >= 3
