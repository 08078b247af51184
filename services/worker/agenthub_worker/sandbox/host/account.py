"""As whom commands run outside of the sandbox's own namespaces, so that root there is never root here.

A hub that root has started runs them under accounts that nobody else uses, and gives these the files to write.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agenthub_runtime.repository.trees import walk
from agenthub_worker.errors import SandboxUnavailable

OUTSIDE_IDS = range(60_706, 61_184)
"""Ids that neither distributions nor systemd give to anybody."""

_CAP_SYS_ADMIN = 21
_STAGES = ("/mnt", "/media", "/srv", "/opt")
_STAGE_SCRIPT = """
mount=$1 stage=$2 n=0
shift 2
PATH=/usr/bin:/bin
"$mount" -t tmpfs -o mode=755,size=1m agenthub "$stage" || exit 125
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mkdir "$stage/$n"; else : >"$stage/$n"; fi
    "$mount" --bind "$1" "$stage/$n" || exit 125
    n=$((n + 1))
    shift
done
shift
unset PATH
exec "$@"
"""
_SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_JOIN_SESSION_KEYRING = 1
_KEYCTL = {"x86_64": 250, "aarch64": 219}
_LIBC = ctypes.CDLL(None, use_errno=True)


class Staging(msgspec.Struct, frozen=True):
    """The programs by which root shows places under other names, to its child alone."""

    unshare: str
    mount: str

    def free_of(self, sources: Sequence[Path]) -> Path | None:
        """A folder that can be covered without hiding any of these; None: there is none."""
        free = (Path(name) for name in _STAGES)
        return next(
            (stage for stage in free if stage.is_dir() and not any(s.is_relative_to(stage) for s in sources)), None
        )

    def words(self, stage: Path, sources: Sequence[Path]) -> list[str]:
        """The words before a command for which each source lies in `stage` under its number."""
        return [
            *(self.unshare, "--mount", "--propagation", "private", "/bin/sh", "-c", _STAGE_SCRIPT, "stage"),
            *(self.mount, str(stage), *map(str, sources), "--"),
        ]


class OutsideAccount(msgspec.Struct, frozen=True):
    """An account without rights, and the program (setpriv) that becomes it.

    `staging`: in a mount namespace of its own this process can show the account what it could not walk to.
    """

    uid: int
    program: str
    staging: Staging | None

    def placed(self, sources: Sequence[Path]) -> tuple[list[str], dict[Path, Path]]:
        """The words before a command that let it run as this account, and where it finds these places."""
        become = (f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", "--inh-caps=-all")
        prefix = [self.program, *become, "--no-new-privs", "--"]
        stage = self.staging.free_of(sources) if self.staging else None
        if self.staging is None or stage is None:
            return prefix, {}
        return [*self.staging.words(stage, sources), *prefix], {
            source: stage / str(number) for number, source in enumerate(sources)
        }

    def own(self, path: Path) -> None:
        """Give a tree to the account; links are not followed, and what it owns already is left alone."""
        self._take(str(path))
        for folder, names, files in walk(path):
            for name in (*names, *files):
                self._take(f"{folder}/{name}")

    def _take(self, path: str) -> None:
        if os.lstat(path).st_uid != self.uid:
            os.chown(path, self.uid, self.uid, follow_symlinks=False)


def outside_account(workspace: Path) -> OutsideAccount | None:
    """The account for commands in a workspace, another one for each as far as there are enough.

    None: the account of this process has no rights to lose. Raises `SandboxUnavailable`.
    """
    uid = OUTSIDE_IDS[zlib.crc32(os.fsencode(workspace)) % len(OUTSIDE_IDS)]
    if os.geteuid() != 0 or not _is_mapped(uid):
        return None
    program = shutil.which("setpriv", path=_SYSTEM_PATH)
    if program is None:
        raise SandboxUnavailable(
            "This hub runs as root, and `setpriv` (of util-linux) is not there to run commands as anybody else: "
            "install it, or start the hub from an ordinary account."
        )
    return OutsideAccount(uid, program, _staging())


def _is_mapped(uid: int) -> bool:
    """Whether the id exists here: in a container of an ordinary account root may be the only one, and is none."""
    try:
        lines = Path("/proc/self/uid_map").read_text().splitlines()
    except OSError:
        return True
    ranges = (tuple(map(int, line.split())) for line in lines)
    return any(first <= uid < first + count for first, _, count in ranges)


def _staging() -> Staging | None:
    """None: in this container root may not mount."""
    lines = Path("/proc/self/status").read_text().splitlines()
    effective = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    programs = [shutil.which(name, path=_SYSTEM_PATH) for name in ("unshare", "mount")]
    if not effective >> _CAP_SYS_ADMIN & 1 or None in programs:
        return None
    return Staging(*map(str, programs))


def leave_keyring() -> None:
    """Give the calling thread, and the programs it starts, an empty session keyring instead of the hub's own."""
    number = _KEYCTL.get(platform.machine())
    if number is not None:
        _LIBC.syscall(number, _JOIN_SESSION_KEYRING, None)
