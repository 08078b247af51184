"""What an answer of the server to a publish means to its sender."""

from __future__ import annotations

import msgspec
import pytest
from nats.aio.msg import Msg

from agenthub_events.ports import Stored, Unavailable
from agenthub_runtime.jetstream.wire import Unsure, verdict_of


def answer(**fields: object) -> Msg:
    return Msg(_client=None, data=msgspec.json.encode(fields))  # type: ignore[arg-type]  # an answer needs no client


def refusal(err_code: int) -> Msg:
    return answer(error={"code": 400, "err_code": err_code, "description": "no"})


def test_an_acknowledgement_is_stored() -> None:
    assert verdict_of(answer(stream="EVENTS", seq=7)) == Stored(7)
    assert verdict_of(answer(stream="EVENTS", seq=7, duplicate=True)) == Stored(7, duplicate=True)


@pytest.mark.parametrize("err_code", [10071, 10164, 10201])
def test_a_refusal_by_the_fence_sends_the_writer_to_look(err_code: int) -> None:
    verdict = verdict_of(refusal(err_code))
    assert isinstance(verdict, Unsure)
    assert verdict.fenced


@pytest.mark.parametrize("err_code", [10158, 10176])
def test_an_id_that_is_in_process_is_looked_for_and_is_no_failure(err_code: int) -> None:
    verdict = verdict_of(refusal(err_code))
    assert isinstance(verdict, Unsure)
    assert not verdict.fenced


def test_silence_is_looked_into_and_any_other_refusal_means_that_nothing_is_stored() -> None:
    assert isinstance(verdict_of(None), Unsure)
    assert isinstance(verdict_of(refusal(10077)), Unavailable)
