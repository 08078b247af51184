"""The object store in memory."""

from __future__ import annotations

from pathlib import Path

from agenthub_events.context import digest_of
from agenthub_events.errors import ArtifactMissing


class InMemoryArtifacts:
    """The `Artifacts` port in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def put(self, data: bytes) -> str:
        """Store `data`; returns its sha256."""
        digest = digest_of(data)
        self.objects[digest] = data
        return digest

    async def get(self, digest: str) -> bytes:
        """The object of this digest. Raises `ArtifactMissing`."""
        try:
            return self.objects[digest]
        except KeyError:
            raise ArtifactMissing(f"No object `{digest}` is stored") from None

    async def put_file(self, path: Path) -> str:
        """Store the content of a file; returns its sha256."""
        return await self.put(_content(path))

    async def get_file(self, digest: str, path: Path) -> None:
        """Write the object of this digest into a file. Raises `ArtifactMissing`."""
        _fill(path, await self.get(digest))


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _fill(path: Path, data: bytes) -> None:
    path.write_bytes(data)
