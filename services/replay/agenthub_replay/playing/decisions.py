"""Deciding again: every recorded decision of the orchestrator, made by today's code from the recorded inputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from agenthub_events.base import Draft, Event
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.ports import Recorded
from agenthub_events.serialization.codec import decode, encode
from agenthub_events.subjects import HUB, parse_subject
from agenthub_orchestrator.domain import (
    DecisionInputs,
    Due,
    Fired,
    GoalState,
    Policy,
    apply,
    charged,
    decide,
    decode_policy,
    from_metadata,
    initial,
    timers_of,
)
from agenthub_replay.history import GoalHistory, readable
from agenthub_replay.playing.differences import Divergence

_Key: TypeAlias = tuple[tuple[int, str, str], tuple[Any, ...]]
PolicyChange: TypeAlias = Callable[[Policy], Policy]
_ACTOR = "orchestrator"


class DecisionsReplayed(NamedTuple):
    """How many recorded decisions were made again, how many of them without recorded inputs, and what differs."""

    compared: int
    unrecorded: int
    missing: tuple[str, ...]
    differences: tuple[Divergence, ...]


class _Decided(NamedTuple):
    """An event that a decider has written, and what it says of its decision."""

    recorded: Recorded
    event: Event
    inputs: DecisionInputs

    @property
    def key(self) -> _Key:
        """Equal for the events of one decision; of two in one moment, the later has heard of more."""
        inputs = self.inputs
        fired = sorted((known.kind, known.task_id, known.ref) for known in inputs.fired)
        return (inputs.observed_seq, str(inputs.now or ""), inputs.policy_ref), (len(fired), *fired)


def as_it_was(policy: Policy) -> Policy:
    """Decide within the recorded bounds."""
    return policy


def replay_decisions(history: GoalHistory, change: PolicyChange = as_it_was) -> DecisionsReplayed:
    """Decide again at every point where the orchestrator has decided something, and once more at the end.

    `change` alters the recorded policy, to see what other bounds would have decided.
    """
    return _Replay(history, change).run()


class _Replay:
    def __init__(self, history: GoalHistory, change: PolicyChange) -> None:
        self._history = history
        self._change = change
        self._decided = list(_decided(history))
        self._aggregates = _by_aggregate(history)
        self._policies: dict[str, Policy] = {}
        self._differences: list[Divergence] = []
        self._missing: dict[str, None] = {}

    def run(self) -> DecisionsReplayed:
        state = initial(self._history.goal_id)
        groups: defaultdict[_Key, list[_Decided]] = defaultdict(list)
        for decided in self._decided:
            groups[decided.key].append(decided)
        events = iter(self._history.events)
        following = next(events, None)
        for key in sorted(groups):
            while following is not None and following.seq <= key[0][0]:
                apply(state, following)
                following = next(events, None)
            self._decide(state, groups[key])
        while following is not None:
            apply(state, following)
            following = next(events, None)
        self._at_rest(state)
        unrecorded = sum(decided.inputs.now is None for decided in self._decided)
        return DecisionsReplayed(len(self._decided), unrecorded, tuple(self._missing), tuple(self._differences))

    def _decide(self, state: GoalState, group: list[_Decided]) -> None:
        inputs = group[0].inputs
        dues = decide(
            state,
            now=inputs.now or group[0].event.timestamp,
            fired=inputs.fired or _fired_by_hint(state, group),
            policy=self._policy(inputs, group),
            in_flight=self._in_flight(group),
        )
        by_aggregate = {due.draft.originator_id: due for due in dues}
        for decided in group:
            due = by_aggregate.pop(decided.event.originator_id, None)
            self._compare(decided, due)
        for due in by_aggregate.values():
            self._unrecorded(due.draft, state.last_seq)

    def _in_flight(self, group: list[_Decided]) -> set[str]:
        """Aggregates that earlier decisions had written to, whose events the fold had not reached."""
        (seq, now, _), fired = group[0].key
        first = min(decided.recorded.seq for decided in group)

        def came_before(other: _Decided) -> bool:
            (other_seq, other_now, _), other_fired = other.key
            if (other_seq, other_now) != (seq, now):
                return (other_seq, other_now) < (seq, now)
            return other_fired < fired and other.recorded.seq < first

        return {
            other.event.originator_id for other in self._decided if other.recorded.seq > seq and came_before(other)
        }

    def _policy(self, inputs: DecisionInputs, group: list[_Decided]) -> Policy:
        known = self._policies.get(inputs.policy_ref)
        if known is None:
            known = self._policies[inputs.policy_ref] = self._change(self._recorded_policy(inputs, group))
        return known

    def _recorded_policy(self, inputs: DecisionInputs, group: list[_Decided]) -> Policy:
        data = self._history.objects.get(inputs.policy_ref)
        if data is not None:
            return decode_policy(data)
        if inputs.policy_ref:
            self._missing[f"policy {inputs.policy_ref}"] = None
        return Policy(agent_hashes=_agent_hashes(self._history))

    def _compare(self, decided: _Decided, due: Due | None) -> None:
        event, recorded = decided.event, decided.recorded
        replayed: bytes | None = None
        subject = ""
        if due is not None:
            draft = self._as_written(due)
            subject = draft.subject
            replayed = encode(draft.sealed(event.timestamp, event.metadata))
        # Read back, as the recorded one was: a number may be written in more than one way.
        if replayed is not None and decode(replayed) == event and subject == recorded.subject:
            return
        shown = "" if replayed is None else _words(subject, replayed)
        told = _words(recorded.subject, encode(event))
        if due is not None and due.context is not None and isinstance(event, TaskEnqueued):
            told += _context(self._history.objects.get(event.context_ref, b"(gone)"))
            shown += _context(due.context)
        self._differences.append(
            Divergence(
                kind="decision",
                seq=recorded.seq,
                where=event.originator_id,
                what=event.type,
                recorded=told,
                replayed=shown,
            )
        )

    def _as_written(self, due: Due) -> Draft:
        if due.charge is None:
            return due.draft
        steps = self._history.runs.get(due.charge.run, ())
        return charged(due.draft, due.charge, [recorded.step for recorded in steps])

    def _unrecorded(self, draft: Draft, seq: int) -> None:
        """What today's code decides beside the recorded; it may have lost a race, or come a little later."""
        if any(later > seq for later in self._aggregates.get(draft.originator_id, ())):
            return
        if not self._history.is_over:
            # It may have been on its way when the history was read.
            return
        self._differences.append(
            Divergence(
                kind="decision",
                seq=seq,
                where=draft.originator_id,
                what=draft.event.type,
                recorded="",
                replayed=_words(draft.subject, encode(draft.event)),
            )
        )

    def _at_rest(self, state: GoalState) -> None:
        if not self._history.is_over:
            return
        last = self._decided[-1].inputs if self._decided else None
        policy = self._policies.get(last.policy_ref, Policy()) if last else Policy()
        now = max((r.event.timestamp for r in self._history.events if isinstance(r.event, Event)), default=None)
        for due in decide(state, now=now, policy=policy) if now is not None else ():
            self._unrecorded(due.draft, state.last_seq)


