"""A stand-in of a source of advisories that speaks the API of the OSV format, over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

Answering: TypeAlias = Callable[["Asked"], None]
"""Answers a request in a way of its own."""


class Asked(BaseHTTPRequestHandler):
    """A request."""

    server: _Server

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def say(self, status: int, body: Any, **headers: str) -> None:
        """Answer with bytes, or with JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(self, body: Any) -> None:
        source = self.server.source
        source.asked.append((self.path, body, self.headers.get("Authorization", "")))
        if own := source.instead.get(self.path):
            own(self)
        elif self.path == "/v1/querybatch":
            self.say(200, {"results": [source.result_of(query) for query in body["queries"]]})
        else:
            found = source.records.get(self.path.removeprefix("/v1/vulns/"))
            self.say(200 if found else 404, found or {"code": 5, "message": "Bug not found."})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    source: Source


class Source:
    """What it knows: `records` by id. `instead` answers a path in a way of its own; `a_page` bounds an answer."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.name = f"127.0.0.1:{port}"
        self.records: dict[str, dict[str, Any]] = {}
        self.instead: dict[str, Answering] = {}
        self.asked: list[tuple[str, Any, str]] = []
        self.a_page = 1_000

    def knows(self, id_: str, ecosystem: str, name: str, *versions: str, **more: Any) -> None:
        """An advisory on these versions of a package; `more` are further fields of its record."""
        affected = {
            "package": {"ecosystem": ecosystem, "name": name},
            "versions": versions,
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9.9"}]}],
        }
        self.records[id_] = {"id": id_, "modified": "2024-01-01T00:00:00Z", "affected": [affected], **more}

    def packages(self) -> list[str]:
        """Every package that it was asked about."""
        bodies = [body for path, body, _ in self.asked if path == "/v1/querybatch"]
        queries = [query for body in bodies for query in body["queries"]]
        return [f"{q['package']['ecosystem']} {q['package']['name']} {q['version']}" for q in queries]

    def result_of(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one query of a batch."""
        first = int(query.get("page_token") or 0)
        names = [name for name, record in self.records.items() if _is_affected(record, query)]
        page = [{"id": name, "modified": "2024-01-01T00:00:00Z"} for name in names[first : first + self.a_page]]
        more = {"next_page_token": str(first + self.a_page)} if names[first + self.a_page :] else {}
        return {"vulns": page, **more} if page else {}


@contextmanager
def running_source() -> Iterator[Source]:
    """Serve it on a free port of this machine."""
    server = _Server(("127.0.0.1", 0), Asked)
    server.source = Source(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.source
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _is_affected(record: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    return any(
        one["package"] == query["package"] and query["version"] in one["versions"] for one in record["affected"]
    )
