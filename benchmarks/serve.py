"""`ftbench serve` under load: requests per second, latency at the 50th and 99th percentile, memory over all requests.

Three parts: plain requests; requests with explain=1 (nearest training images, Grad-CAM); plain requests of one client while eight others ask for
explanations, send what means harm, or send the largest images that are allowed.

The server is a process of its own, as a user starts it; clients are threads of this one, which share the same cores. The model is exported
here: the architecture with random weights, since speed does not depend on what it learnt. A plain request is a JPEG of 640 x 480 pixels.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where a test loads this file by its path
from _common import ROOT, out_of, parser
from _uploads import harmful, huge, photo

MODEL = ("timm", "tf_efficientnet_lite0", 48)
STORED = 64  # pixels: what a study would have stored
REFERENCE = 5000  # training images that an answer is compared with, the most that an export keeps
REQUESTS, CLIENTS = 10_000, (1, 8, 32)
EXPLAINED, EXPLAIN_CLIENTS = 1000, (1, 8)
BESIDE, OTHERS = 300, 8  # requests of one client, and how many clients are beside it


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
    about = {"run": run, "size": [STORED] * 2, "range": None, "source": source_}
    inside = {"resize": [size] * 2, "mean": statistics_["mean"], "std": statistics_["std"]}
    about |= {"network": entry | {"kind": "scratch"}, "inside_the_graph": inside}
    write_json(folder / "preprocessing.json", about)
    write_evidence(folder, backbone, 50 if quick else REFERENCE)


def write_evidence(folder: Path, backbone, count: int) -> None:
    """What explanations need: the weights in torch, and training images with their features and classes."""
    import numpy as np
    import torch
    from safetensors.torch import save_file

    from ftbench.base.files import read_json, write_json, write_npy
    from ftbench.export import doubt

    save_file({name: t.contiguous() for name, t in backbone.network.state_dict().items()}, folder / "model.safetensors")
    rng = np.random.default_rng(2)
    with torch.inference_mode():
        width = backbone.features_and_logits(torch.zeros((1, STORED, STORED, 3), dtype=torch.uint8))[0].shape[1]
    write_npy(folder / "reference.npy", doubt.unit(rng.normal(size=(count, width))).astype(np.float16))
    write_npy(folder / "reference_labels.npy", rng.integers(0, 10, count))
    write_npy(folder / "reference_images.npy", rng.integers(0, 256, (count, STORED, STORED, 3), dtype=np.uint8))
    known = read_json(folder / "confidence.json") | {"unlike": {"k": min(doubt.K, count), "threshold": 1.0}}
    write_json(folder / "confidence.json", known)


def memory_mb(process: int) -> float:
    """Resident memory of a process, in MB."""
    return _status(process, "VmRSS")


def peak_mb(process: int) -> float:
    """The most resident memory that a process ever had, in MB."""
    return _status(process, "VmHWM")


def _status(process: int, field: str) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024 / 1e6


def send(connection: http.client.HTTPConnection, body: bytes, explain: bool = False) -> tuple[int, bytes]:
    kind = "multipart/form-data; boundary=x" if body.startswith(b"--x") else "image/jpeg"
    connection.request("POST", "/predict" + "?explain=1" * explain, body, {"content-type": kind})
    response = connection.getresponse()
    return response.status, response.read()


def load(port: int, body: bytes, requests: int, clients: int, explain: bool = False) -> dict:
    """Send `requests` from `clients` threads that each keep one connection; milliseconds and requests per second."""

    def client(count: int) -> list[float]:
        connection, taken = http.client.HTTPConnection("127.0.0.1", port, timeout=120), []
        for _ in range(count):
            start = time.perf_counter()
            status, text = send(connection, body, explain)
            taken.append(1000 * (time.perf_counter() - start))
            if status != 200:
                raise RuntimeError(f"status {status}: {text[:200]!r}")
        connection.close()
        return taken

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        parts = list(pool.map(client, [max(1, requests // clients)] * clients))
    seconds = time.perf_counter() - start
    taken = sorted(one for part in parts for one in part)
    cuts = statistics.quantiles(taken, n=100) if len(taken) > 1 else taken * 99
    return {
        "clients": clients,
        "requests": len(taken),
        "requests_per_second": len(taken) / seconds,
        "p50_ms": cuts[49],
        "p99_ms": cuts[98],
        "slowest_ms": taken[-1],
    }


def beside(port: int, body: bytes, requests: int, others: list[bytes], explain: bool = False) -> dict:
    """`load` of one client while OTHERS clients send `others` again and again; with how often each status came back to these."""
    over, statuses = threading.Event(), Counter()

    def other(first: int) -> None:
        number = first
        while not over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            try:
                while not over.is_set():
                    statuses[str(send(connection, others[number % len(others)], explain)[0])] += 1
                    number += 1
            except (OSError, http.client.HTTPException) as error:  # a connection that the server closes
                statuses[type(error).__name__] += 1
            finally:
                connection.close()

    threads = [threading.Thread(target=other, args=(k,)) for k in range(OTHERS if others else 0)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1 if others else 0)  # until they are at work
        return load(port, body, requests, 1) | {"statuses_of_others": dict(sorted(statuses.items()))}
    finally:
        over.set()
        for thread in threads:
            thread.join()


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
    """Rows of `load` and `beside`, each with the server's memory after it and the most that it had so far."""
    requests, clients = (40, (1, 4)) if quick else (REQUESTS, CLIENTS)
    explained, few = (8, (1, 2)) if quick else (EXPLAINED, EXPLAIN_CLIENTS)
    calm = 10 if quick else BESIDE
    body = photo()
    with tempfile.TemporaryDirectory() as name:
        export(Path(name), quick)
        server, port = started(Path(name))
        rows = []

        def note(what: str, row: dict) -> None:
            rows.append({"what": what} | row | {"memory_mb": memory_mb(server.pid), "peak_mb": peak_mb(server.pid)})
            print(told(rows[-1]), flush=True)

        try:
            load(port, body, 20, 1)  # the first requests pay for what is set up once
            before = memory_mb(server.pid)
            for count in clients:
                note("plain", load(port, body, requests // len(clients), count))
            load(port, body, 1, 1, explain=True)  # its network is built now
            for count in few:
                note("explain=1", load(port, body, explained // len(few), count, explain=True))
            note("plain beside nothing", beside(port, body, calm, []))
            note("plain beside explain=1", beside(port, body, calm, [body], explain=True))
            note("plain beside harmful uploads", beside(port, body, calm, harmful()))
            note("plain beside the largest images", beside(port, body, calm, huge(quick)))
            return {"processor": processor(), "memory_mb": before, "rows": rows, "image_bytes": len(body)}
        finally:
            server.terminate()
            server.wait(30)


def told(row: dict) -> str:
    others = ", ".join(f"{count} x {status}" for status, count in row.get("statuses_of_others", {}).items())
    return (
        f"{row['what']}, {row['clients']} clients: {row['requests']} requests, {row['requests_per_second']:.1f} per second, "
        f"p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms, slowest {row['slowest_ms']:.0f} ms, {row['memory_mb']:.0f} MB, "
        f"at most {row['peak_mb']:.0f} MB" + f" (others: {others})" * bool(others)
    )


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else "unknown"


def main() -> int:
    arguments = parser(__doc__, out="serve.json").parse_args()
    found = measure(arguments.quick)
    out_of(arguments).write_text(json.dumps(found, indent=2) + "\n")
    print(f"{found['processor']}: memory from {found['memory_mb']:.0f} to {found['rows'][-1]['memory_mb']:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
