"""The rights of every bus user: what it may publish, and that it hears nothing but its own inbox.

A subject names what kind of event it is, not whose task it is about; so a worker's credentials are good for
the events that its kind of worker writes, on any task, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from agenthub_events.agent_types import AGENT_TYPES, AgentType
from agenthub_events.gates import GATES

ADMIN = "agenthub"
SYSTEM = "system"
ANY_WORKER = "workers"
SERVICES = ("orchestrator", "projector", "gateway", "notifier")

_WORKER = "worker-"
_API = "$JS.API"
_LANES = ("p0", "p1", "p2", "p3")
_FILE_STREAMS = ("EVENTS", "RUNS", "TIMERS", "OBJ_ARTIFACTS", "DEAD_LETTERS", "SESSIONS")
_STREAMS = (*_FILE_STREAMS, "FLEET")
_JUDGING: frozenset[AgentType] = frozenset(gate.agent_type for gate in GATES.values())
_ARTIFACTS = ("$O.ARTIFACTS.C.>", "$O.ARTIFACTS.M.>")

_BY_WORKERS = (
    *("task.started", "task.completed", "task.failed", "task.timed_out", "task.parked", "task.proposed"),
    *("llm.called", "knowledge.recorded", "merge.conflicted", "agent.blocked"),
)
_BY_JUDGES = ("gate.passed", "gate.failed")
_BY_ORCHESTRATOR = (
    *("task.enqueued.*.*", "task.completed", "task.failed", "task.timed_out", "task.parked", "task.cancelled"),
    *("task.skipped", "task.retry_scheduled", "task.dead_lettered"),
    *("agent.blocked", "agent.answered", "agent.escalated"),
)
_OF_GOALS_BY_ORCHESTRATOR = (
    *("goal.planned", "goal.plan_rejected", "goal.replanned", "goal.paused", "goal.ready_for_review"),
    *("goal.completed", "goal.failed", "goal.deadline_passed", "goal.stalled", "seal.recorded"),
    *("budget.settled", "budget.granted", "budget.exceeded", "log.quarantined", "log.released"),
)
_BY_GATEWAY = ("task.noted", "task.requeued", "task.discarded", "agent.answered", "notification.planned")
_OF_GOALS_BY_GATEWAY = (
    *("goal.accepted", "goal.approved", "goal.rework_requested", "goal.cancelled", "goal.paused", "goal.resumed"),
    *("goal.tests_requested", "goal.budget_raised", "goal.reprioritized", "goal.erased", "goal.plan_approved"),
    *("goal.replanned", "notification.channel_opened", "notification.channel_closed"),
)
_BY_NOTIFIER = ("notification.planned", "notification.sent", "notification.failed")
_OF_HUB_BY_NOTIFIER = ("notification.channel_opened", "notification.channel_closed")
_OF_HUB_BY_PROJECTOR = ("log.quarantined", "log.released")


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """Subjects of one user. `replies`: it may answer a question that it was asked, once."""

    publish: tuple[str, ...]
    never: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    replies: bool = False


def worker_user(types: Iterable[str]) -> str:
    """The user of a worker that serves these agent types, in whatever order they are named."""
    wanted = set(types)
    return _WORKER + "-".join(name for name in AGENT_TYPES if name in wanted)


def users_of(combinations: Iterable[Sequence[str]] = ()) -> tuple[str, ...]:
    """Every user of a hub: services, each agent type, and each of the `combinations` that one worker serves."""
    single = (worker_user((agent_type,)) for agent_type in AGENT_TYPES)
    several = (worker_user(types) for types in combinations)
    return tuple(dict.fromkeys((ADMIN, SYSTEM, *SERVICES, *single, ANY_WORKER, *several)))


def types_of(user: str) -> tuple[AgentType, ...]:
    """The agent types that a worker's user serves; empty for users of services. Raises `ValueError`."""
    if user == ANY_WORKER:
        return AGENT_TYPES
    if not user.startswith(_WORKER):
        return ()
    names = user.removeprefix(_WORKER).split("-")
    found = tuple(name for name in AGENT_TYPES if name in names)
    if len(found) != len(names):
        raise ValueError(f"`{user}` names an agent type that is not known")
    return found


def inbox_of(user: str) -> str:
    """Where a user hears the answers to its questions: below this prefix, and nowhere else."""
    return f"_INBOX_{user}"


def rights_of(user: str) -> Rights | None:
    """The rights of a user; None for those who may do everything in their account. Raises `ValueError`."""
    if user in (ADMIN, SYSTEM):
        return None
    found = {
        "orchestrator": _orchestrator,
        "projector": _projector,
        "gateway": _gateway,
        "notifier": _notifier,
    }.get(user)
    if found is not None:
        publish, never = found()
        return Rights(publish=publish, never=never, subscribe=(f"{inbox_of(user)}.>",))
    types = types_of(user)
    if not types:
        raise ValueError(f"`{user}` is no user of the bus")
    return Rights(publish=_worker(types), subscribe=(f"{inbox_of(user)}.>", "ask.model workers"), replies=True)


