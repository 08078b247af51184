"""Every usual name of an agent finds its queue."""

from __future__ import annotations

import pytest

from agenthub_events.agent_types import AGENT_TYPES, agent_type_of
from agenthub_events.errors import InvalidInput


@pytest.mark.parametrize(
    ("name", "agent_type"),
    [
        *((name, name) for name in AGENT_TYPES),
        ("Coder", "coding"),
        ("coding-agent-worker", "coding"),
        ("test_agent_worker", "testing"),
        ("Test Orchestrator", "testing"),
        ("code-reviewer", "review"),
        ("security-auditor", "security"),
        ("debugger agent", "debug"),
        ("system-architect", "architect"),
        ("master-orchestrator", "planner"),
        ("  review ", "review"),
    ],
)
def test_a_name_in_any_spelling_is_its_queue(name: str, agent_type: str) -> None:
    assert agent_type_of(name) == agent_type


@pytest.mark.parametrize("name", ["", "chef", "-agent", "coding2", "x" * 500])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InvalidInput, match="known are planner, coding") as caught:
        agent_type_of(name)
    assert caught.value.field == "agent"
    assert "noop" not in str(caught.value)
    assert len(str(caught.value)) < 250
