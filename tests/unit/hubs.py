"""Both hubs on this machine: torch's files by their names, and timm's repositories as the other hub serves them."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """What is served, and what was asked for. `files` maps a path to bytes, `announced` to another sha256 than theirs.

    `cuts` is after how many bytes of an answer the connection ends, one for each of the next answers. `ranges` is what was asked for.
    """

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.announced: dict[str, str] = {}
        self.cuts: list[int] = []
        self.ranges: list[str | None] = []


@contextmanager
def running():
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body: bool):
            content = hub.files.get(self.path)
            if content is None:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound" if self.path.startswith("/api/") else "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            asked = self.headers.get("Range")
            first = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
            part = content[first:]
            self.send_response(206 if asked else 200)
            etag = hub.announced.get(self.path) or hashlib.sha256(content).hexdigest()
            for name, value in {
                "Content-Length": len(part),
                "Accept-Ranges": "bytes",
                "ETag": f'"{etag}"',
                "X-Linked-Etag": f'"{etag}"',
                "X-Linked-Size": len(content),
                "X-Repo-Commit": "0" * 40,
                **({"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"} if asked else {}),
            }.items():
                self.send_header(name, str(value))
            self.end_headers()
            if not body:
                return
            hub.ranges.append(asked)
            if hub.cuts:
                self.wfile.write(part[: hub.cuts.pop(0)])
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(part)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
