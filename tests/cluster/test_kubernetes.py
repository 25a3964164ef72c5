"""The Kubernetes profile in a dry run: its keys against the plugins' own, every file looked for in a bucket.

The plugins are no part of requirements.txt (profiles/README.md). FTBENCH_KUBERNETES names the folder that they were installed into;
without it they are looked for in this Python, and the dry run is skipped where they are missing.
"""

import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from slurm import small_study
from studies import REPOSITORY, WEIGHTS, Clone, environment

PROFILES = ("kubernetes", "generic-cluster")  # test_submissions.py has more to say of the third
NOTHING = (
    b'<?xml version="1.0"?><ListBucketResult><Name>my-bucket</Name><IsTruncated>false</IsTruncated></ListBucketResult>'
)


class Bucket(BaseHTTPRequestHandler):
    """An S3 service with one bucket that holds nothing but the user's weights; `asked` are the keys it was asked for."""

    asked: set[str] = set()

    def answer(self) -> None:
        key = self.path.partition("?")[0].removeprefix("/my-bucket").strip("/")
        self.asked.add(key)
        self.send_response(200 if not key or key.endswith(WEIGHTS) else 404)
        body = NOTHING if not key and self.command == "GET" else b""
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = answer

    def log_message(self, *arguments) -> None:
        pass


def test_a_dry_run_looks_for_every_file_in_the_bucket(tmp_path):
    folder = os.environ.get("FTBENCH_KUBERNETES")
    if folder is None:
        pytest.importorskip("snakemake_executor_plugin_kubernetes")
        pytest.importorskip("snakemake_storage_plugin_s3")
    clone = Clone.of_repository(tmp_path / "clone", small_study())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    keys = {f"SNAKEMAKE_STORAGE_S3_{name}_KEY": "none" for name in ("ACCESS", "SECRET")}
    arguments = ["-n", "--quiet", "rules", "--workflow-profile", "profiles/kubernetes", "--configfile", "study.yaml"]
    arguments += ["--storage-s3-endpoint-url", f"http://127.0.0.1:{server.server_port}", "--storage-s3-retries", "1"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=clone.root,
            env=environment(keys | ({"PYTHONPATH": folder} if folder else {})),
            capture_output=True,
            text=True,
            timeout=600,
        )
    finally:
        server.shutdown()
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert all(re.search(rf"^{rule} +\d+$", printed, re.M) for rule in ("train", "train_trial", "predict_test", "all"))
    assert "finetune-bench/results/tiny/tables/comparison.csv" in Bucket.asked


@pytest.mark.parametrize("name", PROFILES)
def test_every_rule_that_a_profile_names_exists_and_every_rule_with_a_gpu_asks_for_memory(name):
    profile = yaml.safe_load((REPOSITORY / "profiles" / name / "profile.yaml").read_text())
    text = "\n".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
    rules = set(re.findall(r"^rule (\w+):", text, re.M)) | set(re.findall(r"^use rule \w+ as (\w+)", text, re.M))
    asked = profile["set-resources"]
    assert set(asked) <= rules
    blocks = {block.split(":")[0].removeprefix("rule "): block for block in re.split(r"^(?=rule )", text, flags=re.M)}
    on_a_gpu = {rule for rule, block in blocks.items() if re.search(r"gpu=(RUN_)?GPUS", block)}
    assert {"train", "train_trial", "predict_test"} <= on_a_gpu
    assert all("mem_mb" in asked[rule] for rule in on_a_gpu)
