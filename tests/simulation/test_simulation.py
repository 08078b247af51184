"""A thousand worlds keep every promise; the same seed is the same world; and what is broken is found."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

from agenthub_events.base import Draft
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import AppendResult, Conflict, Stamp, Stored
from agenthub_events.rules.budget import Spent
from agenthub_events.rules.schedules import ScheduleHistory
from agenthub_events.runs import Step, TurnReply
from agenthub_events.subjects import goal_id_from_token
from agenthub_gateway.commands.append import Intent, Origin, Writer
from agenthub_orchestrator.domain import Due
from agenthub_orchestrator.follower import Follower
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.in_memory.work_queue import InMemoryBroker
from agenthub_worker.attempt import Preparation
from agenthub_worker.lease.lease import Lease
from tests.simulation.faults import CALM
from tests.simulation.seeds import run_seeds, told
from tests.simulation.workers import ScriptedRunner
from tests.simulation.world import play, simulate

QUICK, THOUSAND = range(100), range(100, 1_000)
FOUND_WITHIN = 300
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    "seeds", [pytest.param(QUICK, id="quick"), pytest.param(THOUSAND, id="thousand", marks=pytest.mark.extra)]
)
def test_i1_i2_i3_i5_i7_i10_i11_i12_hold_in_a_thousand_worlds(seeds: range) -> None:
    failed = [report for report in run_seeds(seeds) if report.violations]
    assert not failed, "\n".join(told(report) for report in failed[:3])


def test_a_world_without_faults_reaches_its_goals(tmp_path: Path) -> None:
    outcome = play(1, tmp_path, weather=CALM)
    assert outcome.violations == []
    assert outcome.schedule == []
    assert {effect.phase for effect in outcome.effects} == {"completed"}


def test_the_same_seed_plays_the_same_world_in_any_process() -> None:
    told_by = [_digest_in_a_process(hash_seed) for hash_seed in ("1", "2")]
    assert told_by[0] == told_by[1]
    assert told_by[0]["faults"] != 0
    assert told_by[0]["events"] != 0


def _digest_in_a_process(hash_seed: str) -> dict[str, int | str]:
    ran = subprocess.run(
        [sys.executable, "-c", _DIGEST],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, int | str] = json.loads(ran.stdout)
    return found


_DIGEST = """
import hashlib, json, pathlib, tempfile
from tests.simulation.world import play
faults, events, digest = 0, 0, hashlib.sha256()
for seed in range(12):
    with tempfile.TemporaryDirectory() as folder:
        outcome = play(seed, pathlib.Path(folder))
    faults, events = faults + len(outcome.schedule), events + len(outcome.log)
    digest.update(repr(outcome.schedule).encode())
    digest.update(repr([(r.seq, r.subject, r.event) for r in outcome.log]).encode())
