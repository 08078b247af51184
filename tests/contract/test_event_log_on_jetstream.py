"""What the log on JetStream does when its server is stopped, killed, full, or asked for what it must refuse."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from nats.aio.client import Client

from agenthub_events.errors import InvalidInput, StoreUnavailable
from agenthub_events.ports import Conflict, Stored, Unavailable
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.shutdown import end_tasks
from tests.support.event_samples import GOAL, STAMP, completed, draft, merged, noted, paused
from tests.support.event_streams import ask, connected, create_stream, drop_stream
from tests.support.servers import running_nats
from tests.support.until import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with running_nats(tmp_path_factory.mktemp("log")) as running:
        yield running


@pytest.fixture
async def nc(server: NatsServer) -> AsyncIterator[Client]:
    async with connected(server.authorised_url) as client:
        yield client


@pytest.fixture
async def events(nc: Client) -> AsyncIterator[Client]:
    await create_stream(nc, "EVENTS")
    yield nc
    await drop_stream(nc, "EVENTS")


async def fill(store: JetStreamEventLog, first: int, count: int) -> None:
    """One event on each of `count` tasks, acknowledged."""
    numbers = range(first, first + count)
    for start in range(0, count, 100):
        results = await asyncio.gather(
            *(
                store.append(draft(noted(), task_id=f"t-{number}"), STAMP)
                for number in numbers[start : start + 100]
            )
        )
        assert all(isinstance(result, Stored) for result in results), results


class Watcher:
    """Follows the log in the background and remembers what it got."""

    def __init__(self, store: JetStreamEventLog) -> None:
        self.seen: list[int] = []
        self.caught_up = False
        self._task = asyncio.create_task(self._watch(store))

    async def _watch(self, store: JetStreamEventLog) -> None:
        async for batch in store.follow(after=0):
            self.caught_up = self.caught_up or not batch
            self.seen.extend(message.seq for message in batch)

    def has(self, count: int) -> bool:
        if self._task.done():
            self._task.result()
        return len(self.seen) >= count

    async def stop(self) -> None:
        await end_tasks(self._task)


def process_id(server: NatsServer) -> int:
    assert server.process is not None
    return server.process.pid


async def test_i10_the_server_refuses_to_delete_to_purge_and_to_be_talked_into_it(events: Client) -> None:
    await fill(JetStreamEventLog(events), 0, 3)
    assert (await ask(events, "STREAM.MSG.DELETE.EVENTS", {"seq": 2}))["error"]["err_code"] == 10057
    assert (await ask(events, "STREAM.PURGE.EVENTS", {}))["error"]["err_code"] == 10110
    config = (await ask(events, "STREAM.INFO.EVENTS", {}))["config"]
    for flag in ("deny_delete", "deny_purge"):
        answer = await ask(events, "STREAM.UPDATE.EVENTS", {**config, flag: False})
        assert answer["error"]["err_code"] == 10052
    assert len(await JetStreamEventLog(events).read(GOAL)) == 3


async def test_appends_on_one_connection_overlap_and_all_are_stored(events: Client) -> None:
    store = JetStreamEventLog(events)
    await fill(store, 0, 500)
    assert await store.last_seq() == 500


async def test_an_event_stored_by_a_silent_server_is_found_when_it_speaks_again(
    events: Client, server: NatsServer
) -> None:
    store = JetStreamEventLog(events, ack_timeout_s=0.1)
    await store.append(draft(paused()), STAMP)
    os.kill(process_id(server), signal.SIGSTOP)
    asyncio.get_running_loop().call_later(0.6, os.kill, process_id(server), signal.SIGCONT)
    result = await store.append(draft(noted(), task_id="t-a"), STAMP)
    assert isinstance(result, Stored)
    assert [message.seq for message in await store.read(f"{GOAL}.t-a")] == [result.seq] == [2]


async def test_a_batch_stored_by_a_silent_server_is_found_when_it_speaks_again(
    events: Client, server: NatsServer
) -> None:
    store = JetStreamEventLog(events, ack_timeout_s=0.1)
    await store.append(draft(paused()), STAMP)
    os.kill(process_id(server), signal.SIGSTOP)
    asyncio.get_running_loop().call_later(0.6, os.kill, process_id(server), signal.SIGCONT)
    result = await store.append_together([draft(merged()), draft(completed(), task_id="t-a")], STAMP)
    assert isinstance(result, Stored)
    assert len(await store.read(GOAL)) == 3
    assert result.seq == 3


async def test_a_server_that_stays_silent_makes_the_log_unavailable(events: Client, server: NatsServer) -> None:
    store = JetStreamEventLog(events, ack_timeout_s=0.05, patience_s=0.2)
    await store.last_seq()
    os.kill(process_id(server), signal.SIGSTOP)
    try:
        assert isinstance(await store.append(draft(paused()), STAMP), Unavailable)
        with pytest.raises(StoreUnavailable):
            await store.read(GOAL)
        with pytest.raises(StoreUnavailable):
            await store.last(GOAL)
    finally:
        os.kill(process_id(server), signal.SIGCONT)


async def test_a_full_disk_is_unavailable_and_nothing_is_overwritten(nc: Client) -> None:
    await create_stream(nc, "EVENTS", max_bytes=4_000)
    try:
        store = JetStreamEventLog(nc)
        stored = 0
        while isinstance(result := await store.append(draft(noted(), task_id=f"t-{stored}"), STAMP), Stored):
            stored += 1
        assert isinstance(result, Unavailable)
        assert "10077" in result.reason
        assert 0 < stored < 20
        assert [message.seq for message in await store.read(GOAL)] == list(range(1, stored + 1))
        batch = [draft(merged()), draft(completed(), task_id="t-last")]
        assert isinstance(await store.append_together(batch, STAMP), Unavailable)
    finally:
        await drop_stream(nc, "EVENTS")


async def test_without_a_stream_the_log_is_unavailable(nc: Client) -> None:
    store = JetStreamEventLog(nc, patience_s=0.1)
    assert isinstance(await store.append(draft(paused()), STAMP), Unavailable)
    with pytest.raises(StoreUnavailable):
        await store.read(GOAL)
    with pytest.raises(StoreUnavailable, match="stream not found"):
        await store.last(GOAL)
    with pytest.raises(StoreUnavailable, match="stream not found"):
        await store.last_seq()


async def test_an_event_larger_than_the_server_takes_is_the_writers_fault(events: Client) -> None:
    store = JetStreamEventLog(events)
    with pytest.raises(InvalidInput, match="too large"):
        await store.append(draft(noted("x" * 9_000_000)), STAMP)
    assert await store.last_seq() == 0


async def test_a_closed_connection_makes_the_log_unavailable(server: NatsServer, events: Client) -> None:
    async with connected(server.authorised_url) as other:
        store = JetStreamEventLog(other)
        await store.append(draft(paused()), STAMP)
    assert isinstance(await store.append(draft(noted(), task_id="t-a"), STAMP), Unavailable)
    with pytest.raises(StoreUnavailable):
        await store.read(GOAL)
    with pytest.raises(StoreUnavailable):
        await anext(aiter(store.follow(after=0)))


async def test_a_killed_server_loses_nothing_and_followers_miss_and_double_nothing(
    nats_server: NatsServer,
) -> None:
    async with connected(nats_server.authorised_url) as client:
        await create_stream(client, "EVENTS")
        store = JetStreamEventLog(client)
        watcher = Watcher(store)
        await until(lambda: watcher.caught_up)
        for round_ in range(3):
            await fill(store, round_ * 40, 20)
            os.kill(process_id(nats_server), signal.SIGKILL)
            await nats_server.stop()
            during = asyncio.create_task(fill(store, round_ * 40 + 20, 20))
            await nats_server.start()
            await during
        await until(lambda: watcher.has(120), deadline_s=300)
        assert watcher.seen == list(range(1, 121))
        assert len(await store.read(GOAL)) == 120
        await watcher.stop()


async def test_a_follower_whose_consumer_was_deleted_makes_another(events: Client) -> None:
    store = JetStreamEventLog(events)
    watcher = Watcher(store)
    await until(lambda: watcher.caught_up)
    await fill(store, 0, 10)
    await until(lambda: watcher.has(10))
    (name,) = (await ask(events, "CONSUMER.NAMES.EVENTS", {}))["consumers"]
    assert (await ask(events, f"CONSUMER.DELETE.EVENTS.{name}", {}))["success"]
    await fill(store, 10, 10)
    await until(lambda: watcher.has(20), deadline_s=300)
    assert watcher.seen == list(range(1, 21))
    await watcher.stop()


async def test_a_follower_that_stops_leaves_no_consumer_behind(events: Client) -> None:
    store = JetStreamEventLog(events)
    watcher = Watcher(store)
    await until(lambda: watcher.caught_up)
    await watcher.stop()
    await fill(store, 0, 1)

    async def gone() -> bool:
        return not (await ask(events, "CONSUMER.NAMES.EVENTS", {})).get("consumers")

    await until(gone)


async def test_a_slow_follower_holds_the_server_back_and_misses_nothing(nc: Client) -> None:
    await create_stream(nc, "EVENTS", storage="memory")
    count = 60_000
    try:
        js = nc.jetstream()
        for start in range(0, count, 1_000):
            await asyncio.gather(*(js.publish(f"evt.g.t-{start + n}.task.noted", b"{}") for n in range(1_000)))
        seen: list[int] = []
        async for batch in JetStreamEventLog(nc).follow(after=0):
            if not batch:
                break
            seen.extend(message.seq for message in batch)
            for _ in range(50):
                await asyncio.sleep(0)
        assert seen == list(range(1, count + 1))
    finally:
        await drop_stream(nc, "EVENTS")


async def test_rival_batches_and_appends_have_one_winner_a_fence(events: Client) -> None:
    store = JetStreamEventLog(events)
    rivals = [
        store.append_together(
            [draft(merged(f"t-{n}"), f"t-{n}"), draft(completed(f"t-{n}"), task_id=f"t-{n}")], STAMP
        )
        for n in range(8)
    ]
    results = await asyncio.gather(*rivals, *(store.append(draft(merged(), str(n)), STAMP) for n in range(8)))
    assert sum(isinstance(result, Stored) for result in results) == 1
    assert all(isinstance(result, Stored | Conflict) for result in results), results
    assert len(await store.read(f"{GOAL}._.merge")) == 1


async def test_a_message_that_poses_as_a_word_of_the_server_is_a_message(events: Client) -> None:
    store = JetStreamEventLog(events)
    posing = [{"Status": "204"}, {"Status": "100", "Description": "Idle Heartbeat", "Nats-Last-Consumer": "99"}]
    for number, headers in enumerate(posing):
        await events.jetstream().publish(f"evt.{GOAL}.t-{number}.task.noted", b"", headers=headers)
    await fill(store, 10, 1)
    assert [message.seq for message in await store.read(GOAL)] == [1, 2, 3]
    watcher = Watcher(store)
    await until(lambda: watcher.caught_up)
    assert watcher.seen == [1, 2, 3]
    await watcher.stop()
