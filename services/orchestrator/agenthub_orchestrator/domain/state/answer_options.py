"""The choices that the orchestrator's own questions offer, and what each of them means."""

from __future__ import annotations

from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.values import AnswerAction

TRY_AGAIN = "Try again"
SKIP_IT = "Go on without it"
ACCEPT = "Accept it as it is"
CANCEL_IT = "Cancel it and everything that depends on it"
LEAVE_IT = "Leave everything as it was"
MORE_TIME = "Give it the same time again"
GIVE_UP = "Give the goal up"

SETUP = "setup"
"""The reason of a question about a repository that cannot be set up."""

_MEANING: dict[str, AnswerAction] = {
    TRY_AGAIN: "retry",
    SKIP_IT: "skip",
    ACCEPT: "skip",
    CANCEL_IT: "cancel",
    LEAVE_IT: "skip",
    MORE_TIME: "retry",
    GIVE_UP: "cancel",
}


_OF_WORKERS = frozenset({"repository", "delivery", SETUP})
"""Matters about which no agent but the worker itself asks, with the options of this module."""


def new_setup(asked: AgentBlocked, answer: AgentAnswered) -> tuple[str, ...]:
    """The commands, one a line, with which a person answers the question of a setup; empty: no word of them."""
    said = answer.text.strip()
    if asked.reason != SETUP or said in asked.options or answer.action not in ("answer", "edit"):
        return ()
    return tuple(line.strip() for line in said.splitlines() if line.strip())


def action_of(asked: AgentBlocked, answer: AgentAnswered) -> AnswerAction:
    """What an answer asks for: a chosen option of one of our own questions names its action.

    An agent's options are its own: they are the text that goes back to it.
    """
    chosen = answer.option or answer.text
    ours = not asked.worker or asked.reason in _OF_WORKERS
    if answer.action == "answer" and ours and chosen in asked.options:
        return _MEANING.get(chosen, answer.action)
    return answer.action
