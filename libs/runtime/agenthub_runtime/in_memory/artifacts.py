"""The object store in memory."""

from __future__ import annotations

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
