"""bun's own runner: `bun test` is told to write JUnit, which nests its groups by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from agenthub_worker.evidence.reports import Case, parse_junit, report_in
from agenthub_worker.suites.read import Read, node_id, once, text_of

SHIM = """\
#!/bin/bash
# Puts the report of `bun test` where the system reads it; every other command is bun's own.
bun="$(PATH="${PATH//"$AGENTHUB_SHIMS":/}" command -v bun)" || { echo 'bun: not found' >&2; exit 127; }
[ "$1" = test ] || exec "$bun" "$@"
shift
reports="$AGENTHUB_REPORTS/bun"
mkdir -p "$reports"
pwd > "$reports/$$.folder"
exec "$bun" test --reporter=junit --reporter-outfile="$reports/$$.xml" "$@"
"""


def read_bun(reports: Path, root: str) -> Read:
    """The tests of every run, under the files of the workspace, which commands see as `root`.

    Raises `ReportRefused`. A file that could not be loaded is in no report of bun's: its exit code alone says so.
    """
    begun = sorted(reports.glob("bun/*.folder"))
    cases = list[Case]()
    for path in begun:
        folder = PurePosixPath(text_of(path).strip())
        above = folder.relative_to(root) if folder.is_relative_to(root) else PurePosixPath()
        data = report_in(path.with_suffix(".xml"))
        cases += _cases(data, above)
    return Read(cases=once(cases), told=bool(begun))


def _cases(data: bytes | None, above: PurePosixPath) -> Iterator[Case]:
    for case in (parse_junit(data) if data else None) or ():
        file, *groups, name = case.id.split("::") if "::" in case.id else ("", case.id)
        # It tells the innermost group first.
        ordered = [group for group in reversed(".".join(groups).split(" > ")) if group]
        yield msgspec.structs.replace(case, id=node_id(str(above / file), [*ordered, name]))
