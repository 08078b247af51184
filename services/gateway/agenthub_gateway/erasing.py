"""Erases what a goal keeps beside the log: its runs in RUNS, and its objects in ARTIFACTS."""

from __future__ import annotations

import re

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.errors import ArtifactMissing, StoreUnavailable
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.fenced_stream import FencedStream
from agenthub_runtime.jetstream.run_log import STREAM as RUNS

_EVENTS = "EVENTS"
# Whatever names an object does so by its digest; what only looks like one names nothing.
_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """How much was there: messages of runs, and objects."""

    messages: int
    objects: int


async def erase_goal(nc: Client, goal_id: str) -> Erased:
    """Erase a finished goal's runs and objects; what another goal names as well is kept.

    Done again it goes on where it was interrupted: the runs, which name objects too, go last. Raises
    `StoreUnavailable`.
    """
    artifacts = JetStreamArtifacts(nc)
    named = await _named(nc, _EVENTS, f"evt.{goal_id}.>") | await _named(nc, RUNS, f"run.{goal_id}.>")
    shared = {digest for digest in named if not await _is_own(artifacts, digest, goal_id)}
    if shared:
        shared &= await _named_elsewhere(nc, goal_id)
    objects = 0
    for digest in sorted(named - shared):
        objects += await artifacts.delete(digest)
    try:
        messages = (
            await nc.jetstream().stream_info(RUNS, subjects_filter=f"run.{goal_id}.>")
        ).state.subjects or {}
        await nc.jetstream().purge_stream(RUNS, subject=f"run.{goal_id}.>")
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The runs of goal `{goal_id}` could not be erased: {error}") from error
    return Erased(messages=sum(messages.values()), objects=objects)


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
