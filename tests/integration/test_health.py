"""What a process says to who supervises it, beside its figures."""

from __future__ import annotations

import asyncio
import threading
import urllib.error
import urllib.request

from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.settings.records import LogSettings
from agenthub_runtime.telemetry.health import Health
from agenthub_runtime.telemetry.metrics import configure_metrics


def asked(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_a_process_is_live_while_it_works_and_ready_while_the_bus_is_there(
    nats_server: NatsServer, unused_tcp_port: int
) -> None:
    nc = await connect(nats_server.authorised_url, "test", give_up_after_s=300)
    settings = LogSettings(format="json", level="info", otlp_endpoint="", metrics=f"127.0.0.1:{unused_tcp_port}")
    metrics = configure_metrics(settings, service="test", nats=nc)
    url = f"http://127.0.0.1:{unused_tcp_port}"
    try:
        assert await asyncio.to_thread(asked, f"{url}/health/live") == (200, "ok\n")
        assert await asyncio.to_thread(asked, f"{url}/health/ready") == (200, "ok\n")
        assert "agenthub_build_info" in (await asyncio.to_thread(asked, f"{url}/metrics"))[1]
        await nc.close()
        assert await asyncio.to_thread(asked, f"{url}/health/ready") == (503, "no connection to NATS\n")
        assert await asyncio.to_thread(asked, f"{url}/health/live") == (200, "ok\n")
    finally:
        metrics.shutdown()
        await nc.close()


async def test_a_loop_that_hangs_is_not_live() -> None:
    health = Health(asyncio.get_running_loop(), lambda: True)
    found: list[str] = []
    asker = threading.Thread(target=lambda: found.append(health.problem(with_bus=False, within_s=0.05)))
    asker.start()
    asker.join()  # the loop gives no turn meanwhile
    assert found == ["the process has done nothing for 0.05 s"]


def test_a_loop_that_has_ended_is_not_live() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    assert Health(loop, lambda: True).problem(with_bus=False) == "the process ends"
