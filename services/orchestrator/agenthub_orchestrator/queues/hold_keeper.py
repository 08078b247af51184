"""Keeps the queues held as the log says: for a gateway that died between its event and the queues."""

from __future__ import annotations

import structlog

from agenthub_events.ports import Clock, EventLog
from agenthub_runtime.following import look_forever
from agenthub_runtime.operations.holding import Lanes, read_holds

log = structlog.get_logger(__name__)

LOOK_S = 10.0


async def keep_held(event_log: EventLog, lanes: Lanes, clock: Clock) -> None:
    """Hold and release queues as people have said in the log; look every few seconds, for ever."""

    async def look() -> None:
        holds = await read_holds(event_log)
        if changed := await lanes.hold(holds.types):
            log.warning("queues_held", types=sorted(holds.types), changed=changed)

    await look_forever(look, every_s=LOOK_S, clock=clock, what="holds")
