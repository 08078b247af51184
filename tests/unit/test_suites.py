"""Suites in other languages: which there are, what their reports say, what a change must not bring."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from agenthub_events.base import Fence
from agenthub_worker.errors import SetupInvalid
from agenthub_worker.evidence.layout import (
    NoTestCommand,
    TestCommand,
    belongs_to_tests,
    detect_test_command,
    given_test_command,
    holds_tests,
)
from agenthub_worker.evidence.reports import Case, ReportRefused
from agenthub_worker.evidence.scan import not_scanned
from agenthub_worker.evidence.test_history import PastTestRun, lost_tests, outcomes_of
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.experiments.canary import why_not_asked
from agenthub_worker.experiments.foreign_canaries import ends_early, foreign_canaries, why_none
from agenthub_worker.experiments.foreign_settings import foreign_settings
from agenthub_worker.experiments.inline_tests import lines_of_tests, spliced
from agenthub_worker.experiments.mutants import can_be_broken, candidates
from agenthub_worker.experiments.protected import restored
from agenthub_worker.experiments.steering import steering_of
from agenthub_worker.projects.checks import configured_checks
from agenthub_worker.suites.go import read_go
from agenthub_worker.suites.java import read_java
from agenthub_worker.suites.node.bun import read_bun
from agenthub_worker.suites.node.reading import read_node
from agenthub_worker.suites.node.runners import reporting, told_runners
from agenthub_worker.suites.node.scripts import line_of_tests
from agenthub_worker.suites.running import together
from agenthub_worker.suites.rust import read_rust
from agenthub_worker.workspace.merge_tests import affected
from agenthub_worker.workspace.workspace import GoalBranch
from tests.support.small_projects import GO, JAVA, NODE, RUST, edited

PY_TEST = "tests/test_a.py"


def found(files: dict[str, str]) -> list[tuple[str, str]]:
    command = detect_test_command(files, files)
    assert isinstance(command, TestCommand), command
    return [(part.folder, part.text) for part in command.parts or (command,)]


@pytest.mark.parametrize(
    ("files", "suites"),
    [
        (GO, [("", "go test ./...")]),
        (NODE, [("", "npm test")]),
        (RUST, [("", "cargo test")]),
        (JAVA, [("", "mvn test")]),
        ({"build.gradle.kts": "", "src/test/java/ATest.java": ""}, [("", "gradle test")]),
        (
            {
                "app.py": "",
                PY_TEST: "",
                "ui/settings.gradle": "",
                "ui/a/build.gradle": "",
                "ui/a/src/test/java/ATest.java": "",
            },
            [("", "python -m pytest"), ("ui", "gradle test")],
        ),
        ({**JAVA, "build.gradle": ""}, [("", "mvn test")]),
        ({"a.js": "", "package.json": "{}", "a.test.mjs": ""}, [("", "node --test")]),
        (
            {"app.py": "", PY_TEST: "", **{f"ui/{p}": t for p, t in NODE.items()}},
            [("", "python -m pytest"), ("ui", "npm test")],
        ),
        ({"build.py": "", **GO}, [("", "go test ./...")]),
        ({**RUST, "Cargo.toml": "[workspace]\nmembers = ['a']\n"}, [("", "cargo test")]),
        ({**RUST, "Cargo.toml": "[package]\n[workspace]\nmembers = ['a']\n"}, [("", "cargo test --workspace")]),
        ({**RUST, "Cargo.toml": "[package]\n[workspace]\ndefault-members = ['a']\n"}, [("", "cargo test")]),
        ({"app.py": "", **{f"native/{p}": t for p, t in RUST.items()}}, [("native", "cargo test")]),
        ({"app.py": "", PY_TEST: "", "Cargo.toml": "", "src/lib.rs": "pub fn f() {}"}, [("", "python -m pytest")]),
        (
            {"a/go.mod": "", "a/x_test.go": "", "b/go.mod": "", "b/x_test.go": ""},
            [("a", "go test ./..."), ("b", "go test ./...")],
        ),
        ({"package.json": NODE["package.json"], "lib/package.json": NODE["package.json"]}, [("", "npm test")]),
        (
            {
                "app.py": "",
                "package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}',
            },
            [("", "python -m pytest")],
        ),
        ({"app.py": "", "node_modules/x/package.json": NODE["package.json"]}, [("", "python -m pytest")]),
        ({"app.py": "", "testdata/go.mod": "", "testdata/a_test.go": ""}, [("", "python -m pytest")]),
        (
            {"app.py": "", "tests/tests_app.py": "", "package.json": NODE["package.json"]},
            [("", "python -m pytest"), ("", "npm test")],
        ),
        (
            {"app.py": "", "test.py": "", "go.mod": "", "a_test.go": ""},
            [("", "python -m pytest"), ("", "go test ./...")],
        ),
        ({"x/latest.py": "", "go.mod": "", "a_test.go": ""}, [("", "go test ./...")]),
    ],
)
def test_every_suite_of_a_repository_is_found(files: dict[str, str], suites: list[tuple[str, str]]) -> None:
    assert found(files) == suites


OF_BUN = """<?xml version="1.0"?>
<testsuites name="bun test"><testsuite name="src/a.test.ts" file="src/a.test.ts">
<testsuite name="outer" file="src/a.test.ts"><testsuite name="v1.2" file="src/a.test.ts">
<testcase name="adds [x]" classname="v1.2 &gt; outer" file="src/a.test.ts"/>
<testcase name="fails" classname="v1.2 &gt; outer" file="src/a.test.ts"><failure/></testcase>
</testsuite></testsuite>
<testcase name="later" classname="" file="src/a.test.ts"><skipped message="TODO"/></testcase>
</testsuite></testsuites>"""


def test_tests_of_bun_are_read_under_the_folder_in_which_it_ran(tmp_path: Path) -> None:
    (tmp_path / "bun").mkdir()
    (tmp_path / "bun/7.folder").write_text("/workspace/web\n")
    (tmp_path / "bun/7.xml").write_text(OF_BUN)
    (tmp_path / "bun/8.folder").write_text("/workspace\n")
    read = read_bun(tmp_path, "/workspace")
    assert read.told
    assert read.cases == (
        Case("web/src/a.test.ts::outer > v1.2 > adds (x)", "passed"),
        Case("web/src/a.test.ts::outer > v1.2 > fails", "failed"),
        Case("web/src/a.test.ts::later", "skipped", "TODO"),
    )


def test_bun_that_was_not_called_has_told_nothing(tmp_path: Path) -> None:
    assert not read_bun(tmp_path, "/workspace").told


def test_what_cannot_be_run_by_itself_is_said() -> None:
    nothing = detect_test_command(["Makefile", "main.c"])
    assert isinstance(nothing, NoTestCommand)
    assert "give the goal a `test_command`" in nothing.reason


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["CMakeLists.txt", "a.c", "scripts/gen.py"], "C or C++, built by CMake (CMakeLists.txt).*--output-junit"),
        (["Gemfile", "Rakefile", "lib/a.rb", "test/a_test.rb"], "Ruby (Gemfile).*`bundle exec rake test`"),
        (["composer.json", "src/A.php", "Makefile"], "PHP (composer.json).*--log-junit"),
        (["deno.json", "mod.ts", "_tools/package.json", "x/a_test.js"], "Deno (deno.json).*`deno test"),
        (["App.sln", "App/App.csproj"], ".NET (App.sln).*`dotnet test`"),
        (["configure.ac", "main.c"], "a project built by make (configure.ac).*`make test`"),
        (["mix.exs", "lib/a.ex", "rust/x/Cargo.toml"], "Elixir (mix.exs).*`mix test`"),
    ],
)
def test_a_kind_of_project_that_has_to_be_told_its_tests_is_named_with_a_command(
    files: list[str], words: str
) -> None:
    nothing = detect_test_command(files)
    assert isinstance(nothing, NoTestCommand)
    assert re.search(words.replace("(", r"\(").replace(")", r"\)").replace("++", r"\+\+"), nothing.reason)
    assert "give the goal a `test_command`" in nothing.reason


@pytest.mark.parametrize(
    "files",
    [
        ["CMakeLists.txt", "pyproject.toml", "a.py"],
        ["CMakeLists.txt", "a.py", "tests/test_a.py"],
        ["Makefile", "go.mod", "a.go"],
        ["Gemfile", "package.json", "test/a.test.js"],
        ["a.py", "b.py"],
    ],
)
def test_what_is_found_by_itself_is_not_taken_for_another_kind(files: list[str]) -> None:
    assert isinstance(detect_test_command(files), TestCommand)


DJANGO = "#!/usr/bin/env python\nfrom django.core.management import execute_from_command_line\n"


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"manage.py": DJANGO, "shop/tests.py": ""}, "python manage.py test"),
        ({"manage.py": DJANGO, "shop/tests/test_a.py": ""}, "python manage.py test"),
        ({"my app/manage.py": DJANGO, "my app/shop/tests.py": ""}, "cd 'my app' && python manage.py test"),
        ({"manage.py": DJANGO, "tests/manage.py": DJANGO, "a/tests.py": ""}, "python manage.py test"),
        ({"manage.py": DJANGO, "shop/tests.py": "", "conftest.py": ""}, "python -m pytest"),
        ({"manage.py": DJANGO, "shop/tests.py": "", "pytest.ini": "[pytest]\n"}, "python -m pytest"),
        ({"manage.py": DJANGO, "a/tests.py": "", "setup.cfg": "[tool:pytest]\nx=y\n"}, "python -m pytest"),
        (
            {"manage.py": DJANGO, "a/tests.py": "", "pyproject.toml": "[tool.pytest.ini_options]\n"},
            "python -m pytest",
        ),
        ({"manage.py": DJANGO, "a/tests.py": "", "tox.ini": "[testenv]\ncommands = pytest -q\n"}, "pytest -q"),
        ({"manage.py": "import flask\n", "test_a.py": ""}, "python -m pytest"),
        ({"docs/manage.py": DJANGO, "test_a.py": ""}, "python -m pytest"),
    ],
)
def test_a_django_project_is_tested_by_its_own_program_unless_it_has_pytest(
    files: dict[str, str], line: str
) -> None:
    command = detect_test_command(list(files), files)
    assert isinstance(command, TestCommand)
    assert (command.text, command.unittest) == (line, "manage.py" in line)
    assert why_not_asked(command) == ""


@pytest.mark.parametrize(
    ("line", "unittest", "coverage", "named"),
    [
        ("python manage.py test", True, False, False),
        ("python manage.py test --parallel", True, False, False),
        ("coverage run manage.py test", True, True, False),
        ("python -m coverage run manage.py test", True, True, False),
        ("cd api && ./manage.py test shop", True, False, True),
        ("uv run manage.py test", True, False, False),
        ("python manage.py test --parallel 4 --settings=a.b --failfast", True, False, False),
        ("django-admin test --settings a.b", True, False, False),
        ("python -m django test --pythonpath . -v 2", True, False, False),
        ("python -m coverage run -m django test shop.tests", True, True, True),
        ("python -m django migrate", False, False, False),
        ("django-admin migrate", False, False, False),
        ("python manage.py migrate", False, False, False),
    ],
)
def test_lines_that_run_djangos_tests_are_known(line: str, unittest: bool, coverage: bool, named: bool) -> None:
    command = given_test_command(line)
    assert (command.unittest, command.measures_coverage) == (unittest, coverage)
    assert not unittest or bool(why_not_asked(command)) == named


def test_files_of_tests_are_known_by_their_names() -> None:
    tests = [
        "a/b_test.go",
        "x.test.ts",
        "src/__tests__/x.jsx",
        "test/a.js",
        "tests/it.rs",
        "src/test/java/p/ATest.java",
    ]
    assert all(map(holds_tests, tests))
    assert all(
        map(belongs_to_tests, [*tests, "a/testdata/x.json", "src/__snapshots__/a.snap", "m/src/test/resources/x"])
    )
    code = [
        "src/latest.js",
        "contest.go",
        "src/lib.rs",
        "src/main/java/p/Test1.java",
        "attest.ts",
        "spec/a.py",
        "a.spec.py",
    ]
    assert not any(map(holds_tests, code))
    assert not can_be_broken("vitest.config.ts")
    assert not can_be_broken("types.d.ts")


def test_the_report_of_go_gives_every_test_under_its_file(tmp_path: Path) -> None:
    write(tmp_path, GO)
    (tmp_path / "reports" / "go").mkdir(parents=True)
    events = [
        '{"Action":"run","Package":"tide.test/app/level","Test":"TestAdd/sum"}',
        '{"Action":"pass","Package":"tide.test/app/level","Test":"TestAdd/sum"}',
        '{"Action":"output","Package":"tide.test/app/level","Test":"TestHigh",'
        '"Output":"    level_test.go:9: later\\n"}',
        '{"Action":"skip","Package":"tide.test/app/level","Test":"TestHigh"}',
        '{"Action":"run","Package":"tide.test/app/level","Test":"TestGone"}',
        "no JSON",
        '{"Action":"output","Package":"tide.test/app","Output":"FAIL tide.test/app [build failed]\\n"}',
        '{"Action":"fail","Package":"tide.test/app"}',
    ]
    (tmp_path / "reports" / "go" / "1.jsonl").write_text("\n".join(events))
    (tmp_path / "reports" / "go" / "1.cover").write_text(
        "mode: set\ntide.test/app/level/level.go:4.1,6.2 1 1\ntide.test/app/level/level.go:9.1,11.2 3 0\n"
        "tide.test/app/level/level.go:9.1,11.2 3 0\n"
    )
    read = read_go(tmp_path / "reports", tmp_path, GO)
    assert read.cases == (
        Case("level/level_test.go::TestAdd[sum]", "passed"),
        Case("level::TestGone", "error"),
        Case("level/level_test.go::TestHigh", "skipped", "level_test.go:9: later"),
        Case(".", "error"),
    )
    assert read.build_failed
    assert read.lines is not None
    assert (read.lines.counted, read.lines.covered) == (4, 1)
    assert read.lines.executed == {"level/level.go": frozenset({4, 5, 6})}


def test_the_output_of_cargo_is_held_against_its_own_numbers(tmp_path: Path) -> None:
    write(tmp_path, RUST)
    (tmp_path / "reports" / "rust").mkdir(parents=True)
    text = (
        "     Running unittests src/lib.rs (target/debug/deps/tide-0a)\n\nrunning 3 tests\n"
        "test tests::adds ... ok\n"
        "test bound::tests::a ... FAILED\ntest tests::b - should panic ... ignored, later\n\n"
        "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n"
        "     Running tests/high.rs (target/debug/deps/high-0b)\n\nrunning 2 tests\ntest above ... ok\n"
        "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\n"
        "   Doc-tests tide\n\nrunning 1 test\ntest src/lib.rs - add (line 5) ... ok\n\n"
        "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n"
    )
    (tmp_path / "reports" / "rust" / "1.txt").write_text(text)
    assert read_rust(tmp_path / "reports", tmp_path, RUST).cases == (
        Case("src/lib.rs::tests::adds", "passed"),
        Case("src/bound.rs::bound::tests::a", "failed"),
        Case("src/lib.rs::tests::b", "skipped", "later"),
        Case("tests/high.rs", "error"),
        Case("tests/high.rs::above", "passed"),
        Case("src/lib.rs::doc-test add[line 5]", "passed"),
    )


CRATES = {
    "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\n',
    "crates/all/Cargo.toml": '[package]\nname = "all"\n',
    "crates/all/tests/it.rs": "",
    "crates/my-one/Cargo.toml": '[package]\nname = "my-one"\n\n[lib]\nname = "uno"\n\n[[bin]]\nname = "tool-1"\n',
    "crates/my-one/src/lib.rs": "",
    "crates/my-one/src/main.rs": "",
    "crates/my-one/tests/it.rs": "",
    "crates/two/Cargo.toml": '[package]\nname = "two"\n',
    "crates/two/src/lib.rs": "",
    "crates/two/src/main.rs": "",
    "crates/two/tests/it.rs": "",
    "crates/two/tests/only.rs": "",
}
RAN_CRATES = (
    ("Running tests/it.rs (target/debug/deps/it-00)", "same", "crates/all/tests/it.rs::same"),
    ("Running unittests src/lib.rs (target/debug/deps/uno-01)", "same", "crates/my-one/src/lib.rs::same"),
    ("Running unittests src/main.rs (target/debug/deps/tool_1-02)", "same", "crates/my-one/src/main.rs::same"),
    ("Running tests/it.rs (target/debug/deps/it-03)", "same", "crates/my-one/tests/it.rs::same"),
    ("Running unittests src/lib.rs (target/debug/deps/two-04)", "same", "crates/two/src/lib.rs::same"),
    ("Running unittests src/main.rs (target/debug/deps/two-05)", "same", "crates/two/src/main.rs::same"),
    ("Running tests/it.rs (target/debug/deps/it-06)", "same", "crates/two/tests/it.rs::same"),
    ("Running tests/only.rs (target/debug/deps/only-07)", "same", "crates/two/tests/only.rs::same"),
    ("Doc-tests uno", "crates/my-one/src/lib.rs - a (line 5)", "crates/my-one/src/lib.rs::doc-test a[line 5]"),
    ("Doc-tests two", "crates/two/src/lib.rs - a (line 5)", "crates/two/src/lib.rs::doc-test a[line 5]"),
)


@pytest.mark.parametrize("above", ["", "rust/"])
def test_tests_of_the_same_name_in_several_crates_are_several(tmp_path: Path, above: str) -> None:
    files = {above + path: text for path, text in CRATES.items()}
    write(tmp_path, files)
    (tmp_path / "reports" / "rust").mkdir(parents=True)
    end = "ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"
    printed = (
        f"   {head}\n\nrunning 1 test\ntest {name} ... ok\n\ntest result: {end}\n" for head, name, _ in RAN_CRATES
    )
    (tmp_path / "reports" / "rust" / "1.txt").write_text("\n".join(printed))
    told = read_rust(tmp_path / "reports", tmp_path, files).cases
    assert [case.id for case in told] == [above + told for _, _, told in RAN_CRATES]


@pytest.mark.parametrize("order", [("pass", "fail", "skip"), ("fail", "skip", "pass"), ("skip", "pass", "fail")])
def test_of_tests_under_one_name_the_worst_counts(tmp_path: Path, order: tuple[str, ...]) -> None:
    write(tmp_path, {**NODE, **GO})
    for folder in ("node", "go"):
        (tmp_path / "reports" / folder).mkdir(parents=True)
    place = '"name":"a","nesting":0,"file":"/workspace/test/level.test.js"'
    skip = ',"skip":true'
    (tmp_path / "reports" / "node" / "1.jsonl").write_text(
        "\n".join(
            f'{{"type":"test:{"fail" if end == "fail" else "pass"}",{place}{skip if end == "skip" else ""}}}'
            for end in order
        )
    )
    for number, end in enumerate(order):
        (tmp_path / "reports" / "go" / f"{number}.jsonl").write_text(
            f'{{"Action":"{end}","Package":"tide.test/app/level","Test":"TestAdd"}}'
        )
    assert read_node(tmp_path / "reports", tmp_path, "/workspace", NODE).cases == (
        Case("test/level.test.js::a", "failed"),
    )
    assert read_go(tmp_path / "reports", tmp_path, GO).cases == (Case("level/level_test.go::TestAdd", "failed"),)


def test_a_file_that_one_of_several_runs_of_node_has_loaded_is_covered(tmp_path: Path) -> None:
    files = {"a/x.js": "1\n2\n", "b/y.js": "1\n2\n3\n", "c/z.js": "1\n", "a/x.test.js": "1\n"}
    write(tmp_path, files)
    (tmp_path / "reports" / "node").mkdir(parents=True)
    runs = {"a": [("a/x.js", 2, 2)], "b": [("b/y.js", 3, 2), ("a/x.js", 2, 1)]}
    for name, told in runs.items():
        shown = ",".join(
            f'{{"path":"/workspace/{path}","totalLineCount":{total},"coveredLineCount":{ran},'
            f'"lines":[{{"line":{ran},"count":1}}]}}'
            for path, total, ran in told
        )
        (tmp_path / "reports" / "node" / f"{name}.jsonl").write_text(
            f'{{"type":"test:coverage","summary":{{"files":[{shown}]}}}}'
        )
    lines = read_node(tmp_path / "reports", tmp_path, "/workspace", files).lines
    assert lines is not None
    assert (lines.counted, lines.covered) == (6, 4)
    assert lines.executed == {"a/x.js": {1, 2}, "b/y.js": {2}}


def test_reports_of_node_jest_and_surefire_are_read(tmp_path: Path) -> None:
    write(tmp_path, {**NODE, **JAVA})
    reports = tmp_path / "reports"
    (reports / "node").mkdir(parents=True)
    events = [
        '{"type":"test:start","name":"high","nesting":0,"file":"file:///workspace/test/level.test.js"}',
        '{"type":"test:fail","name":"at [2]","nesting":1,"file":"/workspace/test/level.test.js"}',
        '{"type":"test:fail","name":"high","nesting":0,"kind":"suite","file":"/workspace/test/level.test.js"}',
        '{"type":"test:pass","name":"later","nesting":0,"skip":"why","file":"/workspace/test/level.test.js"}',
        '{"type":"test:fail","name":"/workspace/test/b.test.js","nesting":0,"file":"/workspace/test/b.test.js"}',
        '{"type":"test:coverage","summary":{"files":[{"path":"/workspace/level.js","totalLineCount":7,"coveredLineCount":6,'
        '"lines":[{"line":1,"count":1},{"line":2,"count":0}]},{"path":"/workspace/test/level.test.js","totalLineCount":9}]}}',
    ]
    (reports / "node" / "1.jsonl").write_text("\n".join(events))
    (reports / "node-jest.json").write_text(
        '{"testResults":[{"name":"/workspace/ui/a.test.js","status":"passed","assertionResults":'
        '[{"ancestorTitles":["a"],"title":"b","status":"passed"},{"ancestorTitles":[],"title":"c","status":"pending"}]},'
        '{"name":"/workspace/ui/d.test.js","status":"failed","assertionResults":[]}]}'
    )
    read = read_node(reports, tmp_path, "/workspace", NODE)
    assert read.cases == (
        Case("test/level.test.js::high > at (2)", "failed"),
        Case("test/level.test.js::later", "skipped", "why"),
        Case("test/b.test.js", "error"),
        Case("ui/a.test.js::a > b", "passed"),
        Case("ui/a.test.js::c", "skipped"),
        Case("ui/d.test.js", "error"),
    )
    assert read.lines is not None
    assert (read.lines.counted, read.lines.covered) == (7, 6)
    (reports / "node-jest.json").write_text("[")
    with pytest.raises(ReportRefused):
        read_node(reports, tmp_path, "/workspace", NODE)
    surefire = tmp_path / "target" / "surefire-reports"
    surefire.mkdir(parents=True)
    (surefire / "TEST-tide.LevelTest.xml").write_text(
        '<testsuite><testcase name="adds" classname="tide.LevelTest"/>'
        '<testcase name="x" classname="tide.LevelTest$In"><skipped message="later"/></testcase>'
        '<testcase name="y" classname="other.Test"><failure/></testcase></testsuite>'
    )
    assert read_java(tmp_path, JAVA, b"").cases == (
        Case("src/test/java/tide/LevelTest.java::adds", "passed"),
        Case("src/test/java/tide/LevelTest.java::In::x", "skipped", "later"),
        Case("other.Test::y", "failed"),
    )


def test_classes_of_the_same_name_in_several_modules_are_several(tmp_path: Path) -> None:
    files = {f"{module}src/test/java/tide/LevelTest.java": "" for module in ("", "one/", "lib/two/", "build/")}
    named = '<testcase name="adds a::b – ü" classname="tide.LevelTest$In"/>'
    folders = ("target/surefire-reports", "one/target/failsafe-reports", "build/build/test-results/test")
    for folder in (*folders, "lib/two/build/test-results/integrationTest"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "TEST-tide.LevelTest.xml").write_text(f"<testsuite>{named}</testsuite>")
    told = {case.id for case in read_java(tmp_path, files, b"").cases}
    assert told == {f"{path}::In::adds a::b – ü" for path in files}


def test_what_tape_and_ava_print_is_kept_and_c8_measures_where_the_project_has_it(tmp_path: Path) -> None:
    def told(needed: str, script: str, line: str = "npm test", *, measured: bool = True) -> str:
        package = {"scripts": {"test": script}, "devDependencies": {name: "1" for name in needed.split()}}
        (tmp_path / "package.json").write_text(json.dumps(package))
        return reporting(line, tmp_path, "/r", measured=measured)

    kept = "set -o pipefail; { npm test; } | tee /r/node-tap.txt"
    assert told("ava xo", "xo && ava && tsd") == told("tape", "node test.js") == told("tap", "tap") == kept
    assert told("c8 ava", "c8 ava") == told("c8 ava", "ava", measured=False) == kept
    measured = "node_modules/.bin/c8 --check-coverage=false bash -c 'npm test'"
    assert told("c8 mocha", "mocha") == measured
    assert told("c8 ava", "ava") == f"set -o pipefail; {{ {measured}; }} | tee /r/node-tap.txt"
    assert told("c8 jest", "jest") == told("mocha", "mocha") == told("", "vitest") == "npm test"
    for package in ("[", '{"devDependencies": ["ava"]}'):
        (tmp_path / "package.json").write_text(package)
        assert reporting("npm test", tmp_path, "/r", measured=True) == "npm test"


SUBTESTS = """\
> tap
TAP version 13
# Subtest: test/a.js
    # Subtest: adds
        ok 1 - should be equal
        ok 2 - should be equal
        1..2
    ok 1 - adds # time=1.2ms
    # Subtest: high
        # Subtest: at
            not ok 1 - should be false
              ---
              at: {}
              ...
            1..1
        not ok 1 - at # time=1ms
        1..1
        # failed 1 of 1 tests
    not ok 2 - high # time=2ms
    ok 3 - later # SKIP no sea
    1..3
