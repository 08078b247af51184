"""Questions about the goal as a whole: each matter asked once, closed when moot, raised again in time."""

from __future__ import annotations

from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked, AgentEscalated
from agenthub_events.rules import answer_options
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.policy import Policy
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.task import WAITS, Question
from agenthub_orchestrator.domain.state.timer_refs import escalation_ref

AGENTHUB = "agenthub"


def ask(
    decision: Decision,
    reason: str,
    question: str,
    *,
    options: tuple[str, ...],
    task_id: str = "",
    evidence: str = "",
) -> None:
    """Ask people about the goal as a whole, unless the same matter is open already."""
    state = decision.state
    if state.open_question(reason, task_id) is not None:
        return
    asked = AgentBlocked(
        question=question,
        task_id=task_id,
        options=options,
        evidence=evidence,
        reason=reason,
    )
    decision.write_family("agent", asked, f"{reason}-{state.asked.get(reason, 0) + 1}")


def tend_questions(decision: Decision) -> None:
    """Close questions that events have answered, and raise those again that nobody has answered in time."""
    for question in list(decision.state.questions.values()):
        moot = _why_moot(decision.state, question)
        if moot:
            answer = AgentAnswered(
                action="answer",
                by=AGENTHUB,
                blocked_seq=question.seq,
                task_id=question.asked.task_id,
                text=moot,
            )
            decision.write_family("agent", answer, f"default-{question.seq}")
        elif decision.fired:
            _escalate(decision, question)


def _why_moot(state: GoalState, question: Question) -> str:
    if question.task_id:
        return ""
    match question.asked.reason:
        case "budget" if state.raised_seq > question.seq:
            return "The budget was raised"
        case reason if reason in WAITS and not _waits_on(state, question):
            return "The order waits no more"
        case "dead_letter" if _is_handled(state, question.asked.task_id):
            return "The dead letter was dealt with"
        case _:
            return ""


def _waits_on(state: GoalState, question: Question) -> bool:
    task = state.tasks.get(question.asked.task_id)
    return task is not None and task.word == "enqueued" and task.order_seq < question.seq


def _is_handled(state: GoalState, task_id: str) -> bool:
    task = state.tasks.get(task_id)
    return task is None or task.word != "dead_lettered" or task.answer is not None


def _escalate(decision: Decision, question: Question) -> None:
    if not decision.has_fired("escalate", question.task_id or "_", escalation_ref(question)):
        return
    level = question.level + 1
    if level > decision.policy.max_escalations:
        _answer_by_default(decision, question)
        return
    event = AgentEscalated(level=level, blocked_seq=question.seq, task_id=question.asked.task_id)
    ordinal = f"{question.seq}-{level}"
    if question.task_id:
        decision.write(question.task_id, event, ordinal)
    else:
        decision.write_family("agent", event, ordinal)


def has_default_answer(question: Question, policy: Policy) -> bool:
    """Whether the policy answers the question when nobody does: those of tasks, never one about a goal."""
    return policy.unanswered != "wait" and bool(question.task_id)


def _answer_by_default(decision: Decision, question: Question) -> None:
    action = decision.policy.unanswered
    if action == "wait" or not question.task_id:
        return
    answer = AgentAnswered(
        action=action,
        by=AGENTHUB,
        blocked_seq=question.seq,
        task_id=question.asked.task_id,
        text="Nobody answered in time",
    )
    decision.write(question.task_id, answer, f"default-{question.seq}")


def ask_about_unreadable(decision: Decision) -> None:
    """A message that this code cannot read stops its aggregate; people are told which one."""
    for task_id in decision.state.frozen:
        seq = decision.state.tasks[task_id].unreadable_seq
        ask(
            decision,
            "unreadable",
            f"Message {seq} of task {task_id} cannot be read by this version of agenthub, so the task stands"
            " still. Upgrade agenthub and restart it, or go on without the task.",
            options=(answer_options.SKIP_IT, answer_options.GIVE_UP),
            task_id=task_id,
        )
    for family, seq in decision.state.unreadable.items():
        ask(
            decision,
            "unreadable",
            f"Message {seq} about the goal's {family} cannot be read by this version of agenthub, so the whole"
            " goal stands still. Upgrade agenthub and restart it.",
            options=() if family == "goal" else (answer_options.GIVE_UP,),
        )


def ask_about_deadline(decision: Decision) -> None:
    """A goal whose time is over starts nothing new until a person has decided."""
    passed = decision.state.deadline_passed_at
    if passed is not None:
        ask(
            decision,
            "deadline",
            f"The time of this goal was over at {passed:%Y-%m-%d %H:%M:%S} UTC. Nothing new is started until you"
            " decide.",
            options=(answer_options.MORE_TIME, answer_options.GIVE_UP),
        )


def ask_about_stall(decision: Decision) -> None:
    """A goal on which nothing can happen is put before a person."""
    if decision.state.stalled_unasked:
        ask(
            decision,
            "stalled",
            "Nothing can happen on this goal any more, and nobody was asked. Look at the diagnosis.",
            options=(answer_options.TRY_AGAIN, answer_options.GIVE_UP),
        )
