"""Questions to people and their answers, on a task or on the goal as a whole."""

from __future__ import annotations

from agenthub_events.base import Event
from agenthub_events.catalogue.values import AnswerAction, TaskEdits, Usage


class AgentBlocked(Event, frozen=True, kw_only=True, tag="agent.blocked"):
    """Work cannot go on without a person. `tool_use_id` is the call that the answer becomes the result of.

    `consequences` are what an agent says of its `options`, one each; empty where it said nothing.
    """

    question: str
    task_id: str = ""
    options: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    evidence: str = ""
    error: str = ""
    retry_count: int = 0
    attempt: int = 0
    reason: str = ""
    tool_use_id: str = ""
    worker: str = ""
    checkpoint: str = ""
    bundle_ref: str = ""
    usage: Usage = Usage()


class AgentEscalated(Event, frozen=True, kw_only=True, tag="agent.escalated"):
    """Nobody has answered for a while; the question is raised again."""

    level: int
    blocked_seq: int
    task_id: str = ""


class AgentAnswered(Event, frozen=True, kw_only=True, tag="agent.answered"):
    """A person has decided about the question at `blocked_seq`."""

    action: AnswerAction
    by: str
    blocked_seq: int
    task_id: str = ""
    text: str = ""
    option: str = ""
    edits: TaskEdits = TaskEdits()


EVENTS: tuple[type[Event], ...] = (AgentBlocked, AgentEscalated, AgentAnswered)
CLOSES_ATTEMPT: tuple[type[Event], ...] = (AgentBlocked,)
BY_WORKERS: tuple[type[Event], ...] = (AgentBlocked,)
BY_ORCHESTRATOR: tuple[type[Event], ...] = (AgentBlocked, AgentAnswered, AgentEscalated)
BY_GATEWAY: tuple[type[Event], ...] = (AgentAnswered,)