not ok 1 - test/a.js # time=9ms
ok 2 - test/b.js # time=3ms {
    ok 1 - adds # time=1ms {
        ok 1 - should be equal
        1..1
    }
    1..1
}
# Subtest: test/c.js
    ok 1 - just so
    1..1
ok 3 - test/c.js # time=1ms
# Subtest: test/d.js
    # Subtest: low
        ok 1 - x
        1..1
    ok 1 - low
    not ok 2 - timeout!
    1..2
not ok 4 - test/d.js # time=30000ms
1..4
"""


def test_subtests_of_node_tap_are_tests_under_their_files(tmp_path: Path) -> None:
    (tmp_path / "node-tap.txt").write_text(SUBTESTS)
    assert read_node(tmp_path, tmp_path, "/workspace", []).cases == (
        Case("test/a.js::adds", "passed"),
        Case("test/a.js::high > at", "failed"),
        Case("test/a.js::high", "failed"),
        Case("test/a.js::later", "skipped"),
        Case("test/b.js::adds", "passed"),
        Case("test/c.js::test/c.js", "passed"),
        Case("test/d.js::low", "passed"),
        Case("test/d.js", "error"),
    )


def test_runners_are_told_to_measure_only_where_that_is_wanted_and_can_be_done() -> None:
    def told(name: str, *, measured: bool = True, vitest_measures: bool = True) -> list[str]:
        found = told_runners("/r", "/s", measured=measured, vitest_measures=vitest_measures)
        return list(found[name].options) if name in found else []

    assert "--coverage.enabled" in told("vitest")
    assert "--coverage.enabled" not in told("vitest", vitest_measures=False) + told("vitest", measured=False)
    assert ("--coverage" in told("jest")) > ("--coverage" in told("jest", measured=False))
    assert told("c8") != told("c8", measured=False) == []


@pytest.mark.parametrize(
    ("scripts", "line"),
    [
        ({"test": "ava"}, "npm test"),
        ({"test": "eslint ."}, "npm test"),
        ({"test": "npm run build && mocha dist"}, "npm test"),
        ({"test": "eslint . || true; mocha"}, "npm test"),
        ({"test": "tsc && mocha dist"}, "npm test"),
        ({"test": "xo && ava && tsd", "watch": "ava"}, "npm exec -c ava"),
        (
            {"test": "oxfmt --check src && code-style --check . && newlint && vitest run"},
            "npm exec -c 'vitest run'",
        ),
        (
            {"test": "FORCE_COLOR=1 npx xo && tsc --noEmit && c8 ava 'a b'"},
            "npm exec -c 'c8 ava '\"'\"'a b'\"'\"''",
        ),
        (
            {
                "lint": "eslint .",
                "prelint": "evalmd README.md",
                "pretest": "npm run --silent lint",
                "test": "npm run tests-only",
                "tests-only": "nyc tape 'test/**/*.js'",
                "posttest": "npx npm@'>=10.2' audit --production",
            },
            "npm run tests-only",
        ),
        (
            {"test": "npm run lint && npm run build && jest", "lint": "biome ci", "build": "tsc"},
            "npm exec -c 'tsc && jest'",
        ),
        ({"test": "eclint check $(git ls-files | grep -v '^dist') && tape 'a && b'"}, "npm test"),
        ({"test": "eclint check $(git ls-files | grep -v dist) && tape test.js"}, "npm exec -c 'tape test.js'"),
        ({"test": "npm run test"}, "npm test"),
        (
            {
                "test": "npm-run-all --silent types test:* lint",
                "types": "tsc --noEmit",
                "test:unit": "mocha",
                "lint": "xo",
            },
            "npm run test:unit",
        ),
        ({"test": "run-s lint a", "lint": "eslint .", "a": "ava", "prea": "tsc"}, "npm run a"),
        ({"test": "npm-run-all -p lint a", "lint": "eslint .", "a": "ava"}, "npm test"),
        ({"test": "run-s lint gone", "lint": "eslint ."}, "npm test"),
    ],
)
def test_commands_that_only_look_at_the_code_are_left_out_of_a_test_script(
    scripts: dict[str, str], line: str
) -> None:
    assert line_of_tests(scripts) == line


def test_mocha_and_what_tape_and_ava_print_are_read_under_their_files(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "test/a.js": "const test = require('tape')\ntest('adds', t => t.end())\ntest('high', t => t.end())\n",
            "test/b.js": "require('tape')('gone [1]', t => t.end())\n",
        },
    )
    files = ["test/a.js", "test/b.js"]
    reports = tmp_path / "reports"
    (reports / "mocha").mkdir(parents=True)
    (reports / "mocha" / "1.jsonl").write_text(
        '{"file": "/workspace/spec/a.js", "names": ["high", "at"], "outcome": "failed"}\n'
        '{"names": ["later"], "outcome": "skipped"}\n{"outcome": "forged", "names": []}\n'
    )
    points = "# adds\nok 1 should be equal\n# high\nok 2 a\nnot ok 3 b\n  ---\n  ...\n# SKIP gone [1]\n"
    printed = reports / "node-tap.txt"
    printed.write_text(f"> npm\nTAP version 13\n{points}\n1..3\n# tests 3\n# pass 2\n# fail 1\n")
    tape = (
        Case("test/a.js::adds", "passed"),
        Case("test/a.js::high", "failed"),
        Case("test/b.js::gone (1)", "skipped"),
    )
    read = read_node(reports, tmp_path, "/workspace", files)
    assert read.told
    assert read.cases == (Case("spec/a.js::high > at", "failed"), Case("::later", "skipped"), *tape)
    for said in (points, f"{points}1..2\n", f"{points}ok 7 forged\n1..4\n"):
        printed.write_text(f"TAP version 13\n{said}")
        broken = read_node(reports, tmp_path, "/workspace", files).cases
        assert broken[-1].outcome == "error"
        # It is no test, so no later run has to bring it back.
        before = PastTestRun(when="in round 1", files={}, outcomes=outcomes_of(broken[-1:]))
        assert not lost_tests(before, {}, tape)
    printed.write_text("no such output\n")
    (reports / "mocha" / "1.jsonl").unlink()
    assert not read_node(reports, tmp_path, "/workspace", files).told
    write(tmp_path, {name: "import test from 'ava'\n" for name in ("test/level.test.js", "test/deep/level.js")})
    printed.write_text(
        "TAP version 13\nok 1 - level › adds\nnot ok 2 - deep › level › at › two\n"
        "ok 3 - level › later # SKIP\n1..3\n"
    )
    ava = ["test/level.test.js", "test/deep/level.js"]
    assert read_node(reports, tmp_path, "/workspace", ava).cases == (
        Case("test/level.test.js::adds", "passed"),
        Case("test/deep/level.js::at › two", "failed"),
        Case("test/level.test.js::later", "skipped"),
    )
    printed.write_text("TAP version 13\nok 1 - adds\n1..1\n")
    assert read_node(reports, tmp_path, "/workspace", ava[:1]).cases == (Case(f"{ava[0]}::adds", "passed"),)


def test_of_several_suites_what_speaks_against_one_speaks_against_all() -> None:
    def ran(
        command: str, cases: tuple[Case, ...], exit_code: int = 0, coverage: float | None = None
    ) -> TestReport:
        return TestReport(
            command=command,
            exit_code=exit_code,
            pytest=False,
            timed_out=False,
            duration_s=1,
            cases=cases,
            coverage_percent=coverage,
            log=b"",
        )

    both = TestCommand(text="a && b", pytest=False)
    good = ran("a", (Case("x::a", "passed"),), coverage=90)
    bad = ran("b", (Case("y::b", "failed"),), exit_code=101, coverage=70)
    report = together(both, [good, bad])
    assert (report.failing, report.exit_code, report.coverage_percent) == (("y::b",), 101, 70)
    assert together(both, [good, ran("b", ())]).problems == (
        "No test was found by `b`: code without tests does not pass.",
    )
    assert together(both, [good, ran("b", (Case("y::b", "passed"),))]).unmeasured == ("b",)


def test_canaries_stand_among_the_tests_that_ran() -> None:
    projects = {**GO, **RUST, **JAVA, **NODE}
    ran = [
        "level/level_test.go::TestAdd",
        "src/bound.rs::bound::a",
        "tests/high.rs::at",
        "test/level.test.js::adds",
    ]
    planted = foreign_canaries([*ran, "src/test/java/tide/LevelTest.java::adds"], projects, "t0k")
    by_path = {canary.path: canary for canary in planted}
    assert sorted(by_path) == [
        "level/xt0k0a_test.go",
        "src/lib.rs",
        "src/test/java/tide/Xt0k4aLevelTest.java",
        "test/level.test.js",
        "tests/high.rs",
    ]
    assert by_path["level/xt0k0a_test.go"].text.startswith("package level\n")
    assert by_path["tests/high.rs"].text.startswith(RUST["tests/high.rs"])
    assert "extends" not in by_path["src/test/java/tide/Xt0k4aLevelTest.java"].text
    assert all(canary.good and canary.bad for canary in planted)


@pytest.mark.parametrize(
    "line", ["go test -run TestA ./...", "cargo test --lib", "npx jest -t adds", "mvn -Dtest=ATest test"]
)
def test_no_canary_is_asked_of_a_command_that_picks_tests(line: str) -> None:
    assert why_none(given_test_command(line))
    assert not why_none(given_test_command("go test ./level/... && npm test"))
    assert not why_none(given_test_command("node --test"))
    assert ends_early(given_test_command("go test -failfast ./..."))


INLINE = RUST["src/lib.rs"]


def test_tests_in_the_code_are_put_back_and_not_broken() -> None:
    changed = INLINE.replace("a + b", "a - b").replace("2, 3), 5", "2, 3), -1")
    assert spliced(INLINE, changed) == INLINE.replace("a + b", "a - b")
    assert spliced(INLINE, INLINE.replace("a + b", "b + a")) is None
    assert spliced(INLINE, INLINE.split("#[cfg(test)]")[0]) is not None
    assert spliced("pub fn f() {}\n", "pub fn f() { g() }\n") is None
    tricky = INLINE.replace(
        "use super::*;", "use super::*; // }\n    const T: &str = \"}}\"; const C: char = '}';"
    )
    assert lines_of_tests(tricky) == frozenset(range(7, 17))
    assert {mutant.line for mutant in candidates({"src/lib.rs": INLINE}, {})} == {4}


@pytest.mark.parametrize(
    ("path", "before", "now"),
    [
        ("a.test.js", "test('a')", "test.only('a')"),
        ("a.test.js", "", "describe.only('a')"),
        ("a.test.js", "", "process.exit(0)"),
        ("a_test.go", "", "os.Exit(0)"),
        ("tests/a.rs", "", "std::process::exit(0)"),
        ("src/test/java/ATest.java", "", "System.exit(0);"),
        ("pom.xml", "<x/>", "<skipTests>true</skipTests>"),
        ("Cargo.toml", "[lib]\n", "[lib]\nname = 'a'\ntest = false\n"),
        ("Cargo.toml", "", '[[test]]\nname = "it"\nharness = false\n'),
        ("package.json", '{"test": "jest"}', '{"test": "jest || true"}'),
        ("package.json", '{"test": "jest"}', '{"test": "exit 0"}'),
        ("src/a.go", "", 'os.Getenv("AGENTHUB_REPORTS")'),
    ],
)
def test_what_steers_a_run_of_tests_is_refused_when_a_change_brings_it(path: str, before: str, now: str) -> None:
    assert steering_of({path: before}, {path: now})
    assert not steering_of({path: now}, {path: now + "\n"})


@pytest.mark.parametrize(
    ("path", "now"),
    [
        ("add.go", "\tif testing.Testing() {\n\t\treturn a + b\n\t}\n"),
        ("add.go", 'if flag.Lookup("test.v") != nil { return a + b }'),
        ("add.go", 'if strings.HasSuffix(os.Args[0], ".test") { return a + b }'),
        ("src/add.js", "if (process.env.NODE_TEST_CONTEXT) return a + b"),
        ("src/add.ts", "const n = process.env['JEST_WORKER_ID'] ? a + b : a - b"),
        ("src/add.mjs", "if (typeof describe === 'function') n = a + b"),
        ("src/lib.rs", "pub fn add(a: i32, b: i32) -> i32 {\n    if cfg!(test) { a + b } else { a - b }\n}\n"),
        ("src/lib.rs", "#[cfg(not(test))]\npub fn add(a: i32, b: i32) -> i32 { a - b }\n"),
        ("src/main/java/Add.java", 'if (at.getClassName().startsWith("org.junit")) return a + b;'),
    ],
)
def test_code_in_another_language_that_asks_whether_it_is_tested_is_refused(path: str, now: str) -> None:
    (found,) = steering_of({}, {path: now})
    assert "asks whether it is tested" in found.message


@pytest.mark.parametrize(
    ("path", "now"),
    [
        ("a_test.go", "if testing.Testing() { t.Log(1) }"),
        ("src/app.js", "if (process.env.NODE_ENV !== 'test') app.listen(80)"),
        ("src/add.ts", "if (import.meta.vitest) {\n  const { it } = import.meta.vitest\n}\n"),
        ("test/setup.js", "if (process.env.JEST_WORKER_ID) start()"),
        ("src/lib.rs", "#![cfg_attr(not(test), no_std)]\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n"),
        ("src/lib.rs", "#[cfg(not(test))]\nuse real::Clock;\n#[cfg(test)]\nuse fake::Clock;\n"),
        ("src/test/java/AddTest.java", 'String name = "org.junit";'),
        ("a_test.go", "os.Exit(m.Run())"),
        ("main.go", "os.Exit(0)"),
        ("bin/cli.js", "process.exit(0)"),
        ("src/main.rs", "std::process::exit(1)"),
        ("Cargo.toml", '[[bench]]\nname = "b"\nharness = false\n'),
        ("package.json", '{"test": "vitest run", "lint": "eslint . || true"}'),
    ],
)
def test_what_is_usual_is_not_refused(path: str, now: str) -> None:
    assert not steering_of({}, {path: now})


def test_settings_of_tests_are_told_from_the_rest() -> None:
    package = b'{"name": "a", "scripts": {"test": "jest"}}'
    assert foreign_settings("package.json", package.replace(b'"a"', b'"b"')) == foreign_settings(
        "package.json", package
    )
    back = restored({"package.json": package}, {"package.json": package.replace(b"jest", b"echo ok")})
    assert back.write == {"package.json": package}
    assert not restored(
        {"package.json": package}, {"package.json": package.replace(b"}}", b'}, "private": true}')}
    )
    assert restored({"a.test.js": b"1"}, {"a.test.js": b"1", "jest.config.js": b"x"}).remove == ("jest.config.js",)
    assert foreign_settings("Cargo.toml", b"[package]\nname='a'\n") == {}
    pom = edited(JAVA, "pom.xml", "</properties>", "<skipTests>true</skipTests></properties>")["pom.xml"]
    assert foreign_settings("pom.xml", pom.encode())


def test_checks_of_a_repository_are_read_in_their_order() -> None:
    checks = configured_checks(b'[checks]\nlint = "ruff check ."\nbuild = "make"\n')
    assert [(check.name, check.command) for check in checks] == [("lint", "ruff check ."), ("build", "make")]
    assert configured_checks(None) == configured_checks(b"setup = []") == ()
    for text in (b"checks = 1", b"[checks]\nLint = 'x'", b"[checks]\nlint = ''", b"[checks]\nlint = ['x']", b"["):
        with pytest.raises(SetupInvalid):
            configured_checks(text)


def test_at_a_merge_of_a_slow_suite_run_the_tests_that_the_change_bears_on() -> None:
    tests = {
        "tests/test_a.py": "from app.a import f\n",
        "tests/test_b.py": "import app.b\n",
        "tests/test_c.py": "",
    }
    assert affected(tests, ["app/a.py"]) == ("tests/test_a.py",)
    assert affected(tests, ["tests/test_c.py", "app/b.py"]) == ("tests/test_b.py", "tests/test_c.py")
    assert affected({f"tests/test_{n}.py": "" for n in range(40)}, ["README.md"])[1:] != ()
    assert len(affected({f"tests/test_{n}.py": "" for n in range(40)}, ["README.md"])) == 5


@pytest.mark.parametrize(("took", "limit"), [(0.0, 900), (29.0, 900), (400.0, 1_200), (2_000.0, 6_000)])
def test_the_limit_of_a_run_follows_the_longest_one(took: float, limit: float) -> None:
    assert GoalBranch(links=(), fence=Fence(), tests_s=took).test_limit_s == limit


def test_what_no_scanner_has_read_is_said() -> None:
    assert not_scanned(["a.py", "README.md"]) == ()
    assert not_scanned(["a.go", "b.go", "c.ts"]) == (
        "read by rules for a few certain mistakes alone: Go (2), TypeScript (1)",
    )
    assert not_scanned(["a.kt", "b.rs", "C.VUE"]) == (
        "read by rules for a few certain mistakes alone: Rust (1)",
        "not scanned, for no scanner of theirs is here: Kotlin (1), Vue (1)",
    )


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
