"""Which users of the bus may publish under a subject, by the table of rights that the server gets."""

from __future__ import annotations

import re
from functools import cache

from agenthub_runtime.bus_users.rights import ADMIN, ANY_WORKER, SYSTEM, rights_of, users_of

WORKERS = frozenset(user for user in users_of() if user == ANY_WORKER or user.startswith("worker-"))


def publishers(subject: str) -> frozenset[str]:
    """The users whom the server lets publish there, without the admin's."""
    return frozenset(user for user, pattern in _patterns() if pattern.fullmatch(subject))


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    found = []
    for user in users_of():
        rights = rights_of(user)
        if rights is None:
            assert user in (ADMIN, SYSTEM)
            continue
        found.append((user, re.compile("|".join(map(_pattern, rights.publish)))))
    return tuple(found)


def _pattern(subject: str) -> str:
    words = {"*": r"[^.]+", ">": r".+"}
    return r"\.".join(words.get(token) or re.escape(token) for token in subject.split("."))
