"""`ftbench serve` under load: requests per second, latency at the 50th and 99th percentile, memory over all requests.

The server is a process of its own, as a user starts it; clients are threads of this one, which share the same cores. The model is exported
here: the architecture with random weights, since speed does not depend on what it learnt. Every request is a JPEG of 640 x 480 pixels.
"""

import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where a test loads this file by its path
from _common import ROOT, out_of, parser

MODEL = ("timm", "tf_efficientnet_lite0", 48)
STORED = 64  # pixels: what a study would have stored
REQUESTS, CLIENTS = 10_000, (1, 8, 32)


def export(folder: Path, quick: bool) -> None:
    """Write what `ftbench serve` reads: a network of random weights with ten classes."""
    import numpy as np

    from ftbench.base.files import write_json
    from ftbench.export import doubt, onnx_file
    from ftbench.export.complete import Calibrated, Complete
    from ftbench.model import backbones

    source, model, size = ("ftbench", "resnet8", 8) if quick else MODEL
    entry = {"source": source, "model": model, "activation": None, "image_size": size, "mean": None, "std": None}
    statistics_ = {"mean": [0.5] * 3, "std": [0.25] * 3}
    backbone = backbones.build(entry, 10, 0, None, statistics_)
    network = Calibrated(Complete(backbone, (STORED, STORED)).eval(), 1.0).eval()
    onnx_file.write_onnx(network, (STORED, STORED), folder / "model.onnx")
    rng = np.random.default_rng(0)
    confidence = doubt.confidence((rng.normal(size=(500, 10)), rng.integers(0, 10, 500), np.arange(500)))
    write_json(folder / "confidence.json", confidence)
    write_json(folder / "classes.json", [f"class {number}" for number in range(10)])
    run = {"strategy": "scratch", "backbone": model, "dataset": "noise", "folder": "seed0"}
    source_ = {"fit": "crop", "max_pixels": 10**8}
    write_json(folder / "preprocessing.json", {"run": run, "size": [STORED] * 2, "range": None, "source": source_})


def photo() -> bytes:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    stream = io.BytesIO()
    small.resize((640, 480)).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def memory_mb(process: int) -> float:
    """Resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def load(port: int, body: bytes, requests: int, clients: int) -> dict:
    """Send `requests` from `clients` threads that each keep one connection; milliseconds and requests per second."""

    def client(count: int) -> list[float]:
        connection, taken = http.client.HTTPConnection("127.0.0.1", port, timeout=120), []
        for _ in range(count):
            start = time.perf_counter()
            connection.request("POST", "/predict", body, {"content-type": "image/jpeg"})
            response = connection.getresponse()
            text = response.read()
            taken.append(1000 * (time.perf_counter() - start))
            if response.status != 200:
                raise RuntimeError(f"status {response.status}: {text[:200]!r}")
        connection.close()
        return taken

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        parts = list(pool.map(client, [requests // clients] * clients))
    seconds = time.perf_counter() - start
    taken = sorted(one for part in parts for one in part)
    cuts = statistics.quantiles(taken, n=100) if len(taken) > 1 else taken * 99
    return {
        "clients": clients,
        "requests": len(taken),
        "requests_per_second": len(taken) / seconds,
        "p50_ms": cuts[49],
        "p99_ms": cuts[98],
    }


def started(folder: Path) -> tuple[subprocess.Popen, int]:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ftbench.tools.command_line", "serve", str(folder), "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    for _ in range(1200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/model")
            connection.getresponse().read()
            return server, port
        except OSError:
            if server.poll() is not None:
                raise RuntimeError(f"the server ended with status {server.returncode}") from None
            time.sleep(0.1)
    server.kill()
    raise RuntimeError("the server does not answer after two minutes")


def measure(quick: bool = False) -> dict:
    """Rows of `load` for every number of clients, and the server's memory before and after all of it."""
    requests, clients = (40, (1, 4)) if quick else (REQUESTS, CLIENTS)
    body = photo()
    with tempfile.TemporaryDirectory() as name:
        export(Path(name), quick)
        server, port = started(Path(name))
        try:
            load(port, body, 20, 1)  # the first requests pay for what is set up once
            before = memory_mb(server.pid)
            rows, memory = [], [before]
            for count in clients:
                rows.append(load(port, body, requests // len(clients), count))
                memory.append(memory_mb(server.pid))
                row = rows[-1]
                print(
                    f"{count} clients: {row['requests']} requests, {row['requests_per_second']:.1f} per second, "
                    f"p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms, {memory[-1]:.0f} MB"
                )
            return {"rows": rows, "memory_mb": memory, "image_bytes": len(body)}
        finally:
            server.terminate()
            server.wait(30)


def main() -> int:
    arguments = parser(__doc__, out="serve.json").parse_args()
    found = measure(arguments.quick)
    out_of(arguments).write_text(json.dumps(found, indent=2) + "\n")
    print(f"memory from {found['memory_mb'][0]:.0f} to {found['memory_mb'][-1]:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
