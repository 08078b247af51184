"""The read model of the how-to page, as it stands there, on a real server and a real goal."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.money import LlmCalled
from agenthub_runtime.embedded.servers.nats import NatsServer
from tests.replay.goals import history_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "own-read-model.md"
HISTORY = history_of("0.1.0-price-vat")
CALLS = [r.event for r in HISTORY.events if isinstance(r.event, LlmCalled)]


@pytest.fixture(scope="module")
def page() -> ModuleType:
    """The program of the page."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    assert found is not None
    module = ModuleType("calls")
    exec(compile(found.group(1), str(PAGE), "exec"), module.__dict__)
    return module


async def publish(bus: Client, *, after: int = 0, until: int) -> int:
    """The events of a real goal, up to the `until`-th; the sequence of the last call of a model among them."""
    last = 0
    for message in HISTORY.messages[after:until]:
        ack = await bus.jetstream().publish(message.subject, message.data, headers=dict(message.headers))
        last = ack.seq if ".llm.called" in message.subject else last
    return last


def expected(seen: list[LlmCalled]) -> list[tuple[str, int, int]]:
    calls, tokens = Counter[str](), Counter[str]()
    for call in seen:
        calls[call.model] += 1
        tokens[call.model] += call.input_tokens + call.output_tokens
    return [(model, calls[model], tokens[model]) for model in sorted(calls)]


async def test_it_counts_the_whole_history_and_goes_on_where_it_stopped(
    page: ModuleType, bus: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    half = len(HISTORY.messages) // 2
    file = str(tmp_path / "calls.sqlite")
    start: Callable[..., Any] = page.runner

    def count(until: int) -> list[tuple[str, int, int]]:
        with start(nats_url=nats_server.authorised_url, file=file) as running:
            running.wait(until, timeout=60)
            rows: list[tuple[str, int, int]] = running.view.rows()
            return rows

    first = await asyncio.to_thread(count, await publish(bus, until=half))
    seen = [r.event for r in HISTORY.events[:half] if isinstance(r.event, LlmCalled)]
    assert first == expected(seen)
    rest = await asyncio.to_thread(count, await publish(bus, after=half, until=len(HISTORY.messages)))
    assert rest == expected(CALLS)
    assert await asyncio.to_thread(count, 1) == rest
    assert 0 < len(seen) < len(CALLS)
