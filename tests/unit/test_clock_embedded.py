"""The machine's clock and ids."""

from __future__ import annotations

from datetime import UTC

from agenthub_events.ports import Clock, Ids
from agenthub_events.subjects import goal_id_from_token
from agenthub_runtime.clock import SystemClock, SystemIds


async def test_the_clock_is_aware_utc_and_sleeps() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.001)
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() > before


def test_tokens_make_goal_ids_and_do_not_repeat() -> None:
    ids: Ids = SystemIds()
    tokens = {ids.token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(goal_id_from_token(token) for token in tokens)
    assert 0 <= ids.uniform() < 1
