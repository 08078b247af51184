"""An answer of the server is no message of a stream, whatever address the asker has named for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import nats.errors
import pytest
from nats.aio.client import Client

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_runtime.bus_users.keys import login_of
from agenthub_runtime.bus_users.rights import ADMIN, SYSTEM, rights_of, types_of, users_of
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.declared import apply_assets
from tests.support.servers import running_nats

pytestmark = pytest.mark.extra

GOAL = "g-" + "0" * 26
ORDINARY = [user for user in users_of() if user not in (ADMIN, SYSTEM)]
STREAMS = ("EVENTS", "RUNS", "TIMERS", "OBJ_ARTIFACTS", "DEAD_LETTERS", "SESSIONS", "FLEET", "SPANS")

# Streams in which a worker or the orchestrator chooses the bytes.
PUSHED = {"RUNS", "TIMERS", "OBJ_ARTIFACTS", "FLEET", "SPANS"}

# Where an answer would be a message: in each stream, and as an order of each kind of work.
PLACES = (
    *(f"evt.{GOAL}._.goal.{event}" for event in ("approved", "cancelled", "completed")),
    f"evt.{GOAL}.gate-review-1.gate.passed.review",
    *(f"evt.{GOAL}.t-a.task.enqueued.{agent_type}.p0" for agent_type in AGENT_TYPES),
    f"evt.{GOAL}.t-a.task.started.coding",
    "evt.hub._.budget.exceeded",
    f"run.{GOAL}.t-a.1.step.turn.reply",
    f"timer.set.attempt.{GOAL}.t-a",
    f"timer.fired.attempt.{GOAL}.t-a",
    "session.forged",
    "$O.ARTIFACTS.M.eA",
    "$O.ARTIFACTS.C.eA",
    "fleet.Worker-9",
    "span.forged",
    "span.worker.forged",
    "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.EVENTS.nobody",
    "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.EVENTS.nobody",
)


def asks_of(user: str) -> list[tuple[str, bytes]]:
    """Everything that this user may ask, and every way to word it."""
    asks: list[tuple[str, object]] = []
    for stream in STREAMS:
        asks += [(f"$JS.API.DIRECT.GET.{stream}", body) for body in _GETS]
        asks += [(f"$JS.API.DIRECT.GET.{stream}.run.{GOAL}.t-z.1.step.forged", None)]
        asks += [(f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": 1}), (f"$JS.API.STREAM.INFO.{stream}", None)]
        asks += [(f"$JS.API.CONSUMER.{call}.{stream}", {}) for call in ("LIST", "NAMES")]
        asks += [
            (f"$JS.API.CONSUMER.CREATE.{stream}.mine", _pull(stream)),
            (f"$JS.API.STREAM.PURGE.{stream}", _NONE),
        ]
        asks += [(f"$JS.API.CONSUMER.DELETE.{stream}.nobody", None), (f"$JS.API.STREAM.SNAPSHOT.{stream}", {})]
        asks += [(f"$JS.API.STREAM.CREATE.{stream}", {"name": stream}), (f"$JS.API.STREAM.RESTORE.{stream}", {})]
    for lane in (f"EVENTS.work-{kind}-p0" for kind in types_of(user) or ("coding",)):
        asks += [(f"$JS.API.CONSUMER.MSG.NEXT.{lane}", body) for body in _NEXTS]
        asks += [(f"$JS.API.CONSUMER.INFO.{lane}", None), (f"$JS.API.CONSUMER.PAUSE.{lane}", {})]
        asks += [(f"$JS.ACK.{lane}.1.1.1.1.0", word) for word in (b"+ACK", b"-NAK", b"+WPI", b"+TERM", b"+NXT")]
    asks += [(f"$JS.API.{call}", None) for call in ("INFO", "STREAM.NAMES", "STREAM.LIST")]
    asks += [("$JS.API.CONSUMER.MSG.NEXT.EVENTS.notifier", {"batch": 1, "no_wait": True})]
    asks += [("$JS.API.CONSUMER.MSG.NEXT.TIMERS.timers", {"batch": 1, "no_wait": True})]
    asks += [("$JS.API.CONSUMER.MSG.NEXT.SPANS.traces", {"batch": 1, "no_wait": True})]
    asks += [(f"$SRV.{call}", None) for call in ("PING", "INFO", "STATS")]
    asks += [("$SYS.REQ.USER.INFO", None), ("$SYS.REQ.ACCOUNT.PING.CONNZ", None), ("$SYS.REQ.SERVER.PING", None)]
    # A publication is a question too: its answer says that it is stored, or why not.
    asks += [(subject.replace("*", "x").replace(">", "x"), b"{}") for subject in _written_by(user)]
    return [(subject, body if isinstance(body, bytes) else _encoded(body)) for subject, body in asks]


_GETS = (
    {"seq": 1},
    {"seq": 999_999},
    {"last_by_subj": f"run.{GOAL}.t-z.1.step.forged"},
    {"seq": 1, "batch": 5},
    {"seq": 1, "next_by_subj": ">", "batch": 5},
    {"multi_last": [f"run.{GOAL}.>", f"evt.{GOAL}.>"], "batch": 5},
)
_NEXTS = (
    {"batch": 1, "no_wait": True},
    {"batch": 3, "expires": 100_000_000},
    {"batch": 3, "expires": 300_000_000, "idle_heartbeat": 100_000_000},
)
_ANSWERED_IN_ORDER = ("$JS.API.STREAM.INFO.", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.work-", "$JS.API.DIRECT.GET.")
_NONE = {"filter": "run.nobody.>"}


def _pull(stream: str) -> dict[str, object]:
    config = {"name": "mine", "ack_policy": "none", "inactive_threshold": 1_000_000_000, "mem_storage": True}
    return {"stream_name": stream, "config": config}


def _pushed(stream: str, place: str) -> dict[str, object]:
    body = _pull(stream)
    config = {"name": "pushed", "ack_policy": "none", "inactive_threshold": 1_000_000_000, "mem_storage": True}
    return {**body, "config": {**config, "deliver_subject": place}}


def _encoded(body: object) -> bytes:
    return b"" if body is None else msgspec.json.encode(body)


def _written_by(user: str) -> list[str]:
    rights = rights_of(user)
    assert rights is not None
    return [
        one
        for one in rights.publish
        if one.startswith(("evt.", "run.", "timer.", "session.", "$O.", "fleet.", "span."))
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with running_nats(tmp_path_factory.mktemp("answers")) as running:
        yield running


async def stored_at(admin: Client, subjects: tuple[str, ...]) -> set[str]:
    """Which of `subjects` stand in a stream."""
    found: set[str] = set()
    js = admin.jetstream()
    for stream in STREAMS:
        info = await js.stream_info(stream, subjects_filter=">")
        found |= set(info.state.subjects or ()) & set(subjects)
    return found


def forged() -> bytes:
    """A whole event, as a person writes it, in the body of a step."""
    now = datetime.now(UTC).isoformat()
    return msgspec.json.encode(
        {
            **{"type": "goal.approved", "originator_id": f"{GOAL}._.goal", "originator_version": 1},
            **{"timestamp": now, "event_id": "x", "goal_id": GOAL, "by": "person", "metadata": {}},
        }
    )


async def ask_everything(nc: Client, user: str) -> None:
    """Each question with each place for its answer. When this returns, the server has answered."""
    for place in PLACES:
        for subject, body in asks_of(user):
            await nc.publish(subject, body, reply=place)
        for stream in PUSHED - ({"RUNS"} if user == "gateway" else set()):  # see the threat model
            await nc.publish(f"$JS.API.CONSUMER.CREATE.{stream}.pushed", _encoded(_pushed(stream, place)))
        if not may_ask(user, place):
            await nc.publish("$JS.API.STREAM.INFO.EVENTS", b"", headers={"Nats-Trace-Dest": place})
    for subject, body in asks_of(user):
        if subject.startswith(_ANSWERED_IN_ORDER) and may_ask(user, subject):
            with suppress(nats.errors.TimeoutError):  # answered behind all that were asked before
                await nc.request(subject, body, timeout=60)


def may_ask(user: str, subject: str) -> bool:
    rights = rights_of(user)
    assert rights is not None
    if any(matches(subject, refused) for refused in rights.never):
        return False
    return any(matches(subject, allowed) for allowed in rights.publish)


def matches(subject: str, pattern: str) -> bool:
    tokens, wanted = subject.split("."), pattern.split(".")
    if wanted[-1] == ">" and len(tokens) >= len(wanted):
        tokens, wanted = tokens[: len(wanted) - 1], wanted[:-1]
    return len(tokens) == len(wanted) and all(w in ("*", t) for t, w in zip(tokens, wanted, strict=True))


@pytest.mark.parametrize("user", ORDINARY)
async def test_no_answer_to_a_user_is_stored_anywhere(server: NatsServer, user: str) -> None:
    admin = await connect(server.authorised_url, "look", give_up_after_s=300)
    await apply_assets(admin)
    await admin.jetstream().publish(f"run.{GOAL}.t-z.1.step.forged", forged())
    await admin.jetstream().publish(f"evt.{GOAL}.t-z.task.enqueued.coding.p0", b'{"order": 1}')
    nc = Client()
    await nc.connect(**login_of(server.url_of(user)).options, error_cb=_quiet, allow_reconnect=False)
    try:
        await ask_everything(nc, user)
        assert await stored_at(admin, PLACES) == set()
    finally:
        await nc.close()
        await admin.close()


async def _quiet(_: Exception) -> None:
    """What is refused is not stored."""
