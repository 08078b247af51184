"""Who works on an order: the agent's file, the model behind it, and what it may do on this task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from agenthub_events.agent_types import AgentType, agent_type_of
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.catalogue.values import Finding, Plan
from agenthub_events.context import WorkContext
from agenthub_events.gates import GATES
from agenthub_events.rules.plan import validate_plan, validate_proposal
from agenthub_events.runs import NOWHERE, RunSetup, World
from agenthub_events.task_ids import TaskKind
from agenthub_runtime.agents.load import (
    REPOSITORY_FOLDERS,
    AgentDefinition,
    Layer,
    built_in_files,
    hub_files,
    load_agents,
    repository_layers,
)
from agenthub_runtime.code_version import code_version
from agenthub_runtime.settings.records import WorkerSettings
from agenthub_worker.agent.kept_outputs import KeptOutputs, logs_of
from agenthub_worker.agent.model_calls import ModelConfig
from agenthub_worker.agent.resumed_shell import ResumedShell
from agenthub_worker.agent.tool_calls import Permissions, PlanRules
from agenthub_worker.domain.model import ModelClient
from agenthub_worker.domain.next_step import Bounds
from agenthub_worker.domain.prompt import system_prompt
from agenthub_worker.errors import ProviderMissing
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.lease.journal import Journal
from agenthub_worker.llm.providers import Provider, provider_for
from agenthub_worker.llm.wires import open_client
from agenthub_worker.tools.contract import ToolContext
from agenthub_worker.tools.registry import REPAIRS, definitions, offered
from agenthub_worker.workspace.workspace import Workspace

log = structlog.get_logger()

WORKING = ("agenthub_events", "agenthub_worker.domain", "agenthub_worker.tools")
"""The packages whose code says what an agent is told and what its run does next."""

_READ_ONLY_KINDS: frozenset[TaskKind] = frozenset({"plan", "gate"})
_COPIES: frozenset[TaskKind] = frozenset({"debug"})
"""Kinds in which any agent may change its workspace, which is thrown away: to find a cause is to try things."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an agent is told beside its context: scanners' findings, or the change that did not fit, as a patch.

    `world`: where it is, as it was told when its run began.
    """

    scanned: Sequence[Finding] = ()
    other_side: str = ""
    world: World = NOWHERE


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """One agent on one task. `definition` is its file as it was read."""

    definition: AgentDefinition
    brief: ModelConfig
    permissions: Permissions
    bounds: Bounds
    read_only: bool

    def run_setup(self, agent_file: str, first: str, told: Told) -> RunSetup:
        """What the run's model calls have in common, for the record; `first` is its first message."""
        return RunSetup(
            agent=self.definition.name,
            agent_type=self.definition.type,
            agent_file=agent_file,
            provider=self.brief.provider,
            model=self.brief.model,
            system=self.brief.system,
            first=first,
            tools=tuple(dict(tool) for tool in self.brief.tools),
            max_tokens=self.brief.max_tokens,
            max_turns=self.bounds.max_turns,
            repairs=dict(self.bounds.repairs),
            scanned=tuple(told.scanned),
            other_side=told.other_side,
            world=told.world,
            code=code_version(*WORKING),
        )

    def tool_context(self, workspace: Workspace, context: WorkContext, journal: Journal) -> ToolContext:
        """Where the agent's tools work; its shell is the caller's to close."""
        shell = workspace.sandbox.shell(workspace=workspace.path, writable=not self.read_only)
        return ToolContext(
            workspace=workspace.path,
            sandbox=workspace.sandbox,
            repository=workspace.repository,
            base=context.gate.base if context.gate else workspace.base,
            test_command=given_test_command(context.test_command) if context.test_command else None,
            plugins=workspace.plugins,
            read_only=self.read_only,
            pinned=workspace.pinned,
            on_output=lambda data: journal.emit("output", data),
            outputs=KeptOutputs(journal.lease, journal.run.kept, logs_of(context)),
            shell=ResumedShell(shell) if journal.run.commanded else shell,
        )


