"""A goal on a repository with packages of its own: set up at its import, and people are asked when that fails."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.task import TaskCompleted
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_worker.environment.provision import Environments
from agenthub_worker.rehearsal.turns import call
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from tests.integration.test_worker_merges import DONE, by_task, write
from tests.support.package_index import PackageIndex, running_index
from tests.support.servers import running_nats
from tests.support.workbench import Desk, running_worker

pytestmark = pytest.mark.extra

LONG_S = 300.0


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for the module: every test has a goal of its own and leaves no order behind."""
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    with running_index() as found:
        for version in (1, 2):
            found.add("tidelib", f"{version}.0", {"tidelib.py": f"LEVEL = {version}\n"})
        yield found


def environments(folder: Path, index: PackageIndex) -> Environments:
    return Environments(folder / "environments", Bubblewrap(), index.variables(), folder / "home")


def repository(folder: Path, **files: str) -> str:
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.{'txt' if name == 'requirements' else 'py'}").write_text(text)
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return str(folder)


async def test_tests_of_import_and_merge_see_what_the_files_of_that_moment_ask_for(
    bus: Client, index: PackageIndex, tmp_path: Path
) -> None:
    source = repository(
        tmp_path / "source",
        requirements="tidelib==1.0\n",
        test_level="import tidelib\n\n\ndef test_level():\n    assert tidelib.LEVEL == 1\n",
    )
    desk = Desk(bus)
    await desk.accept()
    model = by_task(
        t_add=[
            write("requirements.txt", "tidelib==2.0\n"),
            write("test_level.py", "import tidelib\n\n\ndef test_level():\n    assert tidelib.LEVEL == 2\n"),
            call("bash", command="python -c 'import tidelib; print(tidelib.LEVEL)' > level.txt"),
            DONE,
        ]
    )
    folder = tmp_path / "worker"
    async with model, running_worker(bus, model, folder, environments=environments(folder, index)):
        await desk.order("prepare", context={"repository": source})
        imported = await desk.ended("prepare", deadline_s=LONG_S)
        assert isinstance(imported, TaskCompleted), imported
        await desk.order("t-add", context={"repository": source})
        ended = await desk.ended("t-add", deadline_s=LONG_S)
    assert isinstance(ended, TaskCompleted), ended
    assert "set up as requirements.txt says" in imported.result.summary
    log = await desk.artifacts.get(imported.result.setup_log_ref)
    assert b"Successfully installed tidelib-1.0" in log
    assert (imported.result.tests_run, ended.result.tests_run) == ("1 passed, 0 failed", "1 passed, 0 failed")
    assert {change.path for change in ended.result.files} == {"requirements.txt", "test_level.py", "level.txt"}


async def test_a_refused_host_is_named_to_a_person_and_other_commands_make_it_work(
    bus: Client, index: PackageIndex, tmp_path: Path
) -> None:
    source = repository(
        tmp_path / "source", requirements="--index-url https://elsewhere.test/simple\ntidelib\n", test_x=""
    )
    desk = Desk(bus)
    await desk.accept()
    folder, model = tmp_path / "worker", by_task(t_add=[DONE])
    async with model, running_worker(bus, model, folder, environments=environments(folder, index)):
        await desk.order("prepare", context={"repository": source})
        asked = await desk.ended("prepare", deadline_s=LONG_S)
        assert isinstance(asked, AgentBlocked), asked
        again = await desk.order("prepare", context={"repository": source, "setup": ("pip install tidelib",)})
        ended = await desk.ended("prepare", attempt=again, deadline_s=LONG_S)
    assert (asked.reason, asked.options) == ("setup", ("Try again", "Give the goal up"))
    assert "elsewhere.test:443" in asked.question
    assert "AGENTHUB_SETUP_HOSTS" in asked.question
    assert "403" in asked.evidence
    assert len(asked.evidence.split("\n")) <= 40
    assert isinstance(ended, TaskCompleted), ended
    assert "set up as the goal's `setup` says" in ended.result.summary


async def test_a_repository_that_needs_nothing_is_imported_without_a_setup(
    bus: Client, index: PackageIndex, tmp_path: Path
) -> None:
    source = repository(tmp_path / "source", requirements="pytest\n", test_x="def test_x():\n    pass\n")
    desk = Desk(bus)
    await desk.accept()
    folder, model = tmp_path / "worker", by_task(t_add=[DONE])
    async with model, running_worker(bus, model, folder, environments=environments(folder, index)):
        await desk.order("prepare", context={"repository": source})
        ended = await desk.ended("prepare", deadline_s=LONG_S)
    assert isinstance(ended, TaskCompleted), ended
    assert "set up" not in ended.result.summary
    assert ended.result.setup_log_ref == ""
    assert ended.result.tests_run == "1 passed, 0 failed"
    assert index.asked == [], "no package is looked for"
