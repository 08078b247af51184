"""Runs the system's git so that nothing in a repository or on the machine can change what it does.

No system or user configuration is read, no hook, filter, text conversion, external diff, monitor or editor runs,
no protocol is open, nothing that a repository lacks is fetched, and the objects that people replaced or grafted
are ignored. A tree may carry any
`.gitattributes`: `info/attributes` of the bare repository outranks it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

from agenthub_runtime.processes import spawn
from agenthub_runtime.repository.errors import CommitMissing, RepositoryError
from agenthub_runtime.telemetry.conventions import PROCESS_COMMAND, PROCESS_EXIT
from agenthub_runtime.telemetry.tracing import step

IDENTITY = "agenthub"
ADDRESS = "agenthub@localhost"
"""Who the commits of the hub are by."""
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
    "pack.windowMemory": "64m",
    "core.bigFileThreshold": "16m",
    "fetch.unpackLimit": "1",
    "advice.detachedHead": "false",
    "commit.gpgSign": "false",
}

# What exceeds it is told by the exit code and an error, where the signal would tell nothing.
_SHELL = "/bin/sh"
_LIMITED = 'trap "" XFSZ; ulimit -f "$0"; exec "$@"'
_BLOCK = 512

QUICK_PACKING = ("-c", "core.bigFileThreshold=1m", "-c", "pack.windowMemory=64m")
"""Large files are packed as they are, without a search for what they have in common with others."""

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
        ".tox/",
        ".nox/",
        ".gradle/",
        ".next/",
        ".nuxt/",
        ".turbo/",
        ".parcel-cache/",
        ".eggs/",
        "*.egg-info/",
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
        self._binary = _program(os.environ.get("PATH"))

    def with_environment(self, **more: str) -> Git:
        """The same repository with more variables, e.g. another index or work tree."""
        return Git(self.git_dir, {**self._environment, **more})

    @property
    def index(self) -> Path:
        """The file of its index."""
        return Path(self._environment.get("GIT_INDEX_FILE", self.git_dir / "index"))

    async def run(
        self,
        *arguments: str,
        data: bytes | None = None,
        codes: Collection[int] = (0,),
        limit: int | None = None,
        literal_paths: bool = True,
        file_bytes: int | None = None,
    ) -> GitOutput:
        """Run one command with `data` on its standard input.

        With a `limit` at most so many bytes of output are read. `literal_paths` False: for a command that takes
        no paths as patterns, and refuses to be told so. `file_bytes`: no file that it writes may become larger.
        Raises `RepositoryError` for an exit code that is not among `codes`.
        """
        bounded = [] if file_bytes is None else [_SHELL, "-c", _LIMITED, str(file_bytes // _BLOCK)]
        with step(f"git {_command(arguments)}", {PROCESS_COMMAND: "git"}) as span:
            ran = await spawn.run(
                [*bounded, self._binary, *(["--literal-pathspecs"] if literal_paths else []), *arguments],
                env=self._full_environment(),
                data=data,
                limit=limit,
            )
            span.set_attribute(PROCESS_EXIT, ran.code)
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
            # Whoever fetches says by which one. A repository may name a program that fetches what it lacks.
            "GIT_ALLOW_PROTOCOL": "",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_AUTHOR_NAME": IDENTITY,
            "GIT_AUTHOR_EMAIL": ADDRESS,
            "GIT_COMMITTER_NAME": IDENTITY,
            "GIT_COMMITTER_EMAIL": ADDRESS,
            "GIT_CONFIG_COUNT": str(len(_CONFIG)),
        }
        for number, (key, value) in enumerate(_CONFIG.items()):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        return {**environment, **self._environment}


@cache
def _program(path: str | None) -> str:
    return shutil.which("git", path=path) or "/usr/bin/git"


def _command(arguments: Sequence[str]) -> str:
    """The name of the command, behind settings that are given with it."""
    behind = 0
    while arguments[behind] == "-c":
        behind += 2
    return arguments[behind]


def upload_pack(source: Path) -> str:
    """What reads a repository on this machine for a fetch, as git takes it for `--upload-pack`.

    Whoever owns that repository: this account has been asked to read it, and no other one.
    """
    return shlex.join(["git", *_trusting(source), "-c", "pack.threads=1", *QUICK_PACKING, "upload-pack"])


def receive_pack(target: Path) -> str:
    """What writes a branch into a repository on this machine, as git takes it for `--receive-pack`.

    No hook of that repository runs, and the branch that is checked out there stays as it is.
    """
    settings = ("core.hooksPath=/dev/null", "core.alternateRefsCommand=true", "receive.denyCurrentBranch=refuse")
    quiet = ("receive.autogc=false", "receive.denyNonFastForwards=true")
    words = [word for setting in (*settings, *quiet) for word in ("-c", setting)]
    return shlex.join(["git", *_trusting(target), *words, "receive-pack"])


def _trusting(source: Path) -> list[str]:
    own = {source, source / ".git"}
    with suppress(OSError):
        linked = (source / ".git").read_text(errors="replace").removeprefix("gitdir:").strip()
        git_dir = source / linked
        own |= {git_dir, git_dir.parent.parent, git_dir.parent.parent.parent}
    places = sorted({str(form) for place in own for form in (place, place.resolve())})
    return [word for place in places for word in ("-c", f"safe.directory={place}")]


def checked(commit: str) -> str:
    """`commit` when it is a full object id. Raises `CommitMissing`: no other name reaches git."""
    if not _COMMIT.fullmatch(commit):
        raise CommitMissing(f"{commit!r} is not the full id of a commit.")
    return commit


def literal(paths: Sequence[str]) -> list[str]:
    """`paths` as the last arguments of a command: no option and no pattern can hide in them."""
    return ["--", *paths]
