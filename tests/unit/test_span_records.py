"""Spans as they travel, and the buffer they wait in."""

from __future__ import annotations

import math

import msgspec
import pytest
from opentelemetry.trace import SpanKind

from agenthub_events.redaction import KnownSecrets
from agenthub_runtime.telemetry.conventions import ERROR_TYPE, GOAL_ID, HTTP_METHOD, TASK_ID
from agenthub_runtime.telemetry.goal_trace import in_words, root_of
from agenthub_runtime.telemetry.span_keeping import SpanKeeper
from agenthub_runtime.telemetry.span_records import (
    ATTRIBUTES,
    TEXT_CHARS,
    SpanBatch,
    SpanRecord,
    message_of,
    pack,
    read_message,
)
from agenthub_runtime.telemetry.tracing import Telemetry, mark_failed

GOAL = "g-" + "0" * 26
TOKEN = "ghp_" + "a1" * 20


class Bus:
    """Takes messages, or refuses them."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.is_away = False

    async def send(self, message: bytes) -> None:
        if self.is_away:
            raise ConnectionError("away")
        self.messages.append(message)

    @property
    def spans(self) -> list[SpanRecord]:
        return [span for message in self.messages for span in read_message(message).spans]


def observed(*, secrets: KnownSecrets | None = None, buffer_bytes: int = 1 << 20) -> tuple[Telemetry, SpanKeeper]:
    keeper = SpanKeeper(secrets or KnownSecrets(()), buffer_bytes=buffer_bytes)
    return Telemetry("test", keeper=keeper), keeper


def plain_record(**changes: object) -> SpanRecord:
    record = SpanRecord(b"t" * 16, b"s" * 8, b"", "process coding", 4, 1_000, 500, {GOAL_ID: GOAL})
    return msgspec.structs.replace(record, **changes)


async def test_a_span_arrives_with_its_place_its_time_and_why_it_failed() -> None:
    telemetry, keeper = observed()
    root = root_of(GOAL)
    about: dict[str, str | int | float | bool] = {GOAL_ID: GOAL, TASK_ID: "t-a", "agenthub.round": 2}
    with telemetry.span("process coding", parent=in_words(root), attributes=about, kind=SpanKind.CONSUMER) as span:
        mark_failed(span, "exit code 1", "exit")
    bus = Bus()
    await keeper.send_all(bus.send)

    [kept] = bus.spans
    assert kept.trace_id == root.trace_id.to_bytes(16)
    assert kept.parent_id == root.span_id.to_bytes(8)
    assert (kept.name, kept.kind, kept.failed) == ("process coding", 4, "exit code 1")
    assert kept.attributes == {**about, ERROR_TYPE: "exit"}
    assert kept.took > 0


async def test_what_is_about_no_goal_and_what_was_only_read_is_not_kept() -> None:
    telemetry, keeper = observed()
    with telemetry.span("SQL SELECT"):
        pass
    with telemetry.span("GET /api/v1/goals/{goal_id}", kind=SpanKind.SERVER) as read:
        read.set_attributes({GOAL_ID: GOAL, HTTP_METHOD: "GET"})
    with telemetry.span("anthropic.messages.create", kind=SpanKind.CLIENT, attributes={GOAL_ID: GOAL}) as call:
        call.set_attribute(HTTP_METHOD, "POST")
    with telemetry.span("project batch", links={"event 0": in_words(root_of(GOAL))}):
        pass
    bus = Bus()
    await keeper.send_all(bus.send)

    assert [(span.name, span.linked) for span in bus.spans] == [
        ("anthropic.messages.create", []),
        ("project batch", [root_of(GOAL).trace_id.to_bytes(16)]),
    ]


async def test_what_models_and_people_say_is_not_kept_even_where_a_library_tells_it() -> None:
    telemetry, keeper = observed()
    about = {GOAL_ID: GOAL, "gen_ai.input.messages": "in confidence", "gen_ai.request.model": "m"}
    with telemetry.span("anthropic.messages.create", attributes=about):
        pass
    bus = Bus()
    await keeper.send_all(bus.send)

    assert bus.spans[0].attributes == {GOAL_ID: GOAL, "gen_ai.request.model": "m"}


async def test_i9_no_credential_travels_in_a_span() -> None:
    telemetry, keeper = observed(secrets=KnownSecrets(["operators-secret-1"]))
    about = {GOAL_ID: GOAL, "said": f"with {TOKEN}", "also": "operators-secret-1"}
    with telemetry.span(f"push {TOKEN}", attributes=about):
        pass
    bus = Bus()
    await keeper.send_all(bus.send)

    assert TOKEN.encode() not in bus.messages[0]
    assert b"operators-secret-1" not in bus.messages[0]
    assert bus.spans[0].attributes[GOAL_ID] == GOAL


async def test_what_is_long_is_cut_and_what_is_much_is_left_out() -> None:
    telemetry, keeper = observed()
    about: dict[str, str | int | float | bool] = {GOAL_ID: GOAL, "long": "x" * 9_000}
    about |= {f"a{number}": number for number in range(90)}
    with telemetry.span("n" * 9_000, attributes=about):
        pass
    bus = Bus()
    await keeper.send_all(bus.send)

    [kept] = bus.spans
    assert len(kept.name) == TEXT_CHARS == len(str(kept.attributes["long"]))
    assert len(kept.attributes) == ATTRIBUTES


async def test_while_the_bus_is_away_spans_wait_in_order_and_what_finds_no_room_is_counted() -> None:
    telemetry, keeper = observed(buffer_bytes=8 * len(pack(plain_record())) * 2)
    bus = Bus()
    bus.is_away = True
    for number in range(100):
        with telemetry.span(f"step {number}", attributes={GOAL_ID: GOAL}):
            pass
    with pytest.raises(ConnectionError):
        await keeper.send_all(bus.send)
    bus.is_away = False
    await keeper.send_all(bus.send)

    kept = [span.name for span in bus.spans]
    assert kept == [f"step {number}" for number in range(len(kept))]
    assert len(kept) > 4
    assert keeper.lost == 100 - len(kept)
    with telemetry.span("again", attributes={GOAL_ID: GOAL}):
        pass
    await keeper.send_all(bus.send)
    assert bus.spans[-1].name == "again"


async def test_ten_thousand_spans_go_in_messages_that_the_stream_takes() -> None:
    telemetry, keeper = observed(buffer_bytes=1 << 24)
    about = {GOAL_ID: GOAL, TASK_ID: "t-a", "agenthub.worker": "Worker-1"}
    for _ in range(10_000):
        with telemetry.span("git commit", attributes=about):
            pass
    bus = Bus()
    await keeper.send_all(bus.send)

    assert len(bus.spans) == 10_000
    assert max(map(len, bus.messages)) < 512 << 10
    assert sum(map(len, bus.messages)) / 10_000 < 250


@pytest.mark.parametrize(
    "wrong",
    [
        {"trace_id": b"short"},
        {"span_id": b"s" * 9},
        {"parent_id": b"p" * 9},
        {"name": "n" * 201},
        {"kind": 5},
        {"kind": -1},
        {"began": -1},
        {"began": 2**63},
        {"took": 2**64 - 1},
        {"attributes": {f"a{number}": 1 for number in range(ATTRIBUTES + 1)}},
        {"attributes": {"a": "v" * 201}},
        {"attributes": {"a": ["of", "several"]}},
        {"linked": [b"t" * 16] * 17},
    ],
    ids=str,
)
def test_a_message_that_no_service_sends_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.MsgspecError):
        read_message(message_of("host-1", [pack(plain_record(**wrong))]))


@pytest.mark.parametrize("data", [b"", b"{}", b"\xc1", msgspec.msgpack.encode(["host-1"]), b"\x92\xa1h\x91" * 9])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        read_message(data)


def test_odd_spans_are_read_as_they_are() -> None:
    odd = [
        plain_record(took=-5_000),
        plain_record(attributes={"ratio": math.inf, "nul": "a\x00b"}),
        plain_record(parent_id=b"s" * 8),
    ]
    batch = read_message(message_of("host-1", [pack(one) for one in odd]))
    assert isinstance(batch, SpanBatch)
    assert batch.instance == "host-1"
    assert [span.took for span in batch.spans] == [-5_000, 500, 500]
    assert "\x00" not in str(batch.spans[1].attributes["nul"])
