"""The benches run on a hub of their own and print figures with their floor; how good those are is for people."""

from __future__ import annotations

import msgspec

from tests.support.running_hub import run_cli


def test_throughput_is_told_with_its_range_and_as_a_share_of_the_floor_of_the_same_run() -> None:
    done = run_cli("bench", "throughput", "--goals", "2", "--rounds", "2", "--json")

    assert done.returncode == 0, done.stderr
    report = msgspec.json.decode(done.stdout)
    rate = report["tasks_per_s"]
    assert 0 < rate["low"] <= rate["median"] <= rate["high"]
    assert report["share_of_floor"] > 0
    assert report["sync_interval"] == "always"
    assert report["floor"]["raw_appends_per_s"] > 0


def test_a_hop_is_measured_along_a_chain_of_tasks_in_plain_words() -> None:
    done = run_cli("bench", "latency", "--tasks", "5", "--rounds", "1")

    assert done.returncode == 0, done.stderr
    assert "hop_p50_ms" in done.stdout
    assert "raw appends/s" in done.stdout
