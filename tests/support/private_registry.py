"""Stand-ins of a private npm registry and of a private sparse index of cargo, behind tokens."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NPM_TOKEN = "npm-token-of-the-test-71c2"
CARGO_TOKEN = "cargo-token-of-the-test-90ab"


def archive(top: str, files: Mapping[str, str]) -> bytes:
    """A compressed archive of files below one folder."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as packed:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size = len(text)
            packed.addfile(entry, io.BytesIO(text.encode()))
    return data.getvalue()


MODULE = archive("package", {"package.json": '{"name":"tide","version":"1.0.0"}', "index.js": "exports.level=3\n"})
CRATE = archive(
    "tide-1.0.0",
    {
        "Cargo.toml": '[package]\nname = "tide"\nversion = "1.0.0"\nedition = "2021"\n',
        "src/lib.rs": "pub const LEVEL: u32 = 3;\n",
    },
)
INTEGRITY = f"sha512-{base64.b64encode(hashlib.sha512(MODULE).digest()).decode()}"
CHECKSUM = hashlib.sha256(CRATE).hexdigest()


class Registry:
    """The address, and what was asked with which Authorization."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[tuple[str, str]] = []


@contextmanager
def running_registry() -> Iterator[Registry]:
    """Serve both on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            registry.asked.append((self.path, given))
            is_npm = self.path.startswith("/npm/")
            wanted = f"Bearer {NPM_TOKEN}" if is_npm else CARGO_TOKEN
            found = _served(registry.url).get(self.path)
            self._say(401 if given != wanted else 200 if found is not None else 404, found or b"")

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Cargo login_url="x"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry = Registry(server.server_address[1])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()


def _served(url: str) -> Mapping[str, bytes]:
    line = {"name": "tide", "vers": "1.0.0", "deps": [], "cksum": CHECKSUM, "features": {}, "yanked": False}
    return {
        "/npm/tide/-/tide-1.0.0.tgz": MODULE,
        "/index/config.json": json.dumps({"dl": f"{url}/dl", "api": url, "auth-required": True}).encode(),
        "/index/ti/de/tide": json.dumps(line).encode() + b"\n",
        "/dl/tide/1.0.0/download": CRATE,
    }
