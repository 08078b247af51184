"""What is to be told now: every matter once to each recipient, together with what belongs together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from agenthub_events.catalogue.notification import NotificationKind, NotificationPlanned
from agenthub_events.channels import CHANNELS
from agenthub_events.notifications.quiet_hours import QuietHours
from agenthub_events.notifications.recipients import Recipient, notification_key
from agenthub_events.subjects import HUB
from agenthub_notifier.domain.state import FOR_CHECKS, FollowedGoal, Matter, NotifierState

WINDOW = timedelta(seconds=2)
"""How long a notification waits for what belongs to it."""

HELD_FOR_DIGEST: frozenset[NotificationKind] = frozenset({"review", "completed", "failed"})
"""Kinds at which no work stands still."""


class NotifierPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told by the hub, and when.

    The n-th reminder of a question also goes to the first n of `escalation`. People are told nothing in `quiet`
    hours unless a goal is urgent; what does not stop work is held back for `digest` (0: not at all). What happens
    to a goal within `window` is told in one message.
    """

    recipients: tuple[Recipient, ...] = ()
    escalation: tuple[Recipient, ...] = ()
    quiet: QuietHours | None = None
    digest: timedelta = timedelta()
    window: timedelta = WINDOW


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that is due: `event` goes to the task `key` of `goal_id`."""

    goal_id: str
    key: str
    event: NotificationPlanned


class _Group(msgspec.Struct, frozen=True):
    """Matters for one message; `natural` is when it would be due without quiet hours and digests."""

    matters: tuple[Matter, ...]
    natural: datetime
    due: datetime


def openings(state: NotifierState, policy: NotifierPolicy) -> list[Recipient]:
    """Recipients of the hub that the log does not know yet."""
    known = state.opened.keys() | state.closed
    named = {recipient.name: recipient for recipient in (*policy.recipients, *policy.escalation)}
    return [recipient for name, recipient in named.items() if name not in known]


def due(state: NotifierState, policy: NotifierPolicy, now: datetime) -> list[Telling]:
    """The notifications whose time has come, each to be planned in the log before it is sent."""
    tellings = []
    for recipient, groups in _grouped(state, policy, now):
        ready = [group for group in groups if group.due <= now]
        late = [group for group in ready if group.due > group.natural]
        if late:
            # What is held back for later comes along: one message, not one after the other.
            late = [group for group in groups if group.natural <= now and group.due > group.natural]
        prompt = [group.matters for group in ready if group.due == group.natural]
        held = [tuple(sorted((m for group in late for m in group.matters), key=_seq))] if late else []
        tellings += [_telling(recipient, matters) for matters in (*prompt, *held)]
    return sorted(tellings, key=lambda telling: telling.event.occasions[0].seq)


def next_due(state: NotifierState, policy: NotifierPolicy, now: datetime) -> datetime | None:
    """When to look again, unless something happens before; None when nothing waits for its time."""
    later = (group.due for _, groups in _grouped(state, policy, now) for group in groups if group.due > now)
    return min(later, default=None)


def prune(state: NotifierState, policy: NotifierPolicy) -> None:
    """Forget news that nobody is left to be told of."""
    for goal_id, goal in list(state.open.items()):
        goal.forget(
            matter
            for matter in list(goal.matters.values())
            if not matter.waits and not any(_lacks(state, policy, goal, matter))
        )
        if not goal.matters:
            del state.open[goal_id]


def _grouped(
    state: NotifierState, policy: NotifierPolicy, now: datetime
) -> Iterator[tuple[Recipient, list[_Group]]]:
    lacking: dict[Recipient, list[Matter]] = {}
    urgent: dict[str, bool] = {}
    for goal_id, goal in state.open.items():
        urgent[goal_id] = goal.urgent
        for matter in goal.matters.values():
            for recipient in _lacks(state, policy, goal, matter):
                lacking.setdefault(recipient, []).append(matter)
    for recipient, matters in lacking.items():
        is_program = CHANNELS[recipient.channel].is_program
        yield (
            recipient,
            [
                _Group(together, natural, natural if is_program else _later(together, policy, now, urgent=urgent))
                for together in _together(matters, policy.window, by_kind=is_program)
                for natural in (together[0].at + policy.window,)
            ],
        )


def _lacks(
    state: NotifierState, policy: NotifierPolicy, goal: FollowedGoal, matter: Matter
) -> Iterator[Recipient]:
    """Who is still to be told of the matter."""
    wanted = {recipient.name: recipient for recipient in goal.recipients}
    for recipient in (*policy.recipients, *policy.escalation[: matter.level]):
        since = state.opened.get(recipient.name)
        if since is not None and (matter.waits or matter.occasion.seq > since):
            wanted.setdefault(recipient.name, recipient)
    return (
        recipient
        for name, recipient in wanted.items()
        if name not in matter.told and name not in state.closed and _concerns(recipient, goal, matter)
    )


def _concerns(recipient: Recipient, goal: FollowedGoal, matter: Matter) -> bool:
    """Whether the channel of the recipient can tell of the matter at all."""
    if recipient.channel == "check":
        return goal.has_commit
    return matter.occasion.kind not in FOR_CHECKS


def _together(matters: Iterable[Matter], window: timedelta, *, by_kind: bool) -> Iterator[tuple[Matter, ...]]:
    """What belongs into one message: of one goal and one moment, and for programs of one kind."""

    def belongs(matter: Matter) -> tuple[str, str]:
        return matter.occasion.goal_id, matter.occasion.kind if by_kind else ""

    for _, found in groupby(sorted(matters, key=lambda m: (belongs(m), _seq(m))), key=belongs):
        yield from _windows(found, window)


def _windows(matters: Iterable[Matter], window: timedelta) -> Iterator[tuple[Matter, ...]]:
    together: list[Matter] = []
    for matter in matters:
        if together and matter.at >= together[0].at + window:
            yield tuple(together)
            together = []
        together.append(matter)
    if together:
        yield tuple(together)


def _later(
    matters: Sequence[Matter], policy: NotifierPolicy, now: datetime, *, urgent: Mapping[str, bool]
) -> datetime:
    """When people are told: after the digest's time, and never in quiet hours, also not late in the next ones."""
    natural = matters[0].at + policy.window
    if urgent[matters[0].occasion.goal_id]:
        return natural
    held = all(matter.occasion.kind in HELD_FOR_DIGEST for matter in matters)
    moment = natural + policy.digest if held else natural
    quiet = policy.quiet
    if quiet is None:
        return moment
    return quiet.end_after(max(moment, now)) or quiet.end_after(moment) or moment


def _telling(recipient: Recipient, matters: Sequence[Matter]) -> Telling:
    occasions = tuple(matter.occasion for matter in matters)
    goals = {occasion.goal_id for occasion in occasions}
    event = NotificationPlanned(channel=recipient.channel, recipient=recipient.name, occasions=occasions)
    key = notification_key(recipient.name, occasions[0].seq, occasions[0].kind)
    return Telling(goal_id=goals.pop() if len(goals) == 1 else HUB, key=key, event=event)


def _seq(matter: Matter) -> int:
    return matter.occasion.seq
