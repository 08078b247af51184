"""What bubblewrap closes off, each way out as a test."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.host.files import hidden_of_the_system, shown_settings
from agenthub_worker.sandbox.port import Bind, ExecResult
from agenthub_worker.sandbox.probe import probe
from agenthub_worker.sandbox.scripted import ScriptedSandbox
from agenthub_worker.sandbox.unsandboxed import Unsandboxed
from tests.contract.test_sandbox_contract import processes_with
from tests.support.until import until


@pytest.fixture
def box() -> Bubblewrap:
    return Bubblewrap()


async def test_the_probe_accepts_bubblewrap(box: Bubblewrap) -> None:
    checks = {check.name: check.holds for check in await probe(box)}
    given = box.groups.controllers if box.groups else frozenset[str]()
    missing = [f"{name} together by a cgroup" for name in ("memory", "pids") if name not in given]
    assert [name for name, holds in checks.items() if not holds] == missing
    assert {
        "never root outside",
        "no keys of the hub",
        "rare system calls refused",
        "disk watched",
    } <= checks.keys()


async def test_the_probe_says_what_does_not_hold(box: Bubblewrap) -> None:
    """A box without the filter of system calls, as on a machine that it does not know."""
    box._filter = None
    open_ = [check.name for check in await probe(box) if not check.holds]
    assert {"no file lends its owner's rights", "no exotic sockets"} <= set(open_)


async def test_the_probe_refuses_a_box_that_leaks() -> None:
    with pytest.raises(SandboxUnavailable, match="host network can be reached") as caught:
        await probe(Unsandboxed(allowed=True))
    assert "host file system is visible" in str(caught.value)


async def test_the_probe_refuses_a_box_that_does_not_start() -> None:
    silent = ScriptedSandbox(lambda _: ExecResult(exit_code=1, output=b"bwrap: No permissions"))
    with pytest.raises(SandboxUnavailable, match=r"does not start.*No permissions"):
        await probe(silent)


async def test_files_outside_the_workspace_are_invisible(box: Bubblewrap, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (tmp_path / "secret").write_text("hidden")
    (workspace / "link").symlink_to(tmp_path / "secret")
    result = await box.run(f"cat {tmp_path}/secret; cat link; ls /home /root", workspace=workspace, timeout_s=300)
    assert "hidden" not in result.text
    assert result.text.count("No such file") >= 2


async def test_what_a_tool_keeps_for_its_package_client_is_seen_as_empty(box: Bubblewrap, tmp_path: Path) -> None:
    tool, workspace = tmp_path / "tool", tmp_path / "w"
    secrets = ("etc/npmrc", "pip.conf", "conf/settings.xml")
    for name in (*secrets, "bin/run"):
        (tool / name).parent.mkdir(parents=True, exist_ok=True)
        (tool / name).write_text("hunter2\n")
    (workspace / "etc").mkdir(parents=True)
    (workspace / "etc" / "npmrc").write_text("of the project\n")
    for target in ("", "/opt/tool"):
        place = target or str(tool)
        command = f"cd {place} && wc -c {' '.join(secrets)} bin/run && cat /workspace/etc/npmrc"
        given = Bind(tool, target=target, shared=True)
        told = await box.run(command, workspace=workspace, timeout_s=300, binds=[given])
        assert told.exit_code == 0, told.text
        assert told.text.split() == [
            *(word for name in secrets for word in ("0", name)),
            *("8", "bin/run", "8", "total", "of", "the", "project"),
        ]


def test_what_the_system_keeps_for_package_clients_is_known(tmp_path: Path) -> None:
    secrets = (
        "etc/npmrc",
        "local/etc/npmrc",
        "share/maven/conf/settings.xml",
        "local/maven-3.9/conf/settings.xml",
    )
    for name in (*secrets, "share/maven/conf/logging"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "share" / "linked").mkdir()
    (tmp_path / "share" / "linked" / "conf").symlink_to("/etc")
    assert sorted(hidden_of_the_system(tmp_path)) == sorted(tmp_path / name for name in secrets)


def test_of_the_hosts_settings_only_those_of_programs_are_shown(tmp_path: Path) -> None:
    shown = ("java-17-openjdk", "maven/m2.conf", "os-release", "ssl/certs", "ssl/openssl.cnf")
    for name in (*shown, "maven/settings.xml", "npmrc", "pip.conf", "shadow", "ssl/private", "ssh/ssh_config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert shown_settings(tmp_path) == tuple(tmp_path / name for name in shown)


async def test_the_system_and_the_interpreter_are_read_only(box: Bubblewrap, tmp_path: Path) -> None:
    result = await box.run(
        f"touch /usr/x; touch {sys.prefix}/x; touch {sys.base_prefix}/x; touch /etc/x",
        workspace=tmp_path,
        timeout_s=300,
    )
    assert result.text.count("Read-only file system") == 4, result.text


async def test_a_read_only_workspace_cannot_be_written(box: Bubblewrap, tmp_path: Path) -> None:
    result = await box.run("touch x; ls -a", workspace=tmp_path, timeout_s=300, writable=False)
    assert "Read-only file system" in result.text
    assert os.listdir(tmp_path) == []


async def test_a_read_only_bind_cannot_be_written(box: Bubblewrap, tmp_path: Path) -> None:
    workspace, other = tmp_path / "w", tmp_path / "o"
    workspace.mkdir()
    other.mkdir()
    result = await box.run(f"touch {other}/x", workspace=workspace, timeout_s=300, binds=[Bind(other)])
    assert "Read-only file system" in result.text


async def test_there_is_no_network_but_an_own_loopback(box: Bubblewrap, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = await box.run(
            f"cat /proc/net/dev | tail -n +3 | cut -d: -f1; (echo >/dev/tcp/127.0.0.1/{port}) 2>&1",
            workspace=tmp_path,
            timeout_s=300,
        )
    assert result.text.split()[0] == "lo"
    assert "Connection refused" in result.text


async def test_processes_of_the_host_cannot_be_seen_or_signalled(box: Bubblewrap, tmp_path: Path) -> None:
    result = await box.run(
        f"ls /proc | grep -c '^[0-9]'; kill -0 {os.getpid()} && echo reached", workspace=tmp_path, timeout_s=300
    )
    assert int(result.text.split()[0]) < 10
    assert "reached" not in result.text


async def test_rights_cannot_be_gained_by_nested_namespaces(box: Bubblewrap, tmp_path: Path) -> None:
    result = await box.run(
        "unshare -U true; unshare -m true; mount -t tmpfs x /mnt; grep CapEff /proc/self/status",
        workspace=tmp_path,
        timeout_s=300,
    )
    assert "CapEff:\t0000000000000000" in result.text
    assert result.text.count("unshare failed") == 2, result.text


async def test_a_process_that_flees_its_session_is_killed_at_the_limit(box: Bubblewrap, tmp_path: Path) -> None:
    result = await box.run(
        "(setsid nohup bash -c \"trap '' TERM HUP; sleep 64208\" &); trap '' TERM; sleep 64208",
        workspace=tmp_path,
        timeout_s=0.5,
    )
    assert result.timed_out
    await until(lambda: not processes_with("64208"), what="the fled process to be dead")


async def test_temporary_files_are_private_and_bounded(box: Bubblewrap, tmp_path: Path) -> None:
    result = await box.run(
        "for i in 1 2 3; do head -c 250M /dev/zero >/tmp/f$i || echo full; done", workspace=tmp_path, timeout_s=300
    )
    assert "full" in result.text
    assert "No space left" in result.text


async def test_a_killed_worker_leaves_no_sandboxed_process(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib\n"
        "from agenthub_worker.sandbox.bubblewrap import Bubblewrap\n"
        f"asyncio.run(Bubblewrap().run('sleep 53197', workspace=pathlib.Path({str(tmp_path)!r}), timeout_s=600))\n"
    )
    worker = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", script])
    try:
        await until(lambda: bool(processes_with("53197")), what="the command to run")
    finally:
        worker.send_signal(signal.SIGKILL)
        await asyncio.to_thread(worker.wait)
    await until(lambda: not processes_with("53197"), what="the orphan to be dead")


async def test_a_missing_binary_says_what_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="cannot be started"):
        await Bubblewrap(binary="/nonexistent/bwrap").run("true", workspace=tmp_path, timeout_s=5)
