"""The trace of a goal: its ids follow from the goal's own, so that whoever ends the goal can end its root.

Everything that is done for a goal stands below one root, from the moment the goal was accepted to its end, which
may be days and several processes later. The first span that is made is below it already.
"""

from __future__ import annotations

import hashlib

from opentelemetry.trace import SpanContext, TraceFlags, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()
_LOW = (1 << 64) - 1

CALLER = "caller_traceparent"
"""What `goal.accepted` says in its metadata of the trace that the request came with, if it came with one."""


def span_context_of(traceparent: str) -> SpanContext | None:
    """What a `traceparent` names; None when it is none."""
    found = get_current_span(_PROPAGATOR.extract({"traceparent": traceparent})).get_span_context()
    return found if found.is_valid else None


def in_words(context: SpanContext) -> str:
    """The `traceparent` of a span."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags) & 1:02x}"


def root_of(goal_id: str, caller: str = "", ratio: float = 1.0) -> SpanContext:
    """The root span of a goal, in the caller's trace when the request named one.

    `ratio` is the share of the goals whose traces are kept; a caller's trace is kept when the caller keeps it.
    """
    digest = hashlib.sha256(f"goal|{goal_id}".encode()).digest()
    outer = span_context_of(caller)
    trace_id = outer.trace_id if outer else int.from_bytes(digest[:16], "big")
    kept = bool(outer.trace_flags & TraceFlags.SAMPLED) if outer else is_kept(trace_id, ratio)
    flags = TraceFlags(TraceFlags.SAMPLED if kept else TraceFlags.DEFAULT)
    span_id = int.from_bytes(digest[16:24], "big")
    return SpanContext(trace_id=trace_id, span_id=span_id, is_remote=True, trace_flags=flags)


def is_kept(trace_id: int, ratio: float) -> bool:
    """Whether this share of the traces holds this one: as OpenTelemetry's own sampler by ratio decides."""
    return (trace_id & _LOW) < round(ratio * (_LOW + 1))
