"""Bodies, keys, hosts and filters, without a server."""

from __future__ import annotations

import hashlib
from typing import Any, cast, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.errors import InvalidInput
from agenthub_gateway.api.payloads.body_hashes import hashes_of
from agenthub_gateway.api.payloads.decoding import decode_strictly
from agenthub_gateway.api.payloads.requests import SubmitBody
from agenthub_gateway.api.payloads.responses import GOAL_STATES, in_words
from agenthub_gateway.api.payloads.submission import accepted_from
from agenthub_gateway.commands.append import request_id_for
from agenthub_gateway.commands.sessions import Sessions
from agenthub_gateway.edge.guard import Guard, place_of
from agenthub_gateway.edge.keys import FAILURES_MAX, PAUSE_S, Failures, Holder, Keys, scope_needed
from agenthub_gateway.edge.sign_in import SignIn
from agenthub_gateway.errors import InvalidBody, MalformedBody
from agenthub_gateway.live.frames import Filter, Frame, known_types, parse_types
from agenthub_gateway.ports import Sources
from agenthub_orchestrator.domain.state.status import GoalWord
from agenthub_runtime.remotes.credentials import NO_ACCESS
from agenthub_runtime.settings.api_keys import SCOPES, Scope

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(SubmitBody.__struct_fields__) | st.text(max_size=12)


@given(st.dictionaries(FIELDS, JSON, max_size=6))
def test_any_json_is_a_body_or_is_refused_with_places(value: dict[str, Any]) -> None:
    outcome = outcome_of(msgspec.json.encode(value))
    if isinstance(outcome, SubmitBody):
        assert set(value) <= set(SubmitBody.__struct_fields__)
        assert outcome.goal == value["goal"]
    else:
        assert isinstance(outcome, InvalidBody)
        assert outcome.errors
        assert all(error.message for error in outcome.errors)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_body_or_are_refused(data: bytes) -> None:
    assert str(outcome_of(data))


def outcome_of(data: bytes) -> SubmitBody | InvalidBody | MalformedBody:
    try:
        return decode_strictly(data, SubmitBody)
    except (InvalidBody, MalformedBody) as refused:
        return refused


def test_the_hash_of_a_body_does_not_depend_on_its_spelling() -> None:
    one = decode_strictly(b'{"goal": "a", "priority": "normal"}', SubmitBody)
    two = decode_strictly(b'{ "goal":"a"}', SubmitBody)
    other = decode_strictly(b'{"goal": "b"}', SubmitBody)
    assert hashes_of(one) == hashes_of(two)
    assert hashes_of(one).now != hashes_of(other).now


def test_a_request_is_its_sender_and_its_key() -> None:
    assert request_id_for("anna", "k") == request_id_for("anna", "k")
    assert len({request_id_for("anna", "k"), request_id_for("bert", "k"), request_id_for("anna", "l")}) == 3


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Bearer one-of-16-or-more", "anna"),
        ("bearer one-of-16-or-more", "anna"),
        ("Bearer two-of-16-or-more", "key-2"),
        ("Bearer three-of-16-or-more", "carl"),
        ("Bearer one-of-16-or-mor", None),
        ("Basic one-of-16-or-more", None),
        ("one-of-16-or-more", None),
        ("", None),
        ("Bearer ", None),
        ("Bearer \udcff", None),
        ("Bearer anna:one-of-16-or-more", None),
        (f"Bearer sha256={hashlib.sha256(b'three-of-16-or-more').hexdigest()}", None),
    ],
)
def test_a_key_is_known_by_its_secret_alone(header: str, name: str | None) -> None:
    hashed = f"carl:read:sha256={hashlib.sha256(b'three-of-16-or-more').hexdigest()}"
    holder = Keys(["anna:one-of-16-or-more", "two-of-16-or-more", hashed]).holder(header)
    assert (holder.name if holder else None) == name


