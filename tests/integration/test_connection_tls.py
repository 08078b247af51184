"""A bus with TLS: who checks what, and what is said when it does not fit."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agenthub_events.errors import StoreUnavailable
from agenthub_runtime.bus_users.certificates import Issued, new_authority, new_server
from agenthub_runtime.embedded.servers.nats import find_nats_server
from agenthub_runtime.jetstream.connection import connect
from tests.support.until import until

pytestmark = pytest.mark.extra


@pytest.fixture
def authority(tmp_path: Path) -> Issued:
    made = new_authority()
    (tmp_path / "ca.pem").write_text(made.certificate)
    (tmp_path / "other.pem").write_text(new_authority().certificate)
    return made


@pytest.fixture
def server(tmp_path: Path, authority: Issued, unused_tcp_port: int) -> Iterator[int]:
    issued = new_server(authority, ["127.0.0.1"])
    for name, text in (("cert.pem", issued.certificate), ("key.pem", issued.key)):
        (tmp_path / name).write_text(text)
    files = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    (tmp_path / "server.conf").write_text(
        f'host: "127.0.0.1"\nport: {unused_tcp_port}\ntls: {json.dumps(files)}\n'
    )
    with (tmp_path / "log").open("wb") as log:
        command = [str(find_nats_server()), "-c", str(tmp_path / "server.conf")]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield unused_tcp_port
    process.terminate()
    process.wait()


async def listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_a_server_of_the_named_authority_is_trusted(server: int, tmp_path: Path) -> None:
    nc = await connect(f"tls://127.0.0.1:{server}?ca={tmp_path / 'ca.pem'}", "test", give_up_after_s=300)
    assert nc.is_connected
    await nc.close()


@pytest.mark.parametrize("address", ["tls://127.0.0.1:{port}?ca={folder}/other.pem", "tls://127.0.0.1:{port}"])
async def test_a_server_of_another_authority_is_not_and_the_reason_is_said(
    server: int, tmp_path: Path, address: str
) -> None:
    await until(lambda: listening(server), 300, "the server listens")
    with capture_logs() as said, pytest.raises(StoreUnavailable, match="no answer"):
        await connect(address.format(port=server, folder=tmp_path), "test", give_up_after_s=1.0)
    assert any("certificate verify failed" in str(line.get("error")) for line in said)


async def test_a_name_that_is_not_in_the_certificate_is_refused(server: int, tmp_path: Path) -> None:
    await until(lambda: listening(server), 300, "the server listens")
    with capture_logs() as said, pytest.raises(StoreUnavailable):
        await connect(f"tls://localhost:{server}?ca={tmp_path / 'ca.pem'}", "test", give_up_after_s=1.0)
    assert any("mismatch" in str(line.get("error")) for line in said)
