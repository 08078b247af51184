"""Runners of node's are told to report wherever a script starts them, and by whatever way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from agenthub_worker.suites.node.runners import OPTIONS, PRELOAD, PRELOADED, told_runners

SHOWN = "console.log(JSON.stringify([process.env.NAME, ...process.argv.slice(2)]))\n"
WRAPPER = (
    "const own = process.argv.slice(2)\nconsole.log(JSON.stringify(['wrapper', ...own]))\n"
    "const at = own.findIndex(word => !word.startsWith('-'))\n"
    "require('node:child_process').spawnSync(own[at], own.slice(at + 1), { stdio: 'inherit' })\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with runners that print what they are told, and with all that a run puts beside its command."""
    for name, text in {"mocha": SHOWN, "vitest": SHOWN, "c8": WRAPPER, "eslint": SHOWN}.items():
        package = tmp_path / "node_modules" / name
        package.mkdir(parents=True)
        (package / "package.json").write_text(json.dumps({"name": name, "bin": {name: "cli.js"}}))
        (package / "cli.js").write_text("#!/usr/bin/env node\n" + text)
        (package / "cli.js").chmod(0o755)
        (package / "other.js").write_text(text)
        (tmp_path / "node_modules" / ".bin").mkdir(exist_ok=True)
        (tmp_path / "node_modules" / ".bin" / name).symlink_to(f"../{name}/cli.js")
    (tmp_path / PRELOAD).write_text(PRELOADED)
    options = told_runners("/r", "/s", measured=True, vitest_measures=False)
    (tmp_path / OPTIONS).write_bytes(msgspec.json.encode(options))
    return tmp_path


def ran(project: Path, line: str) -> list[list[str]]:
    path = f"{project}/node_modules/.bin:{Path(shutil.which('node') or '').parent}:{os.environ['PATH']}"
    variables = {"PATH": path, "NODE_OPTIONS": f"--require={project}/{PRELOAD}", "NAME": "x"}
    done = subprocess.run(
        ["/bin/bash", "-c", line], cwd=project, env=variables, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return [json.loads(row) for row in done.stdout.splitlines()]


REPORTER = ["--reporter", "/s/mocha-reporter.cjs"]


def test_one_in_the_middle_of_a_script_is_told_behind_its_own_words_and_others_nothing(project: Path) -> None:
    told = ran(project, "eslint . && mocha --exit a.js && node node_modules/mocha/other.js && eslint b")
    assert told == [["x", "."], ["x", "--exit", "a.js", *REPORTER], ["x"], ["x", "b"]]


def test_what_runs_another_command_is_told_in_front_of_it_in_place_of_the_projects_own(project: Path) -> None:
    wrapper, inner = ran(project, "c8 --check-coverage --reports-dir=docs mocha a.js")
    assert wrapper[1] == "--reporter=json"
    assert wrapper[2].startswith("--reports-dir=/r/node-coverage-")
    assert wrapper[3:] == ["--check-coverage", "mocha", "a.js"]
    assert inner == ["x", "a.js", *REPORTER]
    assert "docs" not in ran(project, "c8 --reports-dir docs mocha")[0]


def test_runners_that_a_runner_starts_are_left_alone(project: Path) -> None:
    inside = (
        "const { spawnSync } = require('node:child_process')\nspawnSync('mocha', ['in'], { stdio: 'inherit' })\n"
    )
    (project / "node_modules" / "vitest" / "cli.js").write_text("#!/usr/bin/env node\n" + SHOWN + inside)
    vitest, mocha = ran(project, "vitest a")
    assert vitest[1:3] == ["a", "--run"]
    assert mocha == ["x", "in"]
    assert "--run" not in ran(project, "vitest run a")[0]


def test_each_process_reports_into_a_file_of_its_own(project: Path) -> None:
    first, second = ran(project, "vitest run & wait; vitest run")
    assert first[-1].startswith("--outputFile.json=/r/node-vitest-")
    assert first[-1] != second[-1]
