"""A package index on this machine (PEP 503): wheels made on the spot, and who asked for them how."""

from __future__ import annotations

import base64
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

USER, PASSWORD = "reader", "index-password-of-the-test"


class PackageIndex:
    """The index and its wheels by project and file name. `guarded`: it asks for `USER` and `PASSWORD`."""

    def __init__(self, *, guarded: bool = False) -> None:
        self.guarded = guarded
        self.wheels: dict[str, dict[str, bytes]] = {}
        self.port = 0
        self.asked: list[tuple[str, str]] = []
        """Paths that were asked for, each with the Authorization header that came along."""

    def add(self, name: str, version: str, files: Mapping[str, str]) -> None:
        """Offer a wheel with these modules."""
        self.wheels.setdefault(name, {})[f"{name}-{version}-py3-none-any.whl"] = wheel(name, version, files)

    def address(self, *, credentials: bool = False) -> str:
        """The address for pip."""
        user = f"{USER}:{PASSWORD}@" if credentials else ""
        return f"http://{user}127.0.0.1:{self.port}/simple"

    def variables(self, *, credentials: bool = False) -> dict[str, str]:
        """The environment of a machine whose pip knows this index and no other."""
        return {"PATH": "/usr/bin:/bin", "PIP_INDEX_URL": self.address(credentials=credentials)}


def wheel(name: str, version: str, files: Mapping[str, str]) -> bytes:
    """A wheel that pip installs."""
    info = f"{name}-{version}.dist-info"
    texts = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*texts, f"{info}/RECORD"))
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in {**texts, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return data.getvalue()


@contextmanager
def running_index(*, guarded: bool = False) -> Iterator[PackageIndex]:
    """Serve an index on a free port of this machine."""
    index = PackageIndex(guarded=guarded)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(index))
    index.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()


def _handler(index: PackageIndex) -> type[BaseHTTPRequestHandler]:
    expected = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            index.asked.append((self.path, given))
            if index.guarded and given != expected:
                self._say(401, b"")
                return
            parts = [part for part in self.path.split("/") if part]
            wheels = index.wheels.get(parts[1], {}) if len(parts) > 1 else {}
            if len(parts) == 2 and wheels:
                links = "".join(f'<a href="/files/{parts[1]}/{name}">{name}</a>' for name in wheels)
                self._say(200, f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html")
            elif parts[0] == "files" and parts[-1] in wheels:
                self._say(200, wheels[parts[-1]], "application/octet-stream")
            else:
                self._say(404, b"")

        def _say(self, status: int, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
