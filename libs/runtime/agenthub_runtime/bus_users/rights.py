"""The rights of every bus user: what it may publish, and that it hears nothing but its own inbox.

What a worker writes ends in the agent type of its writer, and its user may publish what ends in its own. A subject
does not tell of which type the task is: that is for those who read (`agenthub_events.rules.authors`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from agenthub_events.agent_types import AGENT_TYPES, AgentType
from agenthub_events.base import type_of
from agenthub_events.catalogue import agent, goal
from agenthub_events.gates import GATES
from agenthub_events.rules import authors
from agenthub_events.rules.schedules import BY_SCHEDULE
from agenthub_runtime.bus_users import people

ADMIN = "agenthub"
SYSTEM = "system"
ANY_WORKER = "workers"
SERVICES = ("orchestrator", "projector", "gateway", "notifier")

_WORKER = "worker-"
_API = "$JS.API"
_LANES = ("p0", "p1", "p2", "p3")
_JUDGING: frozenset[AgentType] = frozenset(gate.agent_type for gate in GATES.values())
_WITHOUT_FILES: frozenset[AgentType] = frozenset(("planner", "noop"))
_ARTIFACTS = ("$O.ARTIFACTS.C.>", "$O.ARTIFACTS.M.>")

_BY_ORCHESTRATOR = (
    *("task.enqueued.*.*", "task.completed", "task.failed", "task.timed_out", "task.parked", "task.cancelled"),
    *("task.skipped", "task.retry_scheduled", "task.dead_lettered"),
    *map(type_of, agent.BY_ORCHESTRATOR),
)
_OF_GOALS_BY_ORCHESTRATOR = (
    *map(type_of, goal.BY_ORCHESTRATOR),
    # What a forked goal has from its parent, the orchestrator says.
    *("budget.settled", "budget.exceeded", "log.quarantined", "log.released", "merge.done"),
    # Goals that a schedule begins say so in their subject: no other can come from here.
    f"goal.accepted.{BY_SCHEDULE}",
)
_OF_SCHEDULES_BY_ORCHESTRATOR = ("schedule.ran", "schedule.skipped")
_BY_GATEWAY = (
    *("task.noted", "task.requeued", "task.discarded"),
    *map(type_of, agent.BY_GATEWAY),
    "notification.planned",
)
_OF_GOALS_BY_GATEWAY = (
    *map(type_of, goal.BY_GATEWAY),
    *("notification.channel_opened", "notification.channel_closed"),
)
_OF_HUB_BY_GATEWAY = (
    *("maintenance.started", "maintenance.ended", "queue.paused", "queue.resumed"),
    *("schedule.added", "schedule.paused", "schedule.resumed", "schedule.removed"),
)
_OF_SCHEDULES_BY_GATEWAY = ("schedule.triggered",)
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
    return tuple(dict.fromkeys((ADMIN, SYSTEM, *people.PEOPLE, *SERVICES, *single, ANY_WORKER, *several)))


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


def spans_of(service: str) -> str:
    """Where a service, or a worker of an agent type, publishes its spans: no other user writes there."""
    return f"span.worker.{service}" if service in AGENT_TYPES else f"span.{service}"


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
        heard = (f"{inbox_of(user)}.>", *people.asked(user))
        return Rights(publish=publish, never=never, subscribe=heard, replies=True)
    if user in people.PEOPLE:
        return _of_people(user)
    types = types_of(user)
    if not types:
        raise ValueError(f"`{user}` is no user of the bus")
    heard = (f"{inbox_of(user)}.>", "ask.model workers", *people.asked("worker"))
    return Rights(publish=_worker(types), subscribe=heard, replies=True)


def _of_people(user: str) -> Rights:
    publish, never = people.rights_of_person(user)
    return Rights(publish=publish, never=never, subscribe=(f"{inbox_of(user)}.>", *people.HEARS))


def _worker(types: Sequence[AgentType]) -> tuple[str, ...]:
    lanes = [f"work-{agent_type}-{lane}" for agent_type in types for lane in _LANES]
    return (
        *(subject for agent_type in types for subject in _written_by(agent_type)),
        *("run.*.*.*.step.>", "run.*.*.*.out.>"),
        *_ARTIFACTS,
        "fleet.*",
        *map(spans_of, types),
        *_reads("EVENTS", "RUNS", "OBJ_ARTIFACTS"),
        f"{_API}.DIRECT.GET.FLEET.>",
        *(f"{_API}.CONSUMER.MSG.NEXT.EVENTS.{lane}" for lane in lanes),
        *(f"$JS.ACK.EVENTS.{lane}.>" for lane in lanes),
    )


def _written_by(agent_type: AgentType) -> tuple[str, ...]:
    of_tasks = (*authors.OF_TASKS, *(authors.OF_GATES if agent_type in _JUDGING else ()))
    of_goals = (*authors.OF_MONEY, *(() if agent_type in _WITHOUT_FILES else authors.OF_MERGES))
    return tuple(f"{subject}.{agent_type}" for subject in (*_events("*", of_tasks), *_events("_", of_goals)))


def _orchestrator() -> tuple[tuple[str, ...], tuple[str, ...]]:
    publish = (
        *_events("*", _BY_ORCHESTRATOR),
        *_events("_", _OF_GOALS_BY_ORCHESTRATOR),
        *_events("*", _OF_SCHEDULES_BY_ORCHESTRATOR, "hub"),
        *("run.*.*.*.step.>", "timer.set.>"),
        *_ARTIFACTS,
        *("fleet.*", spans_of("orchestrator")),
        *_reads(*people.STREAMS),
        *_follows("EVENTS", "DEAD_LETTERS"),
        *people.HOLDS,
        f"{_API}.DIRECT.GET.FLEET.>",
        f"{_API}.CONSUMER.LIST.EVENTS",
        f"{_API}.CONSUMER.MSG.NEXT.TIMERS.timers",
        "$JS.ACK.TIMERS.timers.>",
        # It creates what the server lacks, and changes nothing that is there.
        *(f"{_API}.STREAM.CREATE.{stream}" for stream in people.STREAMS),
        *(f"{_API}.CONSUMER.INFO.{stream}.*" for stream in ("EVENTS", "TIMERS", "SPANS")),
        f"{_API}.CONSUMER.CREATE.EVENTS.>",
        f"{_API}.CONSUMER.CREATE.SPANS.traces.span.>",
        f"{_API}.CONSUMER.CREATE.TIMERS.timers.timer.fired.>",
    )
    return publish, ()


def _projector() -> tuple[tuple[str, ...], tuple[str, ...]]:
    publish = (
        *_events("_", _OF_HUB_BY_PROJECTOR, "hub"),
        *_reads("EVENTS"),
        *_follows("EVENTS"),
        # What it measures: queues and workers.
        *(f"{_API}.CONSUMER.LIST.EVENTS", f"{_API}.STREAM.INFO.FLEET", f"{_API}.DIRECT.GET.FLEET.>"),
        spans_of("projector"),
        f"{_API}.CONSUMER.INFO.SPANS.traces",
        f"{_API}.CONSUMER.MSG.NEXT.SPANS.traces",
        "$JS.ACK.SPANS.traces.>",
    )
    return publish, _queues()


def _gateway() -> tuple[tuple[str, ...], tuple[str, ...]]:
    publish = (
        *_events("*", _BY_GATEWAY),
        *_events("_", _OF_GOALS_BY_GATEWAY),
        *_events("_", _OF_HUB_BY_GATEWAY, "hub"),
        *_events("*", _OF_SCHEDULES_BY_GATEWAY, "hub"),
        *_ARTIFACTS,
        *("ask.model", "session.*", spans_of("gateway")),
        *people.HOLDS,
        *people.TELLS,
        *_reads("EVENTS", "RUNS", "OBJ_ARTIFACTS", "FLEET", "SESSIONS"),
        # How much room each stream takes.
        *(f"{_API}.STREAM.INFO.{stream}" for stream in ("TIMERS", "DEAD_LETTERS", "SPANS")),
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
        # What becomes of a question that nobody answers.
        "$SRV.STATS.orchestrator",
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
