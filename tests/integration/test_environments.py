"""A project's packages are installed once a machine, from package sources alone, and are all that it then sees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenthub_worker.environment.provision import Environments, ProvidedSandbox
from agenthub_worker.environment.recipe import NOTHING_GIVEN, GivenSetup
from agenthub_worker.errors import SetupFailed
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.evidence.testing import run_tests
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from tests.support.package_index import PASSWORD, PackageIndex, running_index

NOW_S = 120.0


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    with running_index() as found:
        found.add("tidelib", "1.0", {"tidelib.py": "LEVEL = 1\n"})
        found.add("tidelib", "2.0", {"tidelib.py": "LEVEL = 2\n"})
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project that needs a package which nobody has but the index."""
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (folder / "requirements.txt").write_text("tidelib==1.0\n")
    (folder / "level.py").write_text("import tidelib\n\n\ndef level():\n    return tidelib.LEVEL\n")
    (folder / "tests" / "test_level.py").write_text(
        "import pytest\n\nfrom level import level\n\n\ndef test_level():\n    assert level() == 1\n\n\n"
        "def test_nothing_of_the_hub_is_here():\n    pytest.raises(ImportError, __import__, 'litestar')\n"
    )
    return folder


def environments(folder: Path, index: PackageIndex, *hosts: str, credentials: bool = False) -> Environments:
    variables = index.variables(credentials=credentials)
    return Environments(folder / "environments", Bubblewrap(), variables, folder / "home", hosts)


async def printed(place: Environments, project: Path, command: str, given: GivenSetup = NOTHING_GIVEN) -> str:
    ran = await place.sandbox(given).run(command, workspace=project, timeout_s=NOW_S)
    return ran.text


async def test_tests_run_in_the_projects_own_environment(
    index: PackageIndex, project: Path, tmp_path: Path
) -> None:
    sandbox = environments(tmp_path, index).sandbox(NOTHING_GIVEN)
    report = await run_tests(sandbox, project, given_test_command("pytest"), timeout_s=NOW_S)
    assert report.green, report.log.decode()
    assert report.counts is not None
    assert report.counts.passed == 2
    assert report.coverage_percent == 100
