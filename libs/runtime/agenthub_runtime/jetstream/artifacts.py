"""Objects under the hash of their content, in the JetStream object store ARTIFACTS."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

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
_PIECES_AT_ONCE = 64

_names = NUID()


class _Info(msgspec.Struct, frozen=True):
    """What of an object's description is needed to read it."""

    name: str
    nuid: str
    size: int = 0
    deleted: bool = False


_INFO = msgspec.json.Decoder(_Info)


@contextmanager
def _reading(digest: str) -> Iterator[None]:
    """Say in words of the port what the client raises."""
    try:
        yield
    except (NotFoundError, ObjectNotFoundError) as error:
        raise ArtifactMissing(f"No object `{digest}` is stored; it may have been swept by retention") from error
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The artifact store did not give object `{digest[:12]}`: {error}") from error


def _place_of(digest: str) -> str:
    return f"$O.{BUCKET}.M.{base64.urlsafe_b64encode(digest.encode()).decode()}"


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
        starts = range(0, len(data), _PIECE)
        return await self._put(digest_of(data), len(data), (data[start : start + _PIECE] for start in starts))

    async def put_file(self, path: Path) -> str:
        """Store the content of a file; returns its sha256. Raises `StoreUnavailable`."""
        size, digest = await asyncio.to_thread(_measured, path)
        return await self._put(digest, size, _pieces_of(path))

    async def _put(self, digest: str, size: int, pieces: Iterator[bytes]) -> str:
        try:
            store = await self._bucket()
            if not await self._has(store, digest):
                await self._write(digest, size, pieces)
        except (NatsError, TimeoutError) as error:
            raise StoreUnavailable(f"The artifact store did not take object `{digest[:12]}`: {error}") from error
        return digest

    async def get(self, digest: str) -> bytes:
        """The object of this digest. Raises `ArtifactMissing` or `StoreUnavailable`."""
        with _reading(digest):
            store = await self._bucket()
            for _ in range(_LOOKS):
                info = await store.get_info(digest)
                pieces = await self._pieces.read(f"$O.{BUCKET}.C.{info.nuid}", limit=info.chunks or 0)
                data = b"".join(piece.data for piece in pieces)
                if digest_of(data) == digest:
                    return data
        raise ArtifactMissing(f"Object `{digest}` is damaged: pieces of it are gone")

    async def get_all(self, digests: Collection[str]) -> dict[str, bytes]:
        """Those of the objects that are there, in a few requests. Raises `StoreUnavailable`."""
        infos = await self._pieces.last_of([_place_of(digest) for digest in digests])
        places = {
            f"$O.{BUCKET}.C.{info.nuid}": info.name
            for info in (_INFO.decode(raw.data) for raw in infos)
            if not info.deleted
        }
        found = dict.fromkeys(places.values(), b"")
        found.update((places[raw.subject], raw.data) for raw in await self._pieces.last_of(list(places)))
        for digest, data in found.items():
            if digest_of(data) != digest:
                # Of more than one piece, or written again meanwhile.
                with suppress(ArtifactMissing):
                    found[digest] = await self.get(digest)
        return {digest: data for digest, data in found.items() if digest_of(data) == digest}

    async def written_lately(self, *, messages: int, size_max: int) -> list[str]:
        """Digests of objects of at most `size_max` bytes among the last messages. Raises `StoreUnavailable`."""
        after = max(await self._pieces.last_seq() - messages, 0)
        infos = [_INFO.decode(raw.data) for raw in await self._pieces.read(f"$O.{BUCKET}.M.>", after=after)]
        return [info.name for info in infos if info.size <= size_max and not info.deleted]

    async def get_file(self, digest: str, path: Path) -> None:
        """Write the object of this digest into a file. Raises `ArtifactMissing` or `StoreUnavailable`."""
        with _reading(digest):
            store = await self._bucket()
            for _ in range(_LOOKS):
                info = await store.get_info(digest)
                if await self._write_to(path, info.nuid or "", info.size or 0) == digest:
                    return
        raise ArtifactMissing(f"Object `{digest}` is damaged: pieces of it are gone")

    async def _write_to(self, path: Path, place: str, size: int) -> str:
        """Write the pieces of an object of `size` bytes into a file; the sha256 of what was there."""
        hashed = hashlib.sha256()
        after = written = 0
        await asyncio.to_thread(path.write_bytes, b"")
        while written < size:
            pieces = await self._pieces.read(f"$O.{BUCKET}.C.{place}", after=after, limit=_PIECES_AT_ONCE)
            if not pieces:
                break
            data = b"".join(piece.data for piece in pieces)
            hashed.update(data)
            await asyncio.to_thread(_append, path, data)
            after, written = pieces[-1].seq, written + len(data)
        return hashed.hexdigest()

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

    async def _write(self, digest: str, size: int, pieces: Iterator[bytes]) -> None:
        place = f"{digest}.{_names.next().decode()}"
        count = 0
        for piece in pieces:
            count += 1
            await self._js.publish(f"$O.{BUCKET}.C.{place}", piece, stream=STREAM)
        sha256 = base64.urlsafe_b64encode(bytes.fromhex(digest)).decode()
        info = {
            "name": digest,
            "bucket": BUCKET,
            "nuid": place,
            "size": size,
            "chunks": count,
            "mtime": datetime.now(UTC).isoformat(),
            "digest": f"SHA-256={sha256}",
            "deleted": False,
            "options": {"max_chunk_size": _PIECE},
        }
        await self._js.publish(
            _place_of(digest),
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


def _measured(path: Path) -> tuple[int, str]:
    """Bytes of a file, and their sha256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