@pytest.mark.parametrize(
    ("entry", "scope"),
    [
        ("sixteen-letters-1", "admin"),
        ("anna:sixteen-letters-1", "admin"),
        ("anna:read:sixteen-letters-1", "read"),
        ("anna:submit:sixteen-letters-1", "submit"),
        ("anna:operate:sixteen-letters-1", "operate"),
        ("anna:admin:sixteen-letters-1", "admin"),
        ("anna:write:sixteen-letters-1", "admin"),
        ("anna:Read:sixteen-letters-1", "admin"),
    ],
)
def test_a_scope_is_what_stands_between_name_and_secret(entry: str, scope: str) -> None:
    token = entry if ":" not in entry else entry.removeprefix("anna:").removeprefix(f"{scope}:")
    holder = Keys([entry]).holder(f"Bearer {token}")
    assert holder is not None
    assert holder.scope == scope


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "short",
        "anna:",
        "anna: ",
        "anna:read:",
        "anna:read:short",
        "anna:sha256=12",
        "anna:ümlaut-ümlaut-ümlaut",
    ],
)
def test_a_key_that_could_be_guessed_or_not_be_sent_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="secret of"):
        Keys([entry])


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/v1/goals", "read"),
        ("HEAD", "/metrics", "read"),
        ("POST", "/api/v1/goals", "submit"),
        ("POST", "/goals/", "submit"),
        ("POST", "/api/v1/goals/g-1/approve", "operate"),
        ("POST", "/api/v1/interventions/q-1/answer", "operate"),
        ("POST", "/api/v1/goals/g-1/erase", "admin"),
        ("POST", "//api/v1/goals//g-1/erase//", "admin"),
        ("POST", "//api//v1/goals/", "submit"),
        ("POST", "/api/v1/session/links/", "read"),
        ("POST", "/api/v1/sessions", "operate"),
        ("POST", "/mcp//", "read"),
        ("PUT", "/api/v1/anything", "operate"),
    ],
)
def test_every_request_needs_a_scope(method: str, path: str, scope: Scope) -> None:
    assert scope_needed(method, path) == scope
    held = [have for have in SCOPES if Holder("anna", have).may(scope)]
    assert held == list(SCOPES[SCOPES.index(scope) :])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_a_place_is_what_one_stranger_has(one: str, other: str, same: bool) -> None:
    places = [place_of(cast(Any, {"client": (address, 1)})) for address in (one, other)]
    assert (places[0] == places[1]) is same


def test_wrong_keys_are_looked_at_ever_less_often() -> None:
    now = 1_000.0
    failures = Failures(lambda: now)
    for _ in range(FAILURES_MAX):
        assert failures.wait_s("a") == 0
        failures.add("a")
    assert failures.wait_s("a") == pytest.approx(PAUSE_S)
    assert failures.wait_s("b") == 0
    now += PAUSE_S
    assert failures.wait_s("a") == 0
    failures.add("a")
    assert failures.wait_s("a") == pytest.approx(PAUSE_S)
    now += FAILURES_MAX * PAUSE_S
    assert failures.wait_s("a") == 0


def test_places_that_send_wrong_keys_take_no_more_than_so_much_memory() -> None:
    failures = Failures(lambda: 0.0)
    for _ in range(2 * FAILURES_MAX):
        failures.add("worst")
    for number in range(20_000):
        failures.add(str(number))
    assert len(vars(failures)["_paid_at"]) <= 4_096
    assert failures.wait_s("worst") > 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:8000", 200),
        ("hub.example:443", 200),
        ("hub.example.evil", 403),
        ("127.0.0.1@evil.example", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
async def test_a_host_is_known_whatever_its_port(host: str, status: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    sign_in = SignIn(Keys([]), Failures(lambda: 0.0), cast(Sessions, None))
    guard = Guard(app, sign_in=sign_in, allowed_hosts=("hub.example",))
    scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host.encode())]}
    await guard(scope, receive, send)
    assert sent[0]["status"] == status


