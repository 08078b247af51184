"""What a setup leaves in the places of the hub's own leads the hub nowhere out of the environment."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agenthub_worker.environment.provision import Environments, Made
from agenthub_worker.environment.recipe import GivenSetup
from agenthub_worker.sandbox.bubblewrap import Bubblewrap

pytestmark = pytest.mark.extra

NOW_S = 300.0
SECRET = "what-nobody-inside-may-see"
SITE = "$(echo /environment/python/lib/python*)/site-packages"
COMPILED = "touch _deep.abi3.so && mkdir -p sub && touch sub/_more.abi3.so"
MODULES = "mkdir node_modules web/node_modules && touch node_modules/x"
LEADING_OUT = {
    "in place of its folders": (
        "ln -s VICTIM/secret /environment/setup.log",
        "ln -s VICTIM /environment/harness",
        "rm -rf /environment/bin && ln -s VICTIM /environment/bin",
        f"{COMPILED} && ln -s VICTIM /environment/compiled",
        f"{MODULES} && ln -s VICTIM /environment/node_modules && ln -s VICTIM /environment/modules",
    ),
    "within its folders": (
        "mkfifo /environment/setup.log",
        "mkdir -p /environment/bin && ln -s VICTIM/made /environment/bin/pytest",
        f"ln -s VICTIM/made {SITE}/agenthub-harness.pth && ln -s VICTIM/made {SITE}/agenthub_compiled.py",
        f"{COMPILED} && mkdir /environment/compiled && ln -s VICTIM /environment/compiled/sub",
        "ln -s VICTIM /environment/node_modules",
        "mkdir /environment/modules && ln -s VICTIM /environment/modules/web",
    ),
    "in place of the packages": (
        f"rm -rf {SITE} && ln -s VICTIM {SITE}",
        f"{COMPILED} && touch /environment/compiled && mkdir /environment/setup.log",
    ),
}


@pytest.mark.parametrize("way", list(LEADING_OUT))
async def test_no_link_of_a_setup_leads_the_hub_out_of_the_environment(tmp_path: Path, way: str) -> None:
    victim, project = tmp_path / "victim", tmp_path / "project"
    (victim / "node_modules").mkdir(parents=True)
    (victim / "secret").write_text(SECRET)
    before = state_of(victim)
    (project / "web").mkdir(parents=True)
    for folder in (project, project / "web"):
        (folder / "package.json").write_text(json.dumps({"name": "app", "scripts": {"test": "true"}}))
    (project / "pyproject.toml").write_text("[project]\nname = 'app'\nversion = '1'\ndependencies = ['x']\n")
    commands = [command.replace("VICTIM", str(victim)) for command in LEADING_OUT[way]]
    given = GivenSetup(commands=(*commands, "echo the last command"), folders=("web",))
    machine = Environments(tmp_path / "environments", Bubblewrap(), os.environ, tmp_path / "home")

    made = await machine.prepare(project, given)
    assert state_of(victim) == before
    assert_log_is_whole(made)
    looked = await machine.sandbox(given).run(
        "cat */secret */*/secret; echo seen", workspace=project, timeout_s=NOW_S
    )
    assert SECRET not in looked.text
    assert looked.text.endswith("seen\n")


def assert_log_is_whole(made: Made) -> None:
    said = made.log.decode()
    assert "the last command" in said
    assert SECRET not in said


def state_of(folder: Path) -> list[tuple[str, str]]:
    """All that lies there, with what the files hold."""
    found = sorted(folder.rglob("*"))
    return [(str(path), path.read_text() if path.is_file() else "") for path in found]
