"""A hub that is started in a shell whose variables speak of other databases and repositories."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agenthub_events.base import Event
from agenthub_events.catalogue.task import TaskCompleted
from tests.support.running_hub import RunningHub, clean_environment, run_cli, running_hub
from tests.support.until import until

pytestmark = pytest.mark.extra

HOOKS = ("post-checkout", "post-commit", "pre-push", "reference-transaction", "post-index-change")


class Decoy(NamedTuple):
    """A repository and a configuration of somebody else's, and the variables that point there."""

    repository: Path
    ran: Path
    variables: dict[str, str]

    def digest(self) -> str:
        """Changes with any file of the repository."""
        digest = hashlib.sha256()
        for path in sorted(self.repository.rglob("*")):
            digest.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
        return digest.hexdigest()


def git(folder: Path, *words: str) -> str:
    environment = {**clean_environment(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    told = subprocess.run(
        ["git", "-C", str(folder), *words], env=environment, check=True, capture_output=True, text=True
    )
    return told.stdout.strip()


def repository(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "a.txt").write_text(text)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "--message", "First")
    return folder


@pytest.fixture(scope="module")
def decoy(tmp_path_factory: pytest.TempPathFactory) -> Decoy:
    folder = tmp_path_factory.mktemp("decoy")
    foreign, ran, hooks = repository(folder / "foreign", "not ours"), folder / "ran", folder / "hooks"
    hooks.mkdir()
    for name in HOOKS:
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    config = folder / "config"
    config.write_text(
        f"[core]\nhooksPath = {hooks}\nautocrlf = true\nfsmonitor = {hooks / HOOKS[0]}\n[commit]\ngpgsign = true\n"
        "[user]\nname = Mallory\n[diff]\nnoprefix = true\nexternal = /bin/false\n"
        '[url "https://elsewhere.invalid/"]\ninsteadOf = /\n'
    )
    inside = foreign / ".git"
    return Decoy(
        foreign,
        ran,
        {
            "GIT_DIR": str(inside),
            "GIT_WORK_TREE": str(foreign),
            "GIT_INDEX_FILE": str(inside / "index"),
            "GIT_OBJECT_DIRECTORY": str(inside / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(inside / "objects"),
            "GIT_COMMON_DIR": str(inside),
            "GIT_NAMESPACE": "elsewhere",
            "GIT_CONFIG_GLOBAL": str(config),
            "GIT_CONFIG_SYSTEM": str(config),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.hooksPath",
            "GIT_CONFIG_VALUE_0": str(hooks),
            "GIT_CONFIG_PARAMETERS": f"'core.hooksPath'='{hooks}'",
            "GIT_AUTHOR_NAME": "Mallory",
            "GIT_AUTHOR_DATE": "not a date",
            "GIT_COMMITTER_EMAIL": "",
            "GIT_EXTERNAL_DIFF": "/bin/false",
            "GIT_DIFF_OPTS": "--unified=0",
            "GIT_EXEC_PATH": "/nonexistent",
            "GIT_TEMPLATE_DIR": str(hooks),
            "GIT_DEFAULT_HASH": "sha256",
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_CEILING_DIRECTORIES": "/",
            "GIT_SSH_COMMAND": f"touch {ran}",
            "GIT_ASKPASS": str(hooks / HOOKS[0]),
            "GIT_PAGER": f"touch {ran}",
            "GIT_EDITOR": f"touch {ran}",
            "GIT_TRACE": str(ran),
            "GIT_TRACE2_EVENT": str(ran),
            "GIT_LITERAL_PATHSPECS": "0",
            "GIT_GLOB_PATHSPECS": "1",
            "GIT_SHALLOW_FILE": str(config),
        },
    )


POSTGRES = {
    "PGSSLMODE": "require",
    "PGGSSENCMODE": "require",
    "PGCHANNELBINDING": "require",
    "PGREQUIREAUTH": "none",
    "PGSSLROOTCERT": "/nonexistent",
    "PGHOST": "/nonexistent",
    "PGHOSTADDR": "203.0.113.1",
    "PGPORT": "1",
    "PGDATA": "/nonexistent",
    "PGDATABASE": "elsewhere",
    "PGUSER": "mallory",
    "PGPASSWORD": "wrong",
    "PGPASSFILE": "/nonexistent",
    "PGSERVICE": "nobody",
    "PGSERVICEFILE": "/nonexistent",
    "PGOPTIONS": "-c default_transaction_read_only=on -c search_path=elsewhere",
    "PGTARGETSESSIONATTRS": "standby",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "SQL, DMY",
    "PGTZ": "Pacific/Apia",
    "PGCONNECT_TIMEOUT": "1",
    "PG_COLOR": "always",
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, decoy: Decoy) -> Iterator[RunningHub]:
    folder = tmp_path_factory.mktemp("hub") / "data"
    env = {**POSTGRES, **decoy.variables}
    with running_hub(folder, "--workers", "planner+architect+coding+testing=1", env=env) as running:
        yield running


async def test_foreign_variables_change_nothing_of_a_hub_and_its_git(
    hub: RunningHub, decoy: Decoy, tmp_path: Path
) -> None:
    before = decoy.digest()
    own = repository(tmp_path / "own", "ours\n")
    plan = [{"key": "only", "title": "Only", "agent": "coding"}]
    body = {"goal": "Look", "repository": str(own), "workflow": plan, "autonomy": "approve_plan"}
    goal_id = hub.submit(body)

    def imported(event: Event) -> bool:
        return isinstance(event, TaskCompleted) and event.task_id.startswith("prepare")

    done = (await hub.see(goal_id, imported)).event
    assert isinstance(done, TaskCompleted)
    assert done.result.commit == git(own, "rev-parse", "HEAD")
    files = await until(
        lambda: hub.get(f"/goals/{goal_id}/files")["items"], what="the read models know the import"
    )
    assert [item["path"] for item in files] == ["a.txt"]
    assert (decoy.digest(), decoy.ran.exists()) == (before, False)


def test_foreign_variables_change_nothing_of_the_command_line(hub: RunningHub, decoy: Decoy) -> None:
    before = decoy.digest()
    env = {**POSTGRES, **decoy.variables, "AGENTHUB_URL": hub.url, "AGENTHUB_DATA_DIR": str(hub.data.root)}
    for words in (("doctor",), ("status",), ("goal", "list"), ("rebuild",)):
        ran = run_cli(*words, env=env)
        assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), (words, ran.stdout, ran.stderr)
    assert (decoy.digest(), decoy.ran.exists()) == (before, False)
