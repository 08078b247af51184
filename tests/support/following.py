"""The back-off of tests that follow a real store."""

from __future__ import annotations

from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.following import Backoff

BACKOFF = Backoff(SystemClock(), SystemIds(), longest_s=0.5)
