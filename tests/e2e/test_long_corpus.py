"""The corpus in its long form: twelve goals on real projects, fetched by the package clients of this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from agenthub_cli.commands.bench.corpus.playing import PlayedProject
from agenthub_cli.commands.bench.corpus.project import Client
from agenthub_cli.commands.bench.corpus.run import play_all
from agenthub_cli.commands.bench.corpus.table import PROJECTS
from agenthub_cli.errors import SourceUnreachable

pytestmark = [pytest.mark.extra, pytest.mark.timeout(3_600)]


@pytest.mark.parametrize("client", get_args(Client))
def test_goals_on_real_projects_end_with_the_right_fix_behind_a_wrong_one(
    client: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    wanted = [project for project in PROJECTS if project.source is not None and project.source.client == client]
    played: dict[str, PlayedProject] = {}
    try:
        for one in play_all(wanted, tmp_path):
            played[one.project] = one
            record_property("figures", msgspec.json.encode(one).decode())
    except SourceUnreachable as unreachable:
        pytest.skip(f"NOT RUN: {len(wanted)} goals of the corpus: {unreachable}")

    # `wrong` is empty when the tests failed first and passed then, every other gate passed, and what was delivered
    # is the project without its bug, byte for byte.
    assert {name: one.wrong for name, one in played.items()} == {project.name: "" for project in wanted}
    for one in played.values():
        assert min(one.seconds, one.setup_cold_s, one.setup_warm_s, one.overhead_s, one.events) > 0, one
        assert one.setup_mib is not None
        assert one.stored_kib is not None
        assert one.stored_kib > 0
