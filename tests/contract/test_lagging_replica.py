"""Reads that a replica answers which lags behind the leader, as in a cluster; the test plays the replica.

The stream refuses direct gets, so the server leaves their subject to whoever answers there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Conflict, Stored
from agenthub_events.subjects import filter_of
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.event_samples import GOAL, STAMP, completed, draft, merged, noted
from tests.support.event_streams import ask, connected, create_stream, drop_stream
from tests.support.servers import running_nats


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with running_nats(tmp_path_factory.mktemp("log")) as running:
        yield running


class Replica:
    """Answers direct gets of EVENTS; the first `lags` reads of each filter show nothing."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self.lags: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()

    async def answer(self, message: Msg) -> None:
        wanted = json.loads(message.data)
        wanted_filter = wanted["next_by_subj"]
        self.reads[wanted_filter] += 1
        seq = wanted["seq"]
        while self.reads[wanted_filter] > self.lags[wanted_filter]:
            found = await ask(self._nc, "STREAM.MSG.GET.EVENTS", {"seq": seq, "next_by_subj": wanted_filter})
            if "message" not in found:
                break
            stored = await self._nc.jetstream().get_msg("EVENTS", found["message"]["seq"])
            place = {
                "Nats-Sequence": str(stored.seq),
                "Nats-Subject": str(stored.subject),
                "Nats-Stream": "EVENTS",
            }
            headers = {**(stored.headers or {}), **place}
            await self._nc.publish(message.reply, stored.data or b"", headers=headers)
            seq = found["message"]["seq"] + 1
        end = {"Status": "404"} if seq == wanted["seq"] else {"Status": "204", "Nats-Num-Pending": "0"}
        await self._nc.publish(message.reply, b"", headers=end)


@pytest.fixture
async def nc(server: NatsServer) -> AsyncIterator[Client]:
    async with connected(server.authorised_url) as client:
        await create_stream(client, "EVENTS", allow_direct=False)
        yield client
        await drop_stream(client, "EVENTS")


@pytest.fixture
async def replica(server: NatsServer, nc: Client) -> AsyncIterator[Replica]:
    async with connected(server.authorised_url) as client:
        playing = Replica(client)
        await client.subscribe("$JS.API.DIRECT.GET.EVENTS", cb=playing.answer)
        await client.flush()
        yield playing


async def test_a_read_waits_for_a_replica_that_lags(nc: Client, replica: Replica) -> None:
    log = JetStreamEventLog(nc)
    stored = await log.append(draft(noted(), task_id="t-a"), STAMP)
    assert isinstance(stored, Stored)
    replica.lags[filter_of(f"{GOAL}.t-a")] = 3
    assert [recorded.seq for recorded in await log.read(f"{GOAL}.t-a")] == [stored.seq]


async def test_a_replica_that_never_catches_up_makes_the_log_unavailable_and_not_empty(
    nc: Client, replica: Replica
) -> None:
    log = JetStreamEventLog(nc, patience_s=0.3)
    await log.append(draft(noted(), task_id="t-a"), STAMP)
    replica.lags[filter_of(f"{GOAL}.t-a")] = 1_000_000
    with pytest.raises(StoreUnavailable, match="lags behind its leader"):
        await log.read(f"{GOAL}.t-a")


async def test_what_is_not_there_is_not_waited_for(nc: Client, replica: Replica) -> None:
    assert await JetStreamEventLog(nc).read(f"{GOAL}.t-none") == []
    assert replica.reads.total() == 1


@pytest.mark.parametrize("fence", [f"{GOAL}._.merge", f"{GOAL}.t-a"])
async def test_an_own_batch_that_a_replica_shows_in_part_is_no_clash(
    nc: Client, replica: Replica, fence: str
) -> None:
    log = JetStreamEventLog(nc)
    batch = [draft(merged()), draft(completed(), task_id="t-a")]
    stored = await log.append_together(batch, STAMP)
    assert isinstance(stored, Stored)
    replica.lags[filter_of(fence)] = 1
    assert await log.append_together(batch, STAMP) == Stored(stored.seq, duplicate=True)


async def test_a_foreign_event_that_a_replica_does_not_show_yet_is_a_conflict_with_its_winner(
    nc: Client, replica: Replica
) -> None:
    log = JetStreamEventLog(nc)
    winner = await log.append(draft(noted(), task_id="t-a"), STAMP)
    assert isinstance(winner, Stored)
    replica.lags[filter_of(f"{GOAL}.t-a")] = 2
    lost = await log.append(draft(completed(), task_id="t-a"), STAMP)
    assert isinstance(lost, Conflict)
    assert [recorded.seq for recorded in lost.tail] == [winner.seq]
