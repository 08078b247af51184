"""An approved result goes to the repository that its goal was made for: once, and over nobody's work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.task import TaskCompleted
from agenthub_events.catalogue.values import RequirementCoverage, TestCounts
from agenthub_events.context import DeliveryOrder, JudgedGate
from agenthub_runtime.remotes.address import parse_remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.repository.git_remote import RemoteGit
from tests.integration.test_worker_merges import DONE, by_task, write
from tests.support.git_hosts import TOKEN, GitHost, a_host, add_commit, git
from tests.support.workbench import Desk, running_worker


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[GitHost]:
    async with a_host(tmp_path / "host") as found:
        yield found


def access_to(host: GitHost, kind: str = "github") -> GitAccess:
    return GitAccess(tokens={host.name: TOKEN}, forges={host.name: f"{kind}:{host.api}"})


class Goal:
    """A goal on the host's repository with one merged change, and its worker."""

    def __init__(self, bus: Client, host: GitHost, folder: Path, access: GitAccess) -> None:
        self.desk = Desk(bus)
        self.host = host
        self.bus = bus
        self.folder = folder
        self.access = access
        self.base = ""

    async def work(self) -> None:
        """Import, and merge one change."""
        wanted = await RemoteGit(parse_remote(self.host.url()), self.access).resolve("main")
        self.base = wanted.commit
        await self.desk.accept()
        async with self.worker():
            await self.desk.order("prepare", context=self.source())
            assert isinstance(await self.desk.ended("prepare", deadline_s=90), TaskCompleted)
            await self.desk.order("t-add")
            assert isinstance(await self.desk.ended("t-add", deadline_s=90), TaskCompleted)

    def source(self) -> dict[str, Any]:
        return {"repository": self.host.url(), "ref": "refs/heads/main", "base_commit": self.base}

    def worker(self) -> Any:
        model = by_task(t_add=[write("x.py", "x = 2\n"), DONE])
        return _Together(model, self.bus, self.folder, self.access)

    async def delivered(self, number: int = 1, **fields: Any) -> Event:
        """Order a delivery of the head, and wait for its end."""
        await self.order(number, **fields)
        async with self.worker():
            return await self.desk.ended(f"deliver-{number}")

    async def order(self, number: int = 1, **fields: Any) -> None:
        told = {"branch": f"goal/{self.desk.goal_id}", "request": False, **fields}
        order = DeliveryOrder(
            commit=await self.desk.head(),
            base=self.base,
            summary="All tasks completed",
            requirements=(RequirementCoverage(requirement_id="R1", text="a | b", tasks=("t-add",)),),
            gates=(JudgedGate(gate="tests", passed=True, command="pytest", counts=TestCounts(passed=3)),),
            **told,
        )
        await self.desk.order(f"deliver-{number}", context={**self.source(), "delivery": order})

    def there(self, branch: str) -> str:
        """The commit of a branch at the host; empty when it does not exist."""
        repository = self.host.root / "ada" / "service.git"
        return git(repository, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")


class _Together:
    def __init__(self, model: Any, bus: Client, folder: Path, access: GitAccess) -> None:
        self._model = model
        self._rest = (bus, folder, access)

    async def __aenter__(self) -> None:
        bus, folder, access = self._rest
        model = await self._model.__aenter__()
        self._worker = running_worker(bus, model, folder, git=access, secrets=[TOKEN])
        await self._worker.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        await self._worker.__aexit__(*error)
        await self._model.__aexit__(*error)


@pytest.fixture
async def goal(bus: Client, host: GitHost, tmp_path: Path) -> Goal:
    made = Goal(bus, host, tmp_path / "worker", access_to(host))
    await made.work()
    return made


async def test_a_branch_is_pushed_once_and_grows_with_the_next_approval(goal: Goal, host: GitHost) -> None:
    head = await goal.desk.head()
    first = await goal.delivered()
    assert isinstance(first, TaskCompleted), first
    assert goal.there(f"goal/{goal.desk.goal_id}") == head
    assert goal.there("main") == goal.base
    shown = first.result.delivered
    assert shown is not None
    assert (shown.repository, shown.branch, shown.commit) == (host.url(), f"goal/{goal.desk.goal_id}", head)
    assert (shown.target, shown.url) == ("main", "")
    again = await goal.delivered(2)
    assert isinstance(again, TaskCompleted), again
    assert host.pushes == 1
    assert host.requests == []


@pytest.mark.parametrize(
    ("kind", "path", "names"),
    [
        ("github", "/api/repos/ada/service/pulls", ("head", "base", "body")),
        (
            "gitlab",
            "/api/projects/ada%2Fservice/merge_requests",
            ("source_branch", "target_branch", "description"),
        ),
    ],
)
async def test_a_request_is_made_once_with_the_requirements_and_the_evidence(
    bus: Client, host: GitHost, tmp_path: Path, kind: str, path: str, names: tuple[str, str, str]
) -> None:
    goal = Goal(bus, host, tmp_path / "worker", access_to(host, kind))
    await goal.work()
    first = await goal.delivered(request=True, branch="agents/x")
    again = await goal.delivered(2, request=True, branch="agents/x")
    assert isinstance(first, TaskCompleted), first
    assert isinstance(again, TaskCompleted), again
    assert len(host.created) == 1
    made = next(asked for asked in host.requests if asked["method"] == "POST")
    assert made["path"] == path
    branch, target, text = names
    assert (made["body"][branch], made["body"][target]) == ("agents/x", "main")
    assert "| a \\| b | t-add | none |" in made["body"][text]
    assert "| tests | passed | `pytest`; 3 passed, 0 failed, 0 skipped |" in made["body"][text]
    assert first.result.delivered is not None
    assert again.result.delivered is not None
    assert first.result.delivered.url == again.result.delivered.url == host.created[0]["html_url"]
    assert TOKEN not in str(made["body"])


async def test_a_branch_of_somebody_else_is_not_overwritten_but_asked_about(goal: Goal, host: GitHost) -> None:
    work = host.root / "ada" / "service.git.work"
    theirs = add_commit(work, {"z.py": "z = 1\n"}, "Theirs")
    git(work, "push", "-q", str(host.root / "ada" / "service.git"), "HEAD:refs/heads/agents/x")
    asked = await goal.delivered(branch="agents/x")
    assert isinstance(asked, AgentBlocked), asked
    assert "has a branch `agents/x` with other commits" in asked.question
    assert asked.options == ("Try again", "Go on without it")
    assert goal.there("agents/x") == theirs


async def test_conflicts_with_what_the_target_has_become_are_said(goal: Goal, host: GitHost) -> None:
    work = host.root / "ada" / "service.git.work"
    add_commit(work, {"x.py": "x = 3\n", "free.py": ""}, "Meanwhile")
    git(work, "push", "-q", str(host.root / "ada" / "service.git"), "HEAD:main")
    ended = await goal.delivered(request=True)
    assert isinstance(ended, TaskCompleted), ended
    assert ended.result.summary.endswith("it conflicts with what main has become, in x.py")
    assert "**Conflicts**" in host.created[0]["body"]


async def test_a_token_that_may_not_make_requests_is_a_question_and_the_branch_is_there(
    goal: Goal, host: GitHost
) -> None:
    goal.access = GitAccess(tokens={host.name: TOKEN}, forges={host.name: f"github:{host.url('none')}"})
    asked = await goal.delivered(request=True)
    assert isinstance(asked, AgentBlocked), asked
    assert "does not let the token of AGENTHUB_GIT_TOKENS make a request in ada/service" in asked.question
    assert TOKEN not in asked.question
    assert goal.there(f"goal/{goal.desk.goal_id}") == await goal.desk.head()
