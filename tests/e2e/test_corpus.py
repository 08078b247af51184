"""The corpus in its short form, and the tour of projects: whole goals with a wrong fix first, and no network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agenthub_cli.commands.bench.corpus.run import play_all
from tests.docs.project_tour.running import run_page, shown
from tests.support.package_index import running_index
from tests.support.small_corpus import INDEXED, SMALL_CORPUS

pytestmark = pytest.mark.extra


@pytest.mark.timeout(400)
def test_goals_in_four_languages_end_with_the_right_fix_behind_a_wrong_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    with running_index() as index:
        index.add(*INDEXED)
        monkeypatch.setenv("PIP_INDEX_URL", index.address())
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        played = list(play_all(SMALL_CORPUS, tmp_path))
        assert any("tidelib" in path for path, _ in index.asked)

    assert [(one.project, one.wrong) for one in played] == [(project.name, "") for project in SMALL_CORPUS]
    for one in played:
        assert min(one.setup_cold_s, one.setup_warm_s, one.overhead_s, one.events, one.stored_kib) > 0, one
    assert played[0].setup_mib > 0


@pytest.mark.timeout(400)
def test_the_tour_of_projects_shows_what_its_commands_print(tmp_path: Path) -> None:
    wrong = []
    for (command, lines), ran in zip(shown(), run_page(tmp_path), strict=True):
        missing = [line for line in lines if line != "…" and line not in ran.lines]
        if ran.code or missing:
            wrong.append(f"{command}: exit code {ran.code}, no longer prints {missing}\n" + "\n".join(ran.lines))
    assert not wrong, "write the page anew: python -m tests.docs.project_tour\n" + "\n".join(wrong)
