"""When the read models count as stuck."""

from __future__ import annotations

from agenthub_gateway.progress import Lag


def seen(*marks: tuple[float, int, int]) -> str:
    lag = Lag(5.0)
    for now, newest, position in marks:
        lag.note(now, newest, position)
    return lag.trouble()


def test_read_models_that_hold_everything_are_never_stuck() -> None:
    assert seen((0, 10, 10), (60, 10, 10)) == ""
    assert seen() == ""


def test_read_models_that_stand_while_events_wait_are_stuck_after_a_while() -> None:
    assert seen((0, 10, 9), (4, 10, 9)) == ""
    assert seen((0, 10, 9), (3, 10, 9), (6, 10, 9)) == (
        "The read models stand at event 9, 1 events wait, and for 6 s they have not become fewer: see the"
        " projector's log"
    )
    assert seen((0, 10, 9), (3, 12, 9), (6, 14, 9)) != ""


def test_read_models_that_are_always_a_little_behind_a_busy_log_are_not_stuck() -> None:
    assert seen(*((second, 100 * second + 50, 100 * second) for second in range(1, 60))) == ""


def test_read_models_that_catch_up_slowly_are_not_stuck() -> None:
    assert seen(*((second, 300_000, 5_000 * second) for second in range(1, 60))) == ""


def test_read_models_that_fall_further_and_further_behind_are_stuck() -> None:
    assert seen(*((second, 100_000 + 1_000 * second, 10 * second) for second in range(1, 20))) != ""


def test_a_log_that_begins_again_is_another_one() -> None:
    assert seen((0, 100, 90), (6, 3, 2), (7, 3, 2)) == ""


def test_what_was_stuck_is_well_once_everything_is_written() -> None:
    assert seen((0, 10, 9), (6, 10, 9), (7, 10, 10), (13, 10, 10)) == ""
