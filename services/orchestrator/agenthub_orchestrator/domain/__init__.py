"""Deciding, without any input or output: the fold of a goal's events, and what is due because of them.

    state = initial(goal_id)
    for recorded in log_of_goal:            # every message below evt.<goal>.> in order, none left out
        apply(state, recorded)              # updates `state` in place and returns it
    dues = decide(state, now=now, fired=fired, policy=policy, in_flight=aggregates)

`decide` has no memory: what it returned stays due until the fold holds it. Aggregates named in `in_flight` (as
`Draft.originator_id`: an event of theirs was sent and has not come back) are left out, to save work only.
"""

from agenthub_orchestrator.domain.due import Charge, Due, Fired, TimerKind, TimerRequest
from agenthub_orchestrator.domain.inputs import (
    DecisionInputs,
    decode_policy,
    encode_policy,
    from_metadata,
    to_metadata,
)
from agenthub_orchestrator.domain.orders.estimates import estimates
from agenthub_orchestrator.domain.orders.lanes import lane
from agenthub_orchestrator.domain.policy import Policy
from agenthub_orchestrator.domain.queued import LaneView, QueuedOrder, QueueWatch, Workers, queued_orders
from agenthub_orchestrator.domain.rules.budget import charged
from agenthub_orchestrator.domain.rules.decide import decide
from agenthub_orchestrator.domain.rules.timer_requests import is_settled_by, timers_of
from agenthub_orchestrator.domain.state.fold import apply
from agenthub_orchestrator.domain.state.goal import GoalState, initial
from agenthub_orchestrator.domain.state.status import GoalWord, derived_status, task_status, why_waiting
from agenthub_orchestrator.domain.state.task import TaskState, TaskWord

__all__ = [
    "Charge",
    "DecisionInputs",
    "Due",
    "Fired",
    "GoalState",
    "GoalWord",
    "LaneView",
    "Policy",
    "QueueWatch",
    "QueuedOrder",
    "TaskState",
    "TaskWord",
    "TimerKind",
    "TimerRequest",
    "Workers",
    "apply",
    "charged",
    "decide",
    "decode_policy",
    "derived_status",
    "encode_policy",
    "estimates",
    "from_metadata",
    "initial",
    "is_settled_by",
    "lane",
    "queued_orders",
    "task_status",
    "timers_of",
    "to_metadata",
    "why_waiting",
]
