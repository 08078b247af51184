"""What a project of the corpus is: where it comes from, and the change that a goal is to make in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Client: TypeAlias = Literal["pip", "npm", "go", "cargo"]


class PinnedPackage(msgspec.Struct, frozen=True):
    """A version of a package, and the digest by which its client pins it.

    The digest is `sha256:` of the source archive for pip, the integrity for npm, the `h1:` sum for go, and the
    checksum of the crate for cargo.
    """

    client: Client
    name: str
    version: str
    digest: str


class BugEdit(msgspec.Struct, frozen=True):
    """One place of a file: as the project has it, as the goal finds it, and as the first fix leaves it.

    Each text stands once in the file. `wrong` empty: the first fix is right here.
    """

    path: str
    good: str
    base: str
    wrong: str = ""

    @property
    def first(self) -> str:
        """What the first fix writes."""
        return self.wrong or self.good


class CorpusProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project, the goal on it, and how it is set up where its files do not say it.

    `source` is None when `files` are all of it; else they lie over what the source holds, without the folders
    `gone`. `setup` are commands.
    """

    name: str
    language: str
    goal: str
    edits: tuple[BugEdit, ...]
    licence: str = ""
    source: PinnedPackage | None = None
    files: Mapping[str, str] = msgspec.field(default_factory=dict)
    gone: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
