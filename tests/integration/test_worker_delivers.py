"""An approved result goes to the repository that its goal was made for: once, and over nobody's work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.task import MergeConflicted, TaskCompleted, TaskFailed, TaskParked
from agenthub_events.catalogue.values import Constraints, RequirementCoverage, TestCounts
from agenthub_events.context import DeliveryOrder, GateOrder, JudgedGate, MergeOrder
from agenthub_runtime.remotes.address import parse_remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.repository.sources.git_remote import RemoteGit
from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scripted import Reply
from agenthub_worker.rehearsal.turns import Turn, call
from tests.integration.test_worker_merges import DONE, by_task, write
from tests.support.git_hosts import TOKEN, GitHost, a_host, add_commit, git
from tests.support.workbench import Desk, running_worker


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[GitHost]:
    async with a_host(tmp_path / "host") as found:
        yield found


def access_to(host: GitHost, kind: str = "github") -> GitAccess:
    return GitAccess(tokens={host.name: TOKEN}, forges={host.name: f"{kind}:{host.api}"})


class Seen(NamedTuple):
    """What an agent saw: its files by name."""

    files: dict[str, str]


class Goal:
    """A goal on the host's repository with one merged change, and its worker."""

    def __init__(self, bus: Client, host: GitHost, folder: Path, access: GitAccess) -> None:
        self.desk = Desk(bus)
        self.host = host
        self.bus = bus
        self.folder = folder
        self.access = access
        self.base = ""

    async def work(self, *more: Turn) -> None:
        """Import, and merge one change, which is made by `more` calls as well."""
        wanted = await RemoteGit(parse_remote(self.host.url()), self.access).resolve("main")
        self.base = wanted.commit
        await self.desk.accept()
        async with self.worker(t_add=[write("x.py", "x = 2\n"), *more, DONE]):
            await self.desk.order("prepare", context=self.source())
            assert isinstance(await self.desk.ended("prepare", deadline_s=300), TaskCompleted)
            await self.desk.order("t-add")
            assert isinstance(await self.desk.ended("t-add", deadline_s=300), TaskCompleted)

    def source(self) -> dict[str, Any]:
        return {"repository": self.host.url(), "ref": "refs/heads/main", "base_commit": self.base}

    def worker(self, **replies: list[Reply]) -> Any:
        return _Together(by_task(**replies), self.bus, self.folder, self.access)

    async def delivered(self, number: int = 1, *, attempt: int = 1, **fields: Any) -> Event:
        """Order a delivery of the head, and wait for its end."""
        await self.order(number, **fields)
        async with self.worker():
            return await self.desk.ended(f"deliver-{number}", attempt=attempt)

    async def order_merge(self) -> None:
        """Order what unites the result with the target that the first delivery conflicted with."""
        [conflict] = await self.desk.of(MergeConflicted, "deliver-1")
        order = MergeOrder(
            task_id="deliver-1",
            attempt=1,
            base=conflict.base,
            head=conflict.head,
            commit=conflict.commit,
            bundle_ref=conflict.bundle_ref,
            files=conflict.files,
            intent="Add two numbers",
            target=conflict.target,
        )
        await self.desk.order("merge-deliver-1-1", context={**self.source(), "merge": order})

    async def judged(self, round_: int, base: str) -> Event:
        """The verdict of the tests on the head against a base."""
        order = GateOrder(gate="tests", round=round_, commit=await self.desk.head(), base=base)
        context = {**self.source(), "gate": order, "constraints": Constraints(mutants="off")}
        await self.desk.order(f"gate-tests-{round_}", "testing", context=context)
        async with self.worker():
            return await self.desk.ended(f"gate-tests-{round_}", deadline_s=300)

    async def united(self, text: str, *more: Turn) -> Seen:
        """Let an agent settle the conflict of the first delivery by this text of `x.py`; what it saw before."""
        await self.order_merge()
        seen = Seen({})

        def look(conversation: Conversation) -> Turn:
            return call("bash", command="head -99 x.py free.py; echo '==>  <=='; git status -s")

        def settle(conversation: Conversation) -> Turn:
            [[shown]] = conversation.turns
            for part in shown.text.partition("[exit code")[0].split("==> ")[1:]:
                name, _, rest = part.partition(" <==\n")
                seen.files[name] = rest.rstrip("\n")
            return write("x.py", text)

        async with self.worker(merge_deliver_1_1=[look, settle, *more, DONE]):
            ended = await self.desk.ended("merge-deliver-1-1", deadline_s=300)
        assert isinstance(ended, TaskCompleted), ended
        return seen

    async def order(self, number: int = 1, *, base: str = "", **fields: Any) -> None:
        told = {"branch": f"goal/{self.desk.goal_id}", "request": False, **fields}
        order = DeliveryOrder(
            commit=await self.desk.head(),
            base=base or self.base,
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


def push_main(host: GitHost, files: dict[str, str], message: str = "Meanwhile") -> str:
    """Others push a commit of these files to `main`; its id."""
    work = host.root / "ada" / "service.git.work"
    commit = add_commit(work, files, message)
    git(work, "push", "-q", str(host.root / "ada" / "service.git"), "HEAD:main")
    return commit


@pytest.mark.extra
async def test_a_target_that_has_moved_is_merged_without_a_model_and_the_whole_is_judged_before_it_goes_out(
    goal: Goal, host: GitHost
) -> None:
    theirs = push_main(host, {"free.py": "free = 1\n", "tests/test_free.py": "def test_free():\n    pass\n"})
    before = await goal.desk.head()
    parked = await goal.delivered()
    assert isinstance(parked, TaskParked), parked
    assert parked.reason == "moved"
    assert parked.detail == f"main has become {theirs[:12]}: merged with the result, which is judged again"
    assert host.pushes == 0
    merge = (await goal.desk.merges())[-1]
    assert (merge.origin, merge.commit, merge.base) == ("base", theirs, before)
    assert merge.tests is not None
    assert merge.tests.counts == TestCounts(passed=1)
    ended = await goal.delivered(attempt=2, base=theirs, moves=1)
    assert isinstance(ended, TaskCompleted), ended
    assert f"with main merged as it was at {theirs[:12]}" in ended.result.summary
    branch = f"goal/{goal.desk.goal_id}"
    repository = host.root / "ada" / "service.git"
    assert git(repository, "log", "-1", "--format=%P", branch) == f"{before} {theirs}"
    assert git(repository, "show", f"{branch}:x.py") == "x = 2"
    assert git(repository, "show", f"{branch}:free.py") == "free = 1"
    assert goal.there("main") == theirs


@pytest.mark.extra
async def test_a_target_that_conflicts_is_merged_by_an_agent_in_a_workspace_that_names_both_sides(
    goal: Goal, host: GitHost
) -> None:
    theirs = push_main(host, {"x.py": "x = 3\n", "free.py": "free = 1\n"})
    before = await goal.desk.head()
    conflict = await goal.delivered(request=True)
    assert isinstance(conflict, MergeConflicted), conflict
    assert (conflict.target, conflict.files, conflict.commit) == ("main", ("x.py",), theirs)
    assert (host.pushes, host.created) == (0, [])
    seen = await goal.united("x = 5\n")
    ours = f"goal/{goal.desk.goal_id}"
    assert seen.files == {
        "x.py": f"<<<<<<< {ours}\nx = 2\n=======\nx = 3\n>>>>>>> origin/main",
        "free.py": "free = 1",
        "": "A  free.py\nM  x.py",
    }
    merge = (await goal.desk.merges())[-1]
    assert (merge.origin, merge.commit, merge.base) == ("base", theirs, before)
    ended = await goal.delivered(2, request=True, base=theirs)
    assert isinstance(ended, TaskCompleted), ended
    repository = host.root / "ada" / "service.git"
    assert git(repository, "log", "-1", "--format=%P", ours) == f"{before} {theirs}"
    assert git(repository, "show", f"{ours}:x.py") == "x = 5"
    assert "**Conflicts**" not in host.created[0]["body"]


@pytest.mark.extra
async def test_a_conflict_that_an_agent_leaves_marked_is_not_settled(goal: Goal, host: GitHost) -> None:
    push_main(host, {"x.py": "x = 3\n"})
    await goal.delivered()
    before = await goal.desk.head()
    await goal.order_merge()
    async with goal.worker(merge_deliver_1_1=[DONE]):
        failed = await goal.desk.ended("merge-deliver-1-1")
    assert isinstance(failed, TaskFailed), failed
    assert failed.reason == "Conflicts are still marked in x.py: settle every one of them."
    assert await goal.desk.head() == before


@pytest.mark.extra
async def test_a_target_that_moves_on_and_on_is_a_question_that_says_so_first(goal: Goal, host: GitHost) -> None:
    theirs = push_main(host, {"free.py": "free = 4\n"})
    asked = await goal.delivered(moves=3)
    assert isinstance(asked, AgentBlocked), asked
    assert asked.question.startswith(f"`main` at {host.url()} has moved again, to {theirs[:12]}, while")
    assert asked.options == ("Try again", "Go on without it")
    assert host.pushes == 0


@pytest.mark.extra
async def test_a_target_whose_history_was_rewritten_is_not_merged_but_asked_about(
    goal: Goal, host: GitHost
) -> None:
    work = host.root / "ada" / "service.git.work"
    git(work, "commit", "-q", "--amend", "-m", "Begin otherwise")
    git(work, "push", "-q", "--force", str(host.root / "ada" / "service.git"), "HEAD:main")
    head = await goal.desk.head()
    asked = await goal.delivered()
    assert isinstance(asked, AgentBlocked), asked
    assert asked.question.startswith(f"The history of `main` at {host.url()} was rewritten")
    assert host.pushes == 0
    assert await goal.desk.head() == head


@pytest.mark.extra
async def test_a_target_that_holds_the_result_already_or_is_gone_needs_no_merge(goal: Goal, host: GitHost) -> None:
    repository = host.root / "ada" / "service.git"
    first = await goal.delivered()
    assert isinstance(first, TaskCompleted), first
    git(repository, "update-ref", "refs/heads/main", await goal.desk.head())
    second = await goal.delivered(2)
    assert isinstance(second, TaskCompleted), second
    git(repository, "update-ref", "-d", "refs/heads/main")
    third = await goal.delivered(3)
    assert isinstance(third, TaskCompleted), third
    assert host.pushes == 1


@pytest.mark.extra
async def test_a_result_that_people_want_as_it_is_goes_out_with_its_conflicts_named(
    goal: Goal, host: GitHost
) -> None:
    push_main(host, {"x.py": "x = 3\n", "free.py": ""})
    ended = await goal.delivered(request=True, as_it_is=True)
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


@pytest.mark.extra
async def test_tests_that_others_have_removed_or_turned_red_are_no_fault_of_the_merge(
    bus: Client, host: GitHost, tmp_path: Path
) -> None:
    passes, fails = "def test_it():\n    assert True\n", "def test_it():\n    assert False\n"
    push_main(host, {"tests/test_gone.py": passes, "tests/test_red.py": passes, "tests/test_kept.py": passes})
    goal = Goal(bus, host, tmp_path / "worker", access_to(host))
    await goal.work()
    first = await goal.judged(1, goal.base)
    assert isinstance(first, GatePassed), first
    git(host.root / "ada" / "service.git.work", "rm", "-q", "tests/test_gone.py")
    theirs = push_main(host, {"tests/test_red.py": fails})
    assert isinstance(await goal.delivered(), TaskParked)
    second = await goal.judged(2, theirs)
    assert isinstance(second, GatePassed), second
    assert second.counts == TestCounts(passed=1, failed=1)


@pytest.mark.extra
async def test_a_test_of_the_goal_that_the_merge_has_lost_is_missed(
    bus: Client, host: GitHost, tmp_path: Path
) -> None:
    passes = "def test_it():\n    assert True\n"
    push_main(host, {"tests/test_kept.py": passes})
    goal = Goal(bus, host, tmp_path / "worker", access_to(host))
    await goal.work(write("tests/test_own.py", passes))
    assert isinstance(await goal.judged(1, goal.base), GatePassed)
    theirs = push_main(host, {"x.py": "x = 3\n"})
    assert isinstance(await goal.delivered(), MergeConflicted)
    await goal.united("x = 5\n", call("bash", command="rm tests/test_own.py"))
    second = await goal.judged(2, theirs)
    assert isinstance(second, GateFailed), second
    assert "tests/test_own.py" in f"{second.summary} {second.findings}"


HOOKS = ("pre-receive", "update", "post-receive", "reference-transaction")


class FolderGoal(Goal):
    """The same on a checkout on this machine, on whose `main` somebody works."""

    @property
    def folder_of_ada(self) -> Path:
        return self.host.root / "ada" / "service.git.work"

    def source(self) -> dict[str, Any]:
        return {**super().source(), "repository": str(self.folder_of_ada)}

    def there(self, branch: str) -> str:
        return git(self.folder_of_ada, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")


@pytest.mark.extra
async def test_a_folder_whose_branch_has_moved_gets_the_merge_and_no_hook_and_no_file_of_it_is_touched(
    bus: Client, host: GitHost, tmp_path: Path
) -> None:
    goal = FolderGoal(bus, host, tmp_path / "worker", access_to(host))
    await goal.work()
    folder = goal.folder_of_ada
    theirs = add_commit(folder, {"free.py": "free = 1\n"}, "Meanwhile")
    (folder / "x.py").write_text("x = 'not committed'\n")
    for name in HOOKS:
        hook = folder / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/{name}\n")
        hook.chmod(0o755)
    parked = await goal.delivered()
    assert isinstance(parked, TaskParked), parked
    ended = await goal.delivered(attempt=2, base=theirs)
    assert isinstance(ended, TaskCompleted), ended
    branch = f"goal/{goal.desk.goal_id}"
    assert ended.result.summary.startswith(f"Put into {folder} as {branch} at ")
    assert git(folder, "log", "-1", "--format=%P", branch).split()[1] == theirs
    assert git(folder, "status", "--short") == "M x.py"
    assert git(folder, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert goal.there("main") == theirs
    assert not [name for name in HOOKS if (tmp_path / name).exists()]


@pytest.mark.extra
async def test_the_branch_that_is_checked_out_in_a_folder_is_not_written(
    bus: Client, host: GitHost, tmp_path: Path
) -> None:
    goal = FolderGoal(bus, host, tmp_path / "worker", access_to(host))
    await goal.work()
    git(goal.folder_of_ada, "switch", "-q", "-c", "agents/x")
    asked = await goal.delivered(branch="agents/x")
    assert isinstance(asked, AgentBlocked), asked
    assert "did not take the branch `agents/x`" in asked.question
    assert goal.there("agents/x") == goal.base
