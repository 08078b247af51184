"""Advisories as the OSV format has them, and what they say of one package.

Everything in a record is text of others: what is kept of it is short, and one word or a known one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from agenthub_events.catalogue.values import Severity
from agenthub_worker.advisories.locks.locked import PYPI, Dependency, of_python
from agenthub_worker.advisories.severity import severity_of
from agenthub_worker.domain.gate_judgement import severity_rank
from agenthub_worker.environment.python.tables import rows, table, text, texts

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
"""What an advisory may be called."""

_CVE = re.compile(r"CVE-\d{4}-\d{4,12}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+~!-]{0,59}")
_FIXES = 3
_ALIASES = 20
# Packages that were published to do harm have no score.
_MALICIOUS = "MAL-"


class PackageAdvisory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one vulnerability of one package.

    `severity` None: nobody says it in a form that is understood. `fixed` are versions without it. `also_called`
    are its further names.
    """

    id: str
    severity: Severity | None = None
    fixed: tuple[str, ...] = ()
    also_called: frozenset[str] = frozenset()

    @property
    def cve(self) -> str:
        """Its number at CVE, where it has another id; else empty."""
        return next((name for name in sorted(self.also_called) if _CVE.fullmatch(name)), "")

    @property
    def is_malicious(self) -> bool:
        """Whether the package itself was made to do harm."""
        return any(name.startswith(_MALICIOUS) for name in (self.id, *self.also_called))


def advisory_of(record: Mapping[str, Any], dependency: Dependency) -> PackageAdvisory | None:
    """What a record says of this package; None for one that was withdrawn."""
    if text(record.get("withdrawn")):
        return None
    name = text(record.get("id"))
    affected = [one for one in rows(record.get("affected")) if _is_of(one, dependency)]
    known = [severity for said in _said(record, affected) if (severity := severity_of(said))]
    severity = "critical" if name.startswith(_MALICIOUS) else known[0] if known else None
    aliases = [alias for alias in texts(record.get("aliases")) if ID.fullmatch(alias) and alias != name]
    return PackageAdvisory(
        id=name,
        severity=severity,
        fixed=tuple(dict.fromkeys(_fixed(affected)))[:_FIXES],
        also_called=frozenset(aliases[:_ALIASES]),
    )


def named_only(name: str) -> PackageAdvisory:
    """An advisory of which no more is known than its name."""
    return PackageAdvisory(id=name, severity="critical" if name.startswith(_MALICIOUS) else None)


def distinct(advisories: Sequence[PackageAdvisory]) -> list[PackageAdvisory]:
    """Each vulnerability once, under whichever of its names says the worst of it."""
    known = dict[str, list[PackageAdvisory]]()
    for one in advisories:
        same = {id(group): group for name in _names(one) if (group := known.get(name)) is not None}
        group = [*(other for found in same.values() for other in found), one]
        known.update((name, group) for other in group for name in _names(other))
    return [_joined(group) for group in {id(group): group for group in known.values()}.values()]


def _names(one: PackageAdvisory) -> tuple[str, ...]:
    return (one.id, *one.also_called)


def _joined(group: Iterable[PackageAdvisory]) -> PackageAdvisory:
    ordered = sorted(group, key=lambda one: severity_rank(one.severity) if one.severity else -1, reverse=True)
    worst = ordered[0]
    names = {name for one in ordered for name in _names(one)} - {worst.id}
    fixed = tuple(dict.fromkeys(version for one in ordered for version in one.fixed))
    return msgspec.structs.replace(worst, fixed=fixed[:_FIXES], also_called=frozenset(names))


def _said(record: Mapping[str, Any], affected: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is said of its severity: words of whoever wrote it first, then scores, those of the package first."""
    yield text(table(record, "database_specific").get("severity"))
    for one in affected:
        yield text(table(one, "database_specific").get("severity"))
        yield text(table(one, "ecosystem_specific").get("severity"))
    scores = [score for one in (*affected, record) for score in rows(one.get("severity"))]
    yield from (text(score.get("score")) for score in scores)
    yield from (text(table(one, "database_specific").get("cvss")) for one in affected)


def _is_of(affected: Mapping[str, Any], dependency: Dependency) -> bool:
    package = table(affected, "package")
    name = text(package.get("name"))
    if dependency.ecosystem == PYPI:
        name = of_python(name, "").name
    return text(package.get("ecosystem")) == dependency.ecosystem and name == dependency.name


def _fixed(affected: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for one in affected:
        for span in rows(one.get("ranges")):
            if text(span.get("type")) in ("SEMVER", "ECOSYSTEM"):
                versions = (text(event.get("fixed")) for event in rows(span.get("events")))
                yield from (version for version in versions if _VERSION.fullmatch(version))
