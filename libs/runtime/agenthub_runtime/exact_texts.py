"""Texts as they were said, beside the log: what looks like a credential is erasable there, and a reference here.

The log keeps everything for ever, so a text in it holds `[redacted:<digest>]` where something looked like a
credential. The object of that digest holds the exact text, for whoever works on the goal. Its random part keeps a
digest from telling what it stands for once the object is gone. Known secrets are set aside nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias, TypeVar

import msgspec

from agenthub_events.base import Event
from agenthub_events.context import digest_of
from agenthub_events.errors import ArtifactMissing
from agenthub_events.ports import Artifacts, Ids
from agenthub_events.redaction import MASK, REFERENCE, KnownSecrets, mapped, storable, with_shapes_replaced

E = TypeVar("E", bound=Event)

_REFERENCE = re.compile(REFERENCE.pattern.encode())


class _Text(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    goal_id: str
    random: str
    text: str


class _Secrets(msgspec.Struct, frozen=True, kw_only=True, tag="secrets"):
    goal_id: str
    random: str
    values: tuple[str, ...]


_Kept: TypeAlias = _Text | _Secrets
_KEPT: msgspec.json.Decoder[_Kept] = msgspec.json.Decoder(_Kept)


def is_kept_from(data: bytes, goal_id: str) -> bool:
    """Whether an object is nothing for whoever takes the history of `goal_id` away.

    So is what any goal has declared as secret, and the texts of another goal: whoever writes a text may name them.
    """
    kept = _decoded(data)
    return isinstance(kept, _Secrets) or (isinstance(kept, _Text) and kept.goal_id != goal_id)


def goal_of_secrets(data: bytes) -> str:
    """The goal whose declared secrets an object holds; empty for any other object."""
    kept = _decoded(data)
    return kept.goal_id if isinstance(kept, _Secrets) else ""


def _decoded(data: bytes) -> _Kept | None:
    try:
        return _KEPT.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class ExactTexts:
    """What goals keep beside the log, in the object store. Every call raises `StoreUnavailable`."""

    def __init__(self, artifacts: Artifacts, ids: Ids) -> None:
        self._artifacts = artifacts
        self._ids = ids

    async def set_aside(
        self, event: E, goal_id: str, secrets: KnownSecrets, *, kept: list[str] | None = None
    ) -> E:
        """`event` without `secrets`, and with references to whatever else in its texts looks like a credential.

        `kept` is told the digest of each object before it is stored.
        """
        clean = mapped(event, lambda text: secrets.masked(storable(text)))
        references: dict[str, str] = {}

        def note(value: str) -> str:
            references[value] = MASK
            return value

        mapped(clean, lambda text: with_shapes_replaced(text, note))
        for value in references:
            exact = _Text(goal_id=goal_id, random=self._ids.token(), text=value)
            references[value] = f"[redacted:{await self._put(exact, kept)}]"
        if not references:
            return clean
        return mapped(clean, lambda text: with_shapes_replaced(text, references.__getitem__))

    async def restored(self, data: bytes, goal_id: str) -> bytes:
        """A JSON text of a goal with the exact texts in the place of references; one that is erased stays."""
        for digest in set(_REFERENCE.findall(data)):
            kept = await self._get(digest.decode(), goal_id)
            if isinstance(kept, _Text):
                data = data.replace(b"[redacted:%b]" % digest, msgspec.json.encode(kept.text)[1:-1])
        return data

    async def restored_text(self, text: str, goal_id: str) -> str:
        """The same for a plain text."""
        return msgspec.json.decode(await self.restored(msgspec.json.encode(text), goal_id), type=str)

    async def keep_secrets(self, values: Iterable[str], goal_id: str, *, kept: list[str] | None = None) -> str:
        """Keep what a goal has declared as secret; the digest for `GoalAccepted.secrets_ref`, empty for none.

        `kept` is told the digest before the object is stored.
        """
        declared = tuple(values)
        if not declared:
            return ""
        return await self._put(_Secrets(goal_id=goal_id, random=self._ids.token(), values=declared), kept)

    async def secrets_at(self, digest: str, goal_id: str) -> tuple[str, ...]:
        """The secrets that a goal has declared; none when they are erased."""
        kept = await self._get(digest, goal_id) if digest else None
        return kept.values if isinstance(kept, _Secrets) else ()

    async def _put(self, exact: _Kept, kept: list[str] | None) -> str:
        data = msgspec.json.encode(exact)
        if kept is not None:
            kept.append(digest_of(data))
        return await self._artifacts.put(data)

    async def _get(self, digest: str, goal_id: str) -> _Kept | None:
        try:
            kept = _decoded(await self._artifacts.get(digest))
        except ArtifactMissing:
            return None
        # Whoever writes a text may write a reference: no goal reads what another one has set aside.
        return kept if kept is not None and kept.goal_id == goal_id else None
