"""Objects under the hash of their content, in the JetStream object store ARTIFACTS."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError, ObjectNotFoundError
from nats.js.object_store import ObjectStore
from nats.nuid import NUID

from agenthub_events.context import digest_of
from agenthub_events.errors import ArtifactMissing, StoreUnavailable
from agenthub_runtime.jetstream.fenced_stream import FencedStream

BUCKET = "ARTIFACTS"
STREAM = f"OBJ_{BUCKET}"
# An object that is erased and written again has other pieces, also under a reader.
_LOOKS = 3
_PIECE = 128 * 1024

_names = NUID()


class JetStreamArtifacts:
    """The `Artifacts` port on a NATS connection.

    Objects have the shape of the client's object store, but its writer purges what another one has written at the
    same time, which workers may not, and its reader waits without end for pieces that are not there any more.
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
                await self._write(digest, data)
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
            # Several may have written it at the same time, each its own pieces.
            await self._js.purge_stream(STREAM, subject=f"$O.{BUCKET}.C.{digest}.>")
        except (NotFoundError, ObjectNotFoundError):
            return False
        except (NatsError, TimeoutError) as error:
            raise StoreUnavailable(f"The artifact store did not erase `{digest[:12]}`: {error}") from error
        return True

    async def _write(self, digest: str, data: bytes) -> None:
        place = f"{digest}.{_names.next().decode()}"
        pieces = range(0, len(data), _PIECE)
        for start in pieces:
            await self._js.publish(f"$O.{BUCKET}.C.{place}", data[start : start + _PIECE], stream=STREAM)
        sha256 = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
        info = {
            "name": digest,
            "bucket": BUCKET,
            "nuid": place,
            "size": len(data),
            "chunks": len(pieces),
            "mtime": datetime.now(UTC).isoformat(),
            "digest": f"SHA-256={sha256}",
            "deleted": False,
            "options": {"max_chunk_size": _PIECE},
        }
        name = base64.urlsafe_b64encode(digest.encode()).decode()
        await self._js.publish(
            f"$O.{BUCKET}.M.{name}",
            msgspec.json.encode(info),
            headers={"Nats-Rollup": "sub"},
            stream=STREAM,
        )

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
