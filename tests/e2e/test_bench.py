"""The benches run on a hub of their own and print figures with their floor; how good those are is for people."""

from __future__ import annotations

import re

import msgspec
import pytest

from tests.support.running_hub import run_cli

pytestmark = pytest.mark.extra

# Far from what a busy machine needs, and far below any polling by the second.
HOP_MS = 900
WALL_S = 120


def test_throughput_is_told_in_plain_words_with_its_range_and_as_a_share_of_the_floor_of_the_same_run() -> None:
    done = run_cli("bench", "throughput", "--goals", "2", "--rounds", "2")

    assert done.returncode == 0, done.stderr
    report = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    median, low, high = numbers(report["tasks_per_s"])
    assert 0 < low <= median <= high
    assert float(report["share_of_floor"]) > 0
    assert report["sync_interval"] == "always"
    assert re.fullmatch(r"fdatasync [\d.]+ ms, [1-9]\d* raw appends/s", report["floor"])


def test_a_hop_along_a_chain_of_tasks_waits_for_no_poll() -> None:
    done = run_cli("bench", "latency", "--tasks", "5", "--rounds", "1", "--json")

    assert done.returncode == 0, done.stderr
    report = msgspec.json.decode(done.stdout)
    assert report["chain"] == 5
    assert 0 < report["hop_p50_ms"]["median"] < HOP_MS
    assert report["hop_p50_ms"]["median"] <= report["hop_p99_ms"]["median"]
    assert report["floor"]["raw_appends_per_s"] > 0


def test_the_cost_of_a_task_is_told_by_process_and_by_step() -> None:
    done = run_cli("bench", "overhead", "--tasks", "2", "--json")

    assert done.returncode == 0, done.stderr
    report = msgspec.json.decode(done.stdout)
    assert 0 < report["wall_s_a_task"] < WALL_S
    assert 0 < report["cpu_s_a_task"] <= report["cpu_s_a_task_whole_hub"]
    assert {"worker", "nats-server", "orchestrator"} <= report["cpu_s_by_process"].keys()
    steps = {step["name"]: step for step in report["steps"]}
    assert steps["execute_tool bash"]["times"] == 1
    assert steps["merge"]["own_ms"] > 0


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"[\d.]+", text)]
