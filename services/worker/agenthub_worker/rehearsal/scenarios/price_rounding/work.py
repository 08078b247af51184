"""Plan and tasks of the price calculator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agenthub_worker.rehearsal.conversation import Conversation, ToolOutcome
from agenthub_worker.rehearsal.steps import (
    CHECKED,
    ask,
    create,
    first_error,
    line_of,
    normal,
    read_test_run,
    report,
    sources,
    stuck,
)
from agenthub_worker.rehearsal.turns import Performance, Script, Turn, call

_PACKAGE = "agenthub_worker.rehearsal.scenarios.price_rounding"
_MODULE = "pricing/vat.py"
_HALF_EVEN = "half-even (0.125 becomes 0.12, 0.135 becomes 0.14)"
_HALF_UP = "half-up (0.125 becomes 0.13, 0.135 becomes 0.14)"
_RULES: Mapping[str, str] = {
    _HALF_EVEN: "Sums over many lines stay true. Some single lines differ by a cent from what people reckon.",
    _HALF_UP: "Every line is what people reckon by hand. Sums over many lines drift upwards.",
}
# Which requirements a task answers, by a word in them.
_ANSWERS: Mapping[str, tuple[str, ...]] = {
    "write-price-tests": ("test", "coverage"),
    "document-rounding": ("doc",),
}
_KNOWN = tuple(word for words in _ANSWERS.values() for word in words)

_TASKS: tuple[dict[str, Any], ...] = (
    {
        "key": "implement-price-calculator",
        "title": "Implement the price calculator",
        "details": "Net, tax and gross to the cent. Ask which rounding rule holds for half a cent.",
        "agent": "coding",
        "depends_on": [],
        "complexity": "low",
        "estimate_minutes": 20,
        "acceptance": ["gross is always net plus tax", "one declared rounding rule"],
        "writes": ["pricing/*.py", "pyproject.toml", ".gitignore"],
    },
    {
        "key": "write-price-tests",
        "title": "Write and run the tests of the price calculator",
        "details": "tests/test_vat.py, with cases exactly at half a cent.",
        "agent": "testing",
        "depends_on": ["implement-price-calculator"],
        "complexity": "low",
        "estimate_minutes": 15,
        "acceptance": ["all tests pass"],
        "writes": ["tests/*.py"],
    },
    {
        "key": "document-rounding",
        "title": "Document the rounding rule",
        "details": "docs/rounding.md: which rule holds, and where it is declared.",
        "agent": "coding",
        "depends_on": ["implement-price-calculator"],
        "complexity": "low",
        "estimate_minutes": 5,
        "acceptance": ["the page names the rule that the code follows"],
        "writes": ["docs/*.md"],
    },
)


def planning(conversation: Conversation) -> Performance:
    """Submit three tasks."""
    unknown = [text for text in conversation.requirements.values() if not _has(text, _KNOWN)]
    if unknown or conversation.details.startswith("Feedback"):
        wanted = "; ".join(unknown) or conversation.details
        yield from stuck(f"The rehearsal model has no tasks for: {wanted[:300]}.", wanted)
        return
    outcomes = yield _plan(conversation)
    yield from stuck("The plan was not accepted.", first_error(outcomes) or outcomes[0].text)


def _has(text: str, words: tuple[str, ...]) -> bool:
    return any(word in normal(text) for word in words)


def _plan(conversation: Conversation) -> Turn:
    return call(
        "submit_plan",
        text="One module, its tests, and a page about the one rule that is not mine to decide.",
        analysis={
            "summary": "Invoice sums with VAT on decimal arithmetic; the rounding rule is the owner's decision.",
            "complexity": "low",
            "assumptions": ["amounts are decimals", "tax is computed once for each rate"],
        },
        tasks=[
            {**task, "requirement_ids": _answered_by(task["key"], conversation.requirements)} for task in _TASKS
        ],
    )


def _answered_by(key: str, requirements: Mapping[str, str]) -> list[str]:
    words = _ANSWERS.get(key, ())
    return [number for number, text in requirements.items() if _has(text, words)]


def rule_in(answer: str) -> str:
    """The rounding rule that a person's words name: `half-even`, `half-up`, or empty for none or both."""
    even = re.search(r"half[- ]?even|\beven\b|bank", answer, re.I) is not None
    up = re.search(r"half[- ]?up|\bup\b|commercial", answer, re.I) is not None
    if even == up:
        return ""
    return "half-even" if even else "half-up"


