"""The corpus in its short form, and the tour of projects: whole goals with a wrong fix first, and no network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agenthub_cli.commands.bench.corpus.run import play_all
from tests.docs.project_tour.running import run_page, shown
from tests.support.package_index import running_index
from tests.support.small_corpus import INDEXED, NODE_LIBRARY, SMALL_CORPUS


@pytest.mark.timeout(3_600)
def test_goals_in_four_languages_end_with_the_right_fix_behind_a_wrong_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    with running_index() as index:
        index.add(*INDEXED)
        monkeypatch.setenv("PIP_INDEX_URL", index.address())
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        played = {one.project: one for one in play_all(SMALL_CORPUS, tmp_path, at_once=len(SMALL_CORPUS))}
        assert any("tidelib" in path for path, _ in index.asked)

    assert {name: one.wrong for name, one in played.items()} == {project.name: "" for project in SMALL_CORPUS}
    for one in played.values():
        assert min(one.setup_cold_s, one.setup_warm_s, one.overhead_s, one.events) > 0, one
        # Several goals were played on one hub: what each has stored is not told apart.
        assert one.setup_mib is one.stored_kib is None


@pytest.mark.extra
def test_a_goal_that_is_played_alone_is_told_with_what_it_has_stored(tmp_path: Path) -> None:
    (played,) = play_all([NODE_LIBRARY], tmp_path)
    assert played.wrong == ""
    # The library asks for no package: what is kept is said in a few lines.
    assert played.setup_mib is not None
    assert played.setup_mib < 1
    assert played.stored_kib is not None
    assert played.stored_kib > 0


@pytest.mark.extra
def test_the_tour_of_projects_shows_what_its_commands_print(tmp_path: Path) -> None:
    wrong = []
    for (command, lines), ran in zip(shown(), run_page(tmp_path), strict=True):
        missing = [line for line in lines if line != "…" and line not in ran.lines]
        if ran.code or missing:
            wrong.append(f"{command}: exit code {ran.code}, no longer prints {missing}\n" + "\n".join(ran.lines))
    assert not wrong, "write the page anew: python -m tests.docs.project_tour\n" + "\n".join(wrong)
