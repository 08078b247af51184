"""Spans of goals as they travel on the bus: compact, bounded, and without what might be a credential.

Who reads them trusts no writer: what is longer or stranger than said here is refused with its whole message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
from opentelemetry.trace import Link, SpanKind, StatusCode

from agenthub_events.redaction import KnownSecrets, redact_text, storable
from agenthub_events.secret_shapes import may_hold_shape
from agenthub_runtime.telemetry.conventions import GOAL_ID, HTTP_METHOD

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

TEXT_CHARS = 200
ATTRIBUTES = 32
LINKS = 16
SPANS_A_MESSAGE = 1_024
KINDS = ("internal", "server", "client", "producer", "consumer")
"""Kinds of spans, by the number that stands for them."""

_LAST = 2**63 - 1
# What models and people have said, which a library tells when it is asked to: the hub keeps none of it.
_CONTENT = frozenset(
    {
        *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"),
        *("gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.definitions"),
        *("url.full", "url.query"),
    }
)

TraceId: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
SpanId: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
ParentId: TypeAlias = Annotated[bytes, msgspec.Meta(max_length=8)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=TEXT_CHARS)]
Nanoseconds: TypeAlias = Annotated[int, msgspec.Meta(ge=-_LAST, le=_LAST)]
Moment: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=_LAST)]
Value: TypeAlias = Text | int | float | bool


class SpanRecord(msgspec.Struct, frozen=True, array_like=True):
    """A span that has ended: `began` in ns since 1970, `took` in ns; `parent_id` is empty when it has none.

    `failed` says why it failed, and is empty when it did not. `linked` are the traces that it links to.
    """

    trace_id: TraceId
    span_id: SpanId
    parent_id: ParentId
    name: Text
    kind: Annotated[int, msgspec.Meta(ge=0, lt=len(KINDS))]
    began: Moment
    took: Nanoseconds
    attributes: Annotated[dict[Text, Value], msgspec.Meta(max_length=ATTRIBUTES)] = {}
    failed: Text = ""
    linked: Annotated[list[TraceId], msgspec.Meta(max_length=LINKS)] = []


class SpanBatch(msgspec.Struct, frozen=True, array_like=True):
    """One message: spans of one process. `instance` tells processes of one service apart."""

    instance: Text
    spans: Annotated[list[SpanRecord], msgspec.Meta(max_length=SPANS_A_MESSAGE)]


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    instance: str
    spans: list[msgspec.Raw]


def pack(record: SpanRecord) -> bytes:
    """A span in bytes, to be put into a message later."""
    return msgspec.msgpack.encode(record)


def message_of(instance: str, packed: Sequence[bytes]) -> bytes:
    """The message with these spans."""
    return msgspec.msgpack.encode(_Packed(instance[:TEXT_CHARS], [msgspec.Raw(one) for one in packed]))


def read_message(data: bytes) -> SpanBatch:
    """The spans of a message, in texts that Postgres can hold. Raises `msgspec.MsgspecError`."""
    batch = msgspec.msgpack.decode(data, type=SpanBatch)
    return msgspec.structs.replace(batch, spans=[_storable(record) for record in batch.spans])


def record_of(span: ReadableSpan, secrets: KnownSecrets) -> SpanRecord | None:
    """What is kept of a span; None when it is not about the work on a goal.

    Reads over HTTP are left out: a page that is looked at asks more often than anything happens.
    """
    attributes, context = span.attributes or {}, span.context
    is_read = span.kind is SpanKind.SERVER and HTTP_METHOD in attributes
    if context is None or is_read or not (GOAL_ID in attributes or span.links):
        return None
    began, ended = span.start_time or 0, span.end_time or 0
    failed = (span.status.description or "failed") if span.status.status_code is StatusCode.ERROR else ""
    record = SpanRecord(
        trace_id=context.trace_id.to_bytes(16),
        span_id=context.span_id.to_bytes(8),
        parent_id=span.parent.span_id.to_bytes(8) if span.parent else b"",
        name=span.name[:TEXT_CHARS],
        kind=_number_of(span.kind),
        began=began,
        took=ended - began,
        attributes=_plain(attributes),
        failed=failed[:TEXT_CHARS],
        linked=_traces(span.links),
    )
    return _masked(record, secrets)


def _number_of(kind: SpanKind) -> int:
    return KINDS.index(kind.name.lower())


def _plain(attributes: Mapping[str, object]) -> dict[str, Value]:
    kept: dict[str, Value] = {}
    for name, value in attributes.items():
        if name in _CONTENT or len(kept) >= ATTRIBUTES:
            continue
        if isinstance(value, str):
            kept[name[:TEXT_CHARS]] = value[:TEXT_CHARS]
        elif isinstance(value, (bool, int, float)):
            kept[name[:TEXT_CHARS]] = value
    return kept


def _traces(links: Sequence[Link]) -> list[bytes]:
    return [number.to_bytes(16) for number in dict.fromkeys(link.context.trace_id for link in links)][:LINKS]


def _masked(record: SpanRecord, secrets: KnownSecrets) -> SpanRecord:
    """One look at all texts tells nearly always that there is nothing to mask."""
    texts = [
        record.name,
        record.failed,
        *(value for value in record.attributes.values() if isinstance(value, str)),
    ]
    together = '"\n"'.join(texts)
    if secrets.masked(together) is together and not may_hold_shape(together):
        return record
    return _changed(record, lambda text: redact_text(text, secrets)[:TEXT_CHARS])


def _storable(record: SpanRecord) -> SpanRecord:
    return _changed(record, storable)


def _changed(record: SpanRecord, change: Callable[[str], str]) -> SpanRecord:
    return msgspec.structs.replace(
        record,
        name=change(record.name),
        failed=change(record.failed),
        attributes={
            change(name): change(value) if isinstance(value, str) else value
            for name, value in record.attributes.items()
        },
    )
