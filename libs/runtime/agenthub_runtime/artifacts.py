"""Objects under the hash of their content, in the JetStream object store ARTIFACTS."""

from __future__ import annotations

import asyncio

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import DigestMismatchError, NotFoundError, ObjectNotFoundError
from nats.js.object_store import ObjectStore

from agenthub_events.context import digest_of
from agenthub_events.errors import ArtifactMissing, StoreUnavailable

BUCKET = "ARTIFACTS"
# The client waits for the pieces of an object without end, also for those that are not there any more.
GET_WITHIN_S = 60.0


class JetStreamArtifacts:
    """The `Artifacts` port on a NATS connection."""

    def __init__(self, nc: Client, *, get_within_s: float = GET_WITHIN_S) -> None:
        self._js: JetStreamContext = nc.jetstream()
        self._store: ObjectStore | None = None
        self._get_within_s = get_within_s

    async def put(self, data: bytes) -> str:
        """Store `data`; returns its sha256. Raises `StoreUnavailable`."""
        digest = digest_of(data)
        try:
            store = await self._bucket()
            if not await self._has(store, digest):
                await store.put(digest, data)
        except (NatsError, TimeoutError) as error:
            raise StoreUnavailable(f"The artifact store did not take object `{digest[:12]}`: {error}") from error
        return digest

    async def get(self, digest: str) -> bytes:
        """The object of this digest. Raises `ArtifactMissing` or `StoreUnavailable`."""
        try:
            store = await self._bucket()
            async with asyncio.timeout(self._get_within_s):
                found = await store.get(digest)
        except (NotFoundError, ObjectNotFoundError) as error:
            raise ArtifactMissing(
                f"No object `{digest}` is stored; it may have been swept by retention"
            ) from error
        except DigestMismatchError as error:
            raise ArtifactMissing(f"Object `{digest}` is damaged: pieces of it are gone") from error
        except (NatsError, TimeoutError) as error:
            raise StoreUnavailable(f"The artifact store did not give object `{digest[:12]}`: {error}") from error
        return found.data or b""

    async def _bucket(self) -> ObjectStore:
        if self._store is None:
            self._store = await self._js.object_store(BUCKET)
        return self._store

    async def _has(self, store: ObjectStore, digest: str) -> bool:
        try:
            await store.get_info(digest)
        except (NotFoundError, ObjectNotFoundError):
            return False
        return True
