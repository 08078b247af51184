"""The network of a goal: its hosts are reached by HTTP, no other is, and no name leads behind the wall."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agenthub_worker.environment.network.goal_network import GoalNetwork
from agenthub_worker.environment.provision import Environments
from agenthub_worker.environment.recipe import GivenSetup
from agenthub_worker.sandbox.bubblewrap import Bubblewrap

pytestmark = pytest.mark.extra

NOW_S = 60.0
ASK = "python -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=20).read().decode())' {}"
SERVE = "python -m http.server --bind 127.0.0.1 8123 >/dev/null 2>&1 & for n in $(seq 100); do {} && break; done"


class Api:
    """An HTTP server of this machine that counts who asked it."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()


@pytest.fixture
async def api() -> AsyncIterator[tuple[Api, int]]:
    found = Api()
    async with await asyncio.start_server(found.answer, "127.0.0.1", 0) as server:
        yield found, server.sockets[0].getsockname()[1]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def environments(tmp_path: Path, *private: str) -> Environments:
    return Environments(tmp_path / "made", Bubblewrap(), os.environ, tmp_path / "home", private=private)


async def test_a_named_host_is_reached_and_no_other(tmp_path: Path, workspace: Path, api: tuple[Api, int]) -> None:
    server, port = api
    place = f"127.0.0.1:{port}"
    sandbox = environments(tmp_path, place).sandbox(GivenSetup(network=(place,)))
    ran = await sandbox.run(ASK.format(f"http://{place}/a"), workspace=workspace, timeout_s=NOW_S)
    assert (ran.exit_code, ran.text) == (0, "hello\n")
    assert len(server.asked) == 1

    other = await sandbox.run(ASK.format("https://other.example/"), workspace=workspace, timeout_s=NOW_S)
    assert other.exit_code
    assert f"[no way to other.example:443: the network of this goal is {place}]" in other.text

    closed = environments(tmp_path).sandbox(GivenSetup())
    assert (await closed.run(ASK.format(f"http://{place}/b"), workspace=workspace, timeout_s=NOW_S)).exit_code
    assert len(server.asked) == 1


async def test_a_shell_keeps_its_way_out_beside_servers_of_its_own(
    tmp_path: Path, workspace: Path, api: tuple[Api, int]
) -> None:
    server, port = api
    place = f"localhost:{port}"
    shell = environments(tmp_path, place).sandbox(GivenSetup(network=(place,))).shell(workspace=workspace)
    try:
        for _ in range(2):
            ran = await shell.run(ASK.format(f"http://{place}/"), timeout_s=NOW_S)
            assert (ran.exit_code, ran.text) == (0, "hello\n")
        (workspace / "own.txt").write_text("own\n")
        own = await shell.run(
            SERVE.format(ASK.format("http://127.0.0.1:8123/own.txt") + " 2>/dev/null"), timeout_s=NOW_S
        )
        assert own.text == "own\n\n"
        refused = await shell.run(ASK.format("http://elsewhere.example/"), timeout_s=NOW_S)
        assert "[no way to elsewhere.example:80: " in refused.text
        assert "no way" not in (await shell.run("echo done", timeout_s=NOW_S)).text
    finally:
        await shell.close()
    assert len(server.asked) == 2


async def test_a_public_name_that_leads_to_this_machine_is_refused(
    tmp_path: Path, workspace: Path, api: tuple[Api, int]
) -> None:
    server, port = api
    place = f"localhost:{port}"
    sandbox = environments(tmp_path).sandbox(GivenSetup(network=(place,)))
    ran = await sandbox.run(ASK.format(f"http://{place}/"), workspace=workspace, timeout_s=NOW_S)
    assert ran.exit_code
    assert f"[no way to {place}: " in ran.text
    assert server.asked == []


async def test_a_setup_does_not_have_the_network_of_its_goal(
    tmp_path: Path, workspace: Path, api: tuple[Api, int]
) -> None:
    server, port = api
    place = f"127.0.0.1:{port}"
    seen = "env | grep -c 3129 || true"
    given = GivenSetup(commands=(seen,), network=(place,))
    made = await environments(tmp_path, place).prepare(workspace, given)
    assert made.log.decode().splitlines()[-2:] == ["0", ""]
    assert server.asked == []


async def test_a_way_out_is_gone_with_its_command() -> None:
    async with GoalNetwork(("api.example.com:443",)).way_out() as (way, _):
        assert way.socket.is_socket()
    assert not way.folder.exists()
