"""Traces of goals as the hub has kept them: read, and arranged as a tree."""

from agenthub_runtime.traces.reading import SPANS_MAX, Kept, spans_of_goal
from agenthub_runtime.traces.tree import Arranged, KeptSpan, arranged

__all__ = ["SPANS_MAX", "Arranged", "Kept", "KeptSpan", "arranged", "spans_of_goal"]
