"""Control groups for commands: found where they are given, joined, and gone afterwards with all that was in them.

What the kernel does with `memory.max` is shown only where the machine of the tests gives the memory controller to
them. Elsewhere the groups are real and the limits are files of a folder that looks like a group.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.host.cgroup import ControlGroup, ControlGroups, given_groups
from agenthub_worker.sandbox.port import ResourceLimits
from agenthub_worker.sandbox.probe import probe

LIMITS = ResourceLimits(memory_together=64 << 20)
BOTH = frozenset({"memory", "pids"})


class Machine:
    """A folder with the files of /proc and of a hierarchy that matter here."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder / "proc"
        self.top = folder / "cgroup"
        self.proc.mkdir()
        self.top.mkdir()
        self.is_in("/")

    def is_in(self, group: str, *, shown: str = "/") -> None:
        (self.proc / "cgroup").write_text(f"4:memory:/elsewhere\n0::{group}\n")
        (self.proc / "mountinfo").write_text(
            "30 29 0:26 / /tmp rw - tmpfs tmpfs rw\n"
            f"31 29 0:27 {shown} {self.top} rw,relatime shared:9 master:1 - cgroup2 cgroup2 rw\n"
        )

    def group(self, name: str = "", *, enabled: str = "", delegated: bool = False) -> Path:
        path = self.top / name
        path.mkdir(parents=True, exist_ok=True)
        (path / "cgroup.procs").write_text("")
        (path / "cgroup.subtree_control").write_text(enabled)
        if delegated:
            os.setxattr(path, "user.delegate", b"1")
        return path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_top_of_a_hierarchy_of_its_own_is_given_to_a_process(machine: Machine) -> None:
    top = machine.group()
    assert given_groups(machine.proc) == ControlGroups(top, BOTH)


def test_what_systemd_delegates_is_divided_beside_the_group_of_the_hub(machine: Machine) -> None:
    machine.group()
    service = machine.group("system.slice/agenthub.service", delegated=True)
    machine.group("system.slice/agenthub.service/hub")
    machine.is_in("/system.slice/agenthub.service/hub")
    assert given_groups(machine.proc) == ControlGroups(service, BOTH)
    # In a container the mount shows a part of the hierarchy.
    machine.is_in("/docker/7f/system.slice/agenthub.service/hub", shown="/docker/7f")
    assert given_groups(machine.proc) == ControlGroups(service, BOTH)


def test_what_belongs_to_the_system_is_left_alone(machine: Machine) -> None:
    machine.group()
    session = machine.group("user.slice/user-0.slice")
    machine.group("user.slice/user-0.slice/session-1.scope")
    machine.is_in("/user.slice/user-0.slice/session-1.scope")
    if os.geteuid() == 0:
        assert given_groups(machine.proc) is None
        assert (session / "cgroup.subtree_control").read_text() == ""
    else:
        session.joinpath("cgroup.procs").chmod(0o400)
        session.joinpath("session-1.scope/cgroup.procs").chmod(0o400)
        assert given_groups(machine.proc) is None


@pytest.mark.parametrize("lost", ["cgroup", "mountinfo"])
def test_without_a_hierarchy_there_is_nothing_to_divide(machine: Machine, lost: str) -> None:
    machine.group()
    (machine.proc / lost).write_text(
        "4:memory:/x\n" if lost == "cgroup" else "30 29 0:26 / /tmp rw - tmpfs t rw\n"
    )
    assert given_groups(machine.proc) is None
    (machine.proc / lost).unlink()
    assert given_groups(machine.proc) is None


def test_a_group_without_the_memory_controller_bounds_nothing(machine: Machine) -> None:
    top = machine.group()
    (top / "cgroup.subtree_control").unlink()
    (top / "cgroup.subtree_control").mkdir()
    assert given_groups(machine.proc) is None


async def test_the_limits_stand_in_the_group_before_anything_runs_in_it(machine: Machine) -> None:
    async with ControlGroups(machine.group(), BOTH).group(LIMITS) as group:
        said = {file.name: file.read_text() for file in group.path.iterdir() if file.name != "cgroup.kill"}
        assert said == {"memory.max": str(64 << 20), "memory.oom.group": "1", "pids.max": "272"}
        assert not group.exceeded(LIMITS)
        (group.path / "memory.events").write_text("low 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n")
        assert group.exceeded(LIMITS) == "its processes used more than 64 MiB together"


async def test_a_group_that_cannot_be_made_runs_nothing(machine: Machine, tmp_path: Path) -> None:
    sandbox = Bubblewrap(LIMITS, groups=ControlGroups(machine.top / "gone", BOTH))
    with pytest.raises(SandboxUnavailable, match="control group of a command cannot be made"):
        await sandbox.run("touch ran", workspace=tmp_path, timeout_s=300)
    assert not (tmp_path / "ran").exists()


async def test_a_command_that_cannot_join_its_group_does_not_begin(machine: Machine, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    group = ControlGroup(machine.top / "no-such-group")
    result = await Bubblewrap().run([*group.words(), "/bin/touch", "ran"], workspace=workspace, timeout_s=300)
    assert result.exit_code == 125
    assert not (workspace / "ran").exists()


def real_groups() -> ControlGroups | None:
    """A part of this machine's own hierarchy, with the controllers that it gives; None: it lets nobody in."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    for line in lines:
        about, _, kind = line.partition(" - ")
        place = Path(about.split(" ")[4])
        if kind.startswith("cgroup2 ") and os.access(place / "cgroup.procs", os.W_OK):
            enabled = (place / "cgroup.subtree_control").read_text().split()
            return ControlGroups(place, BOTH.intersection(enabled))
    return None


async def test_on_a_real_hierarchy_what_a_command_leaves_behind_is_dead_and_its_group_is_gone(
    tmp_path: Path,
) -> None:
    groups = real_groups()
    if groups is None:
        assert given_groups() is None
        return
    sandbox = Bubblewrap(LIMITS, groups=groups)
    before = {path.name for path in groups.path.glob(f"agenthub-{os.getpid()}-*")}
    seen: set[str] = set()

    def look(_: bytes) -> None:
        for path in groups.path.glob(f"agenthub-{os.getpid()}-*"):
            seen.update(path.joinpath("cgroup.procs").read_text().split())
        (tmp_path / "seen").touch()

    command = "setsid sleep 600 & echo up; until [ -e seen ]; do sleep 0.02; done; exit 3"
    result = await sandbox.run(command, workspace=tmp_path, timeout_s=300, on_output=look)
    assert (result.exit_code, result.output) == (3, b"up\n")
    assert seen
    assert {path.name for path in groups.path.glob(f"agenthub-{os.getpid()}-*")} == before
    assert not seen.intersection(os.listdir("/proc"))
    if "memory" in groups.controllers:
        greedy = "import subprocess, sys\n[bytearray(40 << 20) for _ in range(9)]"
        full = await sandbox.run(["python3", "-c", greedy], workspace=tmp_path, timeout_s=300)
        assert full.exceeded == "its processes used more than 64 MiB together"


async def test_the_probe_says_what_holds() -> None:
    sandbox = Bubblewrap()
    told = {check.name: check.holds for check in await probe(sandbox)}
    there = sandbox.groups.controllers if sandbox.groups else frozenset()
    assert {name: told[f"{name} together by a cgroup"] for name in BOTH} == {name: name in there for name in BOTH}
    assert told["memory together watched"]