def _implementing(_: Conversation) -> Performance:
    question = (
        "How is an amount rounded that lies exactly between two cents? Your invoices decide this, not the code."
    )
    rule = ""
    while not rule:
        answered = yield ask(question, evidence="0.125 and 0.135", options=_RULES)
        answer = answered[0].text
        rule = rule_in(answer)
        question = f"I do not see which of the two rules “{answer[:200]}” means. Half-even or half-up?"
    constant = _constant(rule)
    written = yield Turn(
        f"Understood: {rule}.",
        create(
            _following(rule, (".gitignore", "pyproject.toml", "pricing/__init__.py", _MODULE)),
        ),
    )
    if error := first_error(written):
        yield from stuck("The module could not be written.", error)
        return
    command = f"python -B -c 'from pricing import vat; assert vat.ROUNDING == \"{constant}\"' && echo {CHECKED}"
    checked = yield call("bash", command=command)
    if CHECKED not in checked[0].text:
        yield from stuck("The module does not import.", checked[0].text)
        return
    yield report("Done as you decided.", f"Price calculator finished; half a cent is rounded {rule}, as decided")


def _testing(_: Conversation) -> Performance:
    found = yield _look_up()
    rule = _declared(found[0])
    if not rule:
        yield from stuck(f"{_MODULE} declares no rounding rule that I know.", found[0].text)
        return
    yield Turn(
        f"The module declares {rule}; I test exactly that.", create(_following(rule, ("tests/test_vat.py",)))
    )
    ran = yield call("run_tests")
    run = read_test_run(ran[0])
    if run is None or not run.green:
        yield from stuck("The tests fail.", ran[0].text)
        return
    yield report("Everything passes.", f"Tests written; {run.counts}", tests_run=run.counts)


def _documenting(_: Conversation) -> Performance:
    found = yield _look_up()
    rule = _declared(found[0])
    if not rule:
        yield from stuck(f"{_MODULE} declares no rounding rule that I know.", found[0].text)
        return
    yield Turn("One page.", create(_following(rule, ("docs/rounding.md",))))
    yield report("The rule is written down.", f"Rounding rule ({rule}) documented in docs/rounding.md")


def _look_up() -> Turn:
    return call("grep", text="Which rule was decided?", pattern="^ROUNDING = ", path="pricing")


def _declared(outcome: ToolOutcome) -> str:
    if line_of(outcome, _MODULE) is None:
        return ""
    return (
        "half-up" if "ROUND_HALF_UP" in outcome.text else "half-even" if "ROUND_HALF_EVEN" in outcome.text else ""
    )


def _constant(rule: str) -> str:
    return "ROUND_HALF_UP" if rule == "half-up" else "ROUND_HALF_EVEN"


def _following(rule: str, paths: tuple[str, ...]) -> dict[str, str]:
    """The pack's files, which are written for half-even, for the rule that was decided."""
    contents = sources(_PACKAGE, paths)
    if rule == "half-even":
        return contents
    changes = (
        ("ROUND_HALF_EVEN", "ROUND_HALF_UP"),
        ('("0.125", "0.12")', '("0.125", "0.13")'),
        ('("-0.125", "-0.12")', '("-0.125", "-0.13")'),
        (
            "**half-even**: an amount exactly between two cents goes to the even one",
            "**half-up**: an amount exactly between two cents goes away from zero",
        ),
    )
    for old, new in changes:
        contents = {path: text.replace(old, new) for path, text in contents.items()}
    return contents


SCRIPTS: dict[str, Script] = {
    "t-implement-price-calculator": _implementing,
    "t-write-price-tests": _testing,
    "t-document-rounding": _documenting,
}
