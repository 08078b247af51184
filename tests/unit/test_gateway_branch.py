"""What the changes of a goal are measured against, as the gateway shows them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agenthub_gateway.api.branch import _beginning
from agenthub_runtime.readmodels import MergeRow
from agenthub_runtime.repository.goal import ROOT_COMMIT

WORK = ("task", "b" * 40, "b" * 40)
IMPORT = ("prepare", "a" * 40, "a" * 40)
MOVED = ("base", "d" * 40, "c" * 40)


def chain(*links: tuple[str, str, str]) -> list[MergeRow]:
    return [
        MergeRow(
            seq=number,
            goal_id="g",
            task_id="t",
            attempt=1,
            base=ROOT_COMMIT,
            head=head,
            commit_id=commit,
            tree="",
            bundle_ref="",
            origin=origin,
            tests=None,
            at=datetime(2026, 11, 29, tzinfo=UTC),
        )
        for number, (origin, head, commit) in enumerate(links, start=1)
    ]


@pytest.mark.parametrize(
    ("links", "begins"),
    [
        ((), ROOT_COMMIT),
        ((WORK,), ROOT_COMMIT),
        ((IMPORT, WORK), "a" * 40),
        ((IMPORT, WORK, MOVED), "c" * 40),
        ((IMPORT, WORK, MOVED, WORK), "c" * 40),
    ],
)
def test_changes_are_measured_against_what_was_fetched_last(
    links: tuple[tuple[str, str, str], ...], begins: str
) -> None:
    assert _beginning(chain(*links)) == begins
