"""A Rust project with packages is set up on a machine whose cargo nobody has told where they are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agenthub_worker.environment.network.cargo_registry import default_registry
from agenthub_worker.environment.provision import Environments
from agenthub_worker.environment.recipe import NOTHING_GIVEN
from agenthub_worker.errors import SetupFailed
from agenthub_worker.sandbox.bubblewrap import Bubblewrap

DOWNLOADS = "https://packages.test/crates"
CARGO = """\
#!/bin/bash
case "$1" in
    --version) echo "cargo 1.80.0";;
    generate-lockfile) echo 'failed to download from `%(index)sconfig.json`' >&2; exit 101;;
    fetch)
        proxy="${http_proxy#http://}"
        exec 3<> "/dev/tcp/${proxy%%:*}/${proxy##*:}"
        printf 'GET %(index)sconfig.json HTTP/1.0\\r\\n\\r\\n' >&3
        head -1 <&3 | grep ' 200 ';;
esac
"""


class _Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f'{{"dl": "{DOWNLOADS}", "api": "x"}}'.encode() if self.path == "/index/config.json" else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def index() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index/"
    server.shutdown()
    thread.join()
    server.server_close()


def machine(folder: Path, cargo: str) -> dict[str, str]:
    """The variables of a machine with this program as its cargo."""
    (folder / "tools" / "bin").mkdir(parents=True)
    (folder / "tools" / "bin" / "cargo").write_text(cargo)
    (folder / "tools" / "bin" / "cargo").chmod(0o755)
    return {"PATH": f"{folder}/tools/bin:/usr/bin:/bin"}


async def test_cargo_names_its_index_and_that_names_its_downloads(tmp_path: Path, index: str) -> None:
    assert await default_registry(machine(tmp_path, CARGO % {"index": index})) == (index, DOWNLOADS)


@pytest.mark.parametrize("said", ["error: what?", "failed to download from `http://127.0.0.1:9/x/config.json`"])
async def test_what_is_not_said_or_not_reached_is_left_out(tmp_path: Path, said: str) -> None:
    found = await default_registry(machine(tmp_path, f"#!/bin/sh\necho '{said}'\nexit 101\n"))
    assert found == (("http://127.0.0.1:9/x/",) if "http" in said else ())
    assert await default_registry({"PATH": str(tmp_path)}) == ()


async def test_a_setup_reaches_the_registry_that_cargo_has_by_default_and_no_other(
    tmp_path: Path, index: str
) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    (project / "Cargo.toml").write_text("[package]\n")
    variables = machine(tmp_path, CARGO % {"index": index})
    made = await Environments(tmp_path / "one", Bubblewrap(), variables, home).prepare(project, NOTHING_GIVEN)
    assert b"200" in made.log
    (home / ".cargo").mkdir(parents=True)
    (home / ".cargo" / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "own"\n[source.own]\nregistry = "sparse+https://own.test/"\n'
    )
    with pytest.raises(SetupFailed):
        await Environments(tmp_path / "two", Bubblewrap(), variables, home).prepare(project, NOTHING_GIVEN)
