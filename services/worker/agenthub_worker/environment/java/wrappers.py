"""Whether the version of Maven or Gradle that a repository's wrapper names is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from agenthub_worker.environment.java.gradle import RESOLVE
from agenthub_worker.environment.java.maven import MAVEN_BROUGHT

_WRAPPERS = (("mvnw", "mvn", MAVEN_BROUGHT), ("gradlew", "gradle", RESOLVE))


def missed_wrappers(
    workspace: Path, folders: Sequence[str], environment: Path, commands: Sequence[str]
) -> Iterator[str]:
    """A sentence for each wrapper in `folders` of `workspace` in whose place the machine's own tool is used."""
    for wrapper, tool, brings in _WRAPPERS:
        asked = any((workspace / folder / wrapper).is_file() for folder in folders)
        if asked and any(brings in command for command in commands) and not _is_there(environment / "bin" / tool):
            yield f"what `{wrapper}` fetches could not be reached: used is `{tool}` of this machine"


def _is_there(path: Path) -> bool:
    # It leads to where the environment is mounted, and so to nothing out here.
    return path.is_symlink() or path.exists()
