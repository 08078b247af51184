"""Plain words that bind."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.catalogue.values import Constraints
from agenthub_events.errors import InvalidInput
from agenthub_events.gates import GateName
from agenthub_events.rules.requirements import (
    MAX_DURATION_S,
    GateParameters,
    coverage_threshold,
    demands_branches,
    gate_parameters,
    gates_for,
    parse_duration,
)
from tests.support.properties import untimed

EVERY: tuple[GateName, ...] = ("tests", "security", "review")


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("Unit tests >80% coverage", 80.0),
        ("Unit tests > 80 % code coverage", 80.0),
        ("test coverage of at least 92.5%", 92.5),
        ("Coverage: 75%", 75.0),
        ("coverage 250%", 100.0),
        ("90% branch test coverage", 90.0),
        ("The coverage must be no less than 85%", 85.0),
        ("Coverage must not fall below 70%", 70.0),
        ("Don't break the API. Coverage of at least 60%", 60.0),
        ("there is no need for 100% coverage", None),
        ("we do not require 90% coverage", None),
        ("90% coverage isn't necessary", None),
        ("Do we need 80% coverage?", None),
        ("80% coverage if possible", None),
        ("ideally 95% coverage", None),
        ("at most 50% coverage", None),
        ("coverage is 40% today", None),
        ("Good coverage, and 30% faster", None),
        ("Good test coverage and 30% less memory", None),
        ("100% snow coverage map", None),
        ("20% of users ask for coverage", None),
        ("80%+ test coverage", 80.0),
        ("90 percent line coverage", 90.0),
        ("coverage of 85 per cent", 85.0),
        ("Never less than 60% coverage", 60.0),
        ("We had 40% coverage last year", None),
        ("The old module has 35% coverage since last release", None),
        ("coverage grew by 12 percentage points", None),
        ("At least 90 percent of lines are covered by tests", 90.0),
        ("90% of the code must be covered", 90.0),
        ("85 % of all changed lines have to be exercised by the tests", 85.0),
        ("The tests cover at least 92,5% of the code", 92.5),
        ("cover at least 95% of branches", 95.0),
        ("Coverage: 75", 75.0),
        ("coverage >= 80", 80.0),
        ("Test coverage of at least 85.", 85.0),
        ("coverage = 0.9", 90.0),
        ("Coverage: 80+", 80.0),
        ("test coverage must not fall below 80 %", 80.0),
        ("We had 40 % last year", None),
        ("40% of the lines were covered last year", None),
        ("Half of the code is covered, 20% of users complain", None),
        ("cover 95% of the customers' wishes", None),
        ("Insurance coverage: 2 plans", None),
        ("Coverage: 75 countries", None),
        ("Coverage: 5", None),
        ("coverage of at least 3 insurers", None),
        ("90% of the lines need not be covered", None),
        ("Is 90% of the code covered?", None),
        ("Cover the 10% of the pages that are slow", None),
        ("Unit tests", None),
        ("80% faster than before", None),
        ("coverage of 2 files", None),
        ("", None),
    ],
)
def test_a_demanded_coverage_is_read_out_of_words(text: str, threshold: float | None) -> None:
    assert coverage_threshold(text) == threshold


@pytest.mark.parametrize(
    ("text", "demanded"),
    [
        ("cover at least 95% of branches", True),
        ("90% branch test coverage", True),
        ("Branch coverage: 80", True),
        ("Coverage: 80%. Work on a branch", False),
        ("We do not need 80% branch coverage", False),
    ],
)
def test_a_demanded_coverage_of_branches_is_known_to_be_one(text: str, demanded: bool) -> None:
    assert demands_branches(["Documentation", text]) is demanded


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Security audit", True),
        ("Security: no secrets in the code", True),
        ("No security audit needed", False),
        ("A security audit is not necessary", False),
        ("We don't need an audit", False),
        ("Should there be a security audit?", False),
        ("No audit of the docs. Audit the login for security", True),
    ],
)
def test_an_audit_is_required_by_words_that_ask_for_it(text: str, asked: bool) -> None:
    lax = Constraints(require_security_audit=False)
    assert ("security" in gate_parameters([text], lax).required) is asked


def test_words_win_over_a_missing_flag() -> None:
    lax = Constraints(must_pass_tests=False, require_security_audit=False)
    assert gate_parameters([], lax) == GateParameters(
        min_coverage=None, required=("tests", "review"), blocking=frozenset({"security", "review"})
    )
    assert gate_parameters(["A security audit"], lax).required == ("tests", "security", "review")
    assert gate_parameters(["60% coverage", "coverage 85%"], lax).min_coverage == 85.0
    assert gate_parameters([], Constraints()) == GateParameters(
        min_coverage=None, required=EVERY, blocking=frozenset(EVERY)
    )


@pytest.mark.parametrize(
    ("given", "coverage", "audited"),
    [
        (Constraints(), 80.0, True),
        (Constraints(min_coverage=0), None, True),
        (Constraints(min_coverage=95.5), 95.5, True),
        (Constraints(security_audit=False), 80.0, False),
        (Constraints(require_security_audit=False, security_audit=True), 80.0, True),
    ],
)
def test_what_words_are_taken_to_demand_is_corrected_by_constraints(
    given: Constraints, coverage: float | None, audited: bool
) -> None:
    parameters = gate_parameters(["Line coverage 80 %", "List the guards of our security desk"], given)
    assert parameters.min_coverage == coverage
    assert ("security" in parameters.required) is audited


def test_a_requirement_is_spoken_to_by_its_gates_and_always_by_the_review() -> None:
    assert gates_for("Unit tests") == ("tests", "review")
    assert gates_for("Security audit") == ("security", "review")
    assert gates_for("tests of the audit log") == ("tests", "security", "review")
    assert gates_for("Documentation") == ("review",)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24 hours", 86_400),
        ("4h", 14_400),
        ("1h 30m", 5_400),
        ("1 hour and 30 minutes", 5_400),
        ("2 days, 1 hr", 176_400),
        ("90", 90),
        ("1.5 h", 5_400),
        ("45 sec", 45),
        ("PT4H", 14_400),
        ("P1DT2H3M4S", 93_784),
        ("pt90m", 5_400),
        (" 10 min ", 600),
    ],
)
def test_a_duration_in_any_usual_spelling(text: str, seconds: int) -> None:
    assert parse_duration(text, field="max_time") == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "4 fortnights", "1h30", "-5 hours", "P", "PT", "0", "0 seconds", "366 days", "h", "5 h ago"),
        *("1e9", "nan", "inf", "²", "9" * 500, "P" + "9" * 5_000 + "D"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_field(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_duration(text, field="constraints.max_time")
    assert caught.value.field == "constraints.max_time"
    assert len(str(caught.value)) < 200


@untimed
@given(st.text(max_size=30) | st.from_regex(r"P?T?[0-9]{0,6} ?(h|min|days|S)?", fullmatch=True))
def test_any_text_is_a_duration_in_range_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert 1 <= parse_duration(text, field="f") <= MAX_DURATION_S
