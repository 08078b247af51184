"""Brings a project's source here, by the package clients of this machine, and makes a repository with its bug."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agenthub_cli.commands.bench.corpus.project import Client, CorpusProject, PinnedPackage
from agenthub_cli.errors import CommandFailed, SourceUnreachable
from agenthub_runtime.processes.environment import forget_foreign
from agenthub_runtime.processes.spawn import Process

_LEFT_BY_CARGO = (".cargo-checksum.json", ".cargo_vcs_info.json", "Cargo.toml.orig")
_LAST_WORDS = 600
_FETCH_WITHIN_S = 240.0
_UNREACHED = {
    "pip": ("connection broken by", "connection error"),
    "npm": ("ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT"),
    "go": ("dial tcp", "i/o timeout", "TLS handshake timeout"),
    "cargo": (
        "Could not connect",
        "Couldn't connect",
        "Could not resolve",
        "Couldn't resolve",
        "Timeout was reached",
    ),
}
"""What a client says when nothing answers it where it fetches from."""
_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "user.name=corpus", "-c", "user.email=corpus@localhost")


class BuggyRepository(msgspec.Struct, frozen=True):
    """A repository whose only commit holds the bug, and the git tree that the goal is to come to."""

    repository: Path
    good_tree: str


class _Module(msgspec.Struct, rename="pascal"):
    dir: str
    sum: str


class _Vendored(msgspec.Struct):
    package: str


def prepare(project: CorpusProject, folder: Path) -> BuggyRepository:
    """Fetch the project into `folder`, which does not exist, and make its repository there.

    Raises `SourceUnreachable` when its client reaches nothing at all, and `CommandFailed` when it cannot be
    fetched for another reason, has another digest, or lacks a text of the table.
    """
    repository, scratch = folder / project.name, folder / "fetched"
    scratch.mkdir(parents=True)
    if project.source is None:
        repository.mkdir()
    else:
        _CLIENTS[project.source.client](project.source, scratch, repository)
    for path in project.gone:
        shutil.rmtree(repository / path)
    for path, text in project.files.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(text)
    _git(repository, "init", "--quiet", "--initial-branch=main")
    _git(repository, "add", "--all", "--force")
    good_tree = _git(repository, "write-tree")
    for edit in project.edits:
        _replace(repository / edit.path, edit.good, edit.base)
    _git(repository, "add", "--all", "--force")
    _git(repository, "commit", "--quiet", "--message", f"{project.name}, with a bug")
    return BuggyRepository(repository, good_tree)


def tree_of(repository: Path) -> str:
    """The git tree of what is checked out there."""
    return _git(repository, "rev-parse", "HEAD^{tree}")


def _by_pip(source: PinnedPackage, scratch: Path, target: Path) -> None:
    # The archive is checked before its build is asked for its metadata.
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{source.name}=={source.version} --hash={source.digest}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    _fetch("pip", [*command, "--require-hashes", "--requirement", str(wanted), "--dest", str(scratch)], scratch)
    _unpack(_only(scratch, "*.tar.gz"), scratch / "unpacked", target)


def _by_npm(source: PinnedPackage, scratch: Path, target: Path) -> None:
    command = ["npm", "pack", "--loglevel=error", "--ignore-scripts", f"{source.name}@{source.version}"]
    _fetch("npm", command, scratch)
    archive = _only(scratch, "*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    _check(source, f"sha512-{digest}")
    _unpack(archive, scratch / "unpacked", target)


def _by_go(source: PinnedPackage, scratch: Path, target: Path) -> None:
    told = _fetch("go", ["go", "mod", "download", "-json", f"{source.name}@{source.version}"], scratch)
    module = msgspec.json.decode(told, type=_Module)
    _check(source, module.sum)
    shutil.copytree(module.dir, target)
    # Go keeps its modules read-only.
    for path in (target, *target.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def _by_cargo(source: PinnedPackage, scratch: Path, target: Path) -> None:
    (scratch / "src").mkdir()
    (scratch / "src" / "lib.rs").touch()
    (scratch / "Cargo.toml").write_text(
        '[package]\nname = "corpus-fetch"\nversion = "0.1.0"\nedition = "2021"\n'
        f'[dependencies]\n{source.name} = "={source.version}"\n'
    )
    # Without the option cargo passes over a mirror that its settings name.
    _fetch("cargo", ["cargo", "vendor", "--quiet", "--respect-source-config", "vendored"], scratch)
    vendored = scratch / "vendored" / source.name
    _check(source, msgspec.json.decode((vendored / _LEFT_BY_CARGO[0]).read_bytes(), type=_Vendored).package)
    for name in _LEFT_BY_CARGO:
        (vendored / name).unlink(missing_ok=True)
    shutil.copytree(vendored, target)


_CLIENTS = {"pip": _by_pip, "npm": _by_npm, "go": _by_go, "cargo": _by_cargo}


def _check(source: PinnedPackage, digest: str) -> None:
    if digest != source.digest:
        raise CommandFailed(
            f"{source.name} {source.version} has the digest {digest}, not {source.digest}",
            hint="what the package source gives out is not what the table pins; do not use it",
        )


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise CommandFailed(f"The package client left {len(found)} files {pattern} in {folder}, not one")
    return found[0]


def _unpack(archive: Path, between: Path, target: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(between, filter="data")
    (top,) = between.iterdir()
    top.rename(target)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    if text.count(old) != 1 or text.replace(old, new).count(new) != 1:
        raise CommandFailed(f"{path} does not hold exactly once what the table of the corpus says: {old!r}")
    path.write_bytes(text.replace(old, new).encode())


def _git(folder: Path, *words: str) -> str:
    return _run([*_GIT, "-C", str(folder), *words], folder).strip()


def _fetch(client: Client, command: list[str], folder: Path) -> str:
    try:
        code, output, errors = _ended(command, folder, within_s=_FETCH_WITHIN_S)
    except FileNotFoundError:
        raise CommandFailed(f"There is no {client} here", hint="install it, or name other projects") from None
    except subprocess.TimeoutExpired:
        raise SourceUnreachable(client, f"no answer within {_FETCH_WITHIN_S:g} s") from None
    said = [line.strip() for line in f"{output}\n{errors}".splitlines()] if code else []
    if words := [line for line in said if any(sign in line for sign in _UNREACHED[client])]:
        raise SourceUnreachable(client, words[0][-_LAST_WORDS:])
    return _output_of(command, code, output, errors or output)


def _run(command: list[str], folder: Path) -> str:
    return _output_of(command, *_ended(command, folder))


def _output_of(command: list[str], code: int, output: str, errors: str) -> str:
    if code:
        last = errors[-_LAST_WORDS:].strip()
        raise CommandFailed(f"`{' '.join(command[:4])} …` ended with exit code {code}: {last}")
    return output


def _ended(command: list[str], folder: Path, *, within_s: float | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors. Raises `subprocess.TimeoutExpired` when it takes longer, and ends it."""
    with Process(
        command,
        cwd=folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            process.destroy()
            raise
    return process.returncode, output.decode(errors="replace"), errors.decode(errors="replace")


def _environment() -> Mapping[str, str]:
    environment = dict(os.environ)
    forget_foreign(environment)
    return environment