class AgentSetup:
    """The agents of a worker and the models behind them. Without a provider it can only measure (`noop`)."""

    def __init__(
        self,
        provider: Provider | None,
        client: ModelClient | None,
        hub_agents: Layer,
        *,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._provider = provider
        self._client = client
        self._close = close
        self._layers = (built_in_files(), hub_agents)
        self._warned: set[tuple[str, str]] = set()

    async def config_for(self, order: TaskEnqueued, context: WorkContext, workspace: Workspace) -> AgentConfig:
        """The agent for an order. Raises `AgentFileInvalid`, `ProviderMissing`."""
        if self._provider is None or self._client is None:
            raise ProviderMissing("this worker has no model", field="AGENTHUB_PROVIDER")
        agent = await self._agent(order, workspace)
        names = offered(context.kind, agent.tools)
        brief = ModelConfig(
            client=self._client,
            provider=self._provider.name,
            model=self._provider.model_for(agent.type, agent.model, ordered=order.model),
            system=system_prompt(agent.name, agent.type, agent.prompt),
            tools=definitions(sorted(names)),
            max_tokens=agent.limits.max_tokens,
        )
        return AgentConfig(
            definition=agent,
            brief=brief,
            permissions=Permissions(
                tools=names,
                plan_rules=_plan_rules(context),
                needs_verdict=context.gate is not None and GATES[context.gate.gate].rests_on == "verdict",
            ),
            bounds=Bounds(max_turns=agent.limits.max_turns, repairs=REPAIRS),
            read_only=context.kind in _READ_ONLY_KINDS or not (agent.may_edit or context.kind in _COPIES),
        )

    @property
    def provider(self) -> Provider | None:
        """Where model calls go."""
        return self._provider

    async def aclose(self) -> None:
        """Close the model's connections."""
        if self._close is not None:
            await self._close()

    async def _agent(self, order: TaskEnqueued, workspace: Workspace) -> AgentDefinition:
        # Agents of the repository as it was before the goal: nobody on the goal can write its own reviewer.
        found = await _texts(workspace, workspace.branch.imported)
        agents = load_agents(*self._layers, *repository_layers(found))
        for problem in agents.problems:
            log.warning("agent_file_unusable", goal=workspace.lease.goal_id, problem=problem)
        agent = agents.find(order.agent, _type_of(order))
        for warning in agent.warnings:
            if (agent.sha256, warning) not in self._warned:
                self._warned.add((agent.sha256, warning))
                log.warning("agent_file_warning", agent=agent.name, warning=warning)
        if order.agent_hash not in ("", agent.sha256):
            log.info("agent_overridden", agent=agent.name, ordered=order.agent_hash, runs=agent.sha256)
        return agent


def open_agent_setup(settings: WorkerSettings, types: Sequence[str]) -> AgentSetup:
    """The agents that these settings describe. Raises `ProviderMissing` unless all of `types` is `noop`."""
    hub_agents = hub_files(settings.data_dir)
    if all(agent_type == "noop" for agent_type in types):
        return AgentSetup(None, None, hub_agents)
    provider = provider_for(settings, types)
    client = open_client(provider, idle_timeout_s=settings.model_idle_s)
    return AgentSetup(provider, client, hub_agents, close=client.aclose)


def _plan_rules(context: WorkContext) -> PlanRules:
    known = {task.key: task.task_id for task in context.plan.graph} if context.plan else {}
    count = len(context.requirements)

    def check(plan: Plan) -> None:
        if known:
            validate_plan(plan.tasks, existing=known, requirement_count=count, origin="rework")
        else:
            validate_proposal(plan, requirements=context.requirements)

    return check


def _type_of(order: TaskEnqueued) -> AgentType:
    return agent_type_of(order.agent_type)


async def _texts(workspace: Workspace, commit: str) -> dict[str, str]:
    """The agent files of a commit: path to text."""
    entries = [
        entry
        for entry in await workspace.repository.files(commit)
        if entry.path.endswith(".md")
        and entry.mode.startswith("100")
        and any(entry.path.startswith(f"{folder}/") for folder in REPOSITORY_FOLDERS)
    ]
    contents = await workspace.repository.contents(entries) if entries else {}
    return {path: data.decode("utf-8", "replace") for path, data in contents.items()}
