"""A stream whose writers are fenced: the one append routine, and reads without a consumer.

A *fence* is a subject filter. A message is stored only when the newest message that the filter matches has the
sequence that the writer expects. A retry of a message that is already stored is refused by the same rule, so
after every refusal and every silence the messages behind the expected sequence are read: the own id among them
means success, another writer's message means conflict, nothing means that the same bytes may be sent again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import ParamSpec, TypeAlias, TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.nuid import NUID

from agenthub_events.errors import InvalidInput, StoreUnavailable
from agenthub_events.ports import Stored, Unavailable
from agenthub_runtime.jetstream.ordered_consumer import OrderedConsumer
from agenthub_runtime.jetstream.replies import Replies
from agenthub_runtime.jetstream.wire import (
    MSG_ID,
    NO_MESSAGE_FOUND,
    InfoAnswer,
    MessageAnswer,
    RawMessage,
    Unsure,
    Verdict,
    answer_of,
    raw_from_direct_get,
    raw_from_stored,
    status_of,
    verdict_of,
    was_stored,
)

P = ParamSpec("P")
T = TypeVar("T")

ACK_TIMEOUT_S = 2.0
PATIENCE_S = 8.0
PAGE = 1_000
# Of a thousand and more subjects the server says nothing; pieces of objects have 128 KiB each.
_AT_ONCE = 100
NO_LIMIT = 1 << 62

_PAUSES_S = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
_EMPTY_REFUSALS = 4
_REPLICA_S = 0.05
_LOOKS = 2
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_FENCE = "Nats-Expected-Last-Subject-Sequence-Subject"
_BATCH_ID = "Nats-Batch-Id"
_BATCH_SEQUENCE = "Nats-Batch-Sequence"
_BATCH_COMMIT = "Nats-Batch-Commit"

_random_ids = NUID()

OTHER_ID = "~"
"""Stands in an id behind the event's own, when that was taken by a foreign message."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message that its writer wants in the stream, stored only while `fence` ends at sequence `expected`."""

    subject: str
    data: bytes
    id: str
    fence: str
    expected: int
    headers: Mapping[str, str] = {}


class Clash(msgspec.Struct, frozen=True):
    """Another writer came first: the messages of the fences after the expected sequences, in order."""

    tail: tuple[RawMessage, ...]


Outcome: TypeAlias = Stored | Clash | Unavailable


