"""A stage for rehearsals: plays one task after the other in one workspace, with the real agents and real tools.

There is no log and no merging here, so that a sample goal can be checked by itself: what its scripts write, and
what really happens when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from agenthub_events.agent_types import AgentType
from agenthub_events.context import PlanOrder, WorkContext
from agenthub_events.task_ids import kind_of
from agenthub_runtime.agents.load import AgentDefinition, built_in_files, load_agents
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository
from agenthub_worker.domain.model import ModelClient, ModelReply, ModelRequest
from agenthub_worker.domain.prompt import first_message, system_prompt
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.tools.contract import ToolContext
from agenthub_worker.tools.registry import CONTROL, ENDINGS, TOOLS, call_tool, decoded, definitions

MOST_TURNS = 12
AGENTS = load_agents(built_in_files())


class AttemptOutcome(msgspec.Struct, frozen=True):
    """How a task ended: the control tool, its input, and every reply on the way."""

    tool: str
    input: dict[str, Any]
    replies: list[ModelReply]


class Stage:
    """One goal in one workspace; `play` runs a task to its end. `instead` may answer a tool without running it."""

    def __init__(
        self, client: ModelClient, goal: str, requirements: tuple[str, ...], context: ToolContext
    ) -> None:
        self._client = client
        self._goal = goal
        self._requirements = requirements
        self._context = context
        self.folder = context.workspace
        self.instead: Callable[[str], str | None] = lambda _: None

    @classmethod
    async def open(cls, client: ModelClient, folder: Path, goal: str, requirements: tuple[str, ...]) -> Self:
        """A stage with an empty workspace, in a folder of its own."""
        repository = await GoalRepository.open(folder / "goal.git", InMemoryArtifacts())
        await repository.checkout(ROOT_COMMIT, folder / "workspace")
        context = ToolContext(
            workspace=folder / "workspace", sandbox=Bubblewrap(), repository=repository, base=ROOT_COMMIT
        )
        return cls(client, goal, requirements, context)

    async def play(
        self,
        task_id: str,
        agent: AgentType,
        *,
        plan: PlanOrder | None = None,
        answers: tuple[str, ...] = (),
    ) -> AttemptOutcome:
        """Run a task until it reports, submits, or asks with no answer left."""
        definition = AGENTS.find(agent, agent)
        left = list(answers)
        messages: list[dict[str, Any]] = [{"role": "user", "content": self._first(task_id, plan)}]
        replies: list[ModelReply] = []
        for _ in range(MOST_TURNS):
            request = ModelRequest(
                model="rehearsal",
                system=system_prompt(definition.name, definition.type, definition.prompt),
                messages=messages,
                tools=definitions([*definition.tools, *CONTROL]),
                max_tokens=definition.limits.max_tokens,
            )
            reply = await self._client.complete(request, on_activity=lambda _: None)
            replies.append(reply)
            ended = next((call for call in reply.tool_calls if call["name"] in ENDINGS), None)
            if ended is not None:
                decoded(TOOLS[ended["name"]], ended["input"])
                if ended["name"] != "ask_human" or not left:
                    return AttemptOutcome(ended["name"], ended["input"], replies)
            results = [await self._result(call, left, definition) for call in reply.tool_calls]
            messages += [{"role": "assistant", "content": reply.content}, {"role": "user", "content": results}]
        raise AssertionError(f"{task_id} did not end within {MOST_TURNS} turns")

    def _first(self, task_id: str, plan: PlanOrder | None) -> str:
        return first_message(
            WorkContext(
                goal_id="g-1",
                goal=self._goal,
                task_id=task_id,
                kind=kind_of(task_id),
                title="A task",
                requirements=self._requirements,
                plan=plan,
            )
        )

    async def _result(self, call: Mapping[str, Any], answers: list[str], agent: AgentDefinition) -> dict[str, Any]:
        text, is_error = await self._outcome(call["name"], call["input"], answers, agent)
        return {"type": "tool_result", "tool_use_id": call["id"], "content": text, "is_error": is_error}

    async def _outcome(
        self, name: str, given: Mapping[str, Any], answers: list[str], agent: AgentDefinition
    ) -> tuple[str, bool]:
        replaced = self.instead(name)
        if replaced is not None:
            return replaced, False
        if name in CONTROL:
            decoded(TOOLS[name], given)
            return (answers.pop(0) if name == "ask_human" else "Recorded."), False
        context = ToolContext(
            workspace=self._context.workspace,
            sandbox=self._context.sandbox,
            repository=self._context.repository,
            base=self._context.base,
            read_only=not agent.may_edit,
        )
        result = await call_tool(context, name, given, frozenset(agent.tools))
        return result.text, result.is_error
