"""What tells two requests apart under one key, also across upgrades. Earlier versions made the old hashes."""

from __future__ import annotations

import msgspec
import pytest

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.rules.goal_commands import Pause
from agenthub_gateway.api.payloads.body_hashes import hashes_of
from agenthub_gateway.api.payloads.decoding import decode_strictly
from agenthub_gateway.api.payloads.requests import PlanBody, ReasonBody, SubmitBody
from agenthub_gateway.commands.append import Intent
from agenthub_gateway.commands.goal import command_goal
from agenthub_gateway.commands.submit import submit_goal
from agenthub_gateway.errors import KeyReused
from tests.unit.test_gateway_commands import GOAL, Scene, scene

__all__ = ["scene"]

PLAIN = b'{"goal": "Build authentication system with JWT"}'
FULL = (
    b'{"goal":"x","requirements":["a","b"],"constraints":{"max_time":"4h","max_cost_usd":2.5},"priority":"high",'
    b'"workflow":[{"key":"a","title":"A","writes":["a.py"]}]}'
)
PLAN = b'{"action":"edit","revision":2,"tasks":[{"key":"a","title":"A"}]}'
BEFORE_SECRETS = {
    PLAIN: "00153bb36ee9f5a7e97548ed2dd889920c01f68a712725f2b683db85b41072cd",
    FULL: "8df2c1cf044b5b80591349a194c2b6ad89458dba6a6d8fb9ae855621a5fa47b9",
    PLAN: "2951992804396eac770815358b8ffe4aeead73ef0fba211eb6ef667acd224643",
}
BEFORE_ADDRESSES = {
    PLAIN: "e33f39579ec31d22583dd3a26aa0fc3a54d20a971cb85411c9b38685ba5bef57",
    FULL: "a219e638cded76378c5d04f2564cc97fbde0a14b2bcba5044c3e1a37034cffb6",
}
EVERY_FIELD = {
    PLAIN: "7c1f50bfc45f444822e4d88816ad8041edf39129d39bce2096c502b67c423445",
    FULL: "ce6114da64a65688d2e1b4eb312735c36d81065c49e48f5666c545cb65ca5267",
    PLAN: "bc9d82d626563693e26c9fe3c357c8ee2a9987ddcc4b3efe5856e8c53b3edb30",
}


def read(body: bytes) -> msgspec.Struct:
    return decode_strictly(body, PlanBody if body == PLAN else SubmitBody)


@pytest.mark.parametrize("version", [BEFORE_SECRETS, BEFORE_ADDRESSES, EVERY_FIELD])
def test_a_body_is_known_by_the_hash_that_an_earlier_version_has_stored(version: dict[bytes, str]) -> None:
    for body, stored in version.items():
        assert stored in hashes_of(read(body)).earlier


def test_a_body_that_an_earlier_version_could_not_take_is_never_known_as_one_of_its() -> None:
    limited = decode_strictly(PLAIN[:-1] + b',"constraints":{"min_coverage":80}}', SubmitBody)
    plan = decode_strictly(PLAN.replace(b'"A"', b'"A","changes_tests":["t.py"]'), PlanBody)
    earlier = {*BEFORE_SECRETS.values(), *BEFORE_ADDRESSES.values(), *EVERY_FIELD.values()}
    for body in (limited, plan):
        known = hashes_of(body)
        assert earlier.isdisjoint((known.now, *known.earlier))


def test_what_stands_at_its_default_is_no_part_of_the_hash() -> None:
    spelled = b'{"constraints":{"mutants":"on"},"ref":"","goal":"Build authentication system with JWT"}'
    assert hashes_of(decode_strictly(spelled, SubmitBody)) == hashes_of(read(PLAIN))
    ten = decode_strictly(b'{"goal":"x","constraints":{"max_llm_calls":10}}', SubmitBody)
    none = decode_strictly(b'{"goal":"x","constraints":{"max_llm_calls":0}}', SubmitBody)
    assert len({hashes_of(ten).now, hashes_of(none).now, hashes_of(read(PLAIN)).now}) == 3


def test_a_body_without_later_fields_has_one_hash_for_ever() -> None:
    assert hashes_of(decode_strictly(b'{"reason":"because"}', ReasonBody)) == (
        "b315f1d8252aec39f749186ed8c4368a7563ccdafc2243be85d883275121a8a9",
        (),
    )


async def test_a_goal_of_an_earlier_version_is_replayed_and_another_body_is_refused() -> None:
    scene = Scene()
    old = Intent(actor="anna", request_id="r-1", body_hash=BEFORE_SECRETS[PLAIN], keyed=True)
    first = await submit_goal(scene.writer, GOAL, GoalAccepted(goal="Build"), old)

    def sent(body: bytes) -> Intent:
        now, earlier = hashes_of(read(body))
        return Intent(actor="anna", request_id="r-1", body_hash=now, earlier_hashes=earlier, keyed=True)

    again = await submit_goal(scene.writer, GOAL, GoalAccepted(goal="Build"), sent(PLAIN))
    assert (again.replayed, again.goal_id, again.sequence) == (True, GOAL, first.sequence)
    with pytest.raises(KeyReused):
        await submit_goal(scene.writer, GOAL, GoalAccepted(goal="Build"), sent(FULL))
    assert len(await scene.types()) == 1


async def test_a_command_of_an_earlier_version_is_replayed_and_another_body_is_refused(scene: Scene) -> None:
    command = Pause(by="anna", request_id="r-1")
    old = Intent(actor="anna", request_id="r-1", body_hash=BEFORE_SECRETS[PLAN], keyed=True)
    first = await command_goal(scene.writer, GOAL, command, old)
    now, earlier = hashes_of(read(PLAN))
    sent = Intent(actor="anna", request_id="r-1", body_hash=now, earlier_hashes=earlier, keyed=True)
    again = await command_goal(scene.writer, GOAL, command, sent)
    assert (again.replayed, again.sequence) == (True, first.sequence)
    with pytest.raises(KeyReused):
        await command_goal(scene.writer, GOAL, command, msgspec.structs.replace(sent, earlier_hashes=()))
