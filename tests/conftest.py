"""What every test starts from: an environment without our variables, and real servers of its own."""

from __future__ import annotations

import gc
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Generator, Iterator
from functools import partialmethod
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from nats.aio.client import Client
from nats.js.client import JetStreamContext
from xdist.remote import Producer  # type: ignore[import-untyped]

from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.embedded.servers.postgres import PostgresServer
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.declared import apply_assets
from tests.support.scheduling import BySharedHub
from tests.support.servers import fresh_database, quick_folder, running_nats, running_postgres
from tests.support.until import PATIENCE_S

_OURS = ("AGENTHUB_", "ANTHROPIC_", "OTEL_")
ALL_EXTRA = re.compile(r"^pytestmark = \[?pytest\.mark\.extra\b", re.MULTILINE)
_NAMES = ("NATS_URL", "DATABASE_URL", "AGENT_TYPE")
_UNTIL = "TESTS_UNTIL"
_TIME_IS_UP = "NOT RUN: the time that TESTS_UNTIL gives to this run was up"


# No example is judged by how long it took, and every run tries the same ones.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# The library of NATS waits half a second or five for an answer, which is a guess about the machine's pace.
Client.request = partialmethod(Client.request, timeout=PATIENCE_S)  # type: ignore[method-assign,assignment]
JetStreamContext.__init__ = partialmethod(JetStreamContext.__init__, timeout=PATIENCE_S)  # type: ignore[method-assign,assignment]

# A shell starts what runs in its background deaf to Ctrl-C, and so would be every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BySharedHub:
    """Tests that share a hub run in one process, so that a parallel run starts it once."""
    return BySharedHub(config, log)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files whose every test is an extra are not even loaded by a run that leaves the extras out."""
    if config.option.markexpr != "not extra" or collection_path.suffix != ".py":
        return None
    return ALL_EXTRA.search(collection_path.read_text(encoding="utf-8")) is not None or None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: nobody looks for rubbish meanwhile, and never again among that."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The simulation first: it only computes, and takes what tests with real hubs leave while they wait."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/simulation/"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin no test after the second of the epoch that whoever runs them names, if anybody does."""
    if time.time() > float(os.environ.get(_UNTIL, "inf")):
        pytest.skip(_TIME_IS_UP)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have measured, however many processes ran them; and which had no time."""
    late = [
        report.nodeid for report in terminalreporter.getreports("skipped") if _TIME_IS_UP in str(report.longrepr)
    ]
    if late:
        terminalreporter.section(f"{_TIME_IS_UP}; not begun: {len(late)}")
        for name in late:
            terminalreporter.write_line(name)
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    if said := [text for report in reports for name, text in report.user_properties if name == "figures"]:
        terminalreporter.section("figures")
        for text in said:
            terminalreporter.write_line(str(text))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A developer's own settings never reach a test, and no test can spend a developer's money."""
    # Hubs of other tests are not found, and none of a developer's.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    for name in list(os.environ):
        if name.startswith(_OURS) or name in _NAMES:
            monkeypatch.delenv(name)


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A nats-server with an empty store."""
    with quick_folder(tmp_path / "nats") as folder, running_nats(folder) as server:
        yield server


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Client]:
    """A connection to a server that has every stream and consumer of the hub."""
    nc = await connect(nats_server.authorised_url, "test", give_up_after_s=300)
    try:
        await apply_assets(nc)
        yield nc
    finally:
        await nc.close()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One Postgres for the whole run."""
    with quick_folder(tmp_path_factory.mktemp("postgres")) as folder, running_postgres(folder) as server:
        yield server


@pytest.fixture
async def database_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """An empty database of the test's own."""
    async with fresh_database(postgres_server) as url:
        yield url
