"""The choices that questions of the hub itself offer, what each of them means, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

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

_PROVIDER = "provider"

_FOLLOWS: dict[str, str] = {
    TRY_AGAIN: "The task gets another attempt, and the agent reads what you add.",
    SKIP_IT: "The task ends without a result, and what depends on it goes on without one.",
    CANCEL_IT: "The task ends for good, and so does every task that depends on it.",
    GIVE_UP: "The goal ends as failed and nothing more is started. What was merged stays on its branch.",
}

_FOLLOWS_FOR: dict[tuple[str, str], str] = {
    ("rounds", TRY_AGAIN): "The repair begins anew with what you add, and the gate judges again.",
    ("rounds", ACCEPT): "The gate counts as waived by you, which the result says, and the goal goes on.",
    ("plan", TRY_AGAIN): "The planner proposes anew, and reads what you add.",
    ("plan", LEAVE_IT): "The rework is dropped, and the result stays what it was.",
    ("budget", TRY_AGAIN): "Work goes on as far as the budget reaches. Raise it first, or you are asked again.",
    ("deadline", MORE_TIME): "The goal's time begins anew at your answer, and work goes on.",
    (
        "stalled",
        TRY_AGAIN,
    ): "The question is closed. By itself that starts nothing: mend what the diagnosis names.",
    ("unserved", TRY_AGAIN): "The order waits on for a worker, and nobody is asked about it again.",
    ("queued", TRY_AGAIN): "The order waits on for its turn, and nobody is asked about it again.",
    ("dead_letter", TRY_AGAIN): "The task leaves the dead letters and gets another attempt.",
    ("conflict", TRY_AGAIN): "The task is worked on once more, on the newest state.",
    ("repository", TRY_AGAIN): "The repository is looked for and prepared again.",
    (SETUP, TRY_AGAIN): "The same setup runs again, for when what was missing is there now.",
    ("delivery", TRY_AGAIN): "The result is brought to its repository again.",
    ("delivery", SKIP_IT): "The result is not delivered. It stays in the hub, where you can take it from.",
    (_PROVIDER, TRY_AGAIN): "The model is asked again, and the run goes on where it stopped.",
}

_BACK_TO_THE_AGENT = "The agent gets this as your answer and goes on where it stopped."


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
    ours = not _is_of_agent(asked.reason, asked.worker)
    if answer.action == "answer" and ours and chosen in asked.options:
        return _MEANING.get(chosen, answer.action)
    return answer.action


def consequences(options: Sequence[str], *, reason: str, worker: str, said: Sequence[str] = ()) -> tuple[str, ...]:
    """What happens when an option is chosen, a sentence for each.

    `reason` and `worker` are those of the question; `said` is what an agent has said of its own options.
    """
    by_agent = _is_of_agent(reason, worker)
    told = said if by_agent and len(said) == len(options) else [""] * len(options)
    return tuple(words or _follows(option, reason, by_agent) for option, words in zip(options, told, strict=True))


RETRIED, SKIPPED = _FOLLOWS[TRY_AGAIN], _FOLLOWS[SKIP_IT]
"""What follows when a person has a task tried again, or left out, whatever was asked."""


def _follows(option: str, reason: str, by_agent: bool) -> str:
    if by_agent and reason != _PROVIDER:
        return _BACK_TO_THE_AGENT
    return _FOLLOWS_FOR.get((reason, option)) or _FOLLOWS.get(option, _BACK_TO_THE_AGENT)


def _is_of_agent(reason: str, worker: str) -> bool:
    return bool(worker) and reason not in _OF_WORKERS
