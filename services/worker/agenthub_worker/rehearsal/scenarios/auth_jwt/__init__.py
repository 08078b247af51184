"""Sample goal: an authentication system with JSON Web Tokens, with one real bug in its refresh logic."""

from __future__ import annotations

from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scenarios.auth_jwt import gates, plan, repair, second_factor, work
from agenthub_worker.rehearsal.steps import SampleGoal, SampleScenario
from agenthub_worker.rehearsal.turns import Script

SAMPLE = SampleGoal(
    name="auth-jwt",
    wordings=(
        "Build authentication system with JWT",
        "Build complete authentication system",
        "Build auth system",
    ),
    requirements=("Unit tests", "Security audit", "Documentation"),
    shows=(
        "twelve tasks in parallel, a real bug that the tests find, its diagnosis and repair, three gates; the"
        f" feedback “{second_factor.FEEDBACK}” starts a second round"
    ),
)


def script_for(conversation: Conversation) -> Script | None:
    """The script of a task, by its kind and id."""
    match conversation.kind:
        case "plan":
            return plan.planning
        case "work":
            return work.SCRIPTS.get(conversation.task_id) or second_factor.SCRIPTS.get(conversation.task_id)
        case "debug" if conversation.task_id.startswith("debug-tests-"):
            return repair.diagnosing
        case "fix" if conversation.task_id.startswith("fix-tests-"):
            return repair.mending
        case "gate":
            return gates.script_for(conversation.task_id)
        case _:
            return None


SCENARIO = SampleScenario(SAMPLE, script_for)
