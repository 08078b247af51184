"""Every command of the pages is run against a real hub, and prints what the page of examples shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from agenthub_cli.completion.table import read_table
from tests.docs.cli_examples.running import documented, run_all
from tests.docs.cli_examples.scenario import STEPS


def test_every_command_is_run_by_the_scenario() -> None:
    table = read_table()
    run = {" ".join(_command(step.words.split(), table)) for step in STEPS}
    known = {path for path, command in table.items() if path and (command.values or not command.below)}
    assert known - run == set(), "not run by tests/docs/cli_examples/scenario.py"


@pytest.mark.extra
@pytest.mark.timeout(3_600)
def test_what_the_page_shows_is_what_the_commands_print(tmp_path: Path) -> None:
    shown = documented()
    printed: dict[str, list[str]] = {}
    wrong = []
    for step, code, lines in run_all(tmp_path):
        printed.setdefault(step.words, []).extend(lines)
        if code != step.code:
            wrong.append(f"{step.words}: exit code {code}\n" + "\n".join(lines))
        if any("Traceback" in line for line in lines):
            wrong.append(f"{step.words}: a traceback")
    assert not wrong, "\n".join(wrong)
    assert list(shown) == list(printed), "write the page anew: python -m tests.docs.cli_examples"
    for step in STEPS:
        if step.shown != "nothing":
            missing = [line for line in shown[step.words] if line not in printed[step.words]]
            assert not missing, f"`agenthub {step.words}` no longer prints {missing}"


def _command(words: list[str], table: Mapping[str, object]) -> list[str]:
    path: list[str] = []
    for word in words:
        if " ".join((*path, word)) not in table:
            break
        path.append(word)
    return path
