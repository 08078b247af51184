"""A git host on this machine: `git http-backend` behind a token, with stand-ins of GitHub's and GitLab's API."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support import lfs_server

TOKEN = "tok-3f9c17aa52d84be0"
_BACKEND = "git http-backend"


def git(where: Path, *words: str) -> str:
    """Run git as a person does; its output."""
    given = ["git", "-C", str(where), "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words]
    done = subprocess.run(given, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def a_repository(folder: Path, files: dict[str, str], *, bare: bool = True) -> Path:
    """A repository whose branch `main` holds one commit of `files`."""
    work = folder if not bare else folder.with_name(f"{folder.name}.work")
    work.mkdir(parents=True)
    git(work, "init", "--quiet", "--initial-branch=main")
    add_commit(work, files, "Begin")
    if not bare:
        return work
    subprocess.run(["git", "clone", "--quiet", "--bare", str(work), str(folder)], check=True)
    git(folder, "config", "http.receivepack", "true")
    return folder


def add_commit(work: Path, files: dict[str, str], message: str) -> str:
    """One more commit in a checkout; its id."""
    for name, text in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(work, "rev-parse", "HEAD")


class GitHost:
    """The host: repositories below `root`, the token it asks for, what its API was asked; `large` is in LFS."""

    def __init__(self, root: Path, *, private: bool) -> None:
        self.root = root
        self.private = private
        self.port = 0
        self.pushes = 0
        self.large: dict[str, bytes] = {}
        self.requests: list[dict[str, Any]] = []
        self.created: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        # What the API answers to the next requests that would write, in the place of what it does.
        self.refusals: list[int] = []
        # Who may write, and the status with which the host answers who asks (0: it tells).
        self.writers = {"bea"}
        self.secretive = 0

    @property
    def name(self) -> str:
        """The host as credentials are set for it."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "ada/service.git") -> str:
        """The address of a repository."""
        return f"http://{self.name}/{path}"

    @property
    def api(self) -> str:
        """The address of the API's stand-in."""
        return f"http://{self.name}/api"

    def statuses_of(self, commit: str) -> list[dict[str, Any]]:
        """The statuses of a commit, the newest first."""
        return [made for made in reversed(self.statuses) if made["commit"] == commit]

    def holds(self, made: dict[str, Any]) -> bool:
        """Whether the commit is in this state already."""
        found = (one for one in self.statuses_of(made["commit"]) if one["name"] == made["name"])
        return bool(next((one["status"] for one in found), "") == made["status"])


@contextmanager
def serving(root: Path, *, private: bool = True) -> Iterator[GitHost]:
    """Serve the repositories below `root`."""
    host = GitHost(root, private=private)
    server = _Server(host)
    host.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()


@asynccontextmanager
async def a_host(root: Path, *, private: bool = True) -> AsyncIterator[GitHost]:
    """The same for a coroutine, with the repository `ada/service.git` on it."""
    await asyncio.to_thread(a_repository, root / "ada" / "service.git", {"x.py": "x = 1\n"})
    with serving(root, private=private) as host:
        yield host


class _Server(ThreadingHTTPServer):
    def __init__(self, host: GitHost) -> None:
        self.host = host
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or self._chunks())

    def do_PUT(self) -> None:
        self.do_POST()

    @property
    def host(self) -> GitHost:
        assert isinstance(self.server, _Server)
        return self.server.host

    def _chunks(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return b""
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith("/api/"):
            self._api(parts.path, parse_qs(parts.query), body)
        elif self.host.private and not self._knows_token():
            self._answer(401, b"who are you?\n", ("WWW-Authenticate", 'Basic realm="git"'))
        elif "/info/lfs/" in parts.path:
            address = f"http://{self.host.name}{parts.path.partition('/objects/')[0]}/objects"
            said = self.headers.get("Authorization", "")
            code, data = lfs_server.answer(self.host.large, address, parts.path, body, said)
            self._answer(code, data, ("Content-Type", "application/vnd.git-lfs+json"))
        else:
            self._git(parts.path, parts.query, body)

    def _knows_token(self) -> bool:
        said = self.headers.get("Authorization", "")
        return said.startswith("Basic ") and base64.b64decode(said[6:]).endswith(f":{TOKEN}".encode())

    def _git(self, path: str, query: str, body: bytes) -> None:
        if path.endswith("/git-receive-pack") and self.command == "POST":
            self.host.pushes += 1
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "GIT_PROJECT_ROOT": str(self.host.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_USER": "ada",
        }
        done = subprocess.run(_BACKEND.split(), input=body, env=environment, capture_output=True, check=False)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        code = int(fields.pop("Status", "200").split()[0])
        self._answer(code, rest, *fields.items())

    def _api(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
        sent = json.loads(body) if body else {}
        told = self.headers.get("PRIVATE-TOKEN") or self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.host.requests.append({"method": self.command, "path": path, "query": query, "body": sent})
        if told != TOKEN:
            self._json(401, {"message": "Bad credentials"})
            return
        if path.endswith(("/permission", "/members/all")):
            self._people(path, query)
            return
        if "statuses" in path or path.endswith(("/comments", "/notes")):
            self._said(path, sent)
            return
        if self.command == "GET":
            branch = (query.get("head") or query.get("source_branch") or [""])[0].rpartition(":")[2]
            self._json(200, [made for made in self.host.created if made["branch"] == branch])
            return
        branch = sent.get("head") or sent["source_branch"]
        if any(made["branch"] == branch for made in self.host.created):
            self._json(422 if "head" in sent else 409, {"message": "already exists"})
            return
        number = len(self.host.created) + 1
        url = f"http://{self.host.name}{unquote(path).removeprefix('/api')}/{number}"
        made = {"number": number, "iid": number, "branch": branch, "html_url": url, "web_url": url, **sent}
        self.host.created.append(made)
        self._json(201, made)

    def _people(self, path: str, query: dict[str, list[str]]) -> None:
        login = path.split("/")[-2] if path.endswith("/permission") else query["query"][0]
        may = login in self.host.writers
        if self.host.secretive:
            self._json(self.host.secretive, {"message": "no"})
        elif path.endswith("/permission"):
            self._json(200, {"permission": "write" if may else "read", "role_name": "x"})
        else:
            level = 30 if may else 20
            # GitLab finds by parts of names.
            found = [
                {"username": f"{login}-maintainer", "access_level": 40},
                {"username": login, "access_level": level},
            ]
            self._json(200, [{**one, "state": "active"} for one in found])

    def _said(self, path: str, sent: dict[str, Any]) -> None:
        """Statuses of commits and comments at issues, the newest first, as both hosts list them."""
        is_status = "statuses" in path
        if self.command == "POST" and self.host.refusals:
            self._json(self.host.refusals.pop(0), {"message": "not now"})
        elif self.command == "GET":
            self._json(200, self.host.statuses_of(path.split("/")[-2]) if is_status else self.host.comments[::-1])
        elif is_status:
            made = {
                **sent,
                "name": sent["context"],
                "status": sent["state"],
                "commit": path.rsplit("/", maxsplit=1)[-1],
            }
            if "/projects/" in path and self.host.holds(made):
                self._json(400, {"message": "Cannot transition status via :run from :running"})
                return
            self.host.statuses.append(made)
            self._json(201, made)
        else:
            self.host.comments.append({**sent, "path": path})
            self._json(201, sent)

    def _json(self, code: int, value: Any) -> None:
        self._answer(code, json.dumps(value).encode(), ("Content-Type", "application/json"))

    def _answer(self, code: int, body: bytes, *fields: tuple[str, str]) -> None:
        self.send_response(code)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        del format, args
