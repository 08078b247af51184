"""A goal as one file: everything that it takes to replay it elsewhere, without a hub.

The file is gzip'd JSON lines: a head, every event and step with its very bytes, every object, and an end with the
hash of all lines before it. The same history always makes the same bytes.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from agenthub_events.context import digest_of
from agenthub_replay.errors import ExportUnreadable
from agenthub_replay.history import GoalHistory, StoredMessage

FORMAT = 1
UNPACKED_MAX = 256 << 20
"""Bytes to which any export may unpack; a large one may unpack to a hundred times its size."""

_RATIO_MAX = 100
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Head(msgspec.Struct, frozen=True, tag="head", tag_field="line", omit_defaults=True):
    format: int
    goal_id: str
    version: str
    events: int
    steps: int
    objects: int
    seal_keys: tuple[str, ...] = ()


class _Message(msgspec.Struct, frozen=True, tag="message", tag_field="line", omit_defaults=True):
    stream: Literal["events", "steps"]
    seq: int
    subject: str
    sha256: str
    headers: Mapping[str, str] = {}
    body: str = ""
    encoded: str = ""


class _Object(msgspec.Struct, frozen=True, tag="object", tag_field="line"):
    sha256: str
    encoded: str


class _End(msgspec.Struct, frozen=True, tag="end", tag_field="line"):
    sha256: str


_Line = _Head | _Message | _Object | _End
_LINES: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)


def export(history: GoalHistory, *, version: str) -> bytes:
    """The history as a file. `version` is the release that wrote it, for people."""
    body = b"".join(_lines(history, version))
    end = msgspec.json.encode(_End(hashlib.sha256(body).hexdigest())) + b"\n"
    return gzip.compress(body + end, mtime=0)


def _lines(history: GoalHistory, version: str) -> Iterator[bytes]:
    head = _Head(
        FORMAT,
        history.goal_id,
        version,
        len(history.messages),
        len(history.step_messages),
        len(history.objects),
        history.seal_keys,
    )
    yield msgspec.json.encode(head) + b"\n"
    for message in history.messages:
        yield msgspec.json.encode(_told("events", message)) + b"\n"
    for message in history.step_messages:
        yield msgspec.json.encode(_told("steps", message)) + b"\n"
    for digest in sorted(history.objects):
        encoded = base64.b64encode(history.objects[digest]).decode()
        yield msgspec.json.encode(_Object(digest, encoded)) + b"\n"


def _told(stream: Literal["events", "steps"], message: StoredMessage) -> _Message:
    text, encoded = "", ""
    try:
        text = message.data.decode()
    except UnicodeDecodeError:
        encoded = base64.b64encode(message.data).decode()
    return _Message(stream, message.seq, message.subject, message.sha256, dict(message.headers), text, encoded)


class Opened(msgspec.Struct, frozen=True):
    """A file that was read: its history, and what of it is not as it was written, in words."""

    history: GoalHistory
    version: str
    flaws: tuple[str, ...]


def open_export(data: bytes, *, unpacked_max: int = UNPACKED_MAX) -> Opened:
    """Read a file, as far as it can be read.

    Raises `ExportUnreadable` when it is none, of a newer format, or made to exhaust its reader.
    """
    flaws: list[str] = []
    body = _unpacked(data, flaws, max(unpacked_max, _RATIO_MAX * len(data)))
    lines = body.split(b"\n")
    head = _head(lines[0])
    streams: dict[str, list[StoredMessage]] = {"events": [], "steps": []}
    objects: dict[str, bytes] = {}
    ends: list[_End] = []
    for number, line in enumerate(_decoded(lines[1:], flaws), start=2):
        match line:
            case _Message():
                streams[line.stream].append(_message(line, number, flaws))
            case _Object():
                objects[line.sha256] = _object(line, flaws)
            case _End():
                ends.append(line)
    _check_end(body, ends, flaws)
    _check_counts(head, streams, objects, flaws)
    history = GoalHistory(head.goal_id, streams["events"], streams["steps"], objects, head.seal_keys)
    return Opened(history, head.version, tuple(flaws))


def read_export(data: bytes) -> GoalHistory:
    """The history of a file that is whole. Raises `ExportUnreadable` with the first flaw otherwise."""
    opened = open_export(data)
    if opened.flaws:
        raise ExportUnreadable(f"This export was changed: {opened.flaws[0]}")
    return opened.history


def _unpacked(data: bytes, flaws: list[str], limit: int) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    inflating = zlib.decompressobj(wbits=31)
    body = bytearray()
    try:
        # Piece by piece: what stands before the damage can still be read.
        for start in range(0, len(data), 512):
            body += inflating.decompress(data[start : start + 512])
            if len(body) > limit:
                raise ExportUnreadable(
                    f"This file is no export of a goal: its {len(data)} bytes unpack to more than {limit}"
                )
        body += inflating.flush()
    except zlib.error as error:
        flaws.append(f"its packing is damaged near byte {start} of {len(data)}: {error}")
    if not inflating.eof and not flaws:
        flaws.append("its end is missing")
    return bytes(body)


def _head(line: bytes) -> _Head:
    try:
        head = _LINES.decode(line)
    except _UNREADABLE as error:
        raise ExportUnreadable(
            "This file is no export of a goal: it does not begin with the head of one"
        ) from error
    if not isinstance(head, _Head):
        raise ExportUnreadable("This file is no export of a goal: it does not begin with the head of one")
    if head.format > FORMAT:
        raise ExportUnreadable(
            f"This export is of format {head.format}, written by agenthub {head.version}; this one reads up to"
            f" {FORMAT}: use that release or a newer one"
        )
    return head


def _decoded(lines: Iterable[bytes], flaws: list[str]) -> Iterator[Any]:
    for number, line in enumerate(lines, start=2):
        if line:
            try:
                yield _LINES.decode(line)
            except _UNREADABLE as error:
                flaws.append(f"line {number} cannot be read: {error}")


def _message(line: _Message, number: int, flaws: list[str]) -> StoredMessage:
    data = _bytes(line.encoded) if line.encoded else line.body.encode()
    message = StoredMessage(seq=line.seq, subject=line.subject, data=data, headers=line.headers)
    if message.sha256 != line.sha256:
        what = "event" if line.stream == "events" else "step"
        flaws.append(f"{what} {line.seq} ({line.subject}) in line {number} was changed")
    return message


def _object(line: _Object, flaws: list[str]) -> bytes:
    data = _bytes(line.encoded)
    if digest_of(data) != line.sha256:
        flaws.append(f"object {line.sha256} was changed")
    return data


def _bytes(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""


def _check_end(body: bytes, ends: list[_End], flaws: list[str]) -> None:
    before, _, _ = body.rstrip(b"\n").rpartition(b"\n")
    if not ends:
        flaws.append("its last line is missing")
    elif hashlib.sha256(before + b"\n").hexdigest() != ends[-1].sha256:
        flaws.append("its lines do not hash to what its last line says")


def _check_counts(
    head: _Head, streams: Mapping[str, list[StoredMessage]], objects: Mapping[str, bytes], flaws: list[str]
) -> None:
    counted = (
        ("events", head.events, len(streams["events"])),
        ("steps", head.steps, len(streams["steps"])),
        ("objects", head.objects, len(objects)),
    )
    flaws.extend(
        f"it holds {there} {what}, its head says {said}" for what, said, there in counted if said != there
    )
