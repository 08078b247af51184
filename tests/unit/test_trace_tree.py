"""Spans in the order in which people read them."""

from __future__ import annotations

import random

import msgspec

from agenthub_runtime.traces import KeptSpan, arranged

TRACE = b"t" * 16


def span(number: int, parent: int = 0, *, kind: str = "internal", began: int = 0, **changes: object) -> KeptSpan:
    plain = KeptSpan(
        trace_id=TRACE,
        span_id=number.to_bytes(8),
        parent_id=parent.to_bytes(8) if parent else b"",
        service="worker.coding",
        task_id="t-a",
        name=f"span {number}",
        kind=kind,
        began_ns=began or number,
        took_ns=10,
        failed=None,
        attributes={},
    )
    return msgspec.structs.replace(plain, **changes)


def shown(spans: list[KeptSpan]) -> list[tuple[int, int]]:
    return [(int.from_bytes(row.span.span_id), row.depth) for row in arranged(spans)]


def test_what_a_piece_of_work_did_stands_below_it_by_time() -> None:
    spans = [span(1, kind="consumer"), span(2, 1, began=9), span(3, 1, began=5), span(4, 3, began=6)]
    assert shown(spans) == [(1, 0), (3, 1), (4, 2), (2, 1)]


def test_what_an_event_has_set_going_begins_a_row_of_its_own() -> None:
    chain = [
        span(1, kind="server"),
        span(2, 1, kind="producer"),
        span(3, 2, kind="consumer"),
        span(4, 3, kind="producer"),
        span(5, 4, kind="consumer"),
    ]
    assert shown(chain) == [(1, 0), (2, 1), (3, 0), (4, 1), (5, 0)]


def test_a_span_whose_parent_was_never_kept_is_shown() -> None:
    assert shown([span(7, 99), span(8, 7)]) == [(7, 0), (8, 1)]


def test_a_parent_of_another_trace_is_none() -> None:
    assert shown([span(1), span(2, 1, trace_id=b"o" * 16)]) == [(1, 0), (2, 0)]


def test_spans_in_a_ring_are_shown_once() -> None:
    assert shown([span(1, 1), span(2, 3), span(3, 2), span(4)]) == [(4, 0), (1, 0), (2, 0), (3, 1)]


def test_one_that_seems_to_end_before_it_began_stands_where_it_began() -> None:
    spans = [span(1, kind="consumer", began=5), span(2, 1, began=3, took_ns=-7)]
    assert shown(spans) == [(1, 0), (2, 1)]


def test_a_worker_takes_no_place_of_another_services_span() -> None:
    forged = span(1, service="worker.coding", name="forged")
    true = span(1, service="orchestrator", name="true")
    for spans in ([forged, true], [true, forged]):
        assert [row.span.name for row in arranged(spans)] == ["true"]


def test_ten_thousand_spans_are_all_there_in_whatever_order_they_came() -> None:
    deep = [span(number, number - 1) for number in range(1, 5_001)]
    wide = [span(number, 1) for number in range(5_001, 10_001)]
    spans = [*deep, *wide]
    random.Random(7).shuffle(spans)
    rows = shown(spans)
    assert len(rows) == len({number for number, _ in rows}) == 10_000
    assert rows[0] == (1, 0)
    assert max(depth for _, depth in rows) == 4_999
