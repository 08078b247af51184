"""The table of the corpus, the repositories that are made of it, and what is said of a goal's gates and events."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agenthub_cli.commands.bench.corpus.fetching import prepare, tree_of
from agenthub_cli.commands.bench.corpus.playing import judged_wrongly, overhead, prepared_in
from agenthub_cli.commands.bench.corpus.project import BugEdit, Client, CorpusProject
from agenthub_cli.commands.bench.corpus.run import run_corpus
from agenthub_cli.commands.bench.corpus.table import PROJECTS
from agenthub_cli.errors import CommandFailed, SourceUnreachable
from agenthub_events.base import Event
from agenthub_events.catalogue.task import TaskCompleted, TaskStarted
from agenthub_events.catalogue.values import TaskResult, TestEvidence
from agenthub_events.ports import Recorded
from tests.support.package_index import running_index

pytestmark = pytest.mark.extra

PERMISSIVE = {"MIT", "BSD-3-Clause", "Apache-2.0", "MIT OR Apache-2.0"}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SMALL = CorpusProject(
    name="small",
    language="text",
    goal="Mend it",
    files={"a/code.txt": "one\ntwo\n", "test.txt": "three\n"},
    edits=(BugEdit("a/code.txt", "two", "bug", "worse"), BugEdit("test.txt", "three", "off")),
)


def test_the_table_holds_twelve_projects_in_the_languages_of_the_promise() -> None:
    assert len(PROJECTS) >= 12
    languages = Counter(project.language.partition(",")[0] for project in PROJECTS)
    assert languages["Python"] >= 3
    assert languages["JavaScript"] + languages["TypeScript"] >= 3
    assert min(languages["TypeScript"] + 1, languages["Go"], languages["Rust"]) >= 2


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_every_project_is_pinned_permissive_and_has_a_wrong_fix(project: CorpusProject) -> None:
    assert project.licence in PERMISSIVE
    assert project.source is not None
    assert len(project.source.digest) > 40
    assert any(edit.wrong for edit in project.edits)
    for edit in project.edits:
        assert len({edit.good, edit.base, edit.first}) == (3 if edit.wrong else 2)


def test_names_and_goals_are_told_apart() -> None:
    assert len({project.name for project in PROJECTS}) == len(PROJECTS)
    assert len({project.goal for project in PROJECTS}) == len(PROJECTS)


def test_the_repository_holds_the_bug_and_the_good_tree_is_that_without_it(tmp_path: Path) -> None:
    made = prepare(SMALL, tmp_path / "bug")
    assert (made.repository / "a/code.txt").read_text() == "one\nbug\n"
    assert (made.repository / "test.txt").read_text() == "off\n"
    whole = msgspec.structs.replace(SMALL, edits=())
    assert tree_of(prepare(whole, tmp_path / "good").repository) == made.good_tree != tree_of(made.repository)


@pytest.mark.parametrize("text", ["two two", "nothing"])
def test_a_text_that_is_not_there_exactly_once_is_named(tmp_path: Path, text: str) -> None:
    other = msgspec.structs.replace(SMALL, files={**SMALL.files, "a/code.txt": text})
    with pytest.raises(CommandFailed, match=r"code\.txt does not hold exactly once"):
        prepare(other, tmp_path / "bug")


NOBODY = "http://127.0.0.1:9"
"""Nothing listens there."""
UNREACHED = {
    "pip": {"PIP_INDEX_URL": f"{NOBODY}/simple", "PIP_RETRIES": "1"},
    "npm": {"npm_config_registry": NOBODY, "npm_config_fetch_retries": "0"},
    "go": {"GOPROXY": NOBODY},
    "cargo": {"CARGO_NET_RETRY": "0"},
}


def fetched_at(
    address: str, client: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.ExceptionInfo[CommandFailed]:
    """How the fetch of the first project of a client fails, when its packages are looked for at an address."""
    home = folder / "cargo"
    home.mkdir()
    (home / "config.toml").write_text(
        f'[source.crates-io]\nreplace-with = "it"\n[source.it]\nregistry = "sparse+{address}/"\n'
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    told = {name: value.replace(NOBODY, address) for name, value in UNREACHED[client].items()}
    for name, value in {
        **told,
        "CARGO_HOME": str(home),
        "GOMODCACHE": f"{folder}/go",
        "GOFLAGS": "-modcacherw",
    }.items():
        monkeypatch.setenv(name, value)
    project = next(one for one in PROJECTS if one.source is not None and one.source.client == client)
    with pytest.raises(CommandFailed) as failed:
        prepare(project, folder / "fetched")
    return failed


@pytest.mark.parametrize("client", UNREACHED)
def test_a_source_that_nobody_reaches_is_said_of_its_client(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = fetched_at(NOBODY, client, tmp_path, monkeypatch)
    assert failed.type is SourceUnreachable
    assert str(failed.value).startswith(f"{client} reaches no source of packages from here: ")


@pytest.mark.parametrize("client", UNREACHED)
def test_a_source_that_answers_and_lacks_the_package_has_been_reached(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_index() as empty:
        failed = fetched_at(f"http://127.0.0.1:{empty.port}", client, tmp_path, monkeypatch)
    assert failed.type is CommandFailed


def test_a_name_that_is_in_no_table_is_answered_with_those_that_are() -> None:
    with pytest.raises(CommandFailed, match="no project nobody") as refused:
        run_corpus(["heck", "nobody"], json=False)
    assert "strsim" in (refused.value.hint or "")


def gate(name: str, verdict: str, *, code: int | None = 0, passed: int = 0, failed: int = 0) -> dict[str, Any]:
    counted = {"passed": passed, "failed": failed, "errors": 0, "failed_before": []}
    return {"gate": name, "verdict": verdict, "exit_code": code, **counted}


RED = gate("tests", "failed", code=1, passed=3, failed=1)
GREEN = gate("tests", "passed", passed=4)
REVIEW = gate("review", "passed", code=None)


def test_red_then_green_with_every_other_gate_passed_is_right() -> None:
    assert judged_wrongly([RED, GREEN, REVIEW]) == ""


def test_a_test_that_failed_before_the_goal_may_fail_still_and_no_other() -> None:
    still_red = {**GREEN, "exit_code": 1, "failed": 1, "failed_before": ["tests/test_a.py::test_old"]}
    assert judged_wrongly([RED, still_red, REVIEW]) == ""
    assert judged_wrongly([RED, {**still_red, "errors": 1}, REVIEW]).startswith("the green run")
    assert judged_wrongly([RED, {**still_red, "failed_before": []}, REVIEW]).startswith("the green run")


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        ([GREEN, REVIEW], "the tests gate said passed"),
        ([RED, RED, GREEN, REVIEW], "the tests gate said failed, failed, passed"),
        ([], "the tests gate said "),
        ([{**RED, "exit_code": 0}, GREEN, REVIEW], "the red run"),
        ([{**RED, "failed": 0}, GREEN, REVIEW], "the red run"),
        ([RED, {**GREEN, "passed": 0}, REVIEW], "the green run"),
        ([RED, {**GREEN, "failed": 1}, REVIEW], "the green run"),
        ([RED, GREEN, {**REVIEW, "verdict": "failed"}], "the other gates"),
        ([RED, GREEN], "the other gates"),
    ],
)
def test_anything_else_is_said(gates: list[dict[str, Any]], said: str) -> None:
    assert judged_wrongly(gates).startswith(said)


def task(task_id: str, begins: float, ends: float, *, tests: float = 0) -> list[Recorded]:
    evidence = TestEvidence(command="t", exit_code=0, duration_s=tests) if tests else None
    result = TaskResult(summary="done", evidence=evidence)
    events: list[Event] = [
        TaskStarted(
            task_id=task_id,
            attempt=1,
            worker="w",
            agent="coding",
            instance="w-1",
            delivery=1,
            ack_subject="ack",
            timestamp=NOON + timedelta(seconds=begins),
        ),
        TaskCompleted(
            task_id=task_id,
            agent="coding",
            attempt=1,
            result=result,
            timestamp=NOON + timedelta(seconds=ends),
        ),
    ]
    return [Recorded(seq=1, subject="evt.g.t.x", event=event) for event in events]


def test_seconds_of_tests_are_no_overhead_and_gates_and_the_import_are_none_of_it() -> None:
    events = [
        *task("prepare", 0, 10, tests=4),
        *task("t-mend", 10, 13, tests=1),
        *task("debug-tests-1", 13, 14),
        *task("fix-tests-1-1", 14, 20),
        *task("gate-tests-1", 20, 120),
    ]
    assert prepared_in(events) == 6
    assert overhead(events) == 2


def test_a_goal_that_has_done_nothing_has_no_figures() -> None:
    assert (prepared_in([]), overhead([])) == (0, 0)
