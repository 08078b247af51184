"""What a worker finds in a repository before any goal rests on it: the question, and what it answers."""

from __future__ import annotations

import msgspec


class Surveyed(msgspec.Struct, frozen=True, kw_only=True):
    """Look at `commit` of a repository (an address or a folder) with what a goal would say of it."""

    repository: str
    commit: str
    test_command: str = ""
    setup: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What the files say, as a goal would find it; nothing of it was run.

    `files` and `test_files` are counts. `setup` are the commands that install what is needed, none where nothing
    is, None where a warning says why that is not known; `setup_source` says where they come from. Without a
    `test_command` a warning says why.
    """

    files: int
    test_files: int
    test_command: str
    setup: tuple[str, ...] | None
    setup_source: str
    checks: tuple[str, ...]
    warnings: tuple[str, ...]
