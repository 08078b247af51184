"""The bus users of people who look after a hub: one who may only look, and one who may also act on the bus.

Neither writes an event. What a hub cannot get back, its streams and what stands in them, neither of them takes
away; that needs the key of the user who may do everything.
"""

from __future__ import annotations

from agenthub_events.agent_types import AGENT_TYPES

OBSERVER = "observer"
OPERATOR = "operator"
PEOPLE = (OPERATOR, OBSERVER)

_API = "$JS.API"
_LANES = ("p0", "p1", "p2", "p3")

STREAMS = ("EVENTS", "RUNS", "TIMERS", "OBJ_ARTIFACTS", "DEAD_LETTERS", "SESSIONS", "FLEET", "SPANS")
_FOLLOWED = ("EVENTS", "DEAD_LETTERS")

LOOKS = (
    *(f"{_API}.{call}" for call in ("INFO", "STREAM.NAMES", "STREAM.LIST", "STREAM.INFO.*", "STREAM.MSG.GET.*")),
    f"{_API}.DIRECT.GET.>",
    *(f"{_API}.CONSUMER.{call}" for call in ("NAMES.*", "LIST.*", "INFO.*.*")),
    # What services say of themselves: `nats micro ls|info|stats`, `nats req ask.worker.Worker-1.status ''`.
    "ask.*.*.status",
    *("$SRV.PING.>", "$SRV.INFO.>", "$SRV.STATS.>", "$SRV.PING", "$SRV.INFO", "$SRV.STATS"),
    "$SYS.REQ.USER.INFO",
    # Passing consumers of one's own, by which a stream is read from its beginning: nobody else gets less by them.
    # None of a stream in which workers choose the bytes: a consumer may have them delivered to any subject.
    *(f"{_API}.CONSUMER.CREATE.{stream}.*{rest}" for stream in _FOLLOWED for rest in ("", ".>")),
    f"{_API}.CONSUMER.MSG.NEXT.*.*",
    "$JS.FC.>",
)
"""Questions that change nothing."""

_ACTS = (
    *(f"{_API}.CONSUMER.{call}.*.*" for call in ("PAUSE", "UNPIN", "LEADER.STEPDOWN")),
    *(f"{_API}.STREAM.{call}.*" for call in ("SNAPSHOT", "LEADER.STEPDOWN")),
    # Streams of the hub alone: one of another name could publish what it holds again, under any subject.
    *(f"{_API}.STREAM.RESTORE.{stream}" for stream in STREAMS),
    *("$JS.SNAPSHOT.ACK.>", "$JS.SNAPSHOT.RESTORE.>"),
    # Drain a worker, change a log level.
    "ask.*.*.*",
)
HOLDS = tuple(f"{_API}.CONSUMER.PAUSE.EVENTS.work-{kind}-{lane}" for kind in AGENT_TYPES for lane in _LANES)
"""Holding work back, for the services that do so in the name of people."""

TELLS = ("ask.*.*.*", "$SRV.STATS", "$SRV.STATS.*")
"""Asking services who they are, and telling them something: `ask.<service>.<instance>.<verb>`."""

HEARS = ("evt.>", "run.>", "timer.>", "fleet.*", "$JS.EVENT.>")


def asked(service: str) -> tuple[str, ...]:
    """Where a service hears what it is asked and told."""
    every = tuple(f"$SRV.{verb}" for verb in ("PING", "INFO", "STATS"))
    return (*every, f"$SRV.*.{service}", f"$SRV.*.{service}.*", f"ask.{service}.>")


def rights_of_person(user: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What `user` may publish, and what of it not: the consumers that stand for work are nobody's to read by."""
    return (f"_INBOX_{user}.>", *LOOKS, *(_ACTS if user == OPERATOR else ())), tuple(
        f"{_API}.CONSUMER.{call}.{consumer}{rest}"
        for consumer in _standing()
        for call, rest in (("CREATE", ""), ("CREATE", ".>"), ("MSG.NEXT", ""))
    )


def _standing() -> tuple[str, ...]:
    lanes = (f"EVENTS.work-{agent_type}-{lane}" for agent_type in AGENT_TYPES for lane in _LANES)
    return (*lanes, "EVENTS.notifier", "TIMERS.timers", "SPANS.traces")
