"""Sample goal: a price calculator whose agent is blocked until a person decides how half a cent is rounded."""

from __future__ import annotations

from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scenarios.price_rounding import gates, work
from agenthub_worker.rehearsal.steps import SampleGoal, SampleScenario
from agenthub_worker.rehearsal.turns import Script

SAMPLE = SampleGoal(
    name="price-rounding",
    wordings=("Build a price calculator with VAT",),
    requirements=("Unit tests", "Documentation"),
    shows="an agent that is blocked and asks a person, and code that follows the answer",
)


def script_for(conversation: Conversation) -> Script | None:
    """The script of a task, by its kind and id."""
    match conversation.kind:
        case "plan":
            return work.planning
        case "work":
            return work.SCRIPTS.get(conversation.task_id)
        case "gate":
            return gates.script_for(conversation.task_id)
        case _:
            return None


SCENARIO = SampleScenario(SAMPLE, script_for)
