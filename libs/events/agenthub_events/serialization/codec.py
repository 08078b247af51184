"""Events to bytes and back. What cannot be read becomes `Unreadable` and never an exception in a loop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue import REGISTRY
from agenthub_events.redaction import mapped, storable
from agenthub_events.serialization.upcasters import UPCASTERS, VERSION_FIELD, Upcaster, upcast


class Unreadable(msgspec.Struct, frozen=True):
    """A body that this code cannot read: kept whole, with the reason; whoever decides must not guess."""

    data: bytes
    reason: str
    type: str = ""


class _Head(msgspec.Struct):
    type: str = ""
    class_version: int = 1


_ENCODER = msgspec.json.Encoder()
_HEAD = msgspec.json.Decoder(_Head)


def encode(event: Event) -> bytes:
    """The JSON body of an event, readable with any NATS client."""
    if event.class_version == 1:
        return _ENCODER.encode(event)
    body = msgspec.to_builtins(event)
    body[VERSION_FIELD] = event.class_version
    return _ENCODER.encode(body)


def decode(
    data: bytes,
    *,
    kinds: Mapping[str, type[Event]] = REGISTRY,
    steps: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> Event | Unreadable:
    """Read a body; an unknown type, a newer version, a missing field or bad JSON gives `Unreadable`.

    `kinds` are the events by type, `steps` what brings old bodies to the present version.
    """
    try:
        head = _HEAD.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        return Unreadable(data, f"not a JSON object with a type: {error}")
    kind = kinds.get(head.type)
    if kind is None:
        return Unreadable(data, f"unknown event type `{head.type}`", head.type)
    if head.class_version > kind.class_version:
        return Unreadable(data, f"`{head.type}` version {head.class_version} is newer than this code", head.type)
    try:
        if head.class_version == kind.class_version:
            event: Event = _decoder(kind).decode(data)
            # A foreign writer's: no store of ours can hold it.
            return mapped(event, storable) if b"\\u0000" in data else event
        body: dict[str, Any] = msgspec.json.decode(data)
        return msgspec.convert(upcast(head.type, head.class_version, body, steps), kind)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, RecursionError) as error:
        return Unreadable(data, f"`{head.type}` does not fit its schema: {error}", head.type)


def decode_at(subject: str, data: bytes) -> Event | Unreadable:
    """Read the body of a message. What it is stands in its subject, where the server looks at the rights of its
    writer: a body that says something else is `Unreadable`.
    """
    event = decode(data)
    told = ".".join(subject.split(".")[3:5])
    if isinstance(event, Event) and event.type != told:
        return Unreadable(data, f"its subject says that it is a `{told}`, its body `{event.type}`", event.type)
    return event


@cache
def _decoder(kind: type[Event]) -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(kind)
