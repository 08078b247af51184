"""Who gives a command, and how its event gets into the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

import msgspec
from opentelemetry.trace import Span, SpanKind

from agenthub_events.base import Draft, Metadata
from agenthub_events.catalogue.goal import GoalAccepted, GoalCancelled
from agenthub_events.errors import InvalidInput, StoreUnavailable
from agenthub_events.ports import Clock, Conflict, EventLog, Recorded, Stamp, Stored, Unavailable
from agenthub_events.redaction import NO_SECRETS, KnownSecrets
from agenthub_events.subjects import uuid5
from agenthub_gateway.errors import KeyReused
from agenthub_gateway.log_health import LogHealth
from agenthub_runtime.exact_texts import ExactTexts
from agenthub_runtime.telemetry.conventions import EVENT_TYPE, GOAL_ID, TASK_ID
from agenthub_runtime.telemetry.goal_trace import CALLER, in_words
from agenthub_runtime.telemetry.tracing import Telemetry, sending, traceparent

TRIES = 16
KEY_MAX = 200
BODY_HASH = "body_sha256"


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A command's envelope: who gives it, and which request it is.

    `request_id` is made from the caller's key, so that a repetition is known; `keyed` is False for a fresh one.
    `body_hash` tells a repetition from another request under the same key; `earlier_hashes` are those under which
    earlier versions of the hub may have stored the same body.
    """

    actor: str
    request_id: str
    body_hash: str
    earlier_hashes: tuple[str, ...] = ()
    keyed: bool = False
    traceparent: str = ""

    def is_of(self, body_hash: str) -> bool:
        """Whether the body that was stored under this hash is the one of this request."""
        return body_hash == self.body_hash or body_hash in self.earlier_hashes


class CommandOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Where the command's event stands in the log. `event_id` is empty when nothing had to happen."""

    goal_id: str
    event_id: str
    sequence: int
    replayed: bool = False


def request_id_for(actor: str, key: str) -> str:
    """The id of the request that `actor` names by `key`. Raises `InvalidInput`."""
    return f"r-{uuid5(f'{actor}|{check_key(key)}')}"


def check_key(key: str) -> str:
    """Return an Idempotency-Key that can be used. Raises `InvalidInput`."""
    if not key.isprintable() or not 1 <= len(key) <= KEY_MAX:
        raise InvalidInput(f"An Idempotency-Key has 1 to {KEY_MAX} printable characters", field="Idempotency-Key")
    return key


class Origin(msgspec.Struct, frozen=True):
    """Where the goal of a command began: the `traceparent` of its first event, when that was, and its secrets.

    `caller` is the trace that the request for it came with.
    """

    traceparent: str
    since: datetime
    secrets_ref: str = ""
    caller: str = ""


