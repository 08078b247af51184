"""Reading what a notification tells out of the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue import agent as a
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import money as m
from agenthub_events.catalogue.notification import NotificationPlanned, Occasion
from agenthub_events.channels import CHANNELS
from agenthub_events.errors import AgenthubError
from agenthub_events.notifications.escalation import Audience, Escalation, EscalationStep, reached_by, steps_of
from agenthub_events.notifications.interventions import blocker_reason
from agenthub_events.ports import EventLog, Recorded
from agenthub_events.rules.answer_options import consequences
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_notifier.content.story import Occurrence, Story
from agenthub_notifier.domain.standing import Standing, standing_at
from agenthub_runtime.signed_links import VALID_FOR, LinkClaim, LinkPurpose, LinkSigner
from agenthub_runtime.titles import title_of

_PURPOSES: dict[str, LinkPurpose] = {
    "question": "answer",
    "reminder": "answer",
    "review": "review",
    "plan": "plan",
}


class OccasionMissing(AgenthubError):
    """The log has no readable message where a notification says that one stands."""


async def _unknown() -> Escalation | None:
    return None


class Stories:
    """Tells what notifications are about. Without `links` nothing can be opened from a message.

    `escalation` asks what becomes of questions that nobody answers, `audience` is whom its reminders reach.
    """

    def __init__(
        self,
        log: EventLog,
        links: LinkSigner | None = None,
        *,
        public_url: str = "",
        escalation: Callable[[], Awaitable[Escalation | None]] = _unknown,
        audience: Audience | None = None,
    ) -> None:
        self._log = log
        self._links = links
        self._public_url = public_url
        self._escalation = escalation
        self._audience = audience

    async def of(self, planned: NotificationPlanned) -> Occurrence:
        """Everything that it tells. Raises `StoreUnavailable`, `OccasionMissing`."""
        stories = tuple([await self._story(occasion, planned) for occasion in planned.occasions])
        goals = {occasion.goal_id for occasion in planned.occasions}
        last = planned.occasions[-1]
        return Occurrence(
            stories=stories,
            is_rehearsal=any([await self._is_rehearsal(goal_id) for goal_id in sorted(goals)]),
            hub_url=self._public_url,
            unsubscribe=self._link("unsubscribe", planned) if CHANNELS[planned.channel].unsubscribes else "",
            standing=await self._standing(last) if planned.channel == "check" else None,
        )

    async def is_moot(self, planned: NotificationPlanned) -> bool:
        """Whether everything that it would ask for has been decided meanwhile, or a check says something newer."""
        if planned.channel == "check":
            last = planned.occasions[-1]
            return (await self._standing(last)).newest_seq > last.seq
        return all([await self._is_decided(occasion) for occasion in planned.occasions])

    async def _story(self, occasion: Occasion, planned: NotificationPlanned) -> Story:
        event = await self._event_at(occasion.goal_id, occasion.seq)
        asked = occasion.seq
        level, since = 0, event.timestamp
        if isinstance(event, a.AgentEscalated):
            asked, level = event.blocked_seq, event.level
            event = await self._event_at(occasion.goal_id, asked)
        goal = await title_of(self._log, occasion.goal_id, GOAL_AS_A_WHOLE)
        story = Story(
            kind=occasion.kind,
            seq=occasion.seq,
            goal_id=occasion.goal_id,
            goal=goal,
            task_id=occasion.task_id,
            level=level,
            question_seq=asked if occasion.kind in ("question", "reminder") else 0,
        )
        if occasion.task_id != GOAL_AS_A_WHOLE:
            title = await title_of(self._log, occasion.goal_id, occasion.task_id)
            story = msgspec.structs.replace(story, task_title=title)
        if story.question_seq:
            steps = await self._if_unanswered(story, since, planned.timestamp)
            story = msgspec.structs.replace(story, if_unanswered=steps)
        return msgspec.structs.replace(told(story, event), link=self._story_link(story, planned))

    async def _if_unanswered(self, story: Story, since: datetime, now: datetime) -> tuple[EscalationStep, ...]:
        escalation = await self._escalation()
        if escalation is None:
            return ()
        since, level = reached_by(now, escalation, since=since, level=story.level)
        of_task = story.task_id != GOAL_AS_A_WHOLE
        return steps_of(escalation, self._audience, since=since, level=level, of_task=of_task)

    async def _standing(self, occasion: Occasion) -> Standing:
        records: list[Recorded] = []
        page = await self._log.read(occasion.goal_id)
        while page:
            records.extend(page)
            page = await self._log.read(occasion.goal_id, after=page[-1].seq)
        return standing_at(records, occasion.seq)

    async def _event_at(self, goal_id: str, seq: int) -> Event:
        recorded = await self._recorded_at(goal_id, seq)
        if recorded is None or not isinstance(recorded.event, Event):
            raise OccasionMissing(f"Message {seq} of goal {goal_id} cannot be read: it is not told")
        return recorded.event

    async def _recorded_at(self, goal_id: str, seq: int) -> Recorded | None:
        found = await self._log.read(goal_id, after=seq - 1, limit=1)
        return found[0] if found and found[0].seq == seq else None

    async def _is_decided(self, occasion: Occasion) -> bool:
        place = f"{occasion.goal_id}.{occasion.task_id}"
        match occasion.kind:
            case "question" | "reminder":
                asked = await self._asked_at(occasion)
                family = f"{place}.agent" if occasion.task_id == GOAL_AS_A_WHOLE else place
                later = await self._log.read(family, after=asked)
                answers = (r.event for r in later if isinstance(r.event, a.AgentAnswered))
                return any(event.blocked_seq == asked for event in answers) or await self._is_over(occasion)
            case "review":
                own = await self._log.read(f"{occasion.goal_id}._.goal", after=occasion.seq)
                return any(
                    isinstance(r.event, g.GoalApproved | g.GoalReworkRequested | g.GoalReplanned) for r in own
                ) or await self._is_over(occasion)
            case "plan":
                own = await self._log.read(f"{occasion.goal_id}._.goal", after=occasion.seq)
                approved = any(isinstance(r.event, g.GoalPlanApproved) for r in own)
                return approved or await self._is_over(occasion)
            case _:
                return False

    async def _asked_at(self, occasion: Occasion) -> int:
        event = await self._event_at(occasion.goal_id, occasion.seq)
        return event.blocked_seq if isinstance(event, a.AgentEscalated) else occasion.seq

    async def _is_over(self, occasion: Occasion) -> bool:
        own = await self._log.read(f"{occasion.goal_id}._.goal", after=occasion.seq)
        return any(isinstance(r.event, g.GoalCompleted | g.GoalFailed | g.GoalCancelled) for r in own)

    async def _is_rehearsal(self, goal_id: str) -> bool:
        calls = await self._log.read(f"{goal_id}.*.llm", limit=1)
        return any(isinstance(r.event, m.LlmCalled) and r.event.provider == "rehearsal" for r in calls)

    def _story_link(self, story: Story, planned: NotificationPlanned) -> str:
        purpose = _PURPOSES.get(story.kind)
        if purpose is None or CHANNELS[planned.channel].is_program:
            return f"{self._public_url.rstrip('/')}/goals/{story.goal_id}" if self._public_url else ""
        seq = story.question_seq or story.seq
        return self._link(purpose, planned, goal_id=story.goal_id, task_id=story.task_id, seq=seq)

    def _link(
        self,
        purpose: LinkPurpose,
        planned: NotificationPlanned,
        *,
        goal_id: str = "",
        task_id: str = "",
        seq: int = 0,
    ) -> str:
        if self._links is None:
            return "" if purpose == "unsubscribe" else self._public_url
        claim = LinkClaim(
            purpose=purpose,
            recipient=planned.recipient,
            expires=_expiry(planned.timestamp),
            goal_id=goal_id,
            task_id=task_id,
            seq=seq,
        )
        return self._links.link(claim)


def told(story: Story, event: Event) -> Story:
    """The story with what its event says."""
    match event:
        case a.AgentBlocked():
            reason = blocker_reason(event.question, event.error)
            detail = tuple(filter(None, (event.evidence,)))
            follows = consequences(
                event.options, reason=event.reason, worker=event.worker, said=event.consequences
            )
            return msgspec.structs.replace(
                story, cause=reason, options=event.options, consequences=follows, detail=detail
            )
        case g.GoalPlanned(tasks=tasks):
            titles = tuple(f"- {task.title}" for task in tasks)
            return msgspec.structs.replace(story, cause=f"{len(tasks)} tasks are planned.", detail=titles)
        case g.GoalReadyForReview(summary=summary):
            return msgspec.structs.replace(story, cause=summary)
        case g.GoalCompleted(completion_summary=summary):
            return msgspec.structs.replace(story, cause=summary)
        case g.GoalFailed(reason=reason) | g.GoalCancelled(reason=reason):
            return msgspec.structs.replace(story, cause=reason)
        case g.GoalStalled(diagnosis=diagnosis):
            return msgspec.structs.replace(
                story, cause="Nothing can happen any more without you.", detail=diagnosis
            )
        case m.BudgetExceeded(limit=limit, value=value, used=used):
            return msgspec.structs.replace(story, cause=_limit_in_words(limit, value, used))
        case _:
            return story


def _limit_in_words(limit: str, value: float, used: float) -> str:
    if limit == "max_cost_usd":
        return f"${used:.2f} of ${value:.2f} are spent: no more model calls are made."
    return f"{used:g} of {value:g} model calls are used: no more are made."


def _expiry(planned_at: datetime) -> int:
    return int((planned_at + VALID_FOR).timestamp())
