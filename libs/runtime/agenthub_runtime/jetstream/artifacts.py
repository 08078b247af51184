"""Objects under the hash of their content, in the JetStream object store ARTIFACTS."""

from __future__ import annotations

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError, ObjectNotFoundError
from nats.js.object_store import ObjectStore

from agenthub_events.context import digest_of
from agenthub_events.errors import ArtifactMissing, StoreUnavailable
from agenthub_runtime.jetstream.fenced_stream import FencedStream

BUCKET = "ARTIFACTS"
STREAM = f"OBJ_{BUCKET}"
# Two writers of one object: the second replaces the pieces of the first, also under a reader.
_LOOKS = 3


class JetStreamArtifacts:
    """The `Artifacts` port on a NATS connection.

    Objects are written by the client's object store and read by direct gets: the client's own reader waits without
    end for pieces that are not there any more.
    """

    def __init__(self, nc: Client) -> None:
        self._js: JetStreamContext = nc.jetstream()
        self._store: ObjectStore | None = None
        self._pieces = FencedStream(nc, STREAM)

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
            for _ in range(_LOOKS):
                info = await store.get_info(digest)
                pieces = await self._pieces.read(f"$O.{BUCKET}.C.{info.nuid}") if info.size else []
                data = b"".join(piece.data for piece in pieces)
                if digest_of(data) == digest:
                    return data
        except (NotFoundError, ObjectNotFoundError) as error:
            raise ArtifactMissing(
                f"No object `{digest}` is stored; it may have been swept by retention"
            ) from error
        except (NatsError, TimeoutError) as error:
            raise StoreUnavailable(f"The artifact store did not give object `{digest[:12]}`: {error}") from error
        raise ArtifactMissing(f"Object `{digest}` is damaged: pieces of it are gone")

    async def delete(self, digest: str) -> bool:
        """Take an object away for good; False when it is not there. Raises `StoreUnavailable`."""
        try:
            store = await self._bucket()
            if not await self._has(store, digest):
                return False
            await store.delete(digest)
        except (NotFoundError, ObjectNotFoundError):
            return False
        except (NatsError, TimeoutError) as error:
            raise StoreUnavailable(f"The artifact store did not erase `{digest[:12]}`: {error}") from error
        return True

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
