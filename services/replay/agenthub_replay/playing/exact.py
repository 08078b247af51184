"""Texts of a history as they were said: the references in them are read from the history's own objects."""

from __future__ import annotations

from agenthub_replay.history import GoalHistory, RecordedObjects
from agenthub_runtime.clock import SystemIds
from agenthub_runtime.exact_texts import ExactTexts


class Exact:
    """The exact texts of one goal."""

    def __init__(self, history: GoalHistory) -> None:
        self._goal_id = history.goal_id
        self._texts = ExactTexts(RecordedObjects(history), SystemIds())

    async def body(self, data: bytes) -> bytes:
        """A JSON text with the exact texts in the place of references; one that was erased stays."""
        return await self._texts.restored(data, self._goal_id)

    async def text(self, text: str) -> str:
        """The same for a plain text."""
        return await self._texts.restored_text(text, self._goal_id)
