"""The read models of the simulated hub: the real projection into tables of a dictionary."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, TypeAlias

import msgspec

from agenthub_events.errors import StoreUnavailable
from agenthub_orchestrator.projector.projection import ReadModels
from agenthub_runtime.readmodels.rows import Row
from tests.simulation.faults import Adversary
from tests.simulation.ports import SeenLog

Key: TypeAlias = tuple[str, tuple[Any, ...]]

AGAIN_S = 1.0


class Moved(Exception):
    """Another projector has written first."""


class Tables:
    """Postgres, as far as a projection needs it: rows and position move together or not at all."""

    def __init__(self) -> None:
        self.position = 0
        self.rows: dict[Key, bytes] = {}

    def commit(self, rows: Iterable[Row], *, expected: int, reached: int) -> None:
        """Write rows, and move the position from `expected`. Raises `Moved`."""
        if self.position != expected:
            raise Moved
        self.position = reached
        for row in rows:
            self.rows[row.table, tuple(getattr(row, name) for name in row.key)] = msgspec.json.encode(row)


async def project(log: SeenLog, tables: Tables, adversary: Adversary) -> None:
    """A projector, until its process dies."""
    while True:
        models, position = ReadModels(log, "simulation"), tables.position
        try:
            async with aclosing(log.follow(after=position)) as batches:
                async for batch in batches:
                    if not batch:
                        continue
                    changes = await models.process_events(batch, position=position)
                    await adversary.gate("postgres.before")
                    tables.commit(changes.rows, expected=position, reached=batch[-1].seq)
                    position = batch[-1].seq
                    await adversary.gate("postgres.after")
        except (StoreUnavailable, Moved):
            await asyncio.sleep(AGAIN_S)


async def rebuilt(log: SeenLog) -> Tables:
    """The tables made again from the first event."""
    tables = Tables()
    batch = log.messages
    changes = await ReadModels(log, "rebuilt").process_events(batch, position=0)
    tables.commit(changes.rows, expected=0, reached=batch[-1].seq if batch else 0)
    return tables
