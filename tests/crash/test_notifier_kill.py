"""A notifier that is killed at any step: everybody is told, and a second copy has the id of the first."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.goal import GoalCompleted
from agenthub_events.catalogue.notification import NotificationPlanned, NotificationSent
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.declared import apply_assets, declared_assets
from tests.support.git_hosts import TOKEN, a_host
from tests.support.notifying import GOAL, OTHER, Chronicle
from tests.support.receivers import Endpoint, Mailbox, mail_server, web_server
from tests.support.until import until

pytestmark = pytest.mark.extra

STEPS = ("before planning", "after planning", "before sending", "after sending", "after writing it down")
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
async def hasty_bus(bus: Client) -> Client:
    """What a dead notifier held comes again after a second instead of a minute."""
    (notifier,) = (asset for asset in declared_assets() if asset.name == "notifier")
    await apply_assets(bus, [msgspec.structs.replace(notifier, config={**notifier.config, "ack_wait": 10**9})])
    return bus


@asynccontextmanager
async def notifier(
    server: NatsServer, box: Mailbox, web: Endpoint, *crash: str, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    env = os.environ | {
        "NATS_URL": server.authorised_url,
        "AGENTHUB_NOTIFY": f"ann@example.org,http://127.0.0.1:{web.port}/",
        "AGENTHUB_SMTP_URL": f"smtp://127.0.0.1:{box.port}",
        "AGENTHUB_MAIL_FROM": "hub@agenthub.test",
        "AGENTHUB_WEBHOOK_PRIVATE": "yes",
        "AGENTHUB_WEBHOOK_SECRETS": KEY,
        **more,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.crashing_notifier", *(crash or ("never", "1")), env=env
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("nth", ["1", "3"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_any_step_loses_no_message_and_doubles_none_but_with_its_id(
    hasty_bus: Client, nats_server: NatsServer, step: str, nth: str
) -> None:
    told = Chronicle(hasty_bus)
    async with mail_server() as box, web_server() as web:
        await told.accept()
        await told.accept(OTHER, "Sort the list")
        await told.write(AgentBlocked(question="Which key?", task_id="t-a"), task_id="t-a")
        await told.write(AgentBlocked(question="Which order?", task_id="t-a"), goal_id=OTHER, task_id="t-a")
        async with notifier(nats_server, box, web, step, nth) as process:
            assert await process.wait() == -9
        written = {event.message_id for event in await told.of(NotificationSent)}
        async with notifier(nats_server, box, web):

            async def all_told() -> bool:
                planned = {event.event_id for event in await told.of(NotificationPlanned)}
                return len(planned) == 4 == len(await told.of(NotificationSent))

            await until(all_told, 300, "four notifications are sent")
            # Whoever is told of this is through with everything before.
            await told.write(GoalCompleted(completion_summary="done"), goal_id=GOAL)
            await until(lambda: len(box.mails) >= 3 and _ended(box, web), 300, "the end is told")
    ids = Counter(mail_id.strip("<>").partition("@")[0] for mail_id in box.ids())
    ids.update(request.headers["webhook-id"] for request in web.requests)
    assert len(ids) == 6
    assert set(ids.values()) <= {1, 2}
    # Only a kill between the recipient's answer and our event lets a second copy leave.
    assert not {message_id for message_id, copies in ids.items() if copies > 1} & written
    if step == "after sending":
        assert sum(ids.values()) > len(ids)


def _ended(box: Mailbox, web: Endpoint) -> bool:
    return any("completed" in subject for subject in box.subjects()) and any(
        b"goal.completed" in request.body for request in web.requests
    )


@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_any_step_doubles_no_status_and_no_comment(
    hasty_bus: Client, nats_server: NatsServer, step: str, tmp_path: Path
) -> None:
    told, base = Chronicle(hasty_bus), "a" * 40
    async with mail_server() as box, web_server() as web, a_host(tmp_path / "host") as host:
        tokens = {
            "AGENTHUB_NOTIFY": "",
            "AGENTHUB_GIT_TOKENS": f"{host.name}={TOKEN}",
            "AGENTHUB_GIT_FORGES": f"{host.name}=github:{host.api}",
        }
        await told.accept(repository=host.url(), base_commit=base, notify=("check#12",))
        await told.write(GoalCompleted(completion_summary="done"))
        async with notifier(nats_server, box, web, step, "1", **tokens) as process:
            assert await process.wait() == -9
        async with notifier(nats_server, box, web, **tokens):
            await until(lambda: told.of(NotificationSent), 300, "the end is told")
    assert [made["state"] for made in host.statuses] == ["success"]
    assert len(host.comments) == 1
