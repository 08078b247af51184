"""What each user of the bus may do, tried against a real server with its credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import nats.errors
import pytest
from nats.aio.client import Client

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_events.gates import GATES
from agenthub_events.rules.authors import OF_MERGES, OF_MONEY, OF_TASKS
from agenthub_runtime.bus_users.keys import login_of
from agenthub_runtime.bus_users.people import OBSERVER, OPERATOR
from agenthub_runtime.bus_users.rights import ADMIN, SERVICES, SYSTEM, rights_of, users_of, worker_user
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.declared import apply_assets
from tests.support.servers import running_nats
from tests.support.until import until

GOAL = "g-" + "0" * 26
ORDINARY = [user for user in users_of() if user not in (ADMIN, SYSTEM)]

# What no worker writes, of whatever type.
OF_OTHERS = (
    *(f"evt.{GOAL}._.goal.{event}" for event in ("accepted", "approved", "completed", "planned", "cancelled")),
    *(f"evt.{GOAL}._.goal.{event}" for event in ("ready_for_review", "budget_raised", "plan_approved", "erased")),
    *(f"evt.{GOAL}._.budget.{event}" for event in ("granted", "settled", "exceeded")),
    *(f"evt.{GOAL}.t-a.task.{event}" for event in ("enqueued.coding.p0", "cancelled", "skipped", "requeued")),
    *(f"evt.{GOAL}.t-a.agent.{event}" for event in ("answered", "escalated")),
    f"evt.{GOAL}.t-a.task.noted",
    f"evt.{GOAL}.t-a.task.dead_lettered",
    f"evt.{GOAL}._.seal.recorded",
    f"evt.{GOAL}.n-1.notification.sent",
    "evt.hub._.log.quarantined",
    "evt.hub._.budget.granted",
    "evt.hub._.notification.channel_closed",
    f"timer.set.attempt.{GOAL}.t-a",
    f"timer.fired.attempt.{GOAL}.t-a",
    *(f"span.{service}" for service in SERVICES),
)
# As workers wrote it before their subjects ended in their type: nobody of them may any more.
WITHOUT_AUTHOR = (
    *(f"evt.{GOAL}.t-a.{event}" for event in OF_TASKS),
    *(f"evt.{GOAL}._.{event}" for event in (*OF_MERGES, *OF_MONEY)),
)
JUDGES = {gate.name: gate.agent_type for gate in GATES.values()}
VERDICTS = tuple(
    f"evt.{GOAL}.gate-{gate}-1.gate.{event}{end}"
    for gate, judge in JUDGES.items()
    for event in ("passed", "failed")
    for end in ("", f".{judge}")
)


def of_other_types(agent_type: str) -> tuple[str, ...]:
    """All that workers of other types write, about tasks and gates of theirs."""
    others = [name for name in AGENT_TYPES if name != agent_type]
    return (
        *(f"evt.{GOAL}.t-of-{other}.{event}.{other}" for other in others for event in OF_TASKS),
        *(f"evt.{GOAL}._.{event}.{other}" for other in others for event in (*OF_MERGES, *OF_MONEY)),
        *(subject for subject in VERDICTS if not subject.endswith(f".{agent_type}")),
        *(f"span.worker.{other}" for other in others),
        *(
            f"evt.{GOAL}.t-a.task.completed.{end}"
            for end in (f"{agent_type}.{others[0]}", f"{agent_type}x", "*", ">")
        ),
    )


FORGED = {
    **{
        f"worker-{agent_type}": (*OF_OTHERS, *WITHOUT_AUTHOR, *of_other_types(agent_type))
        for agent_type in AGENT_TYPES
    },
    "workers": (*OF_OTHERS, *WITHOUT_AUTHOR),
    "orchestrator": (
        *VERDICTS,
        *(f"evt.{GOAL}._.goal.{event}" for event in ("accepted", "approved", "resumed", "budget_raised")),
        *(f"evt.{GOAL}.t-a.{event}" for event in ("task.started", "llm.called", "task.noted")),
        *(f"evt.hub._.schedule.{event}" for event in ("added", "paused", "resumed", "removed")),
        "span.worker.coding",
        "$JS.API.CONSUMER.MSG.NEXT.SPANS.traces",
    ),
    "gateway": (
        *VERDICTS,
        *(f"evt.{GOAL}._.goal.{event}" for event in ("completed", "planned", "ready_for_review", "failed")),
        *(f"evt.{GOAL}.t-a.task.{event}" for event in ("completed", "started", "enqueued.coding.p0")),
        f"evt.{GOAL}._.merge.done",
        f"evt.{GOAL}._.seal.recorded",
        f"evt.{GOAL}._.goal.accepted.schedule",
        *(f"evt.hub.s-nightly.schedule.{event}" for event in ("ran", "skipped")),
        f"run.{GOAL}.t-a.1.step.closed",
        "fleet.Worker-1",
        "span.orchestrator",
        "$JS.API.CONSUMER.MSG.NEXT.SPANS.traces",
    ),
    "notifier": (
        *VERDICTS,
        f"evt.{GOAL}._.goal.approved",
        f"evt.{GOAL}.t-a.task.completed",
        f"evt.{GOAL}._.notification.channel_closed",
        f"run.{GOAL}.t-a.1.step.closed",
        "$O.ARTIFACTS.M.eA",
    ),
    "projector": (
        *VERDICTS,
        f"evt.{GOAL}._.goal.approved",
        f"evt.{GOAL}.t-a.task.completed",
        "evt.hub._.notification.channel_closed",
        "$O.ARTIFACTS.M.eA",
        "span.worker.coding",
    ),
}
# Nobody but who has the admin's key may end or change the log, or take the work of others.
ON_THE_LOG = (
    *(
        f"$JS.API.STREAM.{call}.EVENTS"
        for call in ("DELETE", "PURGE", "UPDATE", "MSG.DELETE", "SNAPSHOT", "RESTORE")
    ),
    "$JS.API.STREAM.LEADER.STEPDOWN.EVENTS",
    "$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.mine",
    "$JS.API.ACCOUNT.PURGE.$G",
)
ON_QUEUES = (
    "$JS.API.CONSUMER.MSG.NEXT.EVENTS.work-review-p0",
    "$JS.ACK.EVENTS.work-review-p0.1.1.1.1.0",
    "$JS.API.CONSUMER.MSG.NEXT.TIMERS.timers",
    "$JS.API.CONSUMER.MSG.NEXT.SPANS.traces",
    "$JS.API.CONSUMER.DELETE.EVENTS.work-review-p0",
    "$JS.API.CONSUMER.CREATE.EVENTS.work-coding-p0",
    "$JS.API.CONSUMER.PAUSE.EVENTS.work-coding-p0",
    "$JS.API.CONSUMER.CREATE.EVENTS.mine",
    "$JS.API.STREAM.PURGE.RUNS",
    "$JS.API.STREAM.PURGE.OBJ_ARTIFACTS",
    "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.STREAM.LIST",
)
HEARD = (
    "_INBOX_gateway.>",
    "_INBOX_worker-review.>",
    "_INBOX.>",
    "evt.>",
    "$JS.EVENT.ADVISORY.>",
    "ask.model",
    ">",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with running_nats(tmp_path_factory.mktemp("bus")) as running:
        yield running


class Told:
    """A user's connection, and what the server has refused it."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.refused: list[str] = []

    async def note(self, error: Exception) -> None:
        self.refused.append(str(error).lower())

    async def is_refused(self, subject: str) -> None:
        async def said() -> bool:
            await self.nc.flush()
            return any("permissions violation" in word and f'"{subject.lower()}"' in word for word in self.refused)

        await until(said, 300, f"{subject} is refused")


