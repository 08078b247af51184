"""PostgreSQL refuses to run as root. Two ways around it; everybody else needs none.

First choice: a user namespace, in which root appears as an ordinary account. The server then reads a root-owned
folder and owns its data as root, and nothing on the machine changes. Where namespaces are forbidden (containers
often forbid them) the server runs under a real account, which must be able to reach the programs and the data.
"""

from __future__ import annotations

import os
import pwd
import signal
import sys
from pathlib import Path

import structlog

from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.pg_programs import program_env
from agenthub_runtime.errors import ServerFailed
from agenthub_runtime.processes.child_process import Account, spawn

_log = structlog.get_logger(__name__)

_ACCOUNTS = ("postgres", "nobody")


async def server_account(programs: Path, data: DataDir) -> Account:
    """The account for PostgreSQL's programs. Raises `ServerFailed` when root finds none that works."""
    if os.geteuid() != 0:
        return Account()
    entry = _existing_account()
    inside = Account(seen_as=(entry.pw_uid, entry.pw_gid))
    if sys.platform == "linux" and await _runs(programs, data, inside):
        return inside
    outside = Account(user=entry.pw_uid, group=entry.pw_gid)
    for folder in (data.root, data.root / "pg", data.run):
        folder.chmod(0o711)
    if await _runs(programs, data, outside):
        return outside
    raise ServerFailed(
        f"PostgreSQL does not run as root, this machine forbids user namespaces, and the account {entry.pw_name} "
        f"cannot reach {programs} or {data.root}: put both below folders that everybody may enter, or start "
        "agenthub from an ordinary account"
    )


def open_to_account(path: Path, account: Account) -> None:
    """Give a file or folder to the account, where it is one that the machine outside knows."""
    if account.user is not None and account.group is not None:
        os.chown(path, account.user, account.group)


def _existing_account() -> pwd.struct_passwd:
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerFailed(f"PostgreSQL does not run as root and needs one of the accounts {', '.join(_ACCOUNTS)}")


async def _runs(programs: Path, data: DataDir, account: Account) -> bool:
    """Whether the account can enter the data folder and run the programs."""
    try:
        process = spawn(
            [
                "/bin/sh",
                "-c",
                'cd "$1" && exec "$2" --version',
                "sh",
                str(data.root / "pg"),
                str(programs / "initdb"),
            ],
            env=program_env(),
            log=data.log_file("initdb"),
            death_signal=signal.SIGKILL,
            account=account,
        )
    except OSError as error:
        _log.info("account_refused", account=str(account), programs=str(programs), reason=str(error))
        return False
    if (code := await process.wait()) != 0:
        _log.info(
            "account_refused",
            account=str(account),
            programs=str(programs),
            reason=f"exit code {code}: {process.log_tail(1)}",
        )
    return code == 0
