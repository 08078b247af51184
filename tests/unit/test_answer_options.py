"""What follows from an answer is said before it is given, for every option that the hub itself offers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.rules import answer_options
from agenthub_events.rules.answer_options import action_of, consequences

ROOT = Path(__file__).parents[2]
BACK = consequences(["Redis"], reason="question", worker="w-1")[0]


def offered() -> dict[str, str]:
    """Every option of the module, by its name there. What follows from one is a sentence, and none itself."""
    found = {name: value for name, value in vars(answer_options).items() if name.isupper() and name[0] != "_"}
    return {name: value for name, value in found.items() if name != "SETUP" and not value.endswith(".")}


@pytest.mark.parametrize("name", sorted(offered()))
def test_every_option_of_the_hub_says_what_follows(name: str) -> None:
    option = offered()[name]
    reasons = {"ACCEPT": "rounds", "LEAVE_IT": "plan", "MORE_TIME": "deadline"}
    (said,) = consequences([option], reason=reasons.get(name, ""), worker="")
    assert said != BACK
    assert said.endswith(".")


def test_no_question_of_the_services_offers_an_option_in_words_of_its_own() -> None:
    words = set(offered().values())
    for path in [*ROOT.glob("services/orchestrator/**/*.py"), *ROOT.glob("services/worker/**/*.py")]:
        if "rehearsal" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text())):
                assert not (isinstance(node, ast.Constant) and node.value in words), f"{path.name}: {node.value}"


def test_the_same_words_mean_different_things_in_different_matters() -> None:
    said = [
        consequences(["Try again"], reason=reason, worker="")[0]
        for reason in ("retries", "rounds", "plan", "budget", "unserved", "stalled", "dead_letter", "conflict")
    ]
    assert len(set(said)) == len(said)


def test_an_agent_says_what_follows_from_its_own_options() -> None:
    asked = {"reason": "question", "worker": "w-1"}
    assert consequences(["a", "b"], **asked, said=["x", ""]) == ("x", BACK)
    assert consequences(["a", "b"], **asked) == (BACK, BACK)
    assert consequences(["a", "b"], **asked, said=["x"]) == (BACK, BACK), "one that does not fit says nothing"
    assert consequences(["Try again"], **asked) == (BACK,), "words of the hub in an agent's mouth are an agent's"


def test_nobody_can_put_words_into_the_mouth_of_the_hub() -> None:
    told = consequences(["Try again"], reason="delivery", worker="w-1", said=["All is well."])
    assert told == ("The result is brought to its repository again.",)


def test_what_is_said_to_follow_is_what_the_answer_does() -> None:
    for name, option in offered().items():
        asked = AgentBlocked(question="?", options=(option,), reason="rounds" if name == "ACCEPT" else "retries")
        given = AgentAnswered(action="answer", by="me", blocked_seq=1, option=option)
        assert action_of(asked, given) != "answer"