@asynccontextmanager
async def as_user(server: NatsServer, user: str) -> AsyncIterator[Told]:
    login = login_of(server.url_of(user))
    told = Told(Client())
    await told.nc.connect(**login.options, error_cb=told.note, allow_reconnect=False)
    try:
        yield told
    finally:
        await told.nc.close()


async def last_seq(server: NatsServer) -> int:
    nc = await connect(server.authorised_url, "look", give_up_after_s=300)
    try:
        await apply_assets(nc)
        return (await nc.jetstream().stream_info("EVENTS")).state.last_seq
    finally:
        await nc.close()


@pytest.mark.parametrize("user", sorted(FORGED))
async def test_nobody_writes_what_others_write(server: NatsServer, user: str) -> None:
    before = await last_seq(server)
    async with as_user(server, user) as told:
        for subject in FORGED[user]:
            await told.nc.publish(subject, b'{"forged": true}')
        for subject in FORGED[user]:
            await told.is_refused(subject)
    assert await last_seq(server) == before


@pytest.mark.parametrize("user", ORDINARY)
async def test_nobody_ends_or_changes_the_log(server: NatsServer, user: str) -> None:
    before = await last_seq(server)
    # The operator backs up, and gives back to a server that has no such stream.
    may = ("SNAPSHOT", "RESTORE", "STEPDOWN") if user == OPERATOR else ()
    async with as_user(server, user) as told:
        for subject in ON_THE_LOG:
            if not any(call in subject for call in may):
                await told.nc.publish(subject, b"{}")
                await told.is_refused(subject)
    assert await last_seq(server) == before


