"""The wrapper of a Java project brings its Maven or Gradle; where it cannot, that of the machine is used."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agenthub_worker.environment.provision import Environments
from agenthub_worker.environment.recipe import NOTHING_GIVEN, GivenSetup
from agenthub_worker.errors import SetupFailed
from agenthub_worker.sandbox.bound import BoundSandbox
from agenthub_worker.sandbox.bubblewrap import SYSTEM_PATH, Bubblewrap
from agenthub_worker.sandbox.port import Bind

pytestmark = pytest.mark.extra

NOW_S = 300.0
MAVEN_OF_WRAPPER = """\
#!/bin/sh
home=$MAVEN_USER_HOME/wrapper/dists/{place}/bin
if test ! -d "$home"; then
    mkdir -p "$home"
    printf '#!/bin/sh\\necho "brought $*"\\n' > "$home/mvn"
    chmod +x "$home/mvn"
fi
exec "$home/mvn" "$@"
"""
UNREACHED = "#!/bin/sh\necho 'could not be fetched' >&2\nexit 1\n"
OF_THIS_MACHINE = '#!/bin/sh\necho "this machine\'s $*"\n'
MAVEN_NAMED = {
    ".mvn/wrapper/maven-wrapper.properties": "distributionUrl=https://maven.test/apache-maven-3.9-bin.zip\n"
}
GRADLE_NAMED = {
    "gradle/wrapper/gradle-wrapper.properties": "distributionUrl=https\\://gradle.test/gradle-9-bin.zip\n"
}
MAVEN = {"pom.xml": "<project/>\n", **MAVEN_NAMED}
GRADLE = {"build.gradle": "plugins { id 'java' }\n", **GRADLE_NAMED}


@pytest.mark.parametrize(
    "place", ["apache-maven-3.9/abc", "apache-maven-3.6-bin/abc/apache-maven-3.6"], ids=["script", "jar"]
)
async def test_the_wrapper_of_maven_brings_what_later_commands_call(tmp_path: Path, place: str) -> None:
    folder = project(tmp_path, {**MAVEN, "mvnw": MAVEN_OF_WRAPPER.format(place=place)})
    machine = having(tmp_path, {"mvn": OF_THIS_MACHINE})
    made = await machine.prepare(folder, NOTHING_GIVEN)
    assert made.missed == ()
    assert b"brought --version" in made.log
    assert await printed(machine, folder, "mvn test") == "brought test\n"
    assert await printed(machine, folder, "sh ./mvnw test") == "brought test\n"


@pytest.mark.parametrize(
    ("files", "wrapper", "tool", "url"),
    [
        (MAVEN, "mvnw", "mvn", b"https://maven.test/apache-maven-3.9-bin.zip"),
        (GRADLE, "gradlew", "gradle", b"https://gradle.test/gradle-9-bin.zip"),
        ({f"service/{path}": text for path, text in MAVEN.items()}, "service/mvnw", "mvn", b"https://maven.test/"),
    ],
    ids=["maven", "gradle", "a folder"],
)
async def test_where_it_reaches_nothing_the_machines_own_is_used_and_that_is_said(
    tmp_path: Path, files: dict[str, str], wrapper: str, tool: str, url: bytes
) -> None:
    folder = project(tmp_path, {**files, wrapper: UNREACHED})
    machine = having(tmp_path, {tool: OF_THIS_MACHINE})
    given = GivenSetup(folders=("service",)) if "/" in wrapper else NOTHING_GIVEN
    # The second time it is there, and what it is like has not changed.
    for _ in range(2):
        made = await machine.prepare(folder, given)
        assert made.missed == (
            f"what `{Path(wrapper).name}` fetches could not be reached: used is `{tool}` of this machine",
        )
    assert url in made.log
    assert b"It is here, and used instead." in made.log
    assert await printed(machine, folder, f"{tool} test", given) == "this machine's test\n"


async def test_a_build_that_fails_with_the_gradle_of_its_wrapper_is_not_tried_with_another(tmp_path: Path) -> None:
    here = "$GRADLE_USER_HOME/wrapper/dists/a/b/c/bin"
    wrapper = f"mkdir -p {here}; touch {here}/gradle\n"
    folder = project(tmp_path, {**GRADLE, "gradlew": f"{wrapper}echo 'the build is broken'; exit 1\n"})
    machine = having(tmp_path, {"gradle": OF_THIS_MACHINE})
    with pytest.raises(SetupFailed) as failed:
        await machine.prepare(folder, NOTHING_GIVEN)
    assert "the build is broken" in failed.value.log
    assert "used instead" not in failed.value.log


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "neither is `mvn` on this machine nor `mvnw` in the repository"),
        ({"mvnw": UNREACHED}, "Its distribution is https://maven.test/apache-maven-3.9-bin.zip, which the worker"),
    ],
    ids=["neither", "unreached"],
)
async def test_a_maven_that_is_not_there_is_named(tmp_path: Path, files: dict[str, str], said: str) -> None:
    folder = project(tmp_path, {**MAVEN, **files})
    machine = having(tmp_path, {})
    with pytest.raises(SetupFailed) as failed:
        await machine.prepare(folder, NOTHING_GIVEN)
    assert said in failed.value.log


def project(tmp_path: Path, files: dict[str, str]) -> Path:
    folder = tmp_path / "project"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def having(tmp_path: Path, programs: dict[str, str]) -> Environments:
    """A machine with a `java` beside which these programs are, and nothing else of Maven or Gradle."""
    tools, nothing = tmp_path / "jdk" / "bin", tmp_path / "nothing"
    tools.mkdir(parents=True)
    nothing.mkdir()
    for name, text in {"java": "#!/bin/sh\necho openjdk 17.0.1\n", **programs}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    hidden = [Bind(nothing, target=str(folder), shared=True) for folder in _folders_of("mvn", "gradle")]
    sandbox = BoundSandbox(Bubblewrap(), lambda _: hidden)
    variables = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    return Environments(tmp_path / "environments", sandbox, variables, tmp_path / "home")


def _folders_of(*names: str) -> list[Path]:
    found = [shutil.which(name, path=SYSTEM_PATH) for name in names]
    return [Path(path).resolve().parent for path in found if path]


async def printed(machine: Environments, project: Path, command: str, given: GivenSetup = NOTHING_GIVEN) -> str:
    ran = await machine.sandbox(given).run(command, workspace=project, timeout_s=NOW_S)
    return ran.text
