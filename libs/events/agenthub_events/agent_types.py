"""The queues of the hub and every name under which people know them."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

from agenthub_events.errors import InvalidInput

AgentType: TypeAlias = Literal["planner", "coding", "testing", "review", "debug", "security", "architect", "noop"]

AGENT_TYPES: tuple[AgentType, ...] = get_args(AgentType)

_ALIASES: dict[str, AgentType] = {
    "plan": "planner",
    "planning": "planner",
    "code": "coding",
    "coder": "coding",
    "developer": "coding",
    "test": "testing",
    "tester": "testing",
    "test-orchestrator": "testing",
    "reviewer": "review",
    "code-reviewer": "review",
    "code-review": "review",
    "debugger": "debug",
    "debugging": "debug",
    "security-auditor": "security",
    "audit": "security",
    "auditor": "security",
    "system-architect": "architect",
    "architecture": "architect",
    "master-orchestrator": "planner",
}
_SUFFIX = re.compile(r"-(?:agent|worker)$")


def agent_type_of(text: str) -> AgentType:
    """The queue that `text` names, in any usual spelling. Raises `InvalidInput` that lists the types."""
    name = text.strip().lower().replace("_", "-").replace(" ", "-")
    while (shorter := _SUFFIX.sub("", name)) != name:
        name = shorter
    for agent_type in AGENT_TYPES:
        if name == agent_type:
            return agent_type
    if name in _ALIASES:
        return _ALIASES[name]
    raise InvalidInput(
        f"unknown agent `{text[:60]}`: known are {', '.join(t for t in AGENT_TYPES if t != 'noop')}",
        field="agent",
    )
