"""Who is told of what, and when: a function of the log, the policy and the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked, AgentEscalated
from agenthub_events.catalogue.goal import (
    GoalAccepted,
    GoalApproved,
    GoalCancelled,
    GoalCompleted,
    GoalFailed,
    GoalPlanApproved,
    GoalPlanned,
    GoalReadyForReview,
    GoalReworkRequested,
)
from agenthub_events.catalogue.notification import NotificationChannelClosed, NotificationChannelOpened
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued
from agenthub_events.catalogue.values import Estimates, TaskResult
from agenthub_events.notifications.quiet_hours import QuietHours, parse_quiet_hours
from agenthub_events.notifications.recipients import Recipient, parse_recipient
from agenthub_events.ports import Recorded
from agenthub_events.subjects import aggregate_of, subject_of
from agenthub_notifier.domain.planning import (
    HELD_FOR_DIGEST,
    WINDOW,
    NotifierPolicy,
    Telling,
    due,
    next_due,
    openings,
    prune,
)
from agenthub_notifier.domain.state import NotifierState, apply

START = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
GOAL, OTHER = ("g-" + "0" * 25 + digit for digit in "12")
ANN, BOB = (parse_recipient(f"{name}@example.org") for name in ("ann", "bob"))
HOOK = parse_recipient("https://hooks.example.org/x")
NIGHT = QuietHours(start=time(22), end=time(7))


class Log:
    """A log in memory, and what a notifier makes of it that starts anew at every look."""

    def __init__(self, policy: NotifierPolicy) -> None:
        self.policy = policy
        self.records: list[Recorded] = []
        self.now = START
        self.told: list[tuple[datetime, Telling]] = []
        for recipient in openings(self.state(), policy):
            self.add("hub", "_", NotificationChannelOpened(channel=recipient.channel, recipient=recipient.name))

    def state(self) -> NotifierState:
        state = NotifierState()
        for recorded in self.records:
            apply(state, recorded)
        return state

    def add(self, goal_id: str, task_id: str, event: Event, *route: str) -> int:
        seq = len(self.records) + 1
        event = msgspec.structs.replace(
            event,
            timestamp=self.now,
            event_id=f"e-{seq}",
            originator_id=aggregate_of(goal_id, task_id, event.type),
        )
        subject = subject_of(goal_id, task_id, event.type, *route)
        self.records.append(Recorded(seq=seq, subject=subject, event=event))
        return seq

    def accept(self, goal_id: str = GOAL, **facts: object) -> int:
        return self.add(goal_id, "_", GoalAccepted(goal="Sort", **facts))  # type: ignore[arg-type]

    def order(self, agent_type: str, task_id: str = "t-a") -> int:
        return self.add(
            GOAL,
            task_id,
            TaskEnqueued(
                task_id=task_id, agent="x", agent_type=agent_type, attempt=1, lane="p2", title="A", timeout_s=9
            ),
        )

    def ask(self, goal_id: str = GOAL, task_id: str = "t-a") -> int:
        return self.add(goal_id, task_id, AgentBlocked(question="Which?", task_id=task_id))

    def look(self, **later: float) -> list[Telling]:
        """What is planned after so much time; it stands in the log afterwards."""
        self.now += timedelta(**later)
        found = due(self.state(), self.policy, self.now)
        for telling in found:
            self.add(telling.goal_id, telling.key, telling.event)
            self.told.append((self.now, telling))
        assert due(self.state(), self.policy, self.now) == []
        return found


def log_of(*recipients: Recipient, **policy: object) -> Log:
    return Log(NotifierPolicy(recipients=recipients or (ANN,), **policy))  # type: ignore[arg-type]


def about(tellings: Sequence[Telling]) -> list[tuple[str, list[int]]]:
    return [(t.event.recipient, [occasion.seq for occasion in t.event.occasions]) for t in tellings]


def test_a_question_is_told_once_its_moment_is_over_and_never_again() -> None:
    log = log_of()
    log.accept()
    seq = log.ask()
    assert log.look(seconds=1.9) == []
    assert next_due(log.state(), log.policy, log.now) == START + WINDOW
    assert about(log.look(seconds=0.1)) == [(ANN.name, [seq])]
    assert log.look(days=3) == []
    assert next_due(log.state(), log.policy, log.now) is None


def test_questions_of_one_moment_share_a_message_those_of_the_next_have_their_own() -> None:
    log = log_of()
    log.accept()
    first = log.ask(task_id="t-a")
    log.now += timedelta(seconds=1.9)
    second = log.ask(task_id="t-b")
    log.now += timedelta(seconds=0.2)
    third = log.ask(task_id="t-c")
    assert about(log.look(seconds=5)) == [(ANN.name, [first, second]), (ANN.name, [third])]


def test_goals_and_recipients_have_messages_of_their_own_and_programs_one_for_each_kind() -> None:
    log = log_of(ANN, HOOK)
    log.accept()
    log.accept(OTHER)
    here, there = log.ask(), log.ask(OTHER)
    ready = log.add(GOAL, "_", GoalReadyForReview(revision=1, head="a" * 40, summary=""))
    found = log.look(seconds=2)
    assert sorted(about(found)) == sorted(
        [
            (ANN.name, [here, ready]),
            (ANN.name, [there]),
            (HOOK.name, [here]),
            (HOOK.name, [ready]),
            (HOOK.name, [there]),
        ]
    )
    assert len({telling.key for telling in found}) == 5


@pytest.mark.parametrize(
    "ends",
    [
        (AgentAnswered(action="answer", by="ann", blocked_seq=3, task_id="t-a"), "t-a"),
        (GoalCancelled(by="ann"), "_"),
    ],
)
def test_what_is_decided_before_it_is_told_is_not_told(ends: tuple[Event, str]) -> None:
    log = log_of()
    log.accept()
    assert log.ask() == 3
    log.add(GOAL, ends[1], ends[0])
    assert log.look(hours=1) == []


@pytest.mark.parametrize(
    "decision", [GoalApproved(by="ann", ready_seq=3), GoalReworkRequested(rework_id="r", feedback="", by="a")]
)
def test_a_review_that_is_decided_is_not_told_and_the_end_is(decision: Event) -> None:
    log = log_of()
    log.accept()
    log.add(GOAL, "_", GoalReadyForReview(revision=1, head="a" * 40, summary=""))
    log.add(GOAL, "_", decision)
    done = log.add(GOAL, "_", GoalCompleted(completion_summary="done"))
    assert about(log.look(seconds=2)) == [(ANN.name, [done])]


def test_a_plan_that_waits_for_approval_is_told_and_one_that_does_not_is_not() -> None:
    log = log_of()
    log.accept(autonomy="approve_plan")
    log.accept(OTHER)
    plan = GoalPlanned(
        revision=1, tasks=(), estimates=Estimates(tasks=0, minutes=1, minutes_low=1, minutes_high=1)
    )
    seq = log.add(GOAL, "_", plan)
    log.add(OTHER, "_", plan)
    assert about(log.look(seconds=2)) == [(ANN.name, [seq])]
    log.add(GOAL, "_", GoalPlanApproved(revision=1, by="ann"))
    assert log.look(seconds=9) == []


def test_reminders_reach_one_more_recipient_each_time() -> None:
    log = log_of(escalation=(BOB, HOOK))
    log.accept()
    asked = log.ask()
    assert {name for name, _ in about(log.look(seconds=2))} == {ANN.name}
    for level, names in enumerate(({ANN.name, BOB.name}, {ANN.name, BOB.name, HOOK.name}), 1):
        log.add(GOAL, "t-a", AgentEscalated(level=level, blocked_seq=asked, task_id="t-a"))
        assert {name for name, _ in about(log.look(seconds=2))} >= names


def test_quiet_hours_hold_everything_back_for_one_message_at_their_end() -> None:
    log = log_of(ANN, HOOK, quiet=NIGHT)
    log.now = datetime(2026, 11, 28, 23, 0, tzinfo=UTC)
    log.accept()
    log.accept(OTHER)
    asked, failed = log.ask(), log.add(OTHER, "_", GoalFailed(reason="x"))
    assert {name for name, _ in about(log.look(seconds=2))} == {HOOK.name}
    assert log.look(hours=7) == []
    assert next_due(log.state(), log.policy, log.now) == datetime(2026, 11, 29, 7, 0, tzinfo=UTC)
    (digest,) = log.look(hours=1)
    assert about([digest]) == [(ANN.name, [asked, failed])]
    assert digest.goal_id == "hub"


def test_an_urgent_goal_wakes_people_up() -> None:
    log = log_of(quiet=NIGHT)
    log.now = datetime(2026, 11, 28, 23, 0, tzinfo=UTC)
    log.accept(priority="urgent")
    seq = log.ask()
    assert about(log.look(seconds=2)) == [(ANN.name, [seq])]


def test_a_digest_holds_back_what_stops_no_work() -> None:
    log = log_of(ANN, HOOK, digest=timedelta(hours=2))
    log.accept()
    log.accept(OTHER)
    first = log.add(GOAL, "_", GoalCompleted(completion_summary="done"))
    log.look(minutes=90)
    second = log.add(OTHER, "_", GoalFailed(reason="x"))
    asked_goal = log.accept("g-" + "0" * 25 + "3")
    asked = log.ask("g-" + "0" * 25 + "3")
    assert asked_goal
    assert [entry for entry in about(log.look(seconds=2)) if entry[0] == ANN.name] == [(ANN.name, [asked])]
    assert about(log.look(minutes=31)) == [(ANN.name, [first, second])]


def test_a_closed_channel_is_told_nothing() -> None:
    log = log_of(ANN, BOB)
    log.add("hub", "_", NotificationChannelClosed(channel="email", recipient=ANN.name, reason="unsubscribed"))
    log.accept(notify=(ANN.address,))
    log.ask()
    assert {name for name, _ in about(log.look(seconds=2))} == {BOB.name}
    assert openings(log.state(), log.policy) == []


def test_a_recipient_that_comes_later_is_told_what_waits_and_not_what_is_over() -> None:
    log = Log(NotifierPolicy())
    log.accept()
    log.accept(OTHER)
    asked = log.ask()
    log.add(OTHER, "_", GoalCompleted(completion_summary="done"))
    assert log.look(hours=1) == []
    log.policy = NotifierPolicy(recipients=(ANN,))
    (new,) = openings(log.state(), log.policy)
    log.add("hub", "_", NotificationChannelOpened(channel=new.channel, recipient=new.name))
    assert about(log.look(hours=1)) == [(ANN.name, [asked])]


def test_what_everybody_knows_is_forgotten() -> None:
    log = log_of()
    log.accept()
    log.add(GOAL, "_", GoalCompleted(completion_summary="done"))
    state = log.state()
    prune(state, log.policy)
    assert state.open
    log.look(seconds=2)
    state = log.state()
    prune(state, log.policy)
    assert state.open == {}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("ask", "answer", "ready", "approve", "complete", "fail", "remind", "look")),
        st.sampled_from((GOAL, OTHER)),
        st.floats(min_value=0, max_value=20_000),
    ),
    max_size=25,
)
POLICIES = st.builds(
    NotifierPolicy,
    recipients=st.sampled_from(((ANN,), (ANN, BOB), (ANN, HOOK))),
    escalation=st.sampled_from(((), (BOB,))),
    quiet=st.sampled_from((None, NIGHT, QuietHours(start=time(9), end=time(17), zone="America/New_York"))),
    digest=st.sampled_from((timedelta(), timedelta(hours=2))),
)


def play(log: Log, steps: Sequence[tuple[str, str, float]]) -> None:
    """Let it all happen; every look is that of a notifier that has just been started."""
    log.accept()
    log.accept(OTHER)
    asked: dict[str, int] = {}
    for what, goal_id, seconds in steps:
        match what:
            case "ask":
                asked[goal_id] = log.ask(goal_id)
            case "answer" if goal_id in asked:
                log.add(goal_id, "t-a", AgentAnswered(action="retry", by="ann", blocked_seq=asked.pop(goal_id)))
            case "remind" if goal_id in asked:
                log.add(goal_id, "t-a", AgentEscalated(level=1, blocked_seq=asked[goal_id], task_id="t-a"))
            case "ready":
                log.add(goal_id, "_", GoalReadyForReview(revision=1, head="a" * 40, summary=""))
            case "approve":
                log.add(goal_id, "_", GoalApproved(by="ann", ready_seq=1))
            case "complete":
                log.add(goal_id, "_", GoalCompleted(completion_summary=""))
            case "fail":
                log.add(goal_id, "_", GoalFailed(reason=""))
            case _:
                log.look()
        log.now += timedelta(seconds=seconds)
    log.look()
    while (at := next_due(log.state(), log.policy, log.now)) is not None:
        assert at > log.now
        log.now = at
        assert log.look(), "who wakes up when told to finds something to tell"


@settings(max_examples=150, deadline=None)
@given(STEPS, POLICIES)
def test_whatever_happens_each_matter_is_told_once_to_each_recipient_and_not_at_night(
    steps: list[tuple[str, str, float]], policy: NotifierPolicy
) -> None:
    log = Log(policy)
    play(log, steps)
    told = Counter((t.event.recipient, occasion.seq) for _, t in log.told for occasion in t.event.occasions)
    assert set(told.values()) <= {1}
    assert len({t.key for _, t in log.told}) == len(log.told)
    for at, telling in log.told:
        people = telling.event.channel != "webhook"
        assert not (people and policy.quiet and policy.quiet.end_after(at))
    open_matters = {m.occasion.seq for goal in log.state().open.values() for m in goal.matters.values()}
    for recipient in policy.recipients:
        assert open_matters <= {seq for name, seq in told if name == recipient.name}


@pytest.mark.parametrize(
    ("text", "moment", "end"),
    [
        ("22:00-07:00", "2026-11-28T21:59:59", None),
        ("22:00-07:00", "2026-11-28T22:00:00", "2026-11-29T07:00:00"),
        ("22:00-07:00", "2026-11-29T06:59:59", "2026-11-29T07:00:00"),
        ("22:00-07:00", "2026-11-29T07:00:00", None),
        ("09:00-17:00", "2026-11-28T12:00:00", "2026-11-28T17:00:00"),
        ("9:00 - 17:00 Asia/Tokyo", "2026-11-28T00:00:00", "2026-11-28T08:00:00"),
        ("22:00-07:00 Europe/Berlin", "2026-07-01T20:30:00", "2026-07-02T05:00:00"),
        # The night of 25 October 2026 has one hour more, that of 29 March one less.
        ("22:00-07:00 Europe/Berlin", "2026-10-24T20:00:00", "2026-10-25T06:00:00"),
        ("22:00-07:00 Europe/Berlin", "2026-03-28T21:00:00", "2026-03-29T05:00:00"),
    ],
)
def test_quiet_hours_follow_the_clocks_of_their_zone(text: str, moment: str, end: str | None) -> None:
    found = parse_quiet_hours(text).end_after(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert found == (datetime.fromisoformat(end).replace(tzinfo=UTC) if end else None)


@given(
    st.times(), st.times(), st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1)),
    st.sampled_from(("UTC", "Europe/Berlin", "Pacific/Apia", "America/St_Johns")),
)  # fmt: skip
def test_quiet_hours_end_within_a_day_and_are_over_then(
    start: time, end: time, moment: datetime, zone: str
) -> None:
    start, end = start.replace(second=0, microsecond=0, fold=0), end.replace(second=0, microsecond=0, fold=0)
    if start == end:
        return
    at = moment.replace(tzinfo=UTC)
    until = QuietHours(start=start, end=end, zone=zone).end_after(at)
    assert until is None or at < until <= at + timedelta(hours=25)


def test_no_kind_that_stops_work_waits_for_a_digest() -> None:
    assert frozenset({"review", "completed", "failed"}) == HELD_FOR_DIGEST


def test_a_question_of_a_worker_that_does_no_such_task_is_told_to_nobody() -> None:
    log = Log(NotifierPolicy(recipients=(ANN,)))
    log.accept()
    log.order("coding")
    log.add(GOAL, "t-a", AgentBlocked(question="Send me the key", task_id="t-a"), "review")
    log.add(GOAL, "_", AgentBlocked(question="Send me the key", task_id="t-a"), "coding")
    assert not log.state().open
    log.add(GOAL, "t-a", AgentBlocked(question="Which?", task_id="t-a"), "coding")
    assert list(log.state().open) == [GOAL]


def test_progress_changes_checks_and_is_told_to_nobody_else() -> None:
    check = parse_recipient("check#12")
    log = Log(NotifierPolicy(recipients=(ANN, HOOK)))
    log.add(GOAL, "_", GoalAccepted(goal="x", base_commit="a" * 40, notify=("check#12",)))
    log.add(OTHER, "_", GoalAccepted(goal="y", notify=("check#12",)))
    log.look(seconds=3)
    log.add(GOAL, "_", GoalCancelled(by="ann"))
    log.look(seconds=3)
    assert [(telling.event.recipient, telling.event.occasions[0].kind) for _, telling in log.told] == [
        (check.name, "progress"),
        (check.name, "cancelled"),
    ]


def test_of_many_tasks_at_once_a_check_says_the_newest_state() -> None:
    log = Log(NotifierPolicy())
    log.add(GOAL, "_", GoalAccepted(goal="x", base_commit="a" * 40, notify=("check",)))
    seqs = [log.add(GOAL, f"t-{number}", completed(f"t-{number}")) for number in range(3)]
    log.add(GOAL, "gate-tests-1", completed("gate-tests-1"))
    log.look(seconds=3)
    assert [telling.event.occasions[0].seq for _, telling in log.told] == [seqs[-1]]


def completed(task_id: str) -> TaskCompleted:
    return TaskCompleted(task_id=task_id, agent="coder", attempt=1, result=TaskResult(summary="done"))
