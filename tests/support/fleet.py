"""Saying to the fleet who is alive, and knowing that the server has kept it: a publish waits for nothing."""

from __future__ import annotations

from nats.aio.client import Client

from agenthub_runtime.jetstream.fleet import FollowerStatus, NatsFleet, WorkerStatus
from tests.support.until import until


async def say(nc: Client, status: WorkerStatus | FollowerStatus) -> None:
    """Publish what a process says of itself, and wait until readers find it."""
    fleet = NatsFleet(nc)

    async def kept() -> bool:
        if isinstance(status, WorkerStatus):
            return status in await fleet.living()
        return status in await fleet.followers()

    if isinstance(status, WorkerStatus):
        await fleet.publish(status)
    else:
        await fleet.publish_follower(status)
    await until(kept, what=f"the server keeps {status}")
