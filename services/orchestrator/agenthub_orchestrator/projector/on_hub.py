"""What is said about the hub itself, and what it does to the rows."""

from __future__ import annotations

from agenthub_events.catalogue.log import LogQuarantined, LogReleased
from agenthub_orchestrator.projector.rows import GoalRows, Handlers
from agenthub_runtime.readmodels.rows import DeadLetterRow

ORCHESTRATOR = "orchestrator"


def quarantined(view: GoalRows, seq: int, event: LogQuarantined) -> None:
    """The orchestrator has given up on something; what the projector leaves out has its dead letter already."""
    if event.by != ORCHESTRATOR:
        return
    letter = DeadLetterRow(
        dead_letter_id=f"dl-{seq}",
        kind="undecidable",
        goal_id=event.goal_id,
        task_id="",
        reason=f"message {event.message_seq}: {event.reason}",
        aggregate=event.aggregate,
        seq=seq,
        at=event.timestamp,
    )
    view.letters[event.aggregate] = letter
    view.touch(letter)


def released(view: GoalRows, seq: int, event: LogReleased) -> None:
    """Another orchestrator can go on."""
    letter = view.letters.pop(event.aggregate, None) if event.by == ORCHESTRATOR else None
    if letter is not None:
        letter.state = "released"
        letter.decided_at = event.timestamp
        view.touch(letter)


HANDLERS: Handlers = {LogQuarantined: quarantined, LogReleased: released}
