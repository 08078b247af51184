"""Every event of the hub. The registry is closed: a type that is not listed here cannot be decoded."""

from __future__ import annotations

from agenthub_events.base import Event, type_of
from agenthub_events.catalogue import agent, gate, goal, log, money, notification, task

_KINDS: tuple[type[Event], ...] = (
    goal.GoalAccepted,
    goal.GoalPlanned,
    goal.GoalPlanRejected,
    goal.GoalPlanApproved,
    goal.GoalReplanned,
    goal.GoalReadyForReview,
    goal.GoalApproved,
    goal.GoalReworkRequested,
    goal.GoalTestsRequested,
    goal.GoalCompleted,
    goal.GoalFailed,
    goal.GoalCancelled,
    goal.GoalPaused,
    goal.GoalResumed,
    goal.GoalDeadlinePassed,
    goal.GoalStalled,
    goal.GoalBudgetRaised,
    goal.GoalReprioritized,
    goal.GoalErased,
    goal.SealRecorded,
    task.TaskEnqueued,
    task.TaskStarted,
    task.TaskCompleted,
    task.TaskFailed,
    task.TaskTimedOut,
    task.TaskParked,
    task.TaskRetryScheduled,
    task.TaskCancelled,
    task.TaskSkipped,
    task.TaskDeadLettered,
    task.TaskRequeued,
    task.TaskDiscarded,
    task.TaskProposed,
    task.TaskNoted,
    task.KnowledgeRecorded,
    task.MergeDone,
    task.MergeConflicted,
    agent.AgentBlocked,
    agent.AgentEscalated,
    agent.AgentAnswered,
    gate.GatePassed,
    gate.GateFailed,
    money.LlmCalled,
    money.BudgetReserved,
    money.BudgetSettled,
    money.BudgetExceeded,
    log.LogQuarantined,
    log.LogReleased,
    notification.NotificationPlanned,
    notification.NotificationSent,
    notification.NotificationFailed,
    notification.NotificationChannelOpened,
    notification.NotificationChannelClosed,
)

REGISTRY: dict[str, type[Event]] = {type_of(kind): kind for kind in _KINDS}

CLOSES_ATTEMPT = frozenset(
    {
        "task.completed",
        "task.failed",
        "task.timed_out",
        "task.parked",
        "task.cancelled",
        "task.skipped",
        "task.dead_lettered",
        "agent.blocked",
        "merge.conflicted",
        "gate.passed",
        "gate.failed",
    }
)
"""Types after which the attempt that a worker holds is over."""
