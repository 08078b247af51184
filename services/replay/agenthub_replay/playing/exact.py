"""Texts of a history as they were said: the references in them are read from the history's own objects."""

from __future__ import annotations

from agenthub_events.errors import ArtifactMissing
from agenthub_replay.history import GoalHistory
from agenthub_runtime.clock import SystemIds
from agenthub_runtime.exact_texts import ExactTexts


class _Objects:
    """The objects of a history as a port that takes nothing."""

    def __init__(self, history: GoalHistory) -> None:
        self._history = history

    async def put(self, data: bytes) -> str:
        raise AssertionError("replay writes nothing")

    async def get(self, digest: str) -> bytes:
        found = self._history.objects.get(digest)
        if found is None:
            raise ArtifactMissing(f"No object `{digest}` is in this history")
        return found


class Exact:
    """The exact texts of one goal."""

    def __init__(self, history: GoalHistory) -> None:
        self._goal_id = history.goal_id
        self._texts = ExactTexts(_Objects(history), SystemIds())

    async def body(self, data: bytes) -> bytes:
        """A JSON text with the exact texts in the place of references; one that was erased stays."""
        return await self._texts.restored(data, self._goal_id)

    async def text(self, text: str) -> str:
        """The same for a plain text."""
        return await self._texts.restored_text(text, self._goal_id)
