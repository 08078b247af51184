"""A goal played by hand: agents write what a test says, and the worker's own gates judge it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from agenthub_events.catalogue.task import TaskCompleted
from agenthub_events.catalogue.values import Constraints
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_worker.rehearsal.scripted import Reply, ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import Turn, call
from tests.support.workbench import Desk, running_worker

DONE = call("report_result", status="done", summary="everything passes", tests_run="2 passed")


def write(path: str, text: str) -> Turn:
    return call("str_replace_based_edit_tool", command="create", path=path, file_text=text)


def _write_all(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


class Gate:
    """One goal whose tests were written by an agent, and gates on it."""

    def __init__(self, bus: Client, folder: Path) -> None:
        self.bus = bus
        self.folder = folder
        self.desk = Desk(bus)
        self.replies: dict[str, list[Reply]] = {}

    async def work(self, task: str, *commands: str, **files: str) -> None:
        """Let an agent write Python `files`, run `commands` and say that all is well."""
        await self.write(task, {f"{name}.py": text for name, text in files.items()}, *commands)

    async def write(self, task: str, files: Mapping[str, str], *commands: str) -> None:
        """The same with files of any name."""
        turns = [write(path, text) for path, text in files.items()]
        self.replies[task] = [*turns, *(call("bash", command=command) for command in commands), DONE]
        async with self.model_and_worker():
            await self.desk.order(task)
            assert isinstance(await self.desk.ended(task), TaskCompleted)

    async def start_with(self, source: Path, files: dict[str, str]) -> None:
        """Import a repository that holds `files`."""
        await asyncio.to_thread(_write_all, source, files)
        git = ["git", "-C", str(source), "-c", "user.name=n", "-c", "user.email=e@x"]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
            await asyncio.to_thread(subprocess.run, [*git, *words], check=True)
        async with self.model_and_worker():
            await self.desk.order("prepare", context={"repository": str(source)})
            assert isinstance(await self.desk.ended("prepare"), TaskCompleted)

    async def judge(self, gate: str, *replies: Reply, round_: int = 1, **order: Any) -> Any:
        """The event that ends a round of `gate`."""
        task = f"gate-{gate}-{round_}"
        self.replies[task] = list(replies)
        more = {
            "test_command": order.pop("context_test_command", ""),
            "constraints": order.pop("constraints", Constraints()),
        }
        told = {"gate": gate, "round": round_, "commit": await self.desk.head(), "base": ROOT_COMMIT, **order}
        async with self.model_and_worker():
            agent = "testing" if gate == "tests" else gate
            await self.desk.order(task, agent, context={"gate": told, **more})
            return await self.desk.ended(task)

    @asynccontextmanager
    async def model_and_worker(self) -> AsyncIterator[None]:
        """A worker, and the model that plays `replies`."""
        model = ScriptedModelServer([ScriptedReplies(self.replies)])
        async with model, running_worker(self.bus, model, self.folder):
            yield
