"""Checks beside the tests: commands of the repository or the goal that have to end well, on the real gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.values import ProjectCheck
from tests.support.judging import Bench

pytestmark = pytest.mark.extra

CONFIG = ".agenthub/config.toml"
CHECKS = '[checks]\nlint = "! grep -n XXX *.py"\nbuild = "test -f add.py && echo built > out"\npack = "cat out"\n'
CODE = {
    "add.py": "def add(a, b):\n    return a + b\n",
    "test_add.py": "from add import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n",
}


async def test_checks_run_in_order_and_what_fails_is_found_with_its_output(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    base = await bench.commit({**CODE, CONFIG: CHECKS})
    await bench.commit({"add.py": CODE["add.py"].replace("a + b", "b + a")})
    good = await bench.judge(base=base)
    assert isinstance(good, GatePassed), good.summary
    assert "checks passed: lint, build, pack" in good.summary
    assert [(check.name, check.exit_code) for check in good.checks] == [("lint", 0), ("build", 0), ("pack", 0)]
    assert all(check.log_ref for check in good.checks)
    # What the agent writes into the settings does not count.
    await bench.commit({"add.py": CODE["add.py"] + "# XXX\n", CONFIG: "[checks]\n"})
    bad = await bench.judge(round_=2, base=base)
    assert isinstance(bad, GateFailed), bad.summary
    assert bad.summary == "The check `lint` (`! grep -n XXX *.py`) failed with exit code 1."
    assert any("3:# XXX" in found.message for found in bad.findings)


async def test_a_check_that_failed_before_blocks_nobody_and_a_goals_own_take_the_place_of_the_repositorys(
    tmp_path: Path,
) -> None:
    bench = await Bench.begin(tmp_path)
    base = await bench.commit({**CODE, "old.py": "# XXX\n", CONFIG: CHECKS})
    await bench.commit({"add.py": CODE["add.py"].replace("a + b", "b + a")})
    verdict = await bench.judge(base=base)
    assert isinstance(verdict, GatePassed), verdict.summary
    assert "failed before this goal and fail still: lint" in verdict.summary
    own = await bench.judge(round_=2, base=base, checks=[ProjectCheck(name="a", command="test -f nothing")])
    assert isinstance(own, GatePassed), own.summary
    await bench.commit({"nothing.py": "", "add.py": CODE["add.py"]})
    broken = await bench.judge(
        round_=3, base=base, checks=[ProjectCheck(name="old", command="test ! -f nothing.py")]
    )
    assert isinstance(broken, GateFailed), broken.summary


async def test_settings_that_name_no_checks_properly_are_said(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    base = await bench.commit({**CODE, CONFIG: "checks = 3\n"})
    await bench.commit({"add.py": CODE["add.py"].replace("a + b", "b + a")})
    verdict = await bench.judge(base=base)
    assert "`checks` in .agenthub/config.toml" in verdict.summary
