"""Repositories at an address: what a submission says of them, and what the goal then begins with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.task import TaskCompleted
from agenthub_runtime.remotes.address import local_source, parse_remote
from agenthub_runtime.remotes.credentials import NO_ACCESS, GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.repository.sources.git_remote import RemoteGit
from tests.integration.test_worker_merges import DONE, branch_of, by_task, write
from tests.support.git_hosts import TOKEN, GitHost, a_host, a_repository, add_commit, git
from tests.support.workbench import Desk, running_worker


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[GitHost]:
    async with a_host(tmp_path / "host") as found:
        yield found


def access_to(host: GitHost, token: str = TOKEN) -> GitAccess:
    return GitAccess(tokens={host.name: token}, forges={host.name: f"github:{host.api}"})


def at(host: GitHost, access: GitAccess, path: str = "ada/service.git") -> RemoteGit:
    return RemoteGit(parse_remote(host.url(path)), access)


async def test_a_branch_a_tag_a_commit_and_the_default_are_found(host: GitHost) -> None:
    work = host.root / "ada" / "service.git.work"
    first = git(work, "rev-parse", "HEAD")
    git(work, "tag", "-a", "v1", "-m", "one")
    git(work, "switch", "-qc", "feature/login")
    second = add_commit(work, {"y.py": "y = 2\n"}, "More")
    git(work, "push", "-q", str(host.root / "ada" / "service.git"), "--all")
    git(work, "push", "-q", str(host.root / "ada" / "service.git"), "--tags")
    remote = at(host, access_to(host))
    found = {ref: await remote.resolve(ref) for ref in ("", "HEAD", "main", "v1", "feature/login", second)}
    assert {ref: (known.ref, known.commit) for ref, known in found.items()} == {
        "": ("refs/heads/main", first),
        "HEAD": ("refs/heads/main", first),
        "main": ("refs/heads/main", first),
        "v1": ("refs/tags/v1", first),
        "feature/login": ("refs/heads/feature/login", second),
        second: ("", second),
    }
    assert await RemoteGit(local_source(str(work)), NO_ACCESS).resolve("v1") == found["v1"]


@pytest.mark.parametrize(
    ("path", "token", "ref", "says"),
    [
        ("ada/service.git", "", "", "asks for a credential: set AGENTHUB_GIT_TOKENS to `127.0.0.1:"),
        ("ada/service.git", "tok-of-somebody-else", "", "refuses the token that AGENTHUB_GIT_TOKENS sets"),
        ("ada/none.git", TOKEN, "", "There is no repository at"),
        ("ada/service.git", TOKEN, "nowhere", "has no branch and no tag `nowhere`"),
        ("ada/service.git", TOKEN, "abc1234", "give a commit by all its 40 digits"),
        ("ada/service.git", TOKEN, "0" * 39 + "1", "does not have, or does not give out"),
        ("ada/empty.git", TOKEN, "", "has no commit yet"),
    ],
)
async def test_what_cannot_be_fetched_is_refused_with_the_remedy(
    host: GitHost, path: str, token: str, ref: str, says: str
) -> None:
    git(host.root / "ada", "init", "-q", "--bare", "empty.git")
    with pytest.raises(RemoteRefused) as refused:
        await at(host, access_to(host, token) if token else NO_ACCESS, path).resolve(ref)
    assert says in str(refused.value)
    assert token not in str(refused.value) or not token


async def test_a_host_that_is_away_may_be_asked_again(host: GitHost) -> None:
    nowhere = parse_remote("http://127.0.0.1:1/ada/service.git")
    with pytest.raises(RemoteUnavailable, match="could not be reached"):
        await RemoteGit(nowhere, NO_ACCESS).resolve()


async def test_a_name_of_a_branch_and_a_tag_has_to_be_said_in_full(host: GitHost) -> None:
    git(host.root / "ada" / "service.git", "tag", "main", "main")
    remote = at(host, access_to(host))
    with pytest.raises(RemoteRefused, match="refs/heads/main or refs/tags/main"):
        await remote.resolve("main")
    assert (await remote.resolve("refs/heads/main")).ref == "refs/heads/main"


async def test_a_goal_begins_with_the_commit_that_was_submitted_and_no_sandbox_sees_the_token(
    bus: Client, tmp_path: Path, host: GitHost
) -> None:
    wanted = await at(host, access_to(host)).resolve("main")
    work = host.root / "ada" / "service.git.work"
    add_commit(work, {"later.py": "z = 3\n"}, "Later")
    git(work, "push", "-q", str(host.root / "ada" / "service.git"), "main")
    desk = Desk(bus)
    await desk.accept()
    look = write("y.py", "y = 2\n")
    async with (
        by_task(t_add=[look, DONE]) as model,
        running_worker(bus, model, tmp_path / "worker", git=access_to(host), secrets=[TOKEN]),
    ):
        await desk.order(
            "prepare", context={"repository": host.url(), "ref": wanted.ref, "base_commit": wanted.commit}
        )
        prepared = await desk.ended("prepare")
        assert isinstance(prepared, TaskCompleted), prepared
        assert prepared.result.summary == f"Imported service (main) at {wanted.commit[:12]}"
        await desk.order("t-add")
        assert isinstance(await desk.ended("t-add"), TaskCompleted)
    repository = await branch_of(desk, tmp_path / "worker")
    assert {entry.path for entry in await repository.files(await desk.head())} == {"x.py", "y.py"}
    left = (path for path in (tmp_path / "worker").rglob("*") if path.is_file())
    assert not [path for path in left if TOKEN.encode() in path.read_bytes()]


@pytest.mark.extra
async def test_a_goal_of_a_schedule_begins_with_what_its_branch_is_by_then(
    bus: Client, tmp_path: Path, host: GitHost
) -> None:
    work = host.root / "ada" / "service.git.work"
    add_commit(work, {"later.py": "z = 3\n"}, "Later")
    git(work, "push", "-q", str(host.root / "ada" / "service.git"), "main")
    head = git(work, "rev-parse", "HEAD")
    folder = a_repository(tmp_path / "mine", {"x.py": "x = 1\n"}, bare=False)
    git(folder, "branch", "side")
    add_commit(folder, {"main.py": "m = 1\n"}, "Only on main")
    side = git(folder, "rev-parse", "side")
    for repository, ref, expected in (
        (host.url(), "refs/heads/main", head),
        (str(folder), "refs/heads/side", side),
    ):
        desk = Desk(bus)
        await desk.accept()
        async with (
            by_task() as model,
            running_worker(bus, model, tmp_path / f"worker-{expected[:4]}", git=access_to(host), secrets=[TOKEN]),
        ):
            await desk.order("prepare", context={"repository": repository, "ref": ref})
            prepared = await desk.ended("prepare")
        assert isinstance(prepared, TaskCompleted), prepared
        assert expected[:12] in prepared.result.summary


async def test_a_branch_that_was_rewritten_still_gives_the_submitted_commit_while_the_host_has_it(
    host: GitHost, bus: Client, tmp_path: Path
) -> None:
    wanted = await at(host, access_to(host)).resolve("main")
    work = host.root / "ada" / "service.git.work"
    git(work, "commit", "-q", "--amend", "-m", "Begin otherwise")
    git(work, "push", "-qf", str(host.root / "ada" / "service.git"), "main")
    desk = Desk(bus)
    await desk.accept()
    async with by_task() as model, running_worker(bus, model, tmp_path / "worker", git=access_to(host)):
        await desk.order(
            "prepare", context={"repository": host.url(), "ref": wanted.ref, "base_commit": wanted.commit}
        )
        assert isinstance(await desk.ended("prepare"), TaskCompleted)
    assert await desk.head() == wanted.commit


async def test_a_refusal_is_a_question_at_once_and_no_retry(bus: Client, tmp_path: Path, host: GitHost) -> None:
    desk = Desk(bus)
    await desk.accept()
    async with by_task() as model, running_worker(bus, model, tmp_path / "worker"):
        await desk.order(
            "prepare", context={"repository": host.url(), "ref": "refs/heads/main", "base_commit": "a" * 40}
        )
        asked = await desk.ended("prepare")
    assert isinstance(asked, AgentBlocked)
    assert "asks for a credential: set AGENTHUB_GIT_TOKENS" in asked.question
    assert asked.options == ("Try again", "Give the goal up")


async def test_a_redirect_carries_no_token_to_another_host(host: GitHost, tmp_path: Path) -> None:
    access = GitAccess(tokens={"localhost:1": TOKEN})
    environment = {**os.environ, **access.environment(parse_remote("http://localhost:1/x.git"))}
    asked = "protocol=http\nhost=127.0.0.1:1\n\n"
    given = ["git", *access.options(parse_remote("http://localhost:1/x.git")), "credential", "fill"]
    clean = {**environment, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null"}

    def fill(question: str) -> str:
        done = subprocess.run(given, input=question, env=clean, capture_output=True, text=True, check=False)
        return done.stdout

    assert TOKEN not in fill(asked)
    assert TOKEN in fill("protocol=http\nhost=localhost:1\n\n")