def test_types_of_the_feed_and_their_first_names_are_known() -> None:
    assert {"task.completed", "task.blocked", "workflow.finished", "intervention_required"} <= set(known_types())
    assert set(parse_types(["task.blocked, goal.failed", "task.started"]) or ()) == {
        "task.blocked",
        "goal.failed",
        "task.started",
    }
    assert parse_types([]) is None
    with pytest.raises(InvalidInput, match=r"`task\.exploded` is no type of the feed"):
        parse_types(["task.exploded"])


def test_a_filter_gives_a_frame_the_name_that_was_asked_for() -> None:
    frame = Frame("agent.blocked", "g-1", 7, b"{}", "task.blocked")
    assert Filter().name_for(frame) == "agent.blocked"
    assert Filter(types=frozenset({"task.blocked"})).name_for(frame) == "task.blocked"
    assert Filter(types=frozenset({"goal.failed"})).name_for(frame) is None
    assert Filter(goal_id="g-2").name_for(frame) is None


@pytest.mark.parametrize(
    ("minutes", "words"), [(240, "4 hours"), (90, "1 hour and 30 minutes"), (0.4, "0 minutes"), (15, "15 minutes")]
)
def test_estimates_are_told_in_words(minutes: float, words: str) -> None:
    assert in_words(minutes) == words


def test_an_estimate_beyond_all_bounds_is_told_as_a_century() -> None:
    assert in_words(1e300) == in_words(float("inf")) == in_words(100 * 365 * 24 * 60.0)
    assert in_words(-5.0) == "0 minutes"


async def test_a_path_longer_than_the_machine_allows_is_no_repository() -> None:
    body = SubmitBody(goal="x", repository="/" + "a" * 999)
    with pytest.raises(InvalidInput, match="There is no git repository"):
        await accepted_from(body, Sources(NO_ACCESS, local=True))


def test_the_states_that_goals_are_filtered_by_are_all_that_there_are() -> None:
    assert set(GOAL_STATES) == set(get_args(GoalWord))


@pytest.mark.parametrize("text", [" ", "\x00\x00", "\t\n", "\u200b", "\u2060 \u00a0", "\x1b\x9b"])
async def test_what_nobody_could_read_is_blank(text: str) -> None:
    for body, place in (
        (SubmitBody(goal=text), "goal"),
        (SubmitBody(goal="x", requirements=("y", text)), "requirements[1]"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await accepted_from(body, None)
        assert refused.value.field == place
    assert (await accepted_from(SubmitBody(goal=f"{text}x{text}"), None)).goal == f"{text}x{text}"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"setup": [""]}, "setup[0]"),
        ({"setup": ["make deps", " \t"]}, "setup[1]"),
        ({"setup": ["\u200b"]}, "setup[0]"),
        ({"test_command": "  "}, "test_command"),
        ({"test_command": "\n"}, "test_command"),
        ({"checks": [{"name": "lint", "command": " "}]}, "checks[0].command"),
    ],
)
async def test_a_blank_command_is_refused_with_its_place(fields: dict[str, Any], place: str) -> None:
    body = decode_strictly(msgspec.json.encode({"goal": "Build a thing", **fields}), SubmitBody)
    with pytest.raises(InvalidInput, match="blank") as refused:
        await accepted_from(body, None)
    assert refused.value.field == place


@pytest.mark.parametrize("body", [b'{"goal": "x"}', b'{"nope": 1}', b"", b"{"])
def test_a_byte_order_mark_before_a_body_counts_for_nothing(body: bytes) -> None:
    def read(data: bytes) -> object:
        try:
            return decode_strictly(data, SubmitBody)
        except (InvalidBody, MalformedBody) as refused:
            return str(refused)

    assert read(b"\xef\xbb\xbf" + body) == read(body)


def test_a_name_of_a_check_ends_with_its_last_letter() -> None:
    body = b'{"goal": "x", "checks": [{"name": "lint\\n", "command": "ruff check"}]}'
    with pytest.raises(InvalidBody, match="matching regex"):
        decode_strictly(body, SubmitBody)
