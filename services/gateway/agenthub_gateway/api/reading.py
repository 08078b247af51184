"""What reading handlers share: one consistent view, and answers with position and ETag."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from agenthub_gateway.api.access import After, AnyRequest, PortsParam
from agenthub_gateway.errors import ProjectionBehind
from agenthub_gateway.ports import GatewayPorts
from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.readmodels import Position, position

POSITION_HEADER = "Agenthub-Position"
WAIT_S = 2.0


@asynccontextmanager
async def snapshot(ports: GatewayPorts, after: int | None) -> AsyncIterator[tuple[Connection, Position | None]]:
    """One consistent view of the read models, not older than the event `after`.

    Raises `ProjectionBehind` and `DatabaseUnavailable`.
    """
    if after and not await ports.position.wait(after, WAIT_S):
        current = ports.position.current
        raise ProjectionBehind(
            f"The read models hold events up to {current.seq if current else 0}, you asked for {after}"
        )
    async with (
        ports.database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection, await position(connection)


@dataclass(frozen=True, slots=True)
class Reading:
    """One read: whose request, of what, and how new it has to be."""

    request: AnyRequest
    ports: GatewayPorts
    after: int | None

    @asynccontextmanager
    async def view(self) -> AsyncIterator[tuple[Connection, Position | None]]:
        """As `snapshot`."""
        async with snapshot(self.ports, self.after) as seen:
            yield seen

    def answer(self, payload: object, at: Position | None) -> Response[bytes]:
        """Its ETag tells whether anything has changed, its position how new it is."""
        return self.tagged(msgspec.json.encode(payload), at, "application/json")

    def headers(self, at: Position | None, more: Mapping[str, str]) -> dict[str, str]:
        """Headers of an answer that says where its projection stands."""
        position = {} if at is None else {POSITION_HEADER: str(at.seq)}
        return {"Cache-Control": "private, no-cache", **more, **position}

    def tagged(
        self, body: bytes, at: Position | None, media_type: str, more: Mapping[str, str] | None = None
    ) -> Response[bytes]:
        """Bytes with an ETag, or 304 when the caller has them."""
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = self.headers(at, {"ETag": etag, **(more or {})})
        known = {
            tag.strip().removeprefix("W/") for tag in self.request.headers.get("if-none-match", "").split(",")
        }
        if etag in known:
            return Response(content=b"", status_code=304, headers=headers, media_type=media_type)
        return Response(content=body, headers=headers, media_type=media_type)


ReadingParam = SkipValidation[NamedDependency[Reading]]


def reading_of(request: AnyRequest, ports: PortsParam, after: After = None) -> Reading:
    """The read of a request, as a dependency."""
    return Reading(request, ports, after)
