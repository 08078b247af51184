"""Findings and sentences about the dependencies of a change."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agenthub_events.catalogue.values import Finding
from agenthub_worker.advisories.comparing import ComparedLocks
from agenthub_worker.advisories.locks.locked import Dependency
from agenthub_worker.advisories.records import PackageAdvisory
from agenthub_worker.advisories.source import ASKED_MAX, SourceAnswer
from agenthub_worker.domain.gate_judgement import severity_rank

SOURCE = "advisories"
_TOPIC = "advisories on dependencies"
STANDING_LISTED = 50
"""How many advisories on dependencies that a change has not brought are listed at most."""

_NAMED = 5
_GAP_CHARS = 300


def unset(touched: Collection[str]) -> tuple[str, ...]:
    """What is said of changed dependencies without a source."""
    if not touched:
        return ()
    return (f"{_TOPIC}: unknown, no source of them is set (AGENTHUB_ADVISORIES): {_some(sorted(touched))}",)


def asked_about(compared: ComparedLocks) -> list[Dependency]:
    """The packages that a source is asked about, the changed ones first."""
    return [*compared.changed, *compared.standing][:ASKED_MAX]


def unanswered(compared: ComparedLocks, reason: str) -> tuple[str, ...]:
    """What is said when the source has not answered."""
    return (f"{_TOPIC}: unknown for {_counted(asked_about(compared), compared)}: {reason}", *_left(compared))


def findings_of(compared: ComparedLocks, answer: SourceAnswer) -> list[Finding]:
    """A finding for each advisory on changed dependencies, and for the gravest on others, which do not block."""
    changed = [
        _finding(path, one, advisory, touched=True)
        for one, path in compared.changed.items()
        for advisory in answer.found.get(one, ())
    ]
    standing = [
        _finding(path, one, advisory, touched=False)
        for one, path in compared.standing.items()
        for advisory in answer.found.get(one, ())
    ]
    standing.sort(key=lambda finding: severity_rank(finding.severity), reverse=True)
    return [*changed, *standing[:STANDING_LISTED]]


def answered(compared: ComparedLocks, answer: SourceAnswer, name: str) -> tuple[str, ...]:
    """What is said of the answer, findings apart; nothing where there was nothing to ask about."""
    asked = asked_about(compared)
    if not asked:
        return _left(compared)
    count = sum(map(len, answer.found.values()))
    said = f"{count} on {_counted(list(answer.found), compared)}, of" if count else "none for"
    unread = f"; what some of them say could not be read: {answer.unread}" if answer.unread else ""
    standing = sum(len(answer.found.get(one, ())) for one in compared.standing)
    few = (
        f"; of those on unchanged ones the {STANDING_LISTED} gravest are listed"
        if standing > STANDING_LISTED
        else ""
    )
    return (f"{_TOPIC}: {said} {_counted(asked, compared)}, asked {name}{unread}{few}", *_left(compared))


def not_read(what: str) -> tuple[str, ...]:
    """What is said of files about which nobody is asked."""
    return (f"{_TOPIC}: unknown for {what}",)


def _left(compared: ComparedLocks) -> tuple[str, ...]:
    """Of what nobody has been asked about."""
    left = [*compared.changed, *compared.standing][ASKED_MAX:]
    gaps = [gap[:_GAP_CHARS] for gap in compared.gaps[:_NAMED]]
    if len(compared.gaps) > _NAMED:
        gaps.append(f"{len(compared.gaps) - _NAMED} more files")
    if left:
        gaps.append(f"{_counted(left, compared)}, for {ASKED_MAX} are asked about at most")
    return not_read("; for ".join(gaps)) if gaps else ()


def _counted(some: Sequence[Dependency], compared: ComparedLocks) -> str:
    changed = sum(one in compared.changed for one in some)
    said = [f"{changed} changed"] if changed else []
    said += [f"{len(some) - changed} unchanged"] if len(some) > changed else []
    return f"{' and '.join(said)} {'dependency' if len(some) == 1 else 'dependencies'}"


def _finding(path: str, one: Dependency, advisory: PackageAdvisory, *, touched: bool) -> Finding:
    return Finding(
        file=path,
        severity=advisory.severity or "medium",
        message=_message(one, advisory),
        source=SOURCE,
        touched=touched,
    )


def _message(one: Dependency, advisory: PackageAdvisory) -> str:
    also = f" ({advisory.cve})" if advisory.cve else ""
    what = "is known to be malicious" if advisory.is_malicious else "has a known vulnerability"
    severity = f"severity {advisory.severity}" if advisory.severity else "severity not known"
    fixed = f"; fixed in {', '.join(advisory.fixed)}" if advisory.fixed else ""
    return f"{one.name} {one.version} ({one.ecosystem}) {what}: {advisory.id}{also}, {severity}{fixed}"


def _some(texts: Sequence[str]) -> str:
    return ", ".join(texts[:_NAMED]) + (f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else "")
