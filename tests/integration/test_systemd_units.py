"""The units of deploy/systemd, held against systemd itself and against the command line."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agenthub_cli.main import build_app
from agenthub_runtime.bus_users.secret_files import completed_files
from agenthub_runtime.settings.table import SETTINGS
from tests.docs.pages import words_of
from tests.support.compose import ROOT
from tests.support.shells import BIN

FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(path.name for path in FOLDER.iterdir() if path.is_file())
# A template is looked at by one of its instances.
INSTANCES = {"agenthub-worker@.service": "agenthub-worker@coding.service"}
_NEWER = re.compile(r"Unknown key(?: name)? '?DelegateSubgroup'?[^\n]*\n")


def installed(folder: Path) -> Path:
    """The units where systemd looks, with this checkout in the place of /opt/agenthub."""
    for path in FOLDER.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(FOLDER)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text().replace("/opt/agenthub/.venv/bin", str(BIN)))
    return folder


def verified(folder: Path, unit: str) -> tuple[int, str]:
    path = folder / unit
    if unit in INSTANCES:
        path = folder / INSTANCES[unit]
        shutil.copy(folder / unit, path)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    # Units of this machine that the verification meets on its way are not ours to mend.
    return done.returncode, "".join(line for line in done.stderr.splitlines(keepends=True) if "agenthub" in line)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_has_nothing_to_say_about_a_unit(unit: str, tmp_path: Path) -> None:
    code, problems = verified(installed(tmp_path), unit)

    # The drop-in says itself that older ones of systemd do not know its only key.
    assert (code, _NEWER.sub("", re.sub(r"^\S+subgroup\.conf:\d+: ", "", problems, flags=re.M))) == (0, "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Restart=always", "Restart=allways"),
        ("TimeoutStopSec=20", "TimeoutStop=20"),
        ("KillMode=mixed", "KillMode=mixture"),
        ("/agenthub up", "/agenthubs up"),
        ("[Install]", "[Instal]"),
    ],
)
def test_a_mistake_in_a_unit_would_be_found(before: str, after: str, tmp_path: Path) -> None:
    unit = installed(tmp_path) / "agenthub.service"
    assert before in unit.read_text()
    unit.write_text(unit.read_text().replace(before, after))

    code, problems = verified(tmp_path, unit.name)

    assert code != 0 or _NEWER.sub("", problems)


@pytest.mark.parametrize("unit", [name for name in UNITS if name.endswith(".service")])
def test_a_unit_starts_a_command_that_exists_with_settings_that_exist(unit: str) -> None:
    text = (FOLDER / unit).read_text()
    command = re.search(r"/opt/agenthub/\.venv/bin/(agenthub [^'\n]*)", text)
    assert command is not None
    words = words_of(command[1].replace("%i", "coding"), "agenthub")
    build_app().parse_args(words, exit_on_error=False, print_error=False)
    named = {
        name.removesuffix("_FILE")
        for line in re.findall(r"^Environment=(.*)$", text, flags=re.M)
        for name in re.findall(r"(?:^| )([A-Z_]+)=", line)
    }
    assert named <= {setting.name for setting in SETTINGS}


def test_credentials_of_a_worker_are_files_that_the_command_makes() -> None:
    text = (FOLDER / "agenthub-worker@.service").read_text().replace("%i", "coding")
    loaded = dict(re.findall(r"^LoadCredential=(\w+):/etc/agenthub/secrets/(\S+)$", text, flags=re.M))

    assert set(loaded.values()) <= set(completed_files({})[0])
    assert set(re.findall(r"%d/(\w+)", text)) == set(loaded)
