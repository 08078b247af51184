"""A test that once ran has to go on running, whatever keeps it from it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agenthub_worker.evidence.reports import Case, Outcome
from agenthub_worker.evidence.test_history import (
    LostTest,
    PastTestRun,
    all_lost,
    fresh_skips,
    lost_tests,
    outcomes_of,
    refusals_of,
)

FILES = {
    "tests/test_a.py": (
        "def test_one():\n    assert f() == 1\n"
        "class TestThing:\n    def test_two(self):\n        assert f() == 2\n"
    ),
    "tests/test_b.py": "def test_many(n):\n    assert f() == n\n",
}
ONE, TWO, MANY = "tests/test_a.py::test_one", "tests/test_a.py::TestThing::test_two", "tests/test_b.py::test_many"


def ran(outcomes: Mapping[str, Outcome], *, draft: bool = False, files: Mapping[str, str] = FILES) -> PastTestRun:
    return PastTestRun(when="in round 1", files=files, outcomes=outcomes, draft=draft)


def cases(outcomes: Mapping[str, Outcome], reason: str = "") -> list[Case]:
    return [Case(name, outcome, reason if outcome == "skipped" else "") for name, outcome in outcomes.items()]


def lost(run: PastTestRun, now: Mapping[str, Outcome], files: Mapping[str, str] = FILES) -> list[str]:
    return [f"{test.fate}: {test.id}" for test in lost_tests(run, files, cases(now))]


def test_what_runs_again_is_not_lost() -> None:
    assert lost(ran({ONE: "passed", TWO: "failed"}), {ONE: "passed", TWO: "passed", MANY: "skipped"}) == []


@pytest.mark.parametrize("before", ["passed", "failed", "error"])
def test_a_test_that_is_skipped_now_is_lost_however_it_ended_before(before: Outcome) -> None:
    assert lost(ran({ONE: before, TWO: "passed"}), {ONE: "skipped", TWO: "passed"}) == [f"skipped: {ONE}"]


def test_what_was_skipped_before_may_stay_so_and_may_go() -> None:
    before: Mapping[str, Outcome] = {ONE: "skipped", TWO: "passed"}
    assert lost(ran(before), {ONE: "skipped", TWO: "passed"}) == []
    assert lost(ran(before), {TWO: "passed"}) == []


def test_a_test_that_is_not_collected_any_more_is_told_from_a_deleted_one() -> None:
    before: Mapping[str, Outcome] = {ONE: "passed", TWO: "passed"}
    assert lost(ran(before), {TWO: "passed"}) == [f"not run: {ONE}"]
    files = {**FILES, "tests/test_a.py": FILES["tests/test_a.py"].replace("test_one", "one")}
    assert lost(ran(before), {TWO: "passed"}, files) == [f"deleted: {ONE}"]
    assert lost(ran(before), {}) == [f"not run: {ONE}", f"not run: {TWO}"], "a run without a report"


def test_a_file_or_class_that_is_skipped_as_a_whole_skips_its_tests() -> None:
    before: Mapping[str, Outcome] = {ONE: "passed", TWO: "failed", MANY: "passed"}
    now: Mapping[str, Outcome] = {"tests/test_a.py": "skipped", MANY: "passed"}
    assert lost(ran(before), now) == [f"skipped: {ONE}", f"skipped: {TWO}"]
    assert lost(ran(before), {"tests": "skipped"}) == [f"skipped: {name}" for name in (ONE, TWO, MANY)]
    assert lost(ran({TWO: "failed"}), {"tests/test_a.py::TestThing": "skipped"}) == [f"skipped: {TWO}"]


def test_cases_may_change_their_names_and_not_become_fewer() -> None:
    before = ran({f"{MANY}[1]": "passed", f"{MANY}[2]": "failed"})
    assert lost(before, {f"{MANY}[1]": "passed", f"{MANY}[3]": "passed"}) == []
    assert lost(before, {f"{MANY}[1]": "passed"}) == [f"not run: {MANY}[2]"]
    assert lost(before, {f"{MANY}[1]": "passed", f"{MANY}[2]": "skipped"}) == [f"skipped: {MANY}[2]"]
    kept_but_skipped: Mapping[str, Outcome] = {
        f"{MANY}[1]": "passed",
        f"{MANY}[2]": "skipped",
        f"{MANY}[3]": "passed",
    }
    assert lost(before, kept_but_skipped) == [f"skipped: {MANY}[2]"]
    assert lost(before, {f"{MANY}[NOTSET]": "skipped"}) == [f"skipped: {MANY}[1]", f"skipped: {MANY}[2]"]
    assert lost(ran({MANY: "passed"}), {f"{MANY}[1]": "passed"}) == []
    assert lost(ran({MANY: "failed"}), {f"{MANY}[1]": "skipped", f"{MANY}[2]": "passed"}) == [f"skipped: {MANY}"]
    old_skip = ran({f"{MANY}[1]": "skipped", f"{MANY}[2]": "passed"})
    assert lost(old_skip, {f"{MANY}[1]": "skipped", f"{MANY}[3]": "passed"}) == []


def test_a_moved_or_renamed_test_is_found_and_has_to_run_there() -> None:
    before = ran({ONE: "failed", f"{MANY}[1]": "passed"})
    moved = {"tests/unit/test_c.py": FILES["tests/test_a.py"], "tests/test_b.py": FILES["tests/test_b.py"]}
    there = "tests/unit/test_c.py::test_one"
    assert lost(before, {there: "passed", f"{MANY}[1]": "passed"}, moved) == []
    assert lost(before, {there: "skipped", f"{MANY}[1]": "passed"}, moved) == [f"skipped: {ONE}"]
    renamed = {**FILES, "tests/test_b.py": FILES["tests/test_b.py"].replace("test_many", "test_each")}
    assert lost(before, {ONE: "passed", "tests/test_b.py::test_each[1]": "passed"}, renamed) == []
    assert lost(before, {ONE: "passed"}, renamed) == [f"deleted: {MANY}[1]"]


def test_a_namesake_that_was_there_before_does_not_stand_in_for_a_lost_test() -> None:
    other = "tests/test_z.py::test_one"
    assert lost(ran({ONE: "failed", other: "passed"}), {other: "passed"}) == [f"not run: {ONE}"]


def test_a_file_that_could_not_be_imported_stands_for_the_tests_written_in_it() -> None:
    before = ran({"tests/test_a.py": "error", MANY: "passed"})
    assert lost(before, {ONE: "passed", TWO: "passed", MANY: "passed"}) == []
    assert lost(before, {ONE: "passed", TWO: "skipped", MANY: "passed"}) == [f"skipped: {TWO}"]
    assert lost(before, {MANY: "passed"}) == [f"not run: {ONE}", f"not run: {TWO}"]


def test_entries_that_are_no_tests_are_not_missed() -> None:
    no_tests = ("pytest::internal", "(a test that never ended)", "tests", "tests/test_a.py::TestThing")
    assert lost(ran(dict.fromkeys(no_tests, "error")), {TWO: "passed"}) == []


def test_unfinished_work_may_reshape_what_passed_and_not_what_failed() -> None:
    before = ran({ONE: "passed", TWO: "failed"}, draft=True)
    assert lost(before, {}) == [f"not run: {TWO}"]
    assert lost(before, {ONE: "skipped", TWO: "passed"}) == [f"skipped: {ONE}"]
    assert lost(ran({"tests/test_a.py": "error"}, draft=True), {}) == []


def test_a_refusal_says_which_test_what_happened_and_what_to_do() -> None:
    found = lost_tests(ran({ONE: "failed", TWO: "passed"}), FILES, cases({ONE: "skipped"}, "later"))
    assert refusals_of(found) == [
        f"Tests that ran before are skipped now: {ONE} (failed in round 1; skipped because: later).",
        f"Tests that ran before did not run: {TWO} (passed in round 1).",
        "Let them run and pass under their names, with as many cases as before; if one really has to go, a person"
        " can accept the gate as it is.",
    ]
    finding = found[0].finding
    assert (finding.file, finding.severity, finding.source) == ("tests/test_a.py", "high", "tests")
    assert "failed in round 1" in finding.message
    assert refusals_of([]) == []


def test_of_many_lost_tests_some_are_named_and_all_are_counted() -> None:
    many = [LostTest(id=f"t.py::test_{n}", was="passed before this goal", fate="deleted") for n in range(30)]
    assert refusals_of(many)[0].endswith(" and 20 more.")


def test_a_test_that_several_runs_miss_is_named_once_by_the_first() -> None:
    newer, older = ran({ONE: "failed"}), ran({ONE: "passed", TWO: "passed"})
    assert [test.was for test in all_lost([newer, older], FILES, cases({TWO: "passed"}))] == ["failed in round 1"]


def test_new_skips_are_named_and_old_ones_are_not() -> None:
    found = fresh_skips(cases({ONE: "skipped", TWO: "skipped", MANY: "passed"}, "no network"), {ONE: "skipped"})
    assert [(item.file, item.severity) for item in found] == [("tests/test_a.py", "info")]
    assert found[0].message == f"{TWO} is new and was skipped, so it proves nothing. no network"


def test_a_skip_that_is_refused_is_not_named_as_a_new_one_too() -> None:
    now = cases({ONE: "skipped", "tests/test_b.py": "skipped"})
    missing = lost_tests(ran({ONE: "passed", MANY: "passed"}), FILES, now)
    assert [test.id for test in missing] == [ONE, MANY]
    assert fresh_skips(now, {}, missing) == []


def test_what_is_stored_of_a_test_is_its_name_cut_and_is_found_again() -> None:
    named: dict[str, Outcome] = {
        f"{MANY}[Bearer sk-ant-abcdefghijklmnop]": "passed",
        f"{ONE}{'x' * 10_000}": "passed",
    }
    stored = outcomes_of(cases(named))
    assert list(stored) == [name[:500] for name in named]
    assert lost(ran(stored), named) == []


def test_tests_in_files_that_others_have_changed_are_not_missed_and_all_others_are() -> None:
    run = ran({ONE: "passed", TWO: "passed", MANY: "passed"})
    assert lost(run, {}) == [f"not run: {name}" for name in (ONE, TWO, MANY)]
    assert lost(run.without({"tests/test_a.py", "app.py"}), {}) == [f"not run: {MANY}"]
    assert lost(run.without({"app.py"}), {}) == [f"not run: {name}" for name in (ONE, TWO, MANY)]
    assert run.without(frozenset()) is run


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"app.py"}, True),
        ({"tests/test_a.py"}, True),
        ({"calc_test.go"}, False),
        ({"web/sum.test.ts"}, False),
        ({"Cargo.toml"}, False),
    ],
)
def test_a_test_whose_name_says_no_file_is_not_missed_once_others_have_changed_tests_of_its_kind(
    changed: set[str], missed: bool
) -> None:
    run = ran({"example.org/calc::TestSum": "passed"})
    assert bool(run.without(changed).outcomes) is missed
