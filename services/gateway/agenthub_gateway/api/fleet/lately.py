"""What queues and models have done within the last hour."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Response, get

from agenthub_gateway.api.access import says
from agenthub_gateway.api.reading import ReadingParam
from agenthub_runtime.readmodels.overview import ModelLately, QueueLately, models_lately, queues_lately

_WITHIN = timedelta(hours=1)


class Lately(msgspec.Struct, frozen=True, kw_only=True):
    """By agent type and by model, what the last hour has brought; what did nothing is left out."""

    queues: list[QueueLately]
    models: list[ModelLately]


@get("/api/v1/fleet/lately", responses=says(Lately), tags=["System"], summary="What the last hour has brought")
async def lately(*, reading: ReadingParam) -> Response[bytes]:
    """Attempts that ended, orders that were delivered again, model calls, and tasks that wait for a model."""
    since = reading.ports.clock.now() - _WITHIN
    async with reading.view() as (connection, at):
        found = Lately(
            queues=await queues_lately(connection, since), models=await models_lately(connection, since)
        )
    return reading.answer(found, at)


HANDLERS: list[Any] = [lately]
