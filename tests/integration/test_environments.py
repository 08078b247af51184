"""A project's packages are installed once a machine, from package sources alone, and are all that it then sees."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenthub_worker.environment.provision import Environments
from agenthub_worker.environment.recipe import NOTHING_GIVEN, GivenSetup
from agenthub_worker.environment.setup import SETUP_LIMITS
from agenthub_worker.errors import SetupFailed
from agenthub_worker.evidence.causes import cause_of
from agenthub_worker.evidence.layout import TestCommand, detect_test_command, given_test_command
from agenthub_worker.evidence.testing import run_tests
from agenthub_worker.sandbox.bound import BoundSandbox
from agenthub_worker.sandbox.bubblewrap import SYSTEM_PATH, Bubblewrap
from agenthub_worker.sandbox.port import Bind
from agenthub_worker.suites.running import run_suites
from agenthub_worker.workspace.history import with_history
from tests.support.package_index import PASSWORD, PackageIndex, running_index

pytestmark = pytest.mark.extra

NOW_S = 300.0
LEVEL = 'python -c "import tidelib; print(tidelib.LEVEL)"'


@pytest.fixture(scope="module")
def index() -> Iterator[PackageIndex]:
    with running_index() as found:
        offer(found)
        yield found


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, index: PackageIndex) -> Environments:
    """A machine of the whole module: what one test has built is there for the next."""
    return environments(tmp_path_factory.mktemp("machine"), index)


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


def offer(index: PackageIndex) -> None:
    index.add("tidelib", "1.0", {"tidelib.py": "LEVEL = 1\n"})
    index.add("tidelib", "2.0", {"tidelib.py": "LEVEL = 2\n"})


def environments(folder: Path, index: PackageIndex, *, credentials: bool = False) -> Environments:
    variables = index.variables(credentials=credentials)
    return Environments(folder / "environments", Bubblewrap(), variables, folder / "home")


async def printed(machine: Environments, project: Path, command: str) -> str:
    ran = await machine.sandbox(NOTHING_GIVEN).run(command, workspace=project, timeout_s=NOW_S)
    return ran.text


def downloads(index: PackageIndex) -> list[str]:
    return [path for path, _ in index.asked if path.endswith(".whl")]


async def test_tests_run_in_the_projects_own_environment(machine: Environments, project: Path) -> None:
    report = await run_tests(
        machine.sandbox(NOTHING_GIVEN), project, given_test_command("pytest"), timeout_s=NOW_S
    )
    assert report.green, report.log.decode()
    assert report.counts is not None
    assert report.counts.passed == 2
    assert report.coverage_percent == 100


@pytest.mark.parametrize(
    "command", ["python -m pytest -q", "pytest -q", "uv run pytest -q", "coverage run -m pytest -q"]
)
async def test_every_usual_way_of_calling_pytest_meets_that_environment(
    machine: Environments, project: Path, command: str
) -> None:
    report = await run_tests(machine.sandbox(NOTHING_GIVEN), project, given_test_command(command), timeout_s=NOW_S)
    assert report.green, report.log.decode()


async def test_a_changed_requirement_makes_a_new_environment_and_the_old_one_stays(
    machine: Environments, project: Path, index: PackageIndex
) -> None:
    assert await printed(machine, project, LEVEL) == "1\n"
    (project / "requirements.txt").write_text("tidelib==2.0\n")
    assert await printed(machine, project, LEVEL) == "2\n"
    before = len(index.asked)
    (project / "requirements.txt").write_text("tidelib==1.0\n")
    assert await printed(machine, project, LEVEL) == "1\n"
    assert len(index.asked) == before


async def test_what_a_setup_downloads_lies_on_disk_and_is_gone_afterwards(
    machine: Environments, project: Path
) -> None:
    fetch = 'for n in 1 2 3 4; do head -c 160M /dev/zero > "$TMPDIR/$n" || exit 1; done; touch $PIP_CACHE_DIR.here'
    sandbox = machine.sandbox(GivenSetup(commands=(fetch,)))
    ran = await sandbox.run("ls -d /downloads 2>&1; echo $TMPDIR", workspace=project, timeout_s=NOW_S)
    assert "No such file" in ran.text
    assert "/downloads/" not in ran.text


async def test_what_people_install_by_their_own_commands_is_kept(machine: Environments, project: Path) -> None:
    looks = (
        'test "$VIRTUAL_ENV $UV_PROJECT_ENVIRONMENT" = "/environment/python /environment/python"',
        "echo $MAVEN_OPTS | grep -q -- -Dmaven.repo.local=/environment/m2/repository",
        '"$VIRTUAL_ENV/bin/python" -m pip install tidelib==2.0',
    )
    sandbox = machine.sandbox(GivenSetup(commands=looks))
    ran = await sandbox.run(LEVEL, workspace=project, timeout_s=NOW_S)
    assert ran.text == "2\n"


async def test_afterwards_there_is_no_network_and_nothing_of_the_environment_can_be_changed(
    machine: Environments, project: Path, index: PackageIndex
) -> None:
    assert await printed(machine, project, LEVEL) == "1\n"
    asked = len(index.asked)
    tried = await printed(
        machine,
        project,
        f"PIP_NO_INDEX= python -m pip install -t x -i {index.address()} tidelib && echo installed;"
        f" exec 3<>/dev/tcp/127.0.0.1/{index.port} && echo connected;"
        " echo 'LEVEL = 7' > /environment/python/lib/python*/site-packages/tidelib.py && echo changed",
    )
    assert not {"installed", "connected", "changed"} & set(tried.split("\n"))
    assert len(index.asked) == asked
    assert await printed(machine, project, LEVEL) == "1\n"


async def test_two_goals_at_once_build_it_once(tmp_path: Path, project: Path) -> None:
    with running_index() as index:
        offer(index)
        workers = [environments(tmp_path, index) for _ in range(2)]
        told = await asyncio.gather(*(printed(worker, project, LEVEL) for worker in workers))
        assert told == ["1\n", "1\n"]
        assert len(downloads(index)) == 1


async def test_a_private_index_is_asked_with_a_password_that_is_never_seen_inside(
    tmp_path: Path, project: Path
) -> None:
    with running_index(guarded=True) as index:
        offer(index)
        machine = environments(tmp_path, index, credentials=True)
        look = "env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'; python -m pip config list"
        given = GivenSetup(commands=(look, "python -m pip install tidelib"))
        made = await machine.prepare(project, given)
    assert b"PIP_INDEX_URL" in made.log
    assert PASSWORD.encode() not in made.log
    assert downloads(index)
    assert all(header.startswith("Basic ") for _, header in index.asked)


async def test_a_setup_that_fails_tells_the_hosts_it_was_refused_and_its_last_lines(
    machine: Environments, project: Path, index: PackageIndex
) -> None:
    code = "import urllib.request as r; r.urlopen('http://elsewhere.test:8080/x')"
    tried = f"seq 1 100; python -m pip download -q --no-deps -d /tmp/tried -i {index.address()} tidelib"
    given = GivenSetup(commands=(tried, f'python -c "{code}"'))
    with pytest.raises(SetupFailed, match=r"elsewhere\.test:8080") as failed:
        await machine.prepare(project, given)
    assert failed.value.refused == ("elsewhere.test:8080",)
    assert "403" in failed.value.log
    assert len(failed.value.log.split("\n")) <= 40
    asked = len(index.asked)
    report = await run_tests(machine.sandbox(given), project, given_test_command("pytest"), timeout_s=NOW_S)
    assert not report.green
    assert cause_of(report).startswith("The setup command `python -c")
    assert b"elsewhere.test:8080" in report.log
    ran = await machine.sandbox(given).run("true", workspace=project, timeout_s=NOW_S)
    assert ran.exit_code == 1
    assert len(index.asked) == asked, "a setup that has just failed is not tried by every command"


async def test_what_needs_nothing_gets_a_python_with_nothing_of_the_hub(
    tmp_path: Path, index: PackageIndex
) -> None:
    machine = environments(tmp_path, index)
    project, asked = tmp_path / "plain", len(index.asked)
    project.mkdir()
    (project / "requirements-dev.txt").write_text("pytest>=8\npytest-cov  # measured\n")
    (project / "pyproject.toml").write_text('[project]\nname = "plain"\nversion = "1"\n')
    assert (await machine.prepare(project, NOTHING_GIVEN)).source == ""
    tried = await printed(machine, project, "python -c 'import pytest, coverage; import litestar'")
    assert "No module named 'litestar'" in tried
    assert "/environment/python" in await printed(machine, project, "python3 -c 'import sys; print(sys.prefix)'")
    (project / "test_it.py").write_text("def test_it():\n    assert True\n")
    assert "1 passed" in await printed(machine, project, "pytest -q")
    assert not machine.asked_for({"requirements.txt": b"pytest\n"}, NOTHING_GIVEN)
    assert machine.asked_for({"requirements.txt": b"pytest\npackaging\n"}, NOTHING_GIVEN)
    assert len(index.asked) == asked, "no package is looked for"


async def test_settings_that_an_agent_has_changed_count_for_nothing(tmp_path: Path, index: PackageIndex) -> None:
    machine = environments(tmp_path, index)
    project = tmp_path / "plain"
    (project / ".agenthub").mkdir(parents=True)
    (project / ".agenthub" / "config.toml").write_text('setup = ["touch /environment/mine"]\n')
    for given in (NOTHING_GIVEN, GivenSetup(config=b"setup = []\n")):
        assert (await machine.prepare(project, given)).source == ""
        assert "no mine" in await printed(machine, project, "test -e /environment/mine || echo no mine")


async def test_modules_of_node_lie_where_node_looks_for_them(tmp_path: Path, index: PackageIndex) -> None:
    folder = tmp_path / "project"
    (folder / "tide").mkdir(parents=True)
    (folder / "tide" / "package.json").write_text('{"name": "tide", "version": "1.0.0", "main": "main.js"}')
    (folder / "tide" / "main.js").write_text("exports.level = 3;\n")
    root = {"name": "app", "version": "1.0.0", "dependencies": {"tide": "file:tide"}}
    (folder / "package.json").write_text(json.dumps(root))
    packages = {"": root, "node_modules/tide": {"resolved": "tide", "link": True}, "tide": {"version": "1.0.0"}}
    lock = {"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    machine = Environments(tmp_path / "environments", Bubblewrap(), os.environ, tmp_path / "home")
    told = await printed(
        machine, folder, "node -p 'require(\"tide\").level'; touch node_modules/x && echo changed"
    )
    assert told.startswith("3\n")
    assert "changed" not in told


async def test_a_module_of_go_finds_the_tools_and_no_way_out(tmp_path: Path, index: PackageIndex) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "go.mod").write_text("module tide.test/app\n\ngo 1.99\n")
    (folder / "main.go").write_text("package main\n")
    machine = Environments(tmp_path / "environments", Bubblewrap(), os.environ, tmp_path / "home")
    with pytest.raises(SetupFailed, match=r"go mod download all.*exit code"):
        await machine.prepare(folder, NOTHING_GIVEN)
    (folder / "go.mod").write_text("module tide.test/app\n\ngo 1.20\n")
    made = await machine.prepare(folder, NOTHING_GIVEN)
    assert made.missed == ()
    assert (await printed(machine, folder, "go list -m; go env GOPROXY")).split() == ["tide.test/app", "off"]


async def test_packages_may_hold_files_that_commands_may_not_write(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    box, setups = Bubblewrap(), Bubblewrap(SETUP_LIMITS)
    machine = Environments(tmp_path / "environments", box, os.environ, tmp_path / "home", setups=setups)
    given = GivenSetup(commands=("truncate -s 5G /environment/weights.bin",))
    write = "stat -c %s /environment/weights.bin; truncate -s 5G weights.bin || echo refused"
    told = await machine.sandbox(given).run(write, workspace=folder, timeout_s=NOW_S)
    assert told.text.splitlines()[0] == str(5 << 30), told.text
    assert "refused" in told.text


async def test_a_setup_sees_the_history_as_commands_do(tmp_path: Path) -> None:
    folder, objects = tmp_path / "project", tmp_path / "objects"
    for made_here in (folder, objects):
        made_here.mkdir()
    (objects / "known").write_text("of the history\n")
    box, setups = Bubblewrap(), Bubblewrap(SETUP_LIMITS)
    machine = Environments(tmp_path / "environments", box, os.environ, tmp_path / "home", setups=setups)
    given = GivenSetup(commands=(f"cat {objects}/known",))
    made = await machine.prepare(folder, given, with_history(box, objects))
    assert b"of the history" in made.log


WRAPPER = """\
#!/bin/sh
echo "asked: $*"; env | grep -c 127.0.0.1:3128
home=$GRADLE_USER_HOME/wrapper/dists/gradle-9/abc/gradle-9/bin
mkdir -p "$home" "$GRADLE_USER_HOME/caches"
grep -q agenthubResolve /tmp/agenthub.gradle || exit 1
cat > "$home/gradle" << 'END'
#!/bin/sh
echo "gradle $* $GRADLE_RO_DEP_CACHE $GRADLE_USER_HOME"
here=build/test-results/test
mkdir -p $here
echo '<testsuite><testcase name="adds" classname="tide.LevelTest"/></testsuite>' > $here/TEST-a.xml
END
chmod +x "$home/gradle"
"""


async def test_the_wrapper_of_gradle_is_run_once_and_what_it_brings_is_there_afterwards(
    tmp_path: Path, index: PackageIndex
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "build.gradle").write_text("plugins { id 'java' }\n")
    (folder / "gradlew").write_text(WRAPPER)
    machine = Environments(tmp_path / "environments", Bubblewrap(), os.environ, tmp_path / "home")
    made = await machine.prepare(folder, NOTHING_GIVEN)
    assert b"asked: --no-daemon -q -I /tmp/agenthub.gradle agenthubResolve" in made.log
    told = await printed(machine, folder, "gradle --offline test")
    assert told == "gradle --offline test /environment/gradle/caches /tmp/gradle\n"
    source = folder / "src" / "test" / "java" / "tide"
    source.mkdir(parents=True)
    (source / "LevelTest.java").write_text("package tide;\n")
    (folder / "build" / "test-results" / "old").mkdir()
    (folder / "build" / "test-results" / "old" / "TEST-b.xml").write_text(
        '<testsuite><testcase name="old" classname="tide.LevelTest"/></testsuite>'
    )
    command = detect_test_command(["build.gradle", "src/test/java/tide/LevelTest.java"])
    assert isinstance(command, TestCommand)
    report = await run_suites(machine.sandbox(NOTHING_GIVEN), folder, command, timeout_s=NOW_S)
    assert report.green, report.log.decode()
    assert [case.id for case in report.cases or ()] == ["src/test/java/tide/LevelTest.java::adds"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "neither is `gradle` on this machine nor `gradlew` in the repository"),
        (
            {
                "gradlew": "exit 3\n",
                "gradle/wrapper/gradle-wrapper.properties": "distributionUrl=https\\://gradle.test/gradle-9.zip\n",
            },
            "Its distribution is https://gradle.test/gradle-9.zip, which the worker must be able to reach",
        ),
    ],
)
async def test_a_gradle_that_is_not_there_is_named(tmp_path: Path, files: dict[str, str], said: str) -> None:
    folder = tmp_path / "project"
    for name, text in {"build.gradle": "plugins { id 'java' }\n", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    # What this machine has of it no command finds.
    here = [Bind(nothing, target=str(folder), shared=True) for folder in _folders_of("gradle")]
    sandbox = BoundSandbox(Bubblewrap(), lambda _: here)
    machine = Environments(tmp_path / "environments", sandbox, os.environ, tmp_path / "home")
    with pytest.raises(SetupFailed) as failed:
        await machine.prepare(folder, NOTHING_GIVEN)
    assert said in failed.value.log


def _folders_of(name: str) -> list[Path]:
    found = shutil.which(name, path=SYSTEM_PATH)
    return [Path(found).resolve().parent] if found else []


def hash_of(index: PackageIndex) -> str:
    [data] = [data for name, data in index.wheels["tidelib"].items() if "-1.0-" in name]
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


LOCKS = {
    "poetry.lock": (
        '[[package]]\nname = "tidelib"\nversion = "1.0"\noptional = false\ngroups = ["main"]\n'
        'files = [{file = "tidelib.whl", hash = "HASH"}]\n'
        '[[package]]\nname = "nowhere"\nversion = "1.0"\noptional = false\ngroups = ["main"]\n'
        'markers = "sys_platform == \'win32\'"\nfiles = [{file = "nowhere.whl", hash = "HASH"}]\n'
    ),
    "pdm.lock": (
        '[[package]]\nname = "tidelib"\nversion = "1.0"\ngroups = ["default"]\nmarker = "os_name == \'posix\'"\n'
        'files = [{file = "tidelib.whl", hash = "HASH"}]\n'
    ),
    "Pipfile.lock": '{"default": {"tidelib": {"version": "==1.0", "hashes": ["HASH"]}}, "develop": {}}',
}


@pytest.mark.parametrize("lock", list(LOCKS))
async def test_a_lock_file_is_installed_as_it_stands_and_its_hashes_count(
    machine: Environments, project: Path, index: PackageIndex, lock: str
) -> None:
    (project / "requirements.txt").unlink()
    (project / lock).write_text(LOCKS[lock].replace("HASH", hash_of(index)))
    made = await machine.prepare(project, NOTHING_GIVEN)
    assert made.source == lock
    assert await printed(machine, project, LEVEL) == "1\n"
    (project / lock).write_text(LOCKS[lock].replace("HASH", f"sha256:{'0' * 64}"))
    with pytest.raises(SetupFailed) as failed:
        await machine.prepare(project, NOTHING_GIVEN)
    assert "DO NOT MATCH THE HASHES" in failed.value.log


ASKING = {
    "an older lock of poetry": {
        "poetry.lock": '[[package]]\nname = "tidelib"\nversion = "1.0"\noptional = false\n',
        "pyproject.toml": "[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\ntidelib = '*'\n",
    },
    "poetry without a lock": {
        "pyproject.toml": "[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\ntidelib = '^1.0'\n"
    },
    "pipenv without a lock": {"Pipfile": "[packages]\ntidelib = '==1.0'\n"},
    "hatch": {"hatch.toml": "[envs.test]\ndependencies = ['tidelib<2']\n"},
    "pdm without a lock": {"pyproject.toml": "[tool.pdm.dev-dependencies]\ntest = ['tidelib<2']\n"},
    "tox": {"tox.ini": "[testenv]\ndeps = tidelib<2\nset_env = LEVEL=one\ncommands = pytest -q {posargs:tests}\n"},
    "nox": {
        "noxfile.py": "import nox\n\n\n@nox.session\ndef tests(session):\n    session.install('tidelib==1.0')\n"
        "    session.run('pytest', '-q', 'tests', env={'LEVEL': 'one'})\n"
    },
}


@pytest.mark.parametrize("way", list(ASKING))
async def test_tests_find_what_each_package_manager_was_asked_for(
    machine: Environments, project: Path, way: str
) -> None:
    (project / "requirements.txt").unlink()
    for name, text in ASKING[way].items():
        (project / name).write_text(text)
    command = detect_test_command(["level.py", "tests/test_level.py", *ASKING[way]], ASKING[way])
    assert isinstance(command, TestCommand)
    if way in ("tox", "nox"):
        assert command.text == "LEVEL=one pytest -q tests"
        seen = "import os\n\n\ndef test_what_is_set():\n    assert os.environ['LEVEL'] == 'one'\n"
        (project / "tests" / "test_set.py").write_text(seen)
    report = await run_tests(machine.sandbox(NOTHING_GIVEN), project, command, timeout_s=NOW_S)
    assert report.green, report.log.decode()


async def test_a_version_of_node_that_is_not_there_is_named() -> None:
    for wanted, missed in ((">=99", True), (">=1 <99", False)):
        package = json.dumps({"dependencies": {"a": "1"}, "engines": {"node": wanted}}).encode()
        foreseen = await machine_of_here().foreseen({"package.json": package}, NOTHING_GIVEN)
        assert any(f"node {wanted} is not on this machine" in one for one in foreseen.warnings) is missed


def machine_of_here() -> Environments:
    """One with the tools of this machine; nothing is built with it."""
    return Environments(Path("/nowhere"), Bubblewrap(), os.environ, Path("/nowhere"))


PACKAGE_OF_NODE = {
    "pnpm": (
        "pnpm-lock.yaml",
        "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\n\n"
        "importers:\n\n  .:\n    dependencies:\n      ms:\n        specifier: 2.1.3\n        version: 2.1.3\n\n"
        "packages:\n\n  ms@2.1.3:\n    resolution: {integrity: INTEGRITY}\n\nsnapshots:\n\n  ms@2.1.3: {}\n",
    ),
    "yarn of its later kind": (
        "yarn.lock",
        '# This file is generated by running "yarn install" inside your project.\n'
        "# Manual changes might be lost - proceed with caution!\n\n"
        "__metadata:\n  version: 10\n  cacheKey: 10c0\n\n"
        '"app@workspace:.":\n  version: 0.0.0-use.local\n  resolution: "app@workspace:."\n  dependencies:\n'
        '    ms: "npm:2.1.3"\n  languageName: unknown\n  linkType: soft\n\n'
        '"ms@npm:2.1.3":\n  version: 2.1.3\n  resolution: "ms@npm:2.1.3"\n'
        "  checksum: 10c0/d924b57e7312b3b63ad21fc5b3dc0af5e78d61a1fc7cfb5457edaf26326bf62b"
        "e5307cc87ffb6862ef1c2b33b0233cdb5d4f01c4c958cc0d660948b65a287a48\n"
        "  languageName: node\n  linkType: hard\n",
    ),
    "yarn": (
        "yarn.lock",
        '# yarn lockfile v1\n\n\nms@2.1.3:\n  version "2.1.3"\n  integrity INTEGRITY\n',
    ),
}
INTEGRITY = "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="


@pytest.mark.parametrize("client", list(PACKAGE_OF_NODE))
async def test_a_package_manager_that_the_machine_lacks_comes_as_a_package(tmp_path: Path, client: str) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    package = {"name": "app", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}}
    if "later" in client:
        package["packageManager"] = "yarn@4.18.1"
    (folder / "package.json").write_text(json.dumps(package))
    name, text = PACKAGE_OF_NODE[client]
    (folder / name).write_text(text.replace("INTEGRITY", INTEGRITY))
    machine = Environments(tmp_path / "environments", Bubblewrap(), os.environ, Path.home())
    made = await machine.prepare(folder, NOTHING_GIVEN)
    assert made.source == name
    command = client.partition(" ")[0]
    told = await printed(machine, folder, f'node -p \'require("ms")("2 days")\'; {command} --version')
    assert told.startswith("172800000\n"), made.log.decode()
    assert told.split("\n")[1][0].isdigit(), told
