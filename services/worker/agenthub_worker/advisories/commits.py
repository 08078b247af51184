"""What a source of advisories knows of the dependencies of a judged commit, as its lock files name them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from agenthub_events.catalogue.values import Finding
from agenthub_runtime.plain_text import one_line
from agenthub_runtime.repository.history import FileEntry, History
from agenthub_runtime.repository.shown_paths import shown_path
from agenthub_worker.advisories.comparing import compare
from agenthub_worker.advisories.locks.reading import is_lock, names_dependencies
from agenthub_worker.advisories.source import AdvisorySource, SourceAnswer
from agenthub_worker.advisories.telling import answered, asked_about, findings_of, not_read, unanswered, unset
from agenthub_worker.errors import AdvisoriesUnknown

log = structlog.get_logger()

_FILE_BYTES = 8 << 20
_ALL_BYTES = 64 << 20


class KnownAdvisories(NamedTuple):
    """Findings, and in words what was asked about and what nobody knows."""

    findings: tuple[Finding, ...]
    said: tuple[str, ...]


async def known_advisories(
    source: AdvisorySource | None, repository: History, base: str, commit: str
) -> KnownAdvisories:
    """Ask the source about the dependencies of the commit; without an answer that is said."""
    touched = [_shown(path) for path in await repository.changed_files(base, commit) if names_dependencies(path)]
    if source is None:
        return KnownAdvisories((), unset(touched))
    entries = [await _locks(repository, one) for one in (base, commit)]
    if (size := max(sum(entry.size for entry in found) for found in entries)) > _ALL_BYTES:
        return KnownAdvisories(
            (), not_read(f"all lock files, of {size >> 20} MiB: {_ALL_BYTES >> 20} are read at most")
        )
    before, judged = [await _texts(repository, found) for found in entries]
    compared = await asyncio.to_thread(compare, before, judged, touched)
    asked = asked_about(compared)
    try:
        answer = await source.ask(asked) if asked else SourceAnswer(found={})
    except AdvisoriesUnknown as error:
        log.warning("advisories_unknown", commit=commit, reason=str(error))
        return KnownAdvisories((), unanswered(compared, str(error)))
    return KnownAdvisories(tuple(findings_of(compared, answer)), answered(compared, answer, source.name))


async def _locks(repository: History, commit: str) -> list[FileEntry]:
    """The lock files of a commit: plain files of a size that one can have."""
    entries = [entry for entry in await repository.files(commit) if is_lock(entry.path)]
    return [entry for entry in entries if entry.mode.startswith("100") and entry.size <= _FILE_BYTES]


async def _texts(repository: History, entries: Sequence[FileEntry]) -> dict[str, bytes]:
    contents = await repository.contents(entries) if entries else {}
    return {_shown(path): data for path, data in contents.items()}


def _shown(path: str) -> str:
    return one_line(shown_path(path))
