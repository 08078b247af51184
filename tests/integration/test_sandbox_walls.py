"""What a command in the sandbox may not do to the kernel, to other accounts, to the machine's memory and disk."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.host.account import OUTSIDE_IDS, outside_account
from agenthub_worker.sandbox.port import ExecResult, ResourceLimits
from agenthub_worker.sandbox.unsandboxed import Unsandboxed

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only a hub of root's has rights to take away")


async def run(workspace: Path, command: str, limits: ResourceLimits | None = None) -> ExecResult:
    return await Bubblewrap(limits).run(command, workspace=workspace, timeout_s=300)


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o7777 for path in folder.iterdir()}


async def called(workspace: Path, code: str) -> str:
    """What Python code in the sandbox prints; `call` is a system call, its answer the error's name or `done`."""
    prelude = (
        "import ctypes, errno, os, socket, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "ARM = os.uname().machine == 'aarch64'\n"
        "def call(x86, arm, *args):\n"
        "    done = libc.syscall(arm if ARM else x86, *args)\n"
        "    return 'done' if done >= 0 else errno.errorcode[ctypes.get_errno()]\n"
    )
    (workspace / "code.py").write_text(prelude + code)
    return (await run(workspace, "python code.py 2>&1")).text.strip()


@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/hostname",
        "/proc/sys/vm/swappiness",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/printk",
    ],
)
async def test_settings_of_the_kernel_cannot_be_written(tmp_path: Path, path: str) -> None:
    result = await run(tmp_path, f"[ -e {path} ] && (cat {path} >{path}) 2>&1")
    assert "Read-only file system" in result.text or "Permission denied" in result.text, result.text


@AS_ROOT
async def test_nobody_in_the_sandbox_is_root_outside(tmp_path: Path) -> None:
    (tmp_path / "of-root.txt").write_text("mine\n")
    (tmp_path / "link").symlink_to("/etc/passwd")
    result = await run(
        tmp_path, "id -u; touch made; echo more >>of-root.txt; mkfifo p; sleep 0.2 & cat of-root.txt"
    )
    assert result.text.split() == ["1000", "mine", "more"]
    account = outside_account(tmp_path)
    assert account is not None
    assert {os.lstat(tmp_path / name).st_uid for name in os.listdir(tmp_path)} == {account.uid}
    assert account.uid in OUTSIDE_IDS
    assert os.stat("/etc/passwd").st_uid == 0


@AS_ROOT
async def test_two_workspaces_belong_to_two_accounts(tmp_path: Path) -> None:
    ids = {account.uid for n in range(20) if (account := outside_account(tmp_path / str(n)))}
    assert len(ids) > 10


@pytest.mark.parametrize(
    "command",
    [
        "touch x; chmod u+s x",
        "touch x; chmod g+s x",
        "mkdir x; chmod 2755 x",
        "cp /usr/bin/id x; chmod 4755 x",
        "install -m 6755 /usr/bin/id x",
        "python -c \"import os; os.open('x', os.O_CREAT | os.O_WRONLY, 0o4755)\"",
        "python -c \"import os; os.mknod('x', 0o104755)\"",
        "cp /usr/bin/id x; python -c \"import os; f = os.open('x', 0); os.fchmod(f, 0o4755)\"",
    ],
)
async def test_no_file_that_lends_its_owners_rights_can_be_made(tmp_path: Path, command: str) -> None:
    await run(tmp_path, f"umask 0; {command}")
    assert {name for name, mode in modes_in(tmp_path).items() if name == "x" and mode & 0o6000} == set()


async def test_files_are_made_with_the_modes_that_are_asked_for(tmp_path: Path) -> None:
    await run(
        tmp_path, 'umask 0; touch a; mkdir d; chmod 1777 d; chmod 751 a; cp -a a b; python -c \'open("c","w")\''
    )
    assert modes_in(tmp_path) == {"a": 0o751, "b": 0o751, "c": 0o666, "d": 0o1777}


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("print(call(250, 219, 0, -3, 0))", "EPERM"),  # keyctl
        ("print(call(248, 217, b'user', b'a', b'b', 1, -3))", "EPERM"),  # add_key
        ("print(call(249, 218, b'user', b'a', 0, 0))", "EPERM"),  # request_key
        ("print(call(321, 280, 0, 0, 0))", "EPERM"),  # bpf
        ("print(call(298, 241, 0, 0, 0, 0, 0))", "EPERM"),  # perf_event_open
        ("print(call(323, 282, 0))", "EPERM"),  # userfaultfd
        ("print(call(425, 425, 1, 0))", "ENOSYS"),  # io_uring_setup
        ("print(call(272, 97, 0x10000000))", "EPERM"),  # unshare, a user namespace
        ("print(call(435, 435, 0, 0))", "ENOSYS"),  # clone3, whose flags no filter sees
        ("print(call(101, 117, 16, 1, 0, 0))", "EPERM"),  # ptrace: attach to process 1
        ("print(call(101, 117, 0x4206, 1, 0, 0))", "EPERM"),  # ptrace: seize process 1
        ("print(call(311, 271, 1, 0, 0, 0, 0, 0))", "EPERM"),  # process_vm_writev
        ("print(call(304, 265, 0, 0, 0))", "EPERM"),  # open_by_handle_at
        ("print(call(165, 40, 0, 0, 0, 0, 0))", "EPERM"),  # mount
        ("print(call(16, 29, 0, 0x5412, b'x'))", "EPERM"),  # ioctl TIOCSTI
        ("print(call(41, 198, 40, 1, 0))", "EAFNOSUPPORT"),  # AF_VSOCK
        ("print(call(41, 198, 38, 5, 0))", "EAFNOSUPPORT"),  # AF_ALG
        ("print(call(41, 198, 17, 3, 0))", "EAFNOSUPPORT"),  # AF_PACKET
        ("print(call(41, 198, 31, 3, 0))", "EAFNOSUPPORT"),  # AF_BLUETOOTH
        ("print(call(41, 198, 1, 1, 0), call(41, 198, 2, 1, 0), call(41, 198, 10, 1, 0))", "done done done"),
        ("import subprocess, threading; threading.Thread().start(); print(subprocess.call(['true']))", "0"),
    ],
)
async def test_the_kernel_refuses_what_a_sandbox_does_not_need(tmp_path: Path, code: str, answer: str) -> None:
    assert await called(tmp_path, code) == answer