async def test_a_worker_takes_no_work_of_another_type_and_makes_no_consumer(server: NatsServer) -> None:
    await last_seq(server)
    async with as_user(server, "worker-coding") as told:
        for subject in ON_QUEUES:
            await told.nc.publish(subject, b"{}")
            await told.is_refused(subject)


@pytest.mark.parametrize("user", ["gateway", "projector", "notifier"])
async def test_who_follows_the_log_leaves_the_queues_alone(server: NatsServer, user: str) -> None:
    async with as_user(server, user) as told:
        for call in ("CREATE", "DELETE", "MSG.NEXT"):
            subject = f"$JS.API.CONSUMER.{call}.EVENTS.work-coding-p0"
            await told.nc.publish(subject, b"{}")
            await told.is_refused(subject)


async def test_the_observer_reads_everything_and_takes_pauses_and_deletes_nothing(server: NatsServer) -> None:
    before = await last_seq(server)
    async with as_user(server, OBSERVER) as told:
        js = told.nc.jetstream()
        assert {info.config.name for info in await js.streams_info()} >= {"EVENTS", "RUNS", "TIMERS", "FLEET"}
        assert (await js.consumer_info("EVENTS", "work-coding-p1")).num_pending == 0
        await told.nc.subscribe("evt.>")
        await told.nc.subscribe("$JS.EVENT.ADVISORY.>")
        assert not told.refused
        own = {"name": "look", "ack_policy": "none", "inactive_threshold": int(30e9), "filter_subject": "evt.>"}
        body = msgspec.json.encode({"stream_name": "EVENTS", "config": own})
        made = await told.nc.request("$JS.API.CONSUMER.CREATE.EVENTS.look.evt.>", body, timeout=60)
        assert "error" not in msgspec.json.decode(made.data)
        others = ("fleet.Worker-1", "ask.model", "ask.worker.Worker-1.drain", "_INBOX_gateway.a")
        takes = tuple(subject for subject in ON_QUEUES if not subject.endswith((".mine", ".LIST")))
        for subject in (*FORGED["worker-coding"], *takes, *others, "$JS.API.CONSUMER.DELETE.EVENTS.mine"):
            await told.nc.publish(subject, b"{}")
            await told.is_refused(subject)
    assert await last_seq(server) == before


async def test_the_operator_pauses_a_queue_and_takes_nothing_out_of_it(server: NatsServer) -> None:
    before = await last_seq(server)
    async with as_user(server, OPERATOR) as told:
        js = told.nc.jetstream()
        await js.pause_consumer("EVENTS", "work-debug-p3", "2100-01-01T00:00:00Z")
        assert (await js.consumer_info("EVENTS", "work-debug-p3")).paused
        await js.resume_consumer("EVENTS", "work-debug-p3")
        assert not (await js.consumer_info("EVENTS", "work-debug-p3")).paused
        assert not told.refused
        kept = (
            "$JS.API.CONSUMER.CREATE.EVENTS.work-debug-p3.evt.>",
            "$JS.API.CONSUMER.CREATE.TIMERS.timers",
            "$JS.API.CONSUMER.DELETE.EVENTS.mine",
            "$JS.API.STREAM.DELETE.RUNS",
            "$JS.API.STREAM.PURGE.TIMERS",
        )
        for subject in (*FORGED["worker-coding"], *kept, *ON_QUEUES[:6], "_INBOX_gateway.a", "timer.set.a.b.c"):
            await told.nc.publish(subject, b"{}")
            await told.is_refused(subject)
    assert await last_seq(server) == before


@pytest.mark.parametrize("subject", HEARD)
async def test_a_worker_hears_nothing_but_its_own_inbox(server: NatsServer, subject: str) -> None:
    async with as_user(server, "worker-coding") as told:
        await told.nc.subscribe(subject)
        await told.is_refused(subject)


@pytest.mark.parametrize("user", ["gateway", "orchestrator", "projector", "notifier"])
async def test_a_service_hears_no_answer_to_another(server: NatsServer, user: str) -> None:
    async with as_user(server, user) as told:
        for subject in ("_INBOX_worker-coding.>", "_INBOX_agenthub.>", "_INBOX.>", "ask.model", ">"):
            await told.nc.subscribe(subject)
            await told.is_refused(subject)


