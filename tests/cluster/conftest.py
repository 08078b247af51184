"""The whole topology, started once."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import msgspec
import pytest
import pytest_asyncio

from agenthub_runtime.bus_users.keys import with_login
from agenthub_runtime.bus_users.rights import ADMIN
from agenthub_runtime.bus_users.secret_files import AUTHORITY, seed_file_of
from agenthub_runtime.embedded.data_folder import DataDir, Secrets
from agenthub_runtime.embedded.servers.nats import find_nats_server
from tests.cluster.engine import Engine
from tests.cluster.hub import ClusterHub
from tests.cluster.topology import Topology
from tests.support.compose import secrets_folder
from tests.support.running_hub import clean_environment
from tests.support.servers import running_postgres

_NATS = ("nats-1", "nats-2", "nats-3")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Topology, Path]]:
    """The file laid out, its database and the rehearsal model running."""
    folder = tmp_path_factory.mktemp("cluster")
    prefix = f"127.{1 + secrets.randbelow(250)}.{secrets.randbelow(250)}"
    # The addresses that the servers get below.
    hosts = tuple(f"{prefix}.{number}" for number in range(1, 64))
    held = secrets_folder(folder / "secrets", hosts=hosts)
    with _database(folder / "postgres", (held / "db_password").read_text().strip()) as database, _model() as model:
        yield (
            Topology(
                folder,
                secrets=held,
                prefix=prefix,
                env={"AGENTHUB_PROVIDER": "rehearsal", "ANTHROPIC_BASE_URL": "http://model:80"},
                elsewhere={"postgres": database, "model": model},
                programs={"nats": (str(find_nats_server()),)},
            ),
            held,
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(deployed: tuple[Topology, Path]) -> AsyncIterator[ClusterHub]:
    """Everything healthy."""
    topology, held = deployed
    engine = Engine(topology.containers())
    try:
        await engine.start()
        await engine.healthy(within_s=300)
        seed = (held / seed_file_of(ADMIN)).read_text().strip()
        authority = urlencode({"ca": str(held / AUTHORITY)})
        servers = (f"tls://{topology.address_of(name)}:4222?{authority}" for name in _NATS)
        yield ClusterHub(
            topology,
            engine,
            nats_url=",".join(with_login(server, ADMIN, seed) for server in servers),
            key=(held / "api_keys").read_text().strip().rpartition(":")[2],
        )
    finally:
        await engine.stop()


@contextmanager
def _database(folder: Path, password: str) -> Iterator[str]:
    """The file's database, played by the embedded one with the file's password: no image can be had here."""
    data = DataDir(folder)
    data.prepare()
    (data.root / "secret.json").write_bytes(msgspec.json.encode(Secrets(postgres_password=password)))
    with running_postgres(data.root) as server:
        yield urlsplit(server.url).netloc


@contextmanager
def _model() -> Iterator[str]:
    command = [sys.executable, "-m", "agenthub_worker.rehearsal"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=clean_environment()) as process:
        assert process.stdout is not None
        yield urlsplit(json.loads(process.stdout.readline())["url"]).netloc
        process.terminate()