async def test_the_keys_of_the_hub_are_not_there(tmp_path: Path) -> None:
    keys = (await run(tmp_path, "cat /proc/keys")).text.splitlines()
    assert [line for line in keys if "empty" not in line] == []


async def test_the_first_process_is_bound_by_the_same_filter(tmp_path: Path) -> None:
    assert (await run(tmp_path, "grep Seccomp: /proc/1/status")).text.split() == ["Seccomp:", "2"]


@pytest.mark.parametrize("place", ["/x", "/dev/x", "/etc/x", "/proc/x", "/home"])
async def test_nothing_but_the_workspace_and_temporary_folders_can_be_written(tmp_path: Path, place: str) -> None:
    result = await run(tmp_path, f"mkdir {place} 2>&1; touch {place} 2>&1")
    assert result.exit_code != 0, result.text


async def test_shared_memory_works_and_is_bounded(tmp_path: Path) -> None:
    result = await run(
        tmp_path,
        "python -c 'import multiprocessing as m; m.Lock(); print(m.Pool(2).map(abs, [-1, 2]))';"
        "for n in 1 2; do head -c 200M /dev/zero >/dev/shm/$n || echo full; done",
    )
    assert "[1, 2]" in result.text
    assert "full" in result.text


FORKS = "python -c 'import time; x = bytearray(120 << 20); time.sleep(60)' & "


@pytest.mark.parametrize(
    "box", [Bubblewrap, lambda limits: Unsandboxed(limits, allowed=True)], ids=["bwrap", "none"]
)
async def test_memory_is_bounded_for_all_processes_together(tmp_path: Path, box: type[Bubblewrap]) -> None:
    limits = ResourceLimits(memory_together=400 << 20)
    result = await box(limits).run(FORKS * 6 + "wait", workspace=tmp_path, timeout_s=300)
    assert "MiB together, more than 400" in result.exceeded
    assert (result.exit_code, result.timed_out) == (137, False)
    assert result.text.rstrip().endswith(f"[killed: {result.exceeded}]")


async def test_memory_that_forks_share_counts_once(tmp_path: Path) -> None:
    forks = "for _ in range(6):\n    os.fork() or (time.sleep(2), os._exit(0))\nos.wait()\n"
    (tmp_path / "code.py").write_text(f"import os, time\nx = bytearray(200 << 20)\n{forks}")
    assert not (await run(tmp_path, "python code.py", ResourceLimits(memory_together=600 << 20))).exceeded


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("for n in $(seq 1000); do head -c 20M /dev/zero >f$n; sleep 0.05; done", "MiB, more than 100"),
        (
            "mkdir d; for n in $(seq 100); do (cd d; touch $(seq -f $n-%g 200)); sleep 0.05; done",
            "more than 2000 files",
        ),
    ],
)
async def test_the_disk_is_bounded_for_all_files_together(tmp_path: Path, command: str, words: str) -> None:
    result = await run(tmp_path, command, ResourceLimits(disk=100 << 20, disk_entries=2000))
    assert words in result.exceeded


async def test_a_workspace_that_is_larger_already_may_be_tidied(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (20 << 20))
    result = await run(tmp_path, "sleep 0.6; rm big; ls", ResourceLimits(disk=10 << 20))
    assert (result.exceeded, result.exit_code) == ("", 0)


@AS_ROOT
async def test_a_fork_bomb_is_bounded_for_a_hub_of_roots_too(tmp_path: Path) -> None:
    command = "for n in $(seq 400); do sleep 30 & done 2>&1; wait"
    result = await asyncio.wait_for(
        Bubblewrap(ResourceLimits(processes=64)).run(command, workspace=tmp_path, timeout_s=4), 30
    )
    assert "Resource temporarily unavailable" in result.text
