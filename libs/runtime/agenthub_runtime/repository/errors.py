"""Errors of goal repositories.

AgenthubError
└── RepositoryError          git refused; the message holds what it said
    ├── CommitMissing        a commit that an event names is not in the repository
    ├── BundleInvalid        a bundle cannot be read, or its base is not here
    ├── WorkspaceRefused     the workspace cannot become a commit: says which file and what to change
    └── SourceRefused        a repository on this machine cannot be imported: says why and the remedy
"""

from __future__ import annotations

from agenthub_events.errors import AgenthubError


class RepositoryError(AgenthubError):
    """git refused what it was asked; the message holds its own words."""


class CommitMissing(RepositoryError):
    """This commit, or this file of it, is not in the repository."""


class BundleInvalid(RepositoryError):
    """The bundle is broken, or the commits that it builds on are missing here."""


class WorkspaceRefused(RepositoryError):
    """The workspace cannot become a commit; the message says what is wrong with it."""


class SourceRefused(RepositoryError):
    """A repository cannot be imported as it is, however often it is tried; the message names the remedy."""
