"""A scripted model for a hub of real processes: it answers in a thread of its own, beside the test's loop."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scripted import Reply, ScriptedReplies
from agenthub_worker.rehearsal.server import RecordedRequest, ScriptedModelServer
from agenthub_worker.rehearsal.turns import Turn, call

DONE = call("report_result", status="done", summary="Done")
READ = call("git_diff")
APPROVE = call("report_result", status="done", summary="Read and approved", verdict="approve")

# What differs between two plays of one script: commits, which hold a time, and measured seconds.
# What a worker tells of its machine depends on whether an environment is there already.
_PASSING = re.compile(
    r"\b[0-9a-f]{40}\b|\b\d+\.\d+ ?s\b|Time: \w+ [\d-]+ [\d:]+ UTC|System: .*?(?=\\nWorkspace: )"
)


class ByGoal:
    """Scripts by the words of the goal; what a goal leaves out is answered as an agreeable agent would."""

    def __init__(self, scripts: Mapping[str, Mapping[str, Sequence[Reply]]]) -> None:
        usual: Mapping[str, Sequence[Reply]] = {"gate": [READ, APPROVE], "*": [DONE]}
        self._scripts = {goal: ScriptedReplies({**usual, **replies}) for goal, replies in scripts.items()}
        self.answered: list[tuple[str, float]] = []

    def step(self, conversation: Conversation) -> Turn | None:
        """The turn of the goal's script; None for a goal without one."""
        self.answered.append((conversation.goal_id, time.monotonic()))
        script = self._scripts.get(conversation.goal)
        return script.step(conversation) if script else None


class ScriptedModel:
    """The server while it runs, and what it was asked."""

    def __init__(self, server: ScriptedModelServer, replies: ByGoal) -> None:
        self.faults = server.faults
        self._server = server
        self._replies = replies

    @property
    def environment(self) -> dict[str, str]:
        """What a hub must be told to use this model."""
        return {
            "AGENTHUB_PROVIDER": "local",
            "AGENTHUB_MODEL": "scripted",
            "ANTHROPIC_BASE_URL": self._server.url,
        }

    def requests(self, goal_id: str) -> list[RecordedRequest]:
        """The calls of one goal, oldest first."""
        return [request for request in list(self._server.requests) if request.conversation.goal_id == goal_id]

    def digests(self, goal_id: str, *, but: Collection[str] = ()) -> Counter[tuple[str, str]]:
        """(task, hash of the conversation so far) of every call, free of what differs from play to play."""
        conversations = (request.conversation for request in self.requests(goal_id))
        return Counter(_digest(said) for said in conversations if said.task_id not in but)

    def last_answered(self, goal_id: str) -> float:
        """When the last call of one goal came that was answered, as `time.monotonic` counts."""
        return max(at for goal, at in list(self._replies.answered) if goal == goal_id)

    def strikes(self, goal_id: str) -> Counter[tuple[str, str]]:
        """(task, kind of fault) of every call of one goal on which the model misbehaved."""
        requests = self.requests(goal_id)
        return Counter((request.conversation.task_id, request.fault) for request in requests if request.fault)

    def turns(self, goal_id: str, task_id: str) -> int:
        """How often the model was asked about a task."""
        return sum(request.conversation.task_id == task_id for request in self.requests(goal_id))


@contextmanager
def scripted_model(scripts: Mapping[str, Mapping[str, Sequence[Reply]]]) -> Iterator[ScriptedModel]:
    """Serve `scripts` (goal → task, kind or agent type → replies) until the body ends."""
    replies = ByGoal(scripts)
    server = ScriptedModelServer([replies])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="scripted-model")
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield ScriptedModel(server, replies)
    finally:
        asyncio.run_coroutine_threadsafe(server.aclose(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _digest(conversation: Conversation) -> tuple[str, str]:
    text = msgspec.json.encode(conversation).decode().replace(conversation.goal_id, "goal")
    return conversation.task_id, hashlib.sha256(_PASSING.sub("*", text).encode()).hexdigest()[:16]
