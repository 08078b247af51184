"""Canaries among tests whose runner says no more than how many passed and failed."""

from __future__ import annotations

from agenthub_worker.evidence.layout import TestCommand
from agenthub_worker.evidence.reports import uvu_counts
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.experiments import canary, mutants
from agenthub_worker.gates.copies import Copies
from agenthub_worker.gates.gate_round import GateRound

_READ_MAX = 500
_ENDS = ("js", "cjs", "mjs", "ts", "cts", "mts", "jsx", "tsx")


async def canaries_by_counts(
    round_: GateRound, copies: Copies, command: TestCommand, report: TestReport, token: str
) -> tuple[str, str]:
    """Why nothing that the tests report counts, or why that could not be tried; both empty: it counts."""
    repository, order = round_.workspace.repository, round_.order
    files = await repository.files(order.commit)
    changed = [p for p in await repository.changed_files(order.base, order.commit) if mutants.can_be_broken(p)]
    if uvu_counts(report.log) is not None:
        wanted = [entry for entry in files if entry.mode.startswith("100") and entry.path.endswith(_ENDS)]
        contents = await repository.contents(wanted[:_READ_MAX])
        texts = {path: data.decode("utf-8", "replace") for path, data in contents.items()}
        planted = canary.uvu_canaries(texts, changed, token)
        why = "" if planted else "no file was found that loads uvu"
    else:
        planted = canary.counted_canaries(command, [entry.path for entry in files], changed, token)
        why = canary.why_not_asked(command)
    counts = report.counts
    if why or counts is None:
        return "", why
    ours = {bird.path: bird.text.encode() for bird in planted}
    again = await round_.lease.while_held(copies.run("canary", ours))
    return canary.distrust_counts(planted, counts, again), ""
