"""What a script says next, and how a script is played along a conversation."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from agenthub_worker.rehearsal.conversation import Conversation, ToolOutcome

LABEL = (
    "REHEARSAL: this is a script, not a language model. The tools it calls, the workspace, the tests and their"
    " failures are real."
)


class ToolCall(msgspec.Struct, frozen=True):
    """One tool that a turn calls."""

    name: str
    input: Mapping[str, Any]


class Turn(msgspec.Struct, frozen=True):
    """One reply. Without a `stop_reason` it is `tool_use` when there are calls, else `end_turn`.

    `thinking` puts a signed thinking block before the text.
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    stop_reason: str | None = None
    thinking: str = ""

    @property
    def stopped_by(self) -> str:
        """The stop reason that goes over the wire."""
        return self.stop_reason or ("tool_use" if self.calls else "end_turn")


Outcomes: TypeAlias = Sequence[ToolOutcome]
Performance: TypeAlias = Generator[Turn, Outcomes, None]
Script: TypeAlias = Callable[[Conversation], Performance]


class Scenario(Protocol):
    """Answers the conversations that it knows, as a pure function of what they hold."""

    def step(self, conversation: Conversation) -> Turn | None:
        """The next turn, or None when this conversation is not part of the scenario."""
        ...


def play(script: Script, conversation: Conversation) -> Turn:
    """The turn that `script` takes next.

    The script runs again from its start and receives the recorded outcomes of its own turns. A recorded turn that
    is not what the script said (a reply spoilt on the wire), or that was interrupted, does not count: the script
    says the same thing again.
    """
    performance = script(conversation)
    turn = next(performance)
    for outcomes in conversation.turns:
        if not _answers(turn, outcomes):
            continue
        try:
            turn = performance.send(outcomes)
        except StopIteration:
            return call("ask_human", text="My script ends here.", question=f"{outcomes[-1].text[:500]} What now?")
    return turn


def call(tool: str, /, *, text: str = "", **input_: Any) -> Turn:
    """A turn with one tool call."""
    return Turn(text, (ToolCall(tool, input_),))


def labelled(turn: Turn, conversation: Conversation) -> Turn:
    """`turn` with the label in front when it is the first of its run."""
    if conversation.assistant_messages:
        return turn
    return msgspec.structs.replace(turn, text=f"{LABEL}\n\n{turn.text}".rstrip())


def _answers(turn: Turn, outcomes: Outcomes) -> bool:
    said = [(wanted.name, dict(wanted.input)) for wanted in turn.calls]
    done = [(outcome.name, dict(outcome.input)) for outcome in outcomes]
    return said == done and not any(outcome.lost for outcome in outcomes)
