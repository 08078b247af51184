"""What the log may not hold is kept beside it: exact for whoever works on the goal, and gone once it is erased."""

from __future__ import annotations

import pytest

from agenthub_events.catalogue.agent import AgentAnswered
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.values import PlanTask
from agenthub_events.redaction import NO_SECRETS, REFERENCE, KnownSecrets, redact
from agenthub_runtime.clock import SystemIds
from agenthub_runtime.exact_texts import ExactTexts, is_kept_from
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from tests.support.secret_samples import IN_CONTEXT, SECRETS

GOAL, OTHER = "g-" + "1" * 26, "g-" + "2" * 26
EVERY = [*SECRETS.values(), *(around.format(secret) for around, secret in IN_CONTEXT.values())]


@pytest.fixture
def texts() -> ExactTexts:
    return ExactTexts(InMemoryArtifacts(), SystemIds())


def answered(text: str) -> AgentAnswered:
    return AgentAnswered(action="answer", by="ada", blocked_seq=1, text=text)


@pytest.mark.parametrize("text", EVERY)
async def test_every_shape_comes_back_byte_for_byte(texts: ExactTexts, text: str) -> None:
    said = f'before "{text}" and\nbehind ü'
    stored = await texts.set_aside(answered(said), GOAL, NO_SECRETS)
    assert redact(stored) is stored
    assert text not in stored.text
    assert stored.text.count("[redacted:") == 1
    assert await texts.restored_text(stored.text, GOAL) == said
    assert await texts.set_aside(stored, GOAL, NO_SECRETS) is stored, "a reference is never set aside again"


async def test_texts_at_any_depth_are_set_aside_and_one_secret_has_one_reference(texts: ExactTexts) -> None:
    dsn = "postgresql://app:app@localhost/app"
    said = GoalAccepted(
        goal=dsn, requirements=(dsn,), workflow=(PlanTask(key="a", title="A", details=f"on {dsn}"),)
    )
    stored = await texts.set_aside(said, GOAL, NO_SECRETS)
    assert stored.workflow is not None
    assert stored.goal == stored.requirements[0] == stored.workflow[0].details.removeprefix("on ")
    again = await texts.set_aside(said, GOAL, NO_SECRETS)
    assert again.goal != stored.goal, "the reference tells nothing about what it stands for"


async def test_an_event_without_anything_to_hide_is_the_very_same(texts: ExactTexts) -> None:
    said = answered("nothing special")
    assert await texts.set_aside(said, GOAL, NO_SECRETS) is said


async def test_a_known_secret_is_set_aside_nowhere() -> None:
    artifacts = InMemoryArtifacts()
    texts = ExactTexts(artifacts, SystemIds())
    known = KnownSecrets([SECRETS["github"]])
    stored = await texts.set_aside(answered(f"take {SECRETS['github']}"), GOAL, known)
    assert stored.text == "take [redacted]"
    mixed = await texts.set_aside(answered(f"postgres://app:{SECRETS['github']}@h/x"), GOAL, known)
    assert await texts.restored_text(mixed.text, GOAL) == mixed.text == "postgres://app:[redacted]@h/x"


async def test_no_goal_reads_what_another_has_set_aside(texts: ExactTexts) -> None:
    stored = await texts.set_aside(answered(SECRETS["github"]), GOAL, NO_SECRETS)
    assert await texts.restored_text(stored.text, OTHER) == stored.text


async def test_what_is_erased_or_was_never_there_stays_a_reference(texts: ExactTexts) -> None:
    erased = ExactTexts(InMemoryArtifacts(), SystemIds())
    stored = await texts.set_aside(answered(SECRETS["github"]), GOAL, NO_SECRETS)
    assert await erased.restored_text(stored.text, GOAL) == stored.text
    for text in ("[redacted]", "[redacted:abc]", f"[redacted:{'f' * 64}]", ""):
        assert await texts.restored_text(text, GOAL) == text


async def test_a_reference_to_declared_secrets_brings_none_to_light(texts: ExactTexts) -> None:
    digest = await texts.keep_secrets(["hunter-22x"], GOAL)
    assert await texts.secrets_at(digest, GOAL) == ("hunter-22x",)
    assert await texts.restored_text(f"[redacted:{digest}]", GOAL) == f"[redacted:{digest}]"
    assert await texts.secrets_at(digest, OTHER) == ()
    assert await texts.keep_secrets([], GOAL) == ""
    assert await texts.secrets_at("", GOAL) == ()


@pytest.mark.parametrize(
    "data", [b'{"type":"text","goal_id":"\xff"}', b"# v2 git bundle\n\x00\xff", b"\xff\xfe", b"[" * 9_999]
)
async def test_a_reference_to_an_object_that_is_no_text_stays_a_reference(data: bytes) -> None:
    artifacts = InMemoryArtifacts()
    said = f"see [redacted:{await artifacts.put(data)}]"
    assert await ExactTexts(artifacts, SystemIds()).restored_text(said, GOAL) == said


async def test_what_a_goal_takes_away_holds_no_declared_secret_and_no_text_of_another_goal() -> None:
    artifacts = InMemoryArtifacts()
    texts = ExactTexts(artifacts, SystemIds())
    secret = await artifacts.get(await texts.keep_secrets(["declared-by-it"], GOAL))
    assert is_kept_from(secret, GOAL)
    said = await texts.set_aside(GoalAccepted(goal=f"Use {next(iter(SECRETS.values()))}"), GOAL, NO_SECRETS)
    (digest,) = REFERENCE.findall(said.goal)
    text = await artifacts.get(digest)
    assert not is_kept_from(text, GOAL)
    assert is_kept_from(text, OTHER)
    for data in (b"", b"\xff", b"{}", b'{"type": "secrets"}', b"[1, 2]", b'{"goal_id": "g", "values": []}'):
        assert not is_kept_from(data, GOAL)