class FencedStream:
    """One stream, by one connection; any number of calls at the same time.

    `ack_timeout_s` is how long one answer may take, `patience_s` how long an append or a read keeps trying.
    """

    def __init__(
        self, nc: Client, name: str, *, ack_timeout_s: float = ACK_TIMEOUT_S, patience_s: float = PATIENCE_S
    ) -> None:
        self.name = name
        self._nc = nc
        self._patience_s = patience_s
        self._ack_timeout_s = ack_timeout_s
        self._replies = Replies(nc, timeout_s=ack_timeout_s)

    async def append(self, *messages: Message) -> Outcome:
        """Store one message, or several as one atomic batch: all of them or none.

        `Stored.seq` is the sequence of the last one. In a batch only the first message of each fence carries it.
        Raises `InvalidInput` when a message is larger than the server takes.
        """
        refusals = 0
        reason = "gave up"
        deadline = _now() + self._patience_s
        try:
            for pause_s in _pauses():
                verdict = await self._publish(messages)
                if (
                    isinstance(verdict, Stored)
                    and verdict.duplicate
                    and not await self._is_at(messages, verdict.seq)
                ):
                    # Ids can be foretold: somebody has stored another message under this one. The fence is what
                    # keeps ours from being there twice.
                    messages = _under_other_ids(messages)
                    verdict = Unsure(False, f"the id was taken by message {verdict.seq}")
                if not isinstance(verdict, Unsure):
                    return verdict
                found = await self._look(messages)
                if found is not None:
                    return found
                refusals += verdict.fenced
                if verdict.fenced and len(messages) > 1:
                    # The server refuses a batch with an id that it knows as it refuses one that came too late.
                    messages = _under_other_ids(messages)
                if refusals == _EMPTY_REFUSALS:
                    return Clash(())
                reason = verdict.reason
                if _now() + pause_s > deadline:
                    break
                await asyncio.sleep(pause_s)
        except StoreUnavailable as error:
            reason = str(error)
        return Unavailable(reason)

    async def read(self, subject_filter: str, *, after: int = 0, limit: int = NO_LIMIT) -> list[RawMessage]:
        """Messages of the filter in order, with `seq > after`, as the leader has them when asked.

        Any replica answers a direct get, and one that lags knows less; so the leader names the newest message, and
        the read goes on until it is there. Raises `StoreUnavailable`.
        """
        messages: list[RawMessage] = []
        newest: int | None = None
        deadline = _now() + self._patience_s
        while len(messages) < limit:
            size = min(PAGE, limit - len(messages))
            page, pending = await self._patiently(self._page, subject_filter, after, size)
            messages.extend(page)
            after = page[-1].seq if page else after
            if page and pending:
                continue
            if newest is None:
                last = await self.last(subject_filter)
                newest = 0 if last is None else last.seq
            if after >= newest:
                break
            if not page:
                await self._wait_for_replica(deadline)
                newest = None  # it may have passed away meanwhile
        return messages

    async def _wait_for_replica(self, deadline: float) -> None:
        if _now() + _REPLICA_S > deadline:
            raise StoreUnavailable(f"A replica of stream `{self.name}` lags behind its leader: try again")
        await asyncio.sleep(_REPLICA_S)

    async def last(self, subject_filter: str) -> RawMessage | None:
        """The newest message of the filter, read from the leader. Raises `StoreUnavailable`."""
        body = msgspec.json.encode({"last_by_subj": subject_filter})
        answer = await self._patiently(self._api, f"STREAM.MSG.GET.{self.name}", body, MessageAnswer)
        if answer.message is not None:
            return raw_from_stored(answer.message)
        if answer.error is not None and answer.error.err_code != NO_MESSAGE_FOUND:
            raise StoreUnavailable(f"Stream `{self.name}` refused to be read: {answer.error.description}")
        return None

    async def last_of(self, subjects: Sequence[str]) -> list[RawMessage]:
        """The newest message of each of these subjects that has one, as the leader has them when asked.

        Raises `StoreUnavailable`.
        """
        found: dict[str, RawMessage] = {}
        for start in range(0, len(subjects), _AT_ONCE):
            page = await self._newest_of(subjects[start : start + _AT_ONCE])
            found.update((raw.subject, raw) for raw in page)
        return [found[subject] for subject in subjects if subject in found]

    async def _newest_of(self, subjects: Sequence[str]) -> list[RawMessage]:
        deadline = _now() + self._patience_s
        while (newest := await self.last(">")) is not None:
            # The newest message of all is asked for too: a replica that lags has not got as far.
            body = msgspec.json.encode({"multi_last": [*subjects, newest.subject], "batch": len(subjects) + 1})
            page, end = await self._patiently(self._direct, body)
            if int((end.headers or {}).get("Nats-UpTo-Sequence", "0")) >= newest.seq:
                return page
            await self._wait_for_replica(deadline)
        return []

    async def last_seq(self) -> int:
        """The sequence of the stream's newest message; 0 when it is empty. Raises `StoreUnavailable`."""
        answer = await self._patiently(self._api, f"STREAM.INFO.{self.name}", b"", InfoAnswer)
        if answer.error is not None:
            raise StoreUnavailable(f"Stream `{self.name}` does not answer: {answer.error.description}")
        return answer.state.last_seq

    def follow(self, subject_filters: Sequence[str], *, after: int) -> AsyncGenerator[list[RawMessage], None]:
        """Batches of what is pending, forever, without gap; the first empty one means caught up."""
        return OrderedConsumer(self._nc, self.name, subject_filters, after).batches()

    async def _publish(self, messages: Sequence[Message]) -> Verdict:
        try:
            if len(messages) == 1:
                message = messages[0]
                headers = _headers(message, fenced=True)
                return verdict_of(await self._replies.ask(message.subject, message.data, headers))
            return await self._publish_batch(messages)
        except MaxPayloadError as error:
            size = max(len(message.data) for message in messages)
            raise InvalidInput(
                f"A message of {size} bytes is too large for the server: store the text as an artifact"
            ) from error
        except NatsError as error:
            return Unavailable(f"the connection to the server failed: {error}")

    async def _publish_batch(self, messages: Sequence[Message]) -> Verdict:
        batch = _random_ids.next().decode()
        fences: set[str] = set()
        for number, message in enumerate(messages, 1):
            headers = _headers(message, fenced=message.fence not in fences)
            headers[_BATCH_ID] = batch
            headers[_BATCH_SEQUENCE] = str(number)
            fences.add(message.fence)
            if number < len(messages):
                await self._nc.publish(message.subject, message.data, headers=headers)
        headers[_BATCH_COMMIT] = "1"
        return verdict_of(await self._replies.ask(message.subject, message.data, headers))

    async def _look(self, messages: Sequence[Message]) -> Stored | Clash | None:
        """What stands behind the expected sequences: our own, somebody else's, or nothing.

        A batch is stored as a whole. When only a part of it is seen, it was stored between the reads of two
        fences: the next look sees all of it.
        """
        tail: list[RawMessage] = []
        for _ in range(_LOOKS):
            tail = await self._tails(messages)
            places = {_identity(raw.subject, raw.headers.get(MSG_ID, "")): raw.seq for raw in tail}
            seen = sum(_identity(message.subject, message.id) in places for message in messages)
            if seen == len(messages):
                last = messages[-1]
                return Stored(places[_identity(last.subject, last.id)], duplicate=True)
            if not seen:
                break
        return Clash(tuple(sorted(tail, key=lambda raw: raw.seq))) if tail else None

    async def _is_at(self, messages: Sequence[Message], seq: int) -> bool:
        """Whether the last of the messages is the one that is stored there."""
        answer = await self._patiently(
            self._api, f"STREAM.MSG.GET.{self.name}", msgspec.json.encode({"seq": seq}), MessageAnswer
        )
        if answer.message is None:
            return False
        there, last = raw_from_stored(answer.message), messages[-1]
        return _identity(there.subject, there.headers.get(MSG_ID, "")) == _identity(last.subject, last.id)

    async def _tails(self, messages: Sequence[Message]) -> list[RawMessage]:
        fences: dict[str, int] = {}
        for message in messages:
            fences.setdefault(message.fence, message.expected)
        return [raw for fence, expected in fences.items() for raw in await self.read(fence, after=expected)]

    async def _page(self, subject_filter: str, after: int, size: int) -> tuple[list[RawMessage], int]:
        """Messages after a sequence, and how many are left behind them."""
        body = msgspec.json.encode({"seq": after + 1, "next_by_subj": subject_filter, "batch": size})
        messages, end = await self._direct(body)
        return messages, int((end.headers or {}).get("Nats-Num-Pending", "0")) if messages else 0

    async def _direct(self, body: bytes) -> tuple[list[RawMessage], Msg]:
        """One batched direct get: messages, and what the server says at their end."""
        await self._replies.open()
        done: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        messages: list[RawMessage] = []

        def receive(msg: Msg) -> None:
            if was_stored(msg):
                messages.append(raw_from_direct_get(msg))
            elif not done.done():
                done.set_result(msg)

        with self._replies.listen(receive) as reply:
            await self._nc.publish(f"$JS.API.DIRECT.GET.{self.name}", body, reply=reply)
            end = await self._end_of_page(done, messages)
        status = status_of(end)
        if status == "204":
            return messages, end
        if status == "404":
            return [], end
        raise StoreUnavailable(f"Stream `{self.name}` cannot be read now (status {status}): try again")

    async def _end_of_page(self, done: asyncio.Future[Msg], messages: list[RawMessage]) -> Msg:
        """Wait as long as messages keep coming."""
        while True:
            before = len(messages)
            await asyncio.wait((done,), timeout=self._ack_timeout_s)
            if done.done():
                return done.result()
            if len(messages) == before:
                raise StoreUnavailable(
                    f"Stream `{self.name}` stopped answering in the middle of a read: try again"
                )

    async def _api(self, path: str, body: bytes, kind: type[T]) -> T:
        return answer_of(await self._replies.ask(f"$JS.API.{path}", body), kind)

    async def _patiently(self, ask: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask again while the server comes back; a read may be repeated at will."""
        deadline = _now() + self._patience_s
        for pause_s in _pauses():
            try:
                return await ask(*args, **kwargs)
            except StoreUnavailable:
                if _now() + pause_s > deadline:
                    raise
            except NatsError as error:
                if self._nc.is_closed or _now() + pause_s > deadline:
                    raise StoreUnavailable(f"The connection to the event store failed: {error}") from error
            await asyncio.sleep(pause_s)
        raise AssertionError("pauses never end")


def _identity(subject: str, message_id: str) -> tuple[str, str]:
    """What makes a message the same as another: an id alone may stand under any subject."""
    return subject, message_id.partition(OTHER_ID)[0]


def _under_other_ids(messages: Sequence[Message]) -> tuple[Message, ...]:
    end = OTHER_ID + _random_ids.next().decode()
    return tuple(
        msgspec.structs.replace(message, id=message.id.partition(OTHER_ID)[0] + end) for message in messages
    )


def _headers(message: Message, *, fenced: bool) -> dict[str, str]:
    headers = {MSG_ID: message.id, **message.headers}
    if fenced:
        headers[_EXPECTED] = str(message.expected)
        headers[_FENCE] = message.fence
    return headers


def _pauses() -> Iterator[float]:
    """Seconds between tries: at once, then longer and longer, without end."""
    return itertools.chain(_PAUSES_S, itertools.repeat(_PAUSES_S[-1]))


def _now() -> float:
    return asyncio.get_running_loop().time()
