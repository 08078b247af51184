"""Erases what a goal keeps beside the log: its runs in RUNS, and its objects in ARTIFACTS.

So is what was set aside for an event that the log did not take: no erasing of its goal would find it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import MutableMapping
from contextlib import suppress

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.base import type_of
from agenthub_events.catalogue.goal import GoalErased
from agenthub_events.errors import ArtifactMissing, StoreUnavailable
from agenthub_events.subjects import GOAL_AS_A_WHOLE, parse_subject, subject_of
from agenthub_runtime.exact_texts import goal_of_secrets
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.fenced_stream import FencedStream
from agenthub_runtime.jetstream.run_log import STREAM as RUNS

_log = structlog.get_logger(__name__)

ERASING_LOOKED_AT_EVERY_S = 60.0

_EVENTS = "EVENTS"
_ERASED = subject_of("*", GOAL_AS_A_WHOLE, type_of(GoalErased))
# An erasing is soon finished or soon interrupted; the newest are enough.
_LOOKED_AT = 100
_CLEAN_LOOKS = 3
# A gateway that was killed is started anew at once: what it had written stands among the last messages.
_LOOKED_BACK = 1_000
_SECRETS_BYTES = 64 << 10
# Whatever names an object does so by its digest; what only looks like one names nothing.
_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """How much was there: messages of runs, and objects."""

    messages: int
    objects: int


async def erase_goal(nc: Client, goal_id: str) -> Erased:
    """Erase a finished goal's runs and objects; what another goal names as well is kept.

    Done again it goes on where it was interrupted: what shows that something is left goes last, first the objects
    that name the goal, then its runs, which name objects too. Raises `StoreUnavailable`.
    """
    artifacts = JetStreamArtifacts(nc)
    named = await _named(nc, _EVENTS, f"evt.{goal_id}.>") | await _named(nc, RUNS, f"run.{goal_id}.>")
    foreign = {digest for digest in named if not await _is_own(artifacts, digest, goal_id)}
    shared = foreign & await _named_elsewhere(nc, goal_id) if foreign else foreign
    objects = 0
    for digest in (*sorted(foreign - shared), *sorted(named - foreign)):
        objects += await artifacts.delete(digest)
    try:
        messages = (
            await nc.jetstream().stream_info(RUNS, subjects_filter=f"run.{goal_id}.>")
        ).state.subjects or {}
        await nc.jetstream().purge_stream(RUNS, subject=f"run.{goal_id}.>")
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The runs of goal `{goal_id}` could not be erased: {error}") from error
    return Erased(messages=sum(messages.values()), objects=objects)


class ErasureKeeper:
    """Finishes an erasing at which a gateway was killed, or behind which a worker still wrote its last words."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._events = FencedStream(nc, _EVENTS)
        # How often nothing was left; only spares questions.
        self._clean: Counter[int] = Counter()

    async def look(self) -> None:
        """Erase what is left of goals whose erasing stands in the log. Raises `StoreUnavailable`."""
        for message in (await self._events.read(_ERASED))[-_LOOKED_AT:]:
            if self._clean[message.seq] >= _CLEAN_LOOKS:
                continue
            goal_id = parse_subject(message.subject).goal_id
            if await _is_left(self._nc, goal_id):
                found = await erase_goal(self._nc, goal_id)
                _log.info("erasing_finished", goal=goal_id, messages=found.messages, objects=found.objects)
            else:
                self._clean[message.seq] += 1


class UnnamedKeeper:
    """Takes away what was set aside for events that the log lacks; `doubtful` has the goal of each digest.

    So it does with the secrets that a gateway had kept when it was killed. Texts that were set aside then stay: a
    worker that waits for room on the disk may still name them.
    """

    def __init__(self, nc: Client, doubtful: MutableMapping[str, str]) -> None:
        self._nc = nc
        self._doubtful = doubtful
        self._seen: frozenset[str] = frozenset()
        self._has_looked_back = False

    async def look(self) -> None:
        """Deal with what the last look has seen: by now its event is stored, or never will be.

        Raises `StoreUnavailable`; then it is tried again.
        """
        if not self._has_looked_back:
            self._doubtful.update(await _secrets_of_late(JetStreamArtifacts(self._nc)))
            self._has_looked_back = True
        ripe = {digest: goal_id for digest, goal_id in self._doubtful.items() if digest in self._seen}
        # What waited in the client while no server was there may be stored just now: that needs a look more.
        self._seen = frozenset()
        artifacts = JetStreamArtifacts(self._nc)
        for goal_id in set(ripe.values()):
            named = await _named(self._nc, _EVENTS, f"evt.{goal_id}.>")
            for digest in [digest for digest in ripe if ripe[digest] == goal_id]:
                if digest not in named and await artifacts.delete(digest):
                    _log.info("unnamed_object_erased", goal=goal_id)
                del self._doubtful[digest]
        self._seen = frozenset(self._doubtful) if self._nc.is_connected else frozenset()


async def _secrets_of_late(artifacts: JetStreamArtifacts) -> dict[str, str]:
    """Objects with declared secrets that were written lately, and their goals."""
    lately = await artifacts.written_lately(messages=_LOOKED_BACK, size_max=_SECRETS_BYTES)
    found = await artifacts.get_all(lately)
    return {digest: goal_id for digest, data in found.items() if (goal_id := goal_of_secrets(data))}


async def _is_left(nc: Client, goal_id: str) -> bool:
    """Whether there still is a run of the goal, or an object that names it."""
    if await FencedStream(nc, RUNS).last(f"run.{goal_id}.>") is not None:
        return True
    artifacts = JetStreamArtifacts(nc)
    for digest in await _named(nc, _EVENTS, f"evt.{goal_id}.>"):
        with suppress(ArtifactMissing):
            if goal_id.encode() in await artifacts.get(digest):
                return True
    return False


async def _is_own(artifacts: JetStreamArtifacts, digest: str, goal_id: str) -> bool:
    """Whether an object says itself whose it is: texts, secrets and orders do."""
    try:
        return goal_id.encode() in await artifacts.get(digest)
    except ArtifactMissing:
        return True


async def _named(nc: Client, stream: str, subjects: str) -> set[str]:
    messages = await FencedStream(nc, stream).read(subjects)
    return {found.decode() for message in messages for found in _DIGEST.findall(message.data)}


async def _named_elsewhere(nc: Client, goal_id: str) -> set[str]:
    """What other goals name, in events or in steps of their runs (of which each names what it was told)."""
    found: set[str] = set()
    for stream, subjects in ((_EVENTS, "evt.>"), (RUNS, "run.*.*.*.step.>")):
        own = f"{subjects.partition('.')[0]}.{goal_id}."
        async for batch in FencedStream(nc, stream).follow([subjects], after=0):
            if not batch:
                break
            for message in batch:
                if not message.subject.startswith(own):
                    found.update(digest.decode() for digest in _DIGEST.findall(message.data))
    return found
