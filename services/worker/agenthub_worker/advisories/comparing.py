"""The dependencies of a commit, held against its base: what the change has brought, and what was there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from agenthub_worker.advisories.locks.locked import Dependency, LockedPackages, LockUnread
from agenthub_worker.advisories.locks.reading import is_completed, is_lock, is_settled, read_lock


class ComparedLocks(msgspec.Struct, frozen=True, kw_only=True):
    """Dependencies by the first file that names them. `changed`: no lock file of the base names this version.

    `gaps` say which changed files and entries nobody can be asked about.
    """

    changed: Mapping[Dependency, str]
    standing: Mapping[Dependency, str]
    gaps: tuple[str, ...] = ()


def compare(base: Mapping[str, bytes], judged: Mapping[str, bytes], touched: Collection[str]) -> ComparedLocks:
    """Compare the lock files of two commits, as texts by path.

    `touched` are the files of dependencies that the change adds or alters, whether they are lock files or not.
    """
    read = dict(_read(judged, judged))
    # Of two files that together say what is meant, one may be the same.
    same = {path for path in read if judged[path] == base.get(path) and not is_completed(path)}
    known = [*(read[path] for path in same), *(found for _, found in _read(base, base.keys() - same))]
    before = frozenset[Dependency]().union(*(found.dependencies for found in known))
    changed, standing = dict[Dependency, str](), dict[Dependency, str]()
    for path in sorted(read):
        for one in sorted(read[path].dependencies):
            (standing if one in before else changed).setdefault(one, path)
    return ComparedLocks(changed=changed, standing=standing, gaps=tuple(_gaps(read, touched)))


def _read(files: Mapping[str, bytes], paths: Collection[str]) -> Iterator[tuple[str, LockedPackages]]:
    for path in paths:
        try:
            yield path, read_lock(path, files)
        except LockUnread:
            continue


def _gaps(read: Mapping[str, LockedPackages], touched: Collection[str]) -> Iterator[str]:
    for path in sorted(touched):
        if path in read:
            if loose := read[path].loose:
                entries = "1 entry" if loose == 1 else f"{loose} entries"
                yield f"{entries} of {path} without an exact version of a registry"
        elif is_lock(path):
            yield f"{path}, which cannot be read"
        elif not is_settled(path, read):
            yield f"{path}, beside which no lock file that is read names exact versions"
