"""Short names of goals: taken only for what can be one, and never for two."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agenthub_cli.client.goal_names import goal_called, in_full
from agenthub_cli.errors import CommandFailed

IDS = ["g-" + "a" * 25 + "2", "g-" + "a" * 25 + "1", "g-b" + "a" * 25]


def goals() -> Iterator[dict[str, str]]:
    return iter({"goal_id": goal_id} for goal_id in IDS)


def none() -> Iterator[dict[str, str]]:
    return iter(())


@pytest.mark.parametrize(("name", "number"), [("@last", 0), ("g-b", 2), ("g-" + "a" * 24, None), (IDS[1], 1)])
def test_a_short_name_means_one_goal_or_is_refused(name: str, number: int | None) -> None:
    if number is None:
        with pytest.raises(CommandFailed, match="Several goals") as caught:
            goal_called(name, goals)
        assert f"{IDS[0]}, {IDS[1]}" in str(caught.value)
        assert caught.value.code == 2
    else:
        assert goal_called(name, goals) == IDS[number]


@pytest.mark.parametrize("name", ["g-", "g-b/..", "g-b?", "g-b c", "g-" + "b" * 27])
def test_what_is_no_short_name_is_left_to_the_hub(name: str) -> None:
    assert goal_called(name, _nobody_is_asked) == name


@pytest.mark.parametrize("name", ["", "x", "G-B", "last", "@", "@first", "hub"])
def test_what_no_goal_can_be_called_is_refused(name: str) -> None:
    with pytest.raises(CommandFailed, match=f"No goal is called {name}"):
        goal_called(name, _nobody_is_asked)


def _nobody_is_asked() -> Iterator[dict[str, str]]:
    raise AssertionError("nobody is asked")


def test_without_a_match_the_reason_is_said() -> None:
    with pytest.raises(CommandFailed, match="There is no goal yet"):
        goal_called("@last", none)
    with pytest.raises(CommandFailed, match="begins with g-c"):
        goal_called("g-c", goals)


def test_the_goal_of_an_address_is_written_out_and_nothing_else() -> None:
    assert in_full("/goals/g-b/tasks?x=g-b", goals) == f"/goals/{IDS[2]}/tasks?x=g-b"
    assert in_full("/goals/@last", goals) == f"/goals/{IDS[0]}"
    for path in ("/goals", "/interventions/q-1/answer", f"/goals/{IDS[0]}/tasks", "/goals/hub/notifications"):
        assert in_full(path, goals) == path