print(json.dumps({"faults": faults, "events": events, "digest": digest.hexdigest()}))
"""

# What the simulation is worth: each of these breaks one rule, and must be found soon.

Break = Callable[[pytest.MonkeyPatch], None]


def _worker_ignores_that_it_is_fenced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("agenthub_worker.lease.lease.still_held", lambda *_: True)


def _worker_acknowledges_without_an_end(patch: pytest.MonkeyPatch) -> None:
    async def nothing(_: ScriptedRunner, lease: Lease, preparing: asyncio.Task[Preparation]) -> None:
        del lease, preparing

    patch.setattr(ScriptedRunner, "attempt", nothing)


def _worker_calls_without_a_slice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("agenthub_worker.lease.budget.covers", lambda *_: True)


def _worker_forgets_what_was_said_before_it_took_over(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("agenthub_worker.agent.tool_calls.ToolCalls._stored_earlier", lambda *_: False)


def _merge_and_completion_are_two_steps(patch: pytest.MonkeyPatch) -> None:
    async def one_by_one(log: InMemoryEventLog, drafts: Sequence[Draft], stamp: Stamp) -> AppendResult:
        result: AppendResult = Stored(0)
        for draft in drafts:
            result = await log.append(draft, stamp)
            if not isinstance(result, Stored):
                return result
        return result

    patch.setattr(InMemoryEventLog, "append_together", one_by_one)


def _orchestrator_writes_without_a_fence(patch: pytest.MonkeyPatch) -> None:
    append = Follower._append

    async def unfenced(follower: Follower, due: Due, metadata: dict[str, str], trace: str) -> AppendResult:
        there = await follower._log.read(due.draft.originator_id)
        draft = msgspec.structs.replace(
            due.draft,
            expected=there[-1].seq if there else 0,
            version=len(there) + 1,
            ordinal=f"{due.draft.ordinal}-{id(follower)}",
        )
        return await append(follower, Due(draft, due.context, due.charge), metadata, trace)

    patch.setattr(Follower, "_append", unfenced)


def _orchestrator_charges_only_what_was_answered(patch: pytest.MonkeyPatch) -> None:
    def answered(steps: Iterable[Step], _: float) -> Spent:
        return Spent(calls=sum(isinstance(step, TurnReply) for step in steps))

    patch.setattr("agenthub_orchestrator.domain.rules.budget.spent_in", answered)


def _orchestrator_forgets_what_failed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(import_module("agenthub_orchestrator.domain.rules.decide"), "decide_retries", lambda _: None)


def _gateway_says_yes_to_what_was_not_stored(patch: pytest.MonkeyPatch) -> None:
    append = Writer.append

    async def hasty(
        writer: Writer, draft: Draft, intent: Intent, origin: Origin | None = None, *, declared: Sequence[str] = ()
    ) -> Stored | Conflict:
        try:
            return await append(writer, draft, intent, origin, declared=declared)
        except StoreUnavailable:
            return Stored(1)

    patch.setattr(Writer, "append", hasty)


def _queues_that_were_held_stay_so(patch: pytest.MonkeyPatch) -> None:
    hold = InMemoryBroker.hold

    async def for_good(broker: InMemoryBroker, types: Collection[str]) -> list[str]:
        return await hold(broker, {*types, *broker._paused})

    patch.setattr(InMemoryBroker, "hold", for_good)


def _fork_begins_before_it_has_everything(patch: pytest.MonkeyPatch) -> None:
    module = import_module("agenthub_orchestrator.domain.rules.decide")
    inherit = module.inherit
    patch.setattr(module, "inherit", lambda decision: inherit(decision) and False)


def _fork_does_again_what_was_done(patch: pytest.MonkeyPatch) -> None:
    module = import_module("agenthub_replay.forking")
    plan = module._plan
    patch.setattr(module, "_plan", lambda state: (plan(state)[0], plan(state)[1][1:]))


def _orchestrator_forgets_what_a_schedule_has_begun(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("agenthub_orchestrator.schedules.keeper.history_of", lambda _: ScheduleHistory())


def _orchestrators_begin_goals_of_their_own(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("agenthub_events.rules.schedules.goal_of", lambda *_: goal_id_from_token(secrets.token_hex(13)))


@pytest.mark.parametrize(
    ("broken", "found_by", "first"),
    [
        (_worker_ignores_that_it_is_fenced, {"I2"}, 0),
        (_worker_acknowledges_without_an_end, {"I11"}, 0),
        (_worker_calls_without_a_slice, {"I7"}, 0),
        (_worker_forgets_what_was_said_before_it_took_over, {"I2"}, 290),
        (_merge_and_completion_are_two_steps, {"I5", "I2"}, 0),
        (_orchestrator_writes_without_a_fence, {"I2", "I12"}, 0),
        (_orchestrator_charges_only_what_was_answered, {"I7"}, 0),
        (_orchestrator_forgets_what_failed, {"I11"}, 0),
        (_gateway_says_yes_to_what_was_not_stored, {"I1"}, 0),
        (_queues_that_were_held_stay_so, {"I11", "order"}, 0),
        (_fork_begins_before_it_has_everything, {"fork"}, 115),
        (_fork_does_again_what_was_done, {"fork"}, 115),
        (_orchestrator_forgets_what_a_schedule_has_begun, {"schedule"}, 6),
        (_orchestrators_begin_goals_of_their_own, {"schedule"}, 6),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_broken_is_found(
    broken: Break, found_by: set[str], first: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken(monkeypatch)
    for seed in range(first, first + FOUND_WITHIN):
        violations = simulate(seed, tmp_path).violations
        if violations:
            assert {violated.check.split()[0] for violated in violations} & found_by, violations
            return
    pytest.fail(f"{FOUND_WITHIN} worlds kept every promise although a rule was broken")
