"""Goals that begin by the clock: which times are due, once each, and what stands in the log of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue.goal import GoalAccepted, GoalReadyForReview, GoalReworkRequested
from agenthub_events.catalogue.schedule import (
    GoalTemplate,
    ScheduleAdded,
    SchedulePaused,
    ScheduleRan,
    ScheduleRemoved,
    ScheduleResumed,
    ScheduleSkipped,
)
from agenthub_events.catalogue.values import Constraints
from agenthub_events.errors import InvalidInput
from agenthub_events.ports import Recorded, Stamp, Stored
from agenthub_events.rules.schedules import (
    goal_of,
    goal_of_webhook,
    history_of,
    place_of,
    schedules_of,
    template_of,
    triggered_by,
)
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB
from agenthub_orchestrator.schedules.keeper import ScheduleKeeper
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.schedules.cron import (
    MISSED_COUNTED,
    check_cron,
    check_time_zone,
    coming,
    newest_due,
)
from agenthub_runtime.schedules.reading import read_outcome, read_schedules

BERLIN = "Europe/Berlin"
BEGIN = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)  # a Monday
GOAL = GoalTemplate(goal="Update what is outdated", constraints=Constraints(max_cost_usd=2.0))


class SetClock:
    """The port `Clock`, set by the test."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Hub:
    """A log, a clock, and what people and orchestrators do."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.log = InMemoryEventLog(self._note)
        self.clock = SetClock(BEGIN)

    async def _note(self, point: str) -> None:
        self.asked.append(point)

    async def say(self, event: Event, place: str = HUB) -> None:
        family = f"{place}.{GOAL_AS_A_WHOLE}.{event.type.partition('.')[0]}"
        there = await self.log.read(family)
        draft = Fence().after(there).draft(place, GOAL_AS_A_WHOLE, event, str(len(there)))
        stored = await self.log.append(draft, Stamp(now=self.clock.now(), metadata={}))
        assert isinstance(stored, Stored)

    async def look(self, at: datetime, keeper: ScheduleKeeper | None = None) -> None:
        self.clock.time = at
        await (keeper or ScheduleKeeper(self.log, self.clock)).look()

    async def trigger(self, webhook_id: str, at: datetime) -> None:
        self.clock.time = at
        schedule = (await read_schedules(self.log))["hourly"]
        history = history_of(await read_outcome(self.log, "hourly"))
        assert history is not None
        drafts = triggered_by(schedule, history, webhook_id)
        assert isinstance(await self.log.append_together(drafts, Stamp(now=at, metadata={})), Stored)

    async def outcomes(self, name: str = "hourly") -> list[ScheduleRan | ScheduleSkipped]:
        found = [recorded.event for recorded in await self.log.read(place_of(name))]
        return [event for event in found if isinstance(event, ScheduleRan | ScheduleSkipped)]

    async def goals(self) -> list[GoalAccepted]:
        found = [recorded.event for recorded in await self.log.read("*._.goal")]
        return [event for event in found if isinstance(event, GoalAccepted)]


@pytest.fixture
def hub() -> Hub:
    return Hub()


def added(cron: str = "0 * * * *", *, overlap: bool = False, zone: str = "UTC") -> ScheduleAdded:
    return ScheduleAdded(schedule="hourly", cron=cron, goal=GOAL, time_zone=zone, overlap=overlap, by="ann")


def after(**span: float) -> datetime:
    return BEGIN + timedelta(**span)


async def test_a_goal_begins_at_its_time_and_not_before_with_the_limits_of_each_run(hub: Hub) -> None:
    await hub.say(added())
    await hub.look(after(minutes=59, seconds=59))
    assert await hub.goals() == []
    await hub.look(after(hours=1))
    (goal,) = await hub.goals()
    assert (goal.goal, goal.constraints.max_cost_usd, goal.submitted_by) == (GOAL.goal, 2.0, "schedule hourly")
    (ran,) = await hub.outcomes()
    assert isinstance(ran, ScheduleRan)
    assert (ran.due, ran.missed, ran.goal_id) == (after(hours=1), 0, goal_of("hourly", after(hours=1)))
    assert goal.metadata["causation_id"] == ran.event_id
    stored = await hub.log.last(f"{ran.goal_id}._.goal")
    assert stored is not None
    assert stored.subject == f"evt.{ran.goal_id}._.goal.accepted.schedule"


async def test_many_orchestrators_that_look_again_and_again_begin_it_once(hub: Hub) -> None:
    await hub.say(added(overlap=True))
    keepers = [ScheduleKeeper(hub.log, hub.clock) for _ in range(3)]
    for _ in range(4):
        for keeper in keepers:
            await hub.look(after(hours=1, seconds=30), keeper)
    await hub.look(after(hours=2), keepers[1])
    await hub.look(after(hours=1, minutes=59, seconds=58), keepers[2])  # its clock is behind
    assert [ran.due for ran in await hub.outcomes()] == [after(hours=1), after(hours=2)]
    assert len(await hub.goals()) == 2


async def test_what_was_due_while_nobody_looked_begins_once_and_says_how_much_was_missed(hub: Hub) -> None:
    await hub.say(added())
    await hub.look(after(hours=10, minutes=20))
    (ran,) = await hub.outcomes()
    assert (ran.due, ran.missed) == (after(hours=10), 9)
    assert len(await hub.goals()) == 1


async def test_while_the_last_goal_is_worked_on_nothing_begins_and_the_log_says_so(hub: Hub) -> None:
    await hub.say(added())
    await hub.look(after(hours=1))
    await hub.look(after(hours=2))
    ran, skipped = await hub.outcomes()
    assert isinstance(skipped, ScheduleSkipped)
    assert (skipped.due, skipped.goal_id) == (after(hours=2), ran.goal_id)
    await hub.say(GoalReadyForReview(revision=1, head="a" * 40, summary="done"), ran.goal_id)
    await hub.look(after(hours=2, minutes=30))
    assert len(await hub.outcomes()) == 2, "what was left out is not made up for"
    await hub.look(after(hours=3))
    assert isinstance((await hub.outcomes())[-1], ScheduleRan), "what waits for a person holds nothing up"
    await hub.say(GoalReworkRequested(rework_id="r-1", feedback="again", by="ann"), ran.goal_id)
    await hub.look(after(hours=4))
    assert isinstance((await hub.outcomes())[-1], ScheduleSkipped), "the goal of 03:00 is worked on"
    assert len(await hub.goals()) == 2


async def test_the_goal_of_a_webhook_is_the_last_one_and_takes_no_due_time(hub: Hub) -> None:
    await hub.say(added())
    await hub.trigger("early", at=after(minutes=30))
    await hub.look(after(hours=1))
    (skipped,) = await hub.outcomes()
    assert isinstance(skipped, ScheduleSkipped)
    assert (skipped.due, skipped.goal_id) == (after(hours=1), goal_of_webhook("hourly", "early"))
    await hub.say(GoalReadyForReview(revision=1, head="a" * 40, summary="done"), skipped.goal_id)
    await hub.trigger("late", at=after(hours=2, seconds=2))
    await hub.say(GoalReadyForReview(revision=1, head="a" * 40, summary="done"), goal_of_webhook("hourly", "late"))
    await hub.look(after(hours=2, seconds=4))
    assert [type(one) for one in await hub.outcomes()] == [ScheduleSkipped, ScheduleRan], "02:00 was still due"
    assert len(await hub.goals()) == 3


async def test_with_overlap_each_time_begins_its_goal(hub: Hub) -> None:
    await hub.say(added(overlap=True))
    for hour in (1, 2, 3):
        await hub.look(after(hours=hour))
    assert [type(one) for one in await hub.outcomes()] == [ScheduleRan] * 3


async def test_a_schedule_that_is_paused_or_removed_begins_nothing_and_makes_up_for_nothing(hub: Hub) -> None:
    await hub.say(added(overlap=True))
    await hub.say(SchedulePaused(schedule="hourly", reason="holidays"))
    await hub.look(after(hours=3))
    assert await hub.goals() == []
    hub.clock.time = after(hours=3, minutes=1)
    await hub.say(ScheduleResumed(schedule="hourly"))
    await hub.look(after(hours=3, minutes=59))
    assert await hub.goals() == []
    await hub.look(after(hours=4))
    assert [ran.missed for ran in await hub.outcomes()] == [0]
    await hub.say(ScheduleRemoved(schedule="hourly"))
    await hub.look(after(hours=6))
    assert len(await hub.goals()) == 1
    await hub.say(added(overlap=True))
    await hub.look(after(hours=7))
    assert [ran.due for ran in await hub.outcomes()] == [after(hours=4), after(hours=7)]


async def test_a_message_that_this_version_cannot_read_begins_nothing_twice(hub: Hub) -> None:
    await hub.say(added(overlap=True))
    hub.log.inject(f"evt.{place_of('hourly')}.schedule.ran", b'{"type":"schedule.ran","of":"tomorrow"}')
    await hub.look(after(hours=1))
    assert await hub.goals() == []


async def test_one_schedule_that_cannot_be_used_does_not_stop_the_others(hub: Hub) -> None:
    await hub.say(msgspec.structs.replace(added("61 * * * *"), schedule="broken"))
    await hub.say(msgspec.structs.replace(added(zone="Mars/Olympus"), schedule="elsewhere"))
    await hub.say(added())
    await hub.look(after(hours=1))
    assert len(await hub.goals()) == 1


def test_the_fold_takes_the_first_of_a_name_and_each_pause_once() -> None:
    told = [
        added(),
        added("5 * * * *"),
        SchedulePaused(schedule="hourly", by="ann"),
        SchedulePaused(schedule="hourly", by="ben"),
        SchedulePaused(schedule="unknown"),
        ScheduleRemoved(schedule="unknown"),
    ]
    found = schedules_of(
        [
            *_recorded(told),
            Recorded(seq=9, subject="evt.hub._.schedule.odd", event=Unreadable(reason="odd", data=b"{}")),
        ]
    )
    assert list(found) == ["hourly"]
    assert found["hourly"].wanted.cron == "0 * * * *"
    assert found["hourly"].paused is not None
    assert found["hourly"].paused.by == "ann"


def test_a_branch_is_followed_and_a_commit_stays() -> None:
    accepted = GoalAccepted(
        goal="g", repository="https://example.org/a.git", ref="refs/heads/main", base_commit="a" * 40
    )
    assert template_of(accepted).base_commit == ""
    assert template_of(msgspec.structs.replace(accepted, ref="")).base_commit == "a" * 40


def test_nobody_goes_on_behind_what_cannot_be_read() -> None:
    assert (
        history_of(Recorded(seq=3, subject="evt.hub.s-a.schedule.new", event=Unreadable(reason="new", data=b"{}")))
        is None
    )
    assert history_of(None) is not None


# clocks


@pytest.mark.parametrize(
    ("cron", "after_", "expected"),
    [
        # 02:30 is not on the clocks of 29 March: right after the gap.
        ("30 2 * * *", "2026-03-28T12:00+01:00", ["2026-03-29T01:00+00:00", "2026-03-30T00:30+00:00"]),
        # 02:30 is there twice on 25 October: once.
        ("30 2 * * *", "2026-10-24T12:00+02:00", ["2026-10-25T00:30+00:00", "2026-10-26T01:30+00:00"]),
        # Each hour is each hour.
        ("0 * * * *", "2026-10-25T01:30+02:00", [f"2026-10-25T0{hour}:00+00:00" for hour in range(4)]),
        ("0 9 * * MON-FRI", "2026-11-27T10:00+01:00", ["2026-11-30T08:00+00:00"]),
        ("0 0 L * *", "2028-02-01T00:00+01:00", ["2028-02-28T23:00+00:00"]),
    ],
)
def test_times_go_by_the_clocks_of_the_zone(cron: str, after_: str, expected: Sequence[str]) -> None:
    moment = datetime.fromisoformat(after_)
    found = list(islice(coming(cron, BERLIN, after=moment), len(expected)))
    assert [one.isoformat(timespec="minutes") for one in found] == expected
    last = found[-1]
    due = newest_due(cron, BERLIN, after=moment, now=last)
    assert due is not None
    assert (due.at, due.missed) == (last, len(expected) - 1)


@settings(max_examples=30)
@given(
    cron=st.sampled_from(
        ["30 2 * * *", "*/15 * * * *", "0 */2 * * *", "15 1,2,3 * * *", "0 3 * * SUN", "5 0 1 * *"]
    ),
    zone=st.sampled_from([BERLIN, "America/New_York", "UTC", "Asia/Kathmandu", "Australia/Sydney"]),
    day=st.sampled_from([(3, 28), (10, 24), (3, 7), (10, 31), (4, 4), (10, 3), (2, 27)]),
    start=st.integers(0, 2_880),
    length=st.integers(0, 2_880),
)
def test_looking_now_and_then_finds_the_same_times_as_looking_all_along(
    cron: str, zone: str, day: tuple[int, int], start: int, length: int
) -> None:
    begin = datetime(2026, *day, tzinfo=UTC) + timedelta(minutes=start)
    end = begin + timedelta(minutes=length)
    count, reached, now = 0, begin, begin
    while now < end:
        now = min(end, now + timedelta(minutes=17, microseconds=3))
        due = newest_due(cron, zone, after=reached, now=now)
        if due is not None:
            assert reached < due.at <= now
            count += due.missed + 1
            reached = due.at
    whole = newest_due(cron, zone, after=begin, now=end)
    assert (0 if whole is None else whole.missed + 1) == count


def test_a_year_without_anybody_is_looked_back_on_at_once() -> None:
    due = newest_due("* * * * *", BERLIN, after=BEGIN, now=after(days=400))
    assert due is not None
    assert (due.at, due.missed) == (after(days=400), MISSED_COUNTED)


async def test_a_look_at_what_is_dealt_with_asks_for_no_schedules_end_and_begins_the_next_time(hub: Hub) -> None:
    for number in range(5):
        await hub.say(msgspec.structs.replace(added("* * * * *", overlap=True), schedule=f"s{number}"))
    keeper = ScheduleKeeper(hub.log, hub.clock)
    for _ in range(2):
        await hub.look(after(days=3), keeper)
    hub.asked.clear()
    await hub.look(after(days=3, seconds=55), keeper)
    assert "last" not in hub.asked
    await hub.look(after(days=3, minutes=1), keeper)
    assert [len(await hub.outcomes(f"s{number}")) for number in range(5)] == [2] * 5


def test_before_its_time_nothing_is_due_and_at_it_to_the_second() -> None:
    noon = datetime(2026, 6, 1, 12, 0, tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)
    early = noon - timedelta(microseconds=1)
    assert newest_due("0 12 * * *", BERLIN, after=noon - timedelta(hours=1), now=early) is None
    due = newest_due("0 12 * * *", BERLIN, after=noon - timedelta(hours=1), now=noon)
    assert due is not None
    assert newest_due("0 12 * * *", BERLIN, after=due.at, now=noon + timedelta(hours=23)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "0 0 0 * * *",
        "61 * * * *",
        "0 25 * * *",
        "0 0 30 2 *",
        "@daily",
        "a b c d e",
        "0 0 31 4 *",
        "*/0 * * * *",
    ],
)
def test_what_is_no_cron_expression_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_cron(text)
    assert refused.value.field == "cron"


def test_spaces_of_an_expression_do_not_matter() -> None:
    assert check_cron("  0  3 * *\tmon ") == "0 3 * * mon"


@pytest.mark.parametrize("zone", ["", "Berlin", "../etc/passwd", "Mars/Olympus", "Europe/", "/etc/localtime"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInput):
        check_time_zone(zone)


def _recorded(events: Sequence[Event]) -> list[Recorded]:
    return [
        Recorded(seq=seq, subject=f"evt.hub._.{event.type}", event=msgspec.structs.replace(event, timestamp=BEGIN))
        for seq, event in enumerate(events, 1)
    ]
