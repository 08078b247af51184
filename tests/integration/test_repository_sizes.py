"""Large repositories: bounded memory and disk, and names of every kind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.goal import GoalRepository, Link
from agenthub_runtime.repository.sources.source import examine
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.tools.contract import ToolContext
from agenthub_worker.tools.registry import call_tool
from tests.integration.test_repository_source import git, made

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MEMORY = 300 << 20

# Memory is measured in a process of its own: that of this one holds what other tests have used.
IMPORT = """
import asyncio, resource, sys
from pathlib import Path
from agenthub_runtime.repository.goal import GoalRepository, Link

class OnDisk:
    def __init__(self, folder): self.folder = folder
    async def put_file(self, path):
        (self.folder / "bundle").write_bytes(b"")
        path.replace(self.folder / "bundle")
        return "0" * 64
    async def get_file(self, digest, path):
        path.symlink_to(self.folder / "bundle")

async def main(folder, source):
    repository = await GoalRepository.open(folder / "one.git", OnDisk(folder))
    head = await repository.import_local(source, history_bytes=32 << 20)
    digest = await repository.bundle(None, head)
    other = await GoalRepository.open(folder / "two.git", OnDisk(folder))
    await other.materialise([Link(digest, head)])
    # What the kernel tells of a process's own maximum holds what its parent had when it was started.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    own = int(status["VmHWM"].split()[0]) * 1024
    below = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(head, await other.commits_before_the_cut(head), own, below)

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def half_a_gigabyte(folder: Path) -> Path:
    """500 commits of a megabyte of noise each, in a quick stream."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main")
    with subprocess.Popen(
        ["git", "-c", "core.compression=0", "fast-import", "--quiet"], cwd=folder, stdin=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        for number in range(500):
            noise = os.urandom(1 << 20)
            words = f"commit refs/heads/main\ncommitter t <t@example.org> {1_700_000_000 + number} +0000\n"
            words += f"data 1\nx\nM 100644 inline noise/{number % 20}.bin\ndata {len(noise)}\n"
            process.stdin.write(words.encode() + noise + b"\n")
    return folder


@pytest.mark.extra
async def test_half_a_gigabyte_of_history_is_imported_in_bounded_memory(tmp_path: Path) -> None:
    source = await asyncio.to_thread(half_a_gigabyte, tmp_path / "source.git")
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", IMPORT, str(tmp_path / "out"), str(source)]
    told = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    head, commits, own, below = told.stdout.split()
    assert head == git(source, "rev-parse", "main")
    assert int(commits) == 10
    assert int(own) < MEMORY, "this process"
    assert int(below) < MEMORY, "git"
    assert (tmp_path / "out" / "bundle").stat().st_size < 32 << 20


@pytest.mark.extra
async def test_a_build_folder_of_200_megabytes_costs_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    artifacts = InMemoryArtifacts()
    repository = await GoalRepository.open(tmp_path / "goal.git", artifacts)
    base = await repository.import_local(made(tmp_path / "r", {"Cargo.toml": "[package]\n"}))
    space = tmp_path / "space"
    await repository.checkout(base, space)
    context = ToolContext(workspace=space, sandbox=Bubblewrap(), repository=repository, base=base)
    make = (
        "for d in target/debug node_modules/x blobs; do mkdir -p $d; for i in 1 2; do"
        " head -c 100M /dev/zero > $d/$i.bin; done; done; echo done > a.txt"
    )
    told = await call_tool(context, "bash", {"command": make})
    assert "exit code 0" in told.text, told.text
    done = await repository.commit_workspace(space, parent=base, message="m", when=WHEN)
    assert await repository.changed_files(base, done.commit) == ["a.txt"]
    assert [left.path for left in done.left_out] == ["blobs"]
    assert "200 MiB, more than a commit may add" in done.left_out[0].reason
    assert {left.path for left in done.litter} == {"node_modules", "target"}
    packed = sum(path.stat().st_size for path in repository.path.rglob("*") if path.is_file())
    assert packed < 1 << 20, "nothing of the build folders was stored, not even for a moment"


NAMES = (
    "plain.txt",
    "with space.txt",
    "umlaut-ä-\u00f6.txt",
    "line\nbreak.txt",
    "quote'\"`$(x).txt",
    "-rf",
    "--force",
    ":(top)magic",
    "*.star",
    "tab\there",
    "back\\slash",
    "case.txt",
    "Case.txt",
    "CASE.TXT",
    "deep/.gitkeep",
    "deep/é/∞/x",
    "trailing.",
    " leading",
)


def like_a_real_one(folder: Path) -> Path:
    """Names, modes, links, line ends and attributes as they happen; and 5,000 branches."""
    made(folder)
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    (folder / os.fsdecode(b"latin-\xe9.txt")).write_text("x")
    (folder / "crlf.txt").write_bytes(b"one\r\ntwo\r\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("deep/é")
    (folder / "broken").symlink_to("no/where")
    (folder / ".gitignore").write_text("*.env\n")
    (folder / "needed.env").write_text("A=1\n")
    (folder / ".gitattributes").write_text(
        "*.txt text=auto eol=crlf\n*.star filter=nonsense\ndeep export-ignore\n* ident\n"
    )
    (folder / "ident.c").write_text("$Id$ $Id: old $\n")
    git(folder, "-c", "core.autocrlf=false", "add", "--all", "--force")
    git(folder, "commit", "--quiet", "-m", "names")
    head = git(folder, "rev-parse", "HEAD")
    lines = "".join(f"create refs/heads/topic/{number}/ä-{number} {head}\n" for number in range(5_000))
    subprocess.run(["git", "update-ref", "--stdin"], input=lines.encode(), cwd=folder, check=True)
    git(folder, "pack-refs", "--all")
    return folder


@pytest.mark.extra
async def test_a_repository_like_a_real_one_comes_through_byte_for_byte(tmp_path: Path) -> None:
    source = like_a_real_one(tmp_path / "source")
    await examine(source)
    artifacts = InMemoryArtifacts()
    repository = await GoalRepository.open(tmp_path / "goal.git", artifacts)
    base = await repository.import_local(source)
    assert base == git(source, "rev-parse", "HEAD")
    other = await GoalRepository.open(tmp_path / "other" / "goal.git", artifacts)
    await other.materialise([Link(await repository.bundle(None, base), base)])
    space = tmp_path / "space"
    await other.checkout(base, space)
    unchanged = await other.commit_workspace(space, parent=base, message="m", when=WHEN)
    assert not unchanged.changed
    for entry in await other.files(base):
        place = space / entry.path
        if entry.mode == "120000":
            assert os.fsencode(os.readlink(place)) == await other.show(base, entry.path)
        else:
            assert place.read_bytes() == await other.show(base, entry.path), entry.path
            assert os.access(place, os.X_OK) == (entry.mode == "100755")
    for number, name in enumerate(NAMES):
        (space / name).write_text(f"changed {number}\n")
    done = await other.commit_workspace(space, parent=base, message="m", when=WHEN)
    assert set(await other.changed_files(base, done.commit)) == set(NAMES)
    for number, name in enumerate(NAMES):
        (space / name).write_text(f"again {number}\n")
        one = await other.commit_file(space, name, parent=done.commit, message="m", when=WHEN)
        assert one is not None, name
        assert name in await other.changed_files(done.commit, one.commit)