def _decided(history: GoalHistory) -> Iterator[_Decided]:
    for recorded in history.events:
        event = readable(recorded)
        if event is None or event.metadata.get("actor") != _ACTOR or event.originator_id.startswith(f"{HUB}."):
            continue
        try:
            inputs = from_metadata(event.metadata)
        except (ValueError, msgspec.DecodeError):
            # Written by a foreign hand: the comparison will show it.
            inputs = DecisionInputs(observed_seq=max(0, recorded.seq - 1))
        if inputs is not None:
            yield _Decided(recorded, event, inputs)


def _by_aggregate(history: GoalHistory) -> Mapping[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for seq, subject in history.subjects.items():
        found[subject.originator_id].append(seq)
    return found


def _agent_hashes(history: GoalHistory) -> dict[str, str]:
    orders = [r.event for r in history.events if isinstance(r.event, TaskEnqueued)]
    return {order.agent: order.agent_hash for order in orders if order.agent_hash}


def _fired_by_hint(state: GoalState, group: list[_Decided]) -> frozenset[Fired]:
    """For events that name only the kind of the timer: every timer of this kind that is true of its task now."""
    hints = {
        (hint.removeprefix("timer:"), parse_subject(decided.recorded.subject).task_id)
        for decided in group
        if (hint := decided.event.metadata.get("input", "")).startswith("timer:")
    }
    if not hints:
        return frozenset()
    return frozenset(
        Fired(asked.kind, asked.task_id, asked.ref)
        for asked in timers_of(state)
        if (asked.kind, asked.task_id) in hints
    )


def _context(body: bytes) -> str:
    """An order names its context by digest alone, which shows nobody what differs."""
    return f"\ncontext {body.decode(errors='replace')}"


def _words(subject: str, body: bytes) -> str:
    return f"{subject} {body.decode(errors='replace')}"