def _worker(types: Sequence[AgentType]) -> tuple[str, ...]:
    lanes = [f"work-{agent_type}-{lane}" for agent_type in types for lane in _LANES]
    return (
        *_events("*", _BY_WORKERS),
        *(_events("*", _BY_JUDGES) if _JUDGING.intersection(types) else ()),
        *_events("_", ("budget.reserved", "merge.done")),
        *("run.*.*.*.step.>", "run.*.*.*.out.>"),
        *_ARTIFACTS,
        "fleet.*",
        *_reads("EVENTS", "RUNS", "OBJ_ARTIFACTS"),
        f"{_API}.DIRECT.GET.FLEET.>",
        *(f"{_API}.CONSUMER.MSG.NEXT.EVENTS.{lane}" for lane in lanes),
        *(f"$JS.ACK.EVENTS.{lane}.>" for lane in lanes),
    )


def _orchestrator() -> tuple[tuple[str, ...], tuple[str, ...]]:
    publish = (
        *_events("*", _BY_ORCHESTRATOR),
        *_events("_", _OF_GOALS_BY_ORCHESTRATOR),
        *("run.*.*.*.step.>", "timer.set.>"),
        *_ARTIFACTS,
        "fleet.*",
        *_reads(*_STREAMS),
        *_follows("EVENTS", "DEAD_LETTERS"),
        f"{_API}.DIRECT.GET.FLEET.>",
        f"{_API}.CONSUMER.LIST.EVENTS",
        f"{_API}.CONSUMER.MSG.NEXT.TIMERS.timers",
        "$JS.ACK.TIMERS.timers.>",
        # It creates what the server lacks, and changes nothing that is there.
        *(f"{_API}.STREAM.CREATE.{stream}" for stream in _STREAMS),
        *(f"{_API}.CONSUMER.INFO.{stream}.*" for stream in ("EVENTS", "TIMERS")),
        *(f"{_API}.CONSUMER.CREATE.{stream}.>" for stream in ("EVENTS", "TIMERS")),
    )
    return publish, ()


def _projector() -> tuple[tuple[str, ...], tuple[str, ...]]:
    publish = (*_events("_", _OF_HUB_BY_PROJECTOR, "hub"), *_reads("EVENTS"), *_follows("EVENTS"))
    return publish, _queues()


def _gateway() -> tuple[tuple[str, ...], tuple[str, ...]]:
    publish = (
        *_events("*", _BY_GATEWAY),
        *_events("_", _OF_GOALS_BY_GATEWAY),
        *_ARTIFACTS,
        *("ask.model", "session.*"),
        *_reads("EVENTS", "RUNS", "OBJ_ARTIFACTS", "FLEET", "SESSIONS"),
        *_follows("EVENTS", "RUNS"),
        f"{_API}.DIRECT.GET.FLEET.>",
        f"{_API}.CONSUMER.LIST.EVENTS",
        # A goal is erased by a person's command: its runs and objects, never its events.
        *(f"{_API}.STREAM.PURGE.{stream}" for stream in ("RUNS", "OBJ_ARTIFACTS")),
    )
    return publish, _queues()


def _notifier() -> tuple[tuple[str, ...], tuple[str, ...]]:
    publish = (
        *_events("*", _BY_NOTIFIER),
        *_events("_", _OF_HUB_BY_NOTIFIER, "hub"),
        *_reads("EVENTS"),
        *_follows("EVENTS"),
        f"{_API}.CONSUMER.INFO.EVENTS.notifier",
        f"{_API}.CONSUMER.MSG.NEXT.EVENTS.notifier",
        "$JS.ACK.EVENTS.notifier.>",
    )
    return publish, _queues()


def _events(task: str, types: Iterable[str], goal: str = "*") -> tuple[str, ...]:
    return tuple(f"evt.{goal}.{task}.{event_type}" for event_type in types)


def _reads(*streams: str) -> tuple[str, ...]:
    calls = ("STREAM.INFO", "STREAM.MSG.GET", "DIRECT.GET")
    return tuple(f"{_API}.{call}.{stream}" for stream in streams for call in calls)


def _follows(*streams: str) -> tuple[str, ...]:
    """Passing consumers of one's own; their names are random, one token long."""
    calls = ("CONSUMER.CREATE", "CONSUMER.DELETE")
    own = (f"{_API}.{call}.{stream}.*" for stream in streams for call in calls)
    return (*own, *(f"$JS.FC.{stream}.>" for stream in streams))


def _queues() -> tuple[str, ...]:
    """The consumers that stand for work: who may make passing ones of his own still touches none of these."""
    lanes = (f"work-{agent_type}-{lane}" for agent_type in AGENT_TYPES for lane in _LANES)
    names = (*lanes, "notifier")
    return tuple(f"{_API}.CONSUMER.{call}.EVENTS.{name}" for name in names for call in ("CREATE", "DELETE"))
