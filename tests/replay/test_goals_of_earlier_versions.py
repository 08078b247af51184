"""Goals that earlier versions have finished are opened, proved whole, told and played again."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import NoReturn

import pytest

from agenthub_events.subjects import parse_subject
from agenthub_replay.causation import why_event
from agenthub_replay.exported import export, open_export, read_export
from agenthub_replay.playing.replaying import replay
from agenthub_replay.positions import every_position, goal_at
from agenthub_replay.verifying import verify
from tests.replay.goals import FILES, differing, known, name_of

each = pytest.mark.parametrize("file", FILES, ids=name_of)


@each
def test_a_goal_of_an_earlier_version_is_whole(file: Path) -> None:
    assert verify(read_export(file.read_bytes())).flaws == ()


@each
def test_today_it_would_be_decided_and_done_as_it_was(file: Path) -> None:
    message = "a change of behaviour: if it is meant, run `python -m tests.replay.goals` and commit what it writes"
    assert differing(file) == known()[name_of(file)], message


@each
def test_everything_of_it_is_played_and_nothing_is_missing(file: Path) -> None:
    history = read_export(file.read_bytes())
    replayed = asyncio.run(replay(history))
    by_orchestrator = [
        r for r in history.events if getattr(r.event, "metadata", {}).get("actor") == "orchestrator"
    ]
    asked = [m for m in history.step_messages if m.subject.endswith("step.turn.intent")]
    assert (replayed.decisions, replayed.requests) == (len(by_orchestrator), len(asked))
    assert replayed.moves > replayed.requests
    assert (replayed.missing, replayed.unrecorded) == ((), 0)


@each
def test_it_needs_no_network(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("replay has opened a connection")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert asyncio.run(replay(read_export(file.read_bytes()))).decisions > 0


@each
def test_every_event_of_it_leads_back_to_the_words_of_the_goal(file: Path) -> None:
    history = read_export(file.read_bytes())
    for recorded in history.events:
        causation = why_event(history, recorded.seq)
        told = {cause.seq for cause in causation.causes}
        assert causation.causes[-1].type == "goal.accepted"
        assert all(set(cause.because) <= told for cause in causation.causes)
        assert all(seq < cause.seq for cause in causation.causes for seq in cause.because)
        assert history.accepted is not None
        assert causation.words[0] == history.accepted.goal


@each
def test_time_travel_step_by_step_and_at_once_are_the_same(file: Path) -> None:
    history = read_export(file.read_bytes())
    for seen in every_position(history):
        assert seen == goal_at(history, seen.seq)
    assert seen.goal.status == "completed"
    assert {task.task_id for task in seen.tasks} == {
        parse_subject(m.subject).task_id for m in history.messages if ".task.enqueued." in m.subject
    }


@each
def test_the_same_history_makes_the_same_file(file: Path) -> None:
    opened = open_export(file.read_bytes())
    again = export(opened.history, version=opened.version)
    assert open_export(again).history.messages == opened.history.messages
    assert export(read_export(again), version=opened.version) == again
