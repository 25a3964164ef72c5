"""The real images, built once per session from the folder that FTBENCH_CIFAR10 names, and studies of them."""

import contextlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "workflow"))  # for the helper module `studies`


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """A folder with imagefolder/{train,test}/<class>/, cifar-10-python.tar.gz and checksums.json."""
    if "FTBENCH_CIFAR10" not in os.environ:
        pytest.skip("FTBENCH_CIFAR10 does not name a folder with the CIFAR-10 images and their build.py")
    build = Path(os.environ["FTBENCH_CIFAR10"], "build.py").resolve()
    assert build.is_file(), f"FTBENCH_CIFAR10 is set, but there is no {build}"
    folder = tmp_path_factory.mktemp("cifar10")
    forms = [subprocess.Popen([sys.executable, build, folder, form]) for form in ("--imagefolder", "--archive")]
    assert [form.wait() for form in forms] == [0, 0]
    yield folder
    shutil.rmtree(folder)  # pytest would keep three sessions of 60,000 files


class Mirror(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; below /cut/ it announces the whole file and hangs up in the middle."""

    def do_GET(self):
        if not self.path.startswith("/cut/"):
            return super().do_GET()
        content = Path(self.directory, self.path.removeprefix("/cut/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content[: len(content) // 2])
        self.close_connection = True
        return None

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def mirror(images):
    """The address of a server, on this machine alone, that has the archive."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *arguments: Mirror(*arguments, directory=str(images))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def md5(images) -> str:
    return json.loads((images / "checksums.json").read_text())["cifar-10-python.tar.gz"]