class Writer:
    """Appends a command's event. What people say exactly is kept in `texts`; `secrets` are the hub's own.

    `doubtful` holds the digests of what was set aside for events that the log has perhaps not taken, with the goal
    of each: whoever reads it finds out, and takes away what no event names.
    """

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        telemetry: Telemetry,
        texts: ExactTexts,
        *,
        appends: LogHealth | None = None,
        secrets: KnownSecrets = NO_SECRETS,
    ) -> None:
        self.log = log
        self.texts = texts
        self.appends = appends or LogHealth()
        self.doubtful: dict[str, str] = {}
        self._secrets = secrets
        self._clock = clock
        self._telemetry = telemetry

    async def append(
        self, draft: Draft, intent: Intent, origin: Origin | None = None, *, declared: Sequence[str] = ()
    ) -> Stored | Conflict:
        """Append under the fence, as a span of the caller's trace or else of the goal's.

        `declared` are the secrets of a goal that begins. Raises `StoreUnavailable` when the log does not answer.
        """
        if origin is not None:
            declared = await self.texts.secrets_at(origin.secrets_ref, draft.goal_id)
        kept = [draft.event.secrets_ref] if isinstance(draft.event, GoalAccepted) and declared else []
        with self._in_doubt(kept, draft.goal_id):
            known = self._secrets.with_also(declared)
            event = await self.texts.set_aside(draft.event, draft.goal_id, known, kept=kept)
            result = await self._append(msgspec.structs.replace(draft, event=event), intent, origin)
            if isinstance(result, Stored) and not result.duplicate:
                kept.clear()
        return result

    async def keep_secrets(self, secrets: Sequence[str], goal_id: str) -> str:
        """The digest of a new object with the secrets of a goal; empty for none. Raises `StoreUnavailable`."""
        kept: list[str] = []
        with self._in_doubt(kept, goal_id):
            digest = await self.texts.keep_secrets(secrets, goal_id, kept=kept)
            kept.clear()
        return digest

    @contextmanager
    def _in_doubt(self, kept: list[str], goal_id: str) -> Iterator[None]:
        """What is in `kept` in the end is named by no event as far as anybody knows, however it ends."""
        try:
            yield
        finally:
            self.doubtful.update(dict.fromkeys(kept, goal_id))

    async def _append(self, draft: Draft, intent: Intent, origin: Origin | None) -> Stored | Conflict:
        now = self._clock.now()
        with self._span(draft, intent, origin, now), sending(draft.event.type):
            stamp = Stamp(now=now, metadata=_metadata(draft, intent), traceparent=traceparent())
            result = await self.log.append(draft, stamp)
        if isinstance(draft.event, GoalCancelled) and origin is not None and isinstance(result, Stored):
            self._telemetry.end_root(draft.goal_id, origin.since, now, caller=origin.caller, outcome="cancelled")
        if isinstance(result, Unavailable):
            self.appends.failed()
            full = ": its disk is full" if self.appends.is_full() else ""
            raise StoreUnavailable(f"The event log did not take the event{full} ({result.reason})")
        if isinstance(result, Stored) and not result.duplicate:
            self.appends.works()  # a conflict is found before anything is written, and proves nothing
        return result

    def _span(
        self, draft: Draft, intent: Intent, origin: Origin | None, now: datetime
    ) -> AbstractContextManager[Span]:
        """A goal that begins has its root in the caller's trace; what comes later is linked to its caller's."""
        begins = isinstance(draft.event, GoalAccepted)
        parent, since = (origin.traceparent, (origin.since, now)) if origin else ("", None)
        if begins:
            parent = in_words(self._telemetry.root(draft.goal_id, intent.traceparent))
        return self._telemetry.span(
            f"command {draft.event.type}",
            parent=parent,
            since=since,
            attributes={GOAL_ID: draft.goal_id, TASK_ID: draft.task_id, EVENT_TYPE: draft.event.type},
            kind=SpanKind.SERVER,
            links={} if begins else {"caller": intent.traceparent},
        )


async def append_decided(
    writer: Writer,
    records: Sequence[Recorded],
    decide: Callable[[Sequence[Recorded]], Draft | CommandOutcome],
    intent: Intent,
    origin: Origin | None,
) -> CommandOutcome:
    """Append what `decide` makes of an aggregate's `records`; when others have written first, decide again.

    `decide` gets every message of the aggregate. It gives the event, or the outcome when none is needed, and
    raises what speaks against the command. Raises also `StoreUnavailable`.
    """
    for _ in range(TRIES):
        decided = decide(records)
        if isinstance(decided, CommandOutcome):
            return decided
        result = await writer.append(decided, intent, origin)
        if isinstance(result, Stored):
            return stored_outcome(decided, result, intent)
        records = (*records, *result.tail)
    raise StoreUnavailable("Too many commands for one goal at the same moment: send the same again")


def stored_outcome(draft: Draft, stored: Stored, intent: Intent) -> CommandOutcome:
    """The outcome of an event that has just been appended."""
    return CommandOutcome(
        goal_id=draft.goal_id,
        event_id=draft.event_id,
        sequence=stored.seq,
        replayed=stored.duplicate and intent.keyed,
    )


def _metadata(draft: Draft, intent: Intent) -> Metadata:
    caller = {CALLER: intent.traceparent} if intent.traceparent and isinstance(draft.event, GoalAccepted) else {}
    return {
        **caller,
        "actor": intent.actor,
        "causation_id": intent.request_id,
        "correlation_id": draft.goal_id,
        "input": f"command:{intent.request_id}",
        "observed_seq": str(draft.expected),
        BODY_HASH: intent.body_hash,
    }


def earlier_outcome(
    goal_id: str, event_id: str, records: Sequence[Recorded], intent: Intent
) -> CommandOutcome | None:
    """The outcome of an earlier sending of the same request. Raises `KeyReused` when it said something else."""
    found = next((recorded for recorded in records if event_id_of(recorded) == event_id), None)
    if found is None:
        return None
    if not intent.is_of(getattr(found.event, "metadata", {}).get(BODY_HASH, intent.body_hash)):
        raise KeyReused("This Idempotency-Key came with another body before: take a new key for a new request")
    return CommandOutcome(goal_id=goal_id, event_id=event_id, sequence=found.seq, replayed=True)


def event_id_of(recorded: Recorded) -> str:
    """The id of a stored event; empty for what cannot be read."""
    return str(getattr(recorded.event, "event_id", ""))
