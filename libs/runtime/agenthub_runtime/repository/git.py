"""Runs the system's git so that nothing in a repository or on the machine can change what it does.

No system or user configuration is read, no hook, filter, text conversion, external diff, monitor or editor runs,
no network protocol is open, and the objects that people replaced or grafted are ignored. A tree may carry any
`.gitattributes`: `info/attributes` of the bare repository outranks it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from agenthub_runtime.processes import spawn
from agenthub_runtime.repository.errors import CommitMissing, RepositoryError

_IDENTITY = "agenthub"
_ADDRESS = "agenthub@localhost"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ERROR_CHARS = 2_000

_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.symlinks": "true",
    "core.fileMode": "true",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.quotePath": "false",
    "core.pager": "cat",
    "core.editor": "false",
    "core.filesRefLockTimeout": "5000",
    "core.sshCommand": "false",
    "credential.helper": "",
    "diff.ignoreSubmodules": "all",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "protocol.allow": "never",
    "protocol.file.allow": "always",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "advice.detachedHead": "false",
    "commit.gpgSign": "false",
}

ATTRIBUTES = "* -text !eol -ident -filter !working-tree-encoding !merge !diff !whitespace\n"
"""Outranks every `.gitattributes` in a tree: bytes go in and out as they are, merges are plain."""

UNFINISHED_EDIT = ".agenthub-edit-"
"""How the name of a file begins that a file tool is writing, before it gets its own name."""

EXCLUDES = "\n".join(
    (
        f"{UNFINISHED_EDIT}*",
        "__pycache__/",
        "*.py[cod]",
        ".pytest_cache/",
        ".mypy_cache/",
        ".ruff_cache/",
        ".hypothesis/",
        ".coverage",
        ".coverage.*",
        ".venv/",
        "node_modules/",
        "",
    )
)
"""What tools leave behind; never part of a result unless the repository tracks it already."""


class GitOutput(msgspec.Struct, frozen=True):
    """What a git command answered. `cut`: the output went on after the limit that was asked for."""

    code: int
    stdout: bytes
    stderr: str
    cut: bool = False

    @property
    def text(self) -> str:
        """The output as text, bytes outside UTF-8 kept as surrogates."""
        return os.fsdecode(self.stdout)

    @property
    def word(self) -> str:
        """The output when it is one word, such as an object id."""
        return self.text.strip()

    def fields(self) -> list[str]:
        """The output of a command with `-z`, taken apart."""
        return [part for part in self.text.split("\0") if part]


class Git:
    """git on one bare repository. `environment` is added to every call."""

    def __init__(self, git_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        self.git_dir = git_dir
        self._environment = dict(environment or {})
        self._binary = shutil.which("git") or "/usr/bin/git"

    def with_environment(self, **more: str) -> Git:
        """The same repository with more variables, e.g. another index or work tree."""
        return Git(self.git_dir, {**self._environment, **more})

    async def run(
        self,
        *arguments: str,
        data: bytes | None = None,
        codes: Collection[int] = (0,),
        limit: int | None = None,
        literal_paths: bool = True,
    ) -> GitOutput:
        """Run one command with `data` on its standard input.

        With a `limit` at most so many bytes of output are read. `literal_paths` False: for a command that takes
        no paths as patterns, and refuses to be told so. Raises `RepositoryError` for an exit code that
        is not among `codes`.
        """
        ran = await spawn.run(
            [self._binary, *(["--literal-pathspecs"] if literal_paths else []), *arguments],
            env=self._full_environment(),
            data=data,
            limit=limit,
        )
        output = GitOutput(ran.code, ran.stdout, ran.stderr.decode("utf-8", "replace"), ran.cut)
        if output.code not in codes and not output.cut:
            said = (output.stderr.strip() or output.text.strip())[-_ERROR_CHARS:]
            raise RepositoryError(f"git {arguments[0]} failed with exit code {output.code}: {said}")
        return output

    def _full_environment(self) -> dict[str, str]:
        environment = {
            "PATH": f"{os.path.dirname(self._binary)}:/usr/bin:/bin",
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "GIT_DIR": str(self.git_dir),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_SYSTEM": "/dev/null",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "file",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_AUTHOR_NAME": _IDENTITY,
            "GIT_AUTHOR_EMAIL": _ADDRESS,
            "GIT_COMMITTER_NAME": _IDENTITY,
            "GIT_COMMITTER_EMAIL": _ADDRESS,
            "GIT_CONFIG_COUNT": str(len(_CONFIG)),
        }
        for number, (key, value) in enumerate(_CONFIG.items()):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        return {**environment, **self._environment}


def checked(commit: str) -> str:
    """`commit` when it is a full object id. Raises `CommitMissing`: no other name reaches git."""
    if not _COMMIT.fullmatch(commit):
        raise CommitMissing(f"{commit!r} is not the full id of a commit.")
    return commit


def literal(paths: Sequence[str]) -> list[str]:
    """`paths` as the last arguments of a command: no option and no pattern can hide in them."""
    return ["--", *paths]
