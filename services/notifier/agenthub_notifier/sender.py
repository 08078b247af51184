"""Sending what is planned, each notification by one notifier at a time, and writing down what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from agenthub_events.base import Draft, Event, Fence
from agenthub_events.catalogue.notification import (
    NotificationChannelClosed,
    NotificationFailed,
    NotificationPlanned,
    NotificationSent,
)
from agenthub_events.channels import ChannelName
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Clock, Delivery, EventLog, Ids, Recorded, Stamp, Unavailable
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB, parse_subject
from agenthub_notifier.channels.contract import Accepted, ChannelSender, Parcel, Refused, SendResult
from agenthub_notifier.domain.delivery import PAUSES_S, Over, Try, Wait, next_step, retry_at
from agenthub_notifier.domain.state import CHANNELS
from agenthub_notifier.recipients import Recipients
from agenthub_notifier.stories import OccasionMissing, Stories
from agenthub_runtime.following import Backoff
from agenthub_runtime.shutdown import end_tasks

log = structlog.get_logger(__name__)

ACTOR = "notifier"
AT_ONCE = 8
# With the time of a send it is less than the server waits before it gives the order to another notifier.
_READ_WITHIN_S = 15.0


class Sender:
    """Sends over `channels`; after each failed try it waits the next of `pauses_s` (seconds).

    `crash_point` is called with a name at every step that a kill may fall on.
    """

    def __init__(
        self,
        event_log: EventLog,
        stories: Stories,
        recipients: Recipients,
        channels: Mapping[ChannelName, ChannelSender],
        *,
        clock: Clock,
        ids: Ids,
        pauses_s: Sequence[float] = PAUSES_S,
        crash_point: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._log = event_log
        self._pauses_s = pauses_s
        self._stories = stories
        self._recipients = recipients
        self._channels = channels
        self._clock = clock
        self._backoff = Backoff(clock, ids)
        self._crash_point = crash_point
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_hand: set[int] = set()

    async def room(self) -> None:
        """Wait until one more order can be begun at once."""
        async with self._slots:
            pass

    async def take(self, delivery: Delivery) -> None:
        """Begin with one order."""
        await self._slots.acquire()
        task = asyncio.get_running_loop().create_task(self._handled(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()

    async def close(self) -> None:
        """Stop; what was being sent is sent again by the next notifier unless it was written down."""
        await end_tasks(*self._tasks)

    async def _handled(self, delivery: Delivery) -> None:
        seq = delivery.recorded.seq
        if seq in self._in_hand:
            return  # what came of it is still to be written down; then it is asked for again
        self._in_hand.add(seq)
        try:
            await self.handle(delivery)
        except StoreUnavailable as error:
            # The order comes again by itself.
            log.warning("notification_waits", subject=delivery.recorded.subject, reason=str(error))
        except Exception:
            # One message that cannot be made must not keep the others from their recipients.
            log.exception("notification_broke", subject=delivery.recorded.subject)
        finally:
            self._in_hand.discard(seq)

    async def handle(self, delivery: Delivery) -> None:
        """Send it, or find that it is not due, or over. Raises `StoreUnavailable`."""
        planned = delivery.recorded.event
        if not isinstance(planned, NotificationPlanned):
            log.warning("notification_unreadable", seq=delivery.recorded.seq)
            await delivery.ack()
            return
        subject = parse_subject(delivery.recorded.subject)
        records = await self._log.read(subject.originator_id)
        now = self._clock.now()
        match next_step(records, planned, now):
            case Over():
                await delivery.ack()
            case Wait(until=until):
                await delivery.nak((until - now).total_seconds())
            case Try(attempt=attempt):
                await self._try(delivery, planned, records, attempt)

    async def _try(
        self, delivery: Delivery, planned: NotificationPlanned, records: list[Recorded], attempt: int
    ) -> None:
        subject = parse_subject(delivery.recorded.subject)
        result = await self._result_of(planned)
        event = self._outcome(planned, attempt, result)
        draft = Fence().after(records).draft(subject.goal_id, subject.task_id, event, f"{planned.round}-{attempt}")
        await self._append(draft)
        self._crash_point("after writing it down")
        if isinstance(result, Refused) and result.gone:
            await self._close_channel(planned, result.reason)
        if isinstance(event, NotificationFailed) and event.retry_at is not None:
            await delivery.nak((event.retry_at - self._clock.now()).total_seconds())
        else:
            await delivery.ack()

    async def _result_of(self, planned: NotificationPlanned) -> SendResult:
        try:
            async with asyncio.timeout(_READ_WITHIN_S):
                parcel = await self._parcel(planned)
        except TimeoutError as error:
            raise StoreUnavailable(f"The log was not read within {_READ_WITHIN_S:g} s") from error
        if isinstance(parcel, Refused):
            return parcel
        self._crash_point("before sending")
        result = await self._channels[planned.channel].send(parcel)
        self._crash_point("after sending")
        return result

    async def _parcel(self, planned: NotificationPlanned) -> Parcel | Refused:
        recipient = await self._recipients.find(planned)
        if isinstance(recipient, Refused):
            return recipient
        if await self._is_closed(planned.recipient):
            return Refused(reason="nothing more is sent there: its channel is closed", hopeless=True)
        if await self._stories.is_moot(planned):
            return Refused(reason="not needed any more: it was decided meanwhile", hopeless=True)
        try:
            occurrence = await self._stories.of(planned)
        except OccasionMissing as error:
            return Refused(reason=str(error), hopeless=True)
        return Parcel(
            recipient=recipient, occurrence=occurrence, message_id=planned.event_id, at=planned.timestamp
        )

    def _outcome(self, planned: NotificationPlanned, attempt: int, result: SendResult) -> Event:
        if isinstance(result, Accepted):
            return NotificationSent(
                channel=planned.channel,
                recipient=planned.recipient,
                round=planned.round,
                attempt=attempt,
                message_id=planned.event_id,
                answer=result.answer,
            )
        return NotificationFailed(
            channel=planned.channel,
            recipient=planned.recipient,
            round=planned.round,
            attempt=attempt,
            reason=result.reason,
            retry_at=retry_at(attempt, self._clock.now(), hopeless=result.hopeless, pauses_s=self._pauses_s),
        )

    async def _is_closed(self, recipient: str) -> bool:
        closed = False
        for recorded in await self._log.read(CHANNELS):
            if getattr(recorded.event, "recipient", "") == recipient:
                closed = isinstance(recorded.event, NotificationChannelClosed)
        return closed

    async def _close_channel(self, planned: NotificationPlanned, reason: str) -> None:
        records = await self._log.read(CHANNELS)
        event = NotificationChannelClosed(channel=planned.channel, recipient=planned.recipient, reason=reason)
        await self._append(
            Fence().after(records).draft(HUB, GOAL_AS_A_WHOLE, event, f"{planned.recipient}-{len(records) + 1}")
        )

    async def _append(self, draft: Draft) -> None:
        """What came of it is written down however long the log is away: only then nothing is sent twice."""
        stamp = Stamp(now=self._clock.now(), metadata={"actor": ACTOR})
        failures = 0
        while isinstance(await self._log.append(draft, stamp), Unavailable):
            failures += 1
            await self._backoff.pause(failures)
