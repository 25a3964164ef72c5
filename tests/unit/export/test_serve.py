"""The local server: answers, limits, and uploads that mean harm. It runs in a thread on a port of its own."""

import io
import json
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from test_predict_files import ABOUT, CONFIDENCE, answer

from ftbench.export.models import Model

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from ftbench.export.serve import app as serving  # noqa: E402  after what it needs
from ftbench.export.serve import uploads  # noqa: E402


def png(level: int = 200, size=(9, 6)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (level,) * 3).save(stream, "PNG")
    return stream.getvalue()


class Server:
    """`send(body, headers)` posts to /predict and gives (status, JSON)."""

    def __init__(self, classify=answer):
        model = Model("m", ["dark", "bright"], ABOUT, CONFIDENCE, None, None, classify)
        settings = uvicorn.Config(serving.application(model), host=serving.HOST, port=0, log_level="error")
        self.server = uvicorn.Server(settings)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def get(self, path: str = "/", **headers) -> tuple[int, bytes, dict]:
        return self._open(urllib.request.Request(f"http://{serving.HOST}:{self.port}{path}", headers=headers))

    def send(self, body: bytes, kind: str = "application/octet-stream", query: str = "", **headers) -> tuple[int, dict]:
        request = urllib.request.Request(
            f"http://{serving.HOST}:{self.port}/predict{query}", body, {"content-type": kind, **headers}
        )
        status, text, _ = self._open(request)
        return status, json.loads(text)

    def _open(self, request) -> tuple[int, bytes, dict]:
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read(), dict(response.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read(), dict(error.headers)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture(scope="module")
def server():
    running = Server()
    yield running
    running.stop()


def form(*files: tuple[str, bytes]) -> tuple[bytes, str]:
    parts = [
        b'--x\r\ncontent-disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n' % (name.encode(), data)
        for name, data in files
    ]
    return b"".join(parts) + b"--x--\r\n", "multipart/form-data; boundary=x"


def test_an_image_as_the_body_is_answered(server):
    status, told = server.send(png(204))
    assert status == 200
    (result,) = told["results"]
    assert result["top"][0] == {"class": "bright", "probability": pytest.approx(0.8)}
    assert result["set"] == ["bright"] and result["set_holds_the_truth_with"] == 0.9 and result["unlike"] is None


def test_a_form_of_files_is_answered_in_order_each_with_its_own_error(server):
    status, told = server.send(*form(("a.png", png(255)), ("b.txt", b"no image"), ("c.png", png(0))))
    assert status == 207
    assert [result["file"] for result in told["results"]] == ["a.png", "b.txt", "c.png"]
    assert [result.get("top", [{}])[0].get("class") for result in told["results"]] == ["bright", None, "dark"]
    assert "no image that can be read; valid are JPEG, PNG" in told["results"][1]["error"]


def test_what_stands_behind_an_answer_is_given_where_it_is_asked_for(server):
    request = urllib.request.Request(f"http://{serving.HOST}:{server.port}/predict?explain=1", png(204))
    status, text, _ = server._open(request)
    (result,) = json.loads(text)["results"]
    assert status == 200 and result["top"][0]["class"] == "bright"
    assert (
        result["nearest"] is None
        and result["looked_at"] is None
        and "has no network that" in result["why_not_looked_at"]
    )
    assert "nearest" not in server.send(png(204))[1]["results"][0]


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that unpacks to width x height pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "body, status, words",
    [
        (b"", 400, "the request is empty"),
        (b"<!doctype html><script>alert(1)</script>", 415, "no image that can be read"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, "no image that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "no image that can be read"),
        (png()[:50], 415, "be read"),
        (bomb(60_000, 60_000), 413, "60000 x 60000 pixels are more than 50,000,000"),
        (bytes(serving.MEGABYTES * 1_000_000 + 1), 413, "may have 20 MB"),
    ],
)
def test_what_means_harm_is_refused_in_a_sentence(server, body, status, words):
    found, told = server.send(body)
    text = told.get("error") or told["results"][0]["error"]
    assert found == status and words in text and "\n" not in text
    assert server.send(png())[0] == 200  # and the next is answered


def test_too_many_files_and_a_torn_form_are_refused(server):
    status, told = server.send(*form(*[("a.png", png())] * (serving.FILES + 1)))
    assert status == 400 and "cannot be read" in told["error"]
    assert server.send(b"--x\r\nno form", "multipart/form-data; boundary=x")[0] == 400
    assert server.send(b"x", "multipart/form-data")[0] == 400


def test_other_names_of_this_machine_are_refused_and_the_page_allows_nothing_from_elsewhere(server):
    assert server.get("/", Host="evil.example")[0] == 400
    status, text, headers = server.get("/")
    assert status == 200 and b"Drop images here" in text
    assert "default-src 'none'" in headers["content-security-policy"] and b"http" not in text
    assert json.loads(server.get("/model")[1])["classes"] == ["dark", "bright"]
    assert server.get("/../etc/passwd")[0] == 404


def test_requests_that_wait_together_are_one_batch():
    sizes, gate = [], threading.Event()

    def slow(pixels):
        sizes.append(len(pixels))
        gate.wait(30)
        return answer(pixels)

    running = Server(slow)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(running.send, png(255))
        while not sizes:
            time.sleep(0.005)
        rest = [pool.submit(running.send, png(level)) for level in range(0, 80, 10)]
        waiting = time.monotonic() + 30
        while json.loads(running.get("/model")[1])["waiting"] < 8:
            assert time.monotonic() < waiting
            time.sleep(0.005)
        gate.set()
        found = [one.result()[1]["results"][0]["top"] for one in rest]
    assert first.result()[0] == 200 and sizes == [1, 8]
    brightness = [next(entry["probability"] for entry in top if entry["class"] == "bright") for top in found]
    assert np.allclose(brightness, np.arange(0, 80, 10) / 255, atol=1e-6)  # each its own answer
    running.stop()
    running.thread.join()


def test_large_images_hold_up_no_others_and_too_many_of_them_are_told_to_come_again(monkeypatch):
    gate, started, decoded = threading.Event(), threading.Event(), uploads.decoded

    def slow(data, model):
        if uploads.announced_pixels(data) > 100:
            started.set()
            gate.wait(30)
        return decoded(data, model)

    monkeypatch.setattr(uploads, "LARGE", 100)
    monkeypatch.setattr(uploads, "MOST_LARGE", 2)
    monkeypatch.setattr(uploads, "decoded", slow)
    running = Server()
    with ThreadPoolExecutor(2) as pool:
        large = [pool.submit(running.send, png(255, (20, 20))) for _ in range(2)]
        assert started.wait(30)
        assert [running.send(png(level))[0] for level in range(5)] == [200] * 5
        while json.loads(running.get("/model")[1])["waiting_large"] < 2:
            time.sleep(0.005)
        status, told = running.send(png(0, (20, 20)))
        assert status == 503
        assert told["results"][0]["error"] == "too many images of more than 100 pixels wait; send it again later"
        gate.set()
        assert [one.result()[0] for one in large] == [200, 200]
    running.stop()


def test_explanations_hold_up_no_answers_and_too_many_of_them_are_told_to_come_again(monkeypatch):
    gate, started = threading.Event(), threading.Event()

    def slow(pixels):
        if threading.current_thread().name.startswith("an-explanation"):
            started.set()
            gate.wait(30)
        return answer(pixels)

    monkeypatch.setattr(serving, "EXPLAINED_WAITING", 1)
    running = Server(slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(running.send, png(255), query="?explain=1")
        assert started.wait(30)
        assert running.send(png(0))[0] == 200
        three = pool.submit(running.send, *form(*[("a.png", png(0))] * 3), query="?explain=1")  # of which one may wait
        while json.loads(running.get("/model")[1])["waiting_for_explanation"] < 1:
            time.sleep(0.005)
        status, told = running.send(png(0), query="?explain=1")
        assert status == 503
        assert told["results"][0]["error"] == "too many images wait for an explanation; send it again later"
        gate.set()
        assert first.result()[0] == 200 and three.result()[0] == 207
    running.stop()


def test_no_upload_is_written_to_a_disk(server, monkeypatch):
    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", lambda _file: pytest.fail("a temporary file"))
    status, told = server.send(*form(("a.bmp", bytes(5_000_000))))
    assert status == 415 and "no image that can be read" in told["results"][0]["error"]


def test_a_network_that_fails_is_an_error_of_that_request_alone():
    def failing(pixels):
        if pixels.mean() > 250:
            raise RuntimeError("broken")
        return answer(pixels)

    running = Server(failing)
    status, _, _ = running._open(urllib.request.Request(f"http://{serving.HOST}:{running.port}/predict", png(255)))
    assert status == 500
    assert running.send(png(10))[0] == 200
    running.stop()


def test_a_port_that_cannot_be_had_is_said_in_a_sentence():
    from ftbench.base.errors import InputError
    from ftbench.tools.commands import serve

    with serve.listening(serving.HOST, 0) as taken:
        port = taken.getsockname()[1]
        assert taken.proto == socket.IPPROTO_TCP  # else asyncio leaves Nagle's algorithm on
        with pytest.raises(InputError, match=f"--port: {port} cannot be had on 127.0.0.1 .*such as --port"):
            serve.listening(serving.HOST, port)
    with pytest.raises(InputError, match="ports are numbers up to 65535"):
        serve.listening(serving.HOST, 70_000)
