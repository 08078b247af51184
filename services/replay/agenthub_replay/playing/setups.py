"""What an agent is told, made again by today's code out of the recorded file, order, context and findings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import msgspec

from agenthub_events.context import WorkContext
from agenthub_events.redaction import MASK
from agenthub_events.runs import RunSetup
from agenthub_runtime.agents.load import AgentDefinition, parse_agent
from agenthub_runtime.errors import AgentFileInvalid
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_worker.domain.prompt import first_message, on_named_commits, system_prompt
from agenthub_worker.tools.registry import definitions, offered


class SetupPart(NamedTuple):
    """A part of a setup that today's code makes differently."""

    what: str
    recorded: str
    replayed: str


def differing_setup(setup: RunSetup, context: WorkContext, agent_file: bytes | None) -> Iterator[SetupPart]:
    """The parts that differ. Parts with a masked secret in them cannot be made again, and are left out."""
    parts = [_first(setup, context)]
    if agent_file is not None:
        parts.extend(_of_agent(setup, context, agent_file.decode()))
    for part in parts:
        if part.recorded != part.replayed and MASK not in part.recorded:
            yield part


def _first(setup: RunSetup, context: WorkContext) -> SetupPart:
    named = on_named_commits(context, ROOT_COMMIT)
    words = first_message(named, other_side=setup.other_side, scanned=setup.scanned, world=setup.world)
    return SetupPart("first message", setup.first, words)


def _of_agent(setup: RunSetup, context: WorkContext, text: str) -> Iterator[SetupPart]:
    try:
        agent = _agent(text, setup.agent)
    except AgentFileInvalid as error:
        yield SetupPart("agent file", setup.agent_file, str(error))
        return
    yield SetupPart("system prompt", setup.system, system_prompt(agent.name, agent.type, agent.prompt))
    tools = definitions(sorted(offered(context.kind, agent.tools)))
    yield SetupPart("tools", _json(setup.tools), _json(tools))
    if setup.max_turns:
        yield SetupPart("turns", str(setup.max_turns), str(agent.limits.max_turns))


@lru_cache(maxsize=64)
def _agent(text: str, source: str) -> AgentDefinition:
    """One file stands behind many runs."""
    return parse_agent(text, source=source)


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
