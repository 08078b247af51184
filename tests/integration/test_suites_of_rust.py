"""The tests gate on crates of Rust's: run, counted, tried, and not to be deceived."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from agenthub_events.catalogue.gate import GateFailed
from agenthub_worker.environment.recipe import NOTHING_GIVEN
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.suites.running import run_suites
from tests.support.languages import Machine
from tests.support.small_projects import RUST, edited

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("environments"))


BUG = edited(RUST, "src/bound.rs", "a > bound", "a >= bound")
WRONG = edited(RUST, "src/lib.rs", "a + b", "a - b")


async def test_an_honest_change_passes_with_its_tests_counted_and_its_mutants_noticed(
    machine: Machine, tmp_path: Path
) -> None:
    verdict = await machine.passes(tmp_path, RUST)
    assert verdict.counts is not None
    assert verdict.counts.passed == 3
    assert verdict.coverage_percent is None
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried == 2


async def test_an_injected_bug_is_named_by_the_test_that_fails(machine: Machine, tmp_path: Path) -> None:
    verdict = await machine.fails(tmp_path, RUST, BUG)
    assert verdict.failing == ("tests/high.rs::at",)


async def test_what_does_not_compile_is_said(machine: Machine, tmp_path: Path) -> None:
    verdict = await machine.fails(tmp_path, RUST, edited(RUST, "src/lib.rs", "a + b", "a + c"))
    assert "could not be built" in verdict.summary, verdict.summary
    assert isinstance(verdict, GateFailed)
    assert verdict.cause == "src/lib.rs:4:9 does not compile: cannot find value `c` in this scope."


ENDING = (
    'use std::io::Write; std::io::stdout().write_all(b"test tests::adds ... ok\\n\\ntest result: ok. 1 passed;'
    ' 0 failed; 0 ignored; 0 measured\\n").unwrap(); use std::process as p; p::exit(0)'
)
FORGED = {
    "a test edited to fit": (
        RUST,
        {**BUG, **edited(RUST, "tests/high.rs", "!tide::bound::high(2, 2)", "tide::bound::high(2, 2)")},
        "fail on the new code as they were before this goal",
    ),
    "a test in the code edited to fit": (
        RUST,
        {"src/lib.rs": WRONG["src/lib.rs"].replace("2, 3), 5", "2, 3), -1")},
        "fail on the new code as they were when they were handed in",
    ),
    "a test ignored": (
        RUST,
        {"src/lib.rs": WRONG["src/lib.rs"].replace("#[test]", "#[test]\n    #[ignore]")},
        "are skipped now",
    ),
    "tests that Cargo leaves out": (
        RUST,
        {**BUG, **edited(RUST, "Cargo.toml", '"2021"\n', '"2021"\nautotests = false\n')},
        "takes tests out of the run",
    ),
    "a run that ends itself with a report": (
        {},
        {
            **RUST,
            "src/lib.rs": WRONG["src/lib.rs"].replace("    a - b", f"    {ENDING}"),
        },
        "known outcome",
    ),
    "code that asks whether it is tested": (
        {},
        {**RUST, **edited(RUST, "src/lib.rs", "    a + b", "    if cfg!(test) { a + b } else { a - b }")},
        "`cfg!(test` asks whether it is tested",
    ),
    "tests that check nothing": (
        {},
        {
            **RUST,
            "tests/high.rs": "#[test]\nfn above() {}\n",
            **{"src/lib.rs": RUST["src/lib.rs"].replace("assert_eq!(add(2, 3), 5)", "add(2, 3)")},
        },
        "do not notice",
    ),
}


@pytest.mark.parametrize("forged", list(FORGED))
async def test_i6_forged_runs_do_not_pass(machine: Machine, tmp_path: Path, forged: str) -> None:
    base, change, said = FORGED[forged]
    verdict = await machine.fails(tmp_path, base, change)
    assert said in verdict.summary, verdict.summary


NEEDS = {
    **RUST,
    "Cargo.toml": RUST["Cargo.toml"] + '\n[dependencies]\ntidelib = "1.0.0"\n',
    ".cargo/config.toml": (
        '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "vendor"\n'
    ),
    "vendor/tidelib/Cargo.toml": '[package]\nname = "tidelib"\nversion = "1.0.0"\nedition = "2021"\n',
    "vendor/tidelib/src/lib.rs": "pub fn sum(a: i32, b: i32) -> i32 {\n    a + b\n}\n",
    "vendor/tidelib/.cargo-checksum.json": f'{{"files": {{}}, "package": "{"a" * 64}"}}',
    "src/lib.rs": RUST["src/lib.rs"].replace("    a + b", "    tidelib::sum(a, b)"),
}


async def test_what_a_setup_has_compiled_saves_the_dependencies_and_stands_for_no_code_of_the_project(
    machine: Machine, tmp_path: Path
) -> None:
    sandbox, command = machine.environments.sandbox(NOTHING_GIVEN), given_test_command("cargo test")
    write_all(tmp_path / "one", NEEDS)
    lock = ["cargo", "generate-lockfile", "--offline"]
    await asyncio.to_thread(subprocess.run, lock, cwd=tmp_path / "one", check=True, capture_output=True)
    needs = {**NEEDS, "Cargo.lock": (tmp_path / "one" / "Cargo.lock").read_text()}
    first = await run_suites(sandbox, tmp_path / "one", command, timeout_s=300)
    assert first.green, first.log.decode()
    assert b"Compiling tidelib" not in first.log
    # Older than what was compiled, and with a bug.
    write_all(tmp_path / "two", {**needs, **BUG})
    for path in (tmp_path / "two").rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    second = await run_suites(sandbox, tmp_path / "two", command, timeout_s=300)
    assert second.failing == ("tests/high.rs::at",), second.log.decode()


def write_all(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