async def test_the_work_of_a_worker_is_taken(server: NatsServer) -> None:
    before = await last_seq(server)
    async with as_user(server, "worker-coding") as told:
        js = told.nc.jetstream()
        for event in ("task.started.coding", "llm.called.coding", "task.completed.coding"):
            ack = await js.publish(f"evt.{GOAL}.t-honest.{event}", b"{}", stream="EVENTS")
            assert ack.seq > before
        assert (await js.stream_info("EVENTS")).state.last_seq == before + 3
        assert not told.refused


@pytest.mark.parametrize("agent_type", ["testing", "security", "review"])
async def test_those_who_judge_may_say_so(server: NatsServer, agent_type: str) -> None:
    await last_seq(server)
    async with as_user(server, worker_user([agent_type])) as told:
        subject = f"evt.{GOAL}.gate-x-1.gate.passed.{agent_type}"
        await told.nc.jetstream().publish(subject, b"{}", stream="EVENTS")


async def test_a_worker_for_two_types_serves_both_and_no_third(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    server = NatsServer(data, users=["worker-planner-architect"])
    await server.start()
    try:
        await last_seq(server)
        async with as_user(server, "worker-planner-architect") as told:
            for agent_type in ("planner", "architect"):
                pull = f"$JS.API.CONSUMER.MSG.NEXT.EVENTS.work-{agent_type}-p1"
                answer = await told.nc.request(pull, b'{"batch": 1, "no_wait": true}', timeout=60)
                assert (answer.headers or {})["Status"] == "404"  # nothing waits there
            other = "$JS.API.CONSUMER.MSG.NEXT.EVENTS.work-coding-p1"
            await told.nc.publish(other, b"{}")
            await told.is_refused(other)
    finally:
        await server.stop()


async def test_nobody_comes_in_without_a_key_or_with_that_of_another_hub(
    server: NatsServer, tmp_path: Path
) -> None:
    stranger = DataDir(tmp_path).secrets
    for options in ({}, {"user": ADMIN, "password": "p0"}, login_of(stranger.authorise(server.url)).options):
        nc = Client()
        with pytest.raises((nats.errors.Error, OSError)):
            await nc.connect(**{"servers": [server.url], **options}, allow_reconnect=False, error_cb=Told(nc).note)
        await nc.close()


async def test_the_system_user_sees_no_event(server: NatsServer) -> None:
    async with as_user(server, SYSTEM) as told:
        answer = await told.nc.request("$JS.API.STREAM.INFO.EVENTS", b"", timeout=60)
        assert "not enabled" in msgspec.json.decode(answer.data)["error"]["description"]
    assert msgspec.json.decode(await server.ask("HEALTHZ"))["data"]["status"] == "ok"


async def test_a_program_that_has_taken_the_port_learns_no_secret(server: NatsServer) -> None:
    heard = bytearray()
    done = asyncio.Event()

    async def squat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"N","proto":1,"auth_required":true,"nonce":"bm9uY2U"}\r\n')
        heard.extend(await reader.readuntil(b"PING\r\n"))
        done.set()
        writer.close()

    squatter = await asyncio.start_server(squat, "127.0.0.1", 0)
    port = squatter.sockets[0].getsockname()[1]
    url = server.authorised_url.rpartition("@")[0] + f"@127.0.0.1:{port}"
    connecting = asyncio.create_task(connect(url, "careless", give_up_after_s=2))
    async with squatter:
        await asyncio.wait_for(done.wait(), 120)
        await asyncio.gather(connecting, return_exceptions=True)
    assert b'"sig"' in heard
    assert login_of(url).seed.encode() not in heard
    assert b"password" not in heard.replace(b'"pass":null', b"")


def test_every_right_of_a_service_stands_for_something_that_is_declared() -> None:
    for user in SERVICES:
        rights = rights_of(user)
        assert rights is not None
        own = (f"_INBOX_{user}.>", f"ask.{user}.>")
        assert all(subject in own or subject.startswith("$SRV.") for subject in rights.subscribe)
        assert ">" not in rights.publish
        assert "evt.>" not in rights.publish
        assert not any(subject.startswith("$JS.API.>") for subject in rights.publish)
    with pytest.raises(ValueError, match="no user"):
        rights_of("somebody")
    with pytest.raises(ValueError, match="not known"):
        rights_of("worker-coding-admin")
