"""Mocha: a reporter of the system's, which is its one for people as well, and what that has written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from agenthub_worker.evidence.reports import Case, Outcome
from agenthub_worker.suites.read import json_lines, node_id

REPORTER = """\
// Says how every test ended, a line each, beside what the usual reporter prints for people.
const { appendFileSync, mkdirSync } = require('node:fs')
const { createRequire } = require('node:module')
const { Spec } = createRequire(`${process.cwd()}/`)('mocha').reporters
const folder = `${process.env.AGENTHUB_REPORTS}/mocha`
mkdirSync(folder, { recursive: true })
const written = `${folder}/${process.pid}.jsonl`
appendFileSync(written, '')
module.exports = class extends Spec {
  constructor (runner, options) {
    super(runner, options)
    const tell = outcome => test => {
      const told = { file: test.file || test.parent?.file, names: test.titlePath(), outcome }
      appendFileSync(written, `${JSON.stringify(told)}\\n`)
    }
    runner.on('pass', tell('passed'))
    runner.on('pending', tell('skipped'))
    runner.on('fail', test => tell(test.type === 'hook' ? 'error' : 'failed')(test))
  }
}
"""


class _Told(msgspec.Struct):
    outcome: Outcome
    names: list[str]
    file: str | None = None


def read_mocha(reports: Path, root: str) -> Iterator[Case]:
    """What mocha has told, whose files are below `root`. Raises `ReportRefused`."""
    for path in sorted(reports.glob("mocha/*.jsonl")):
        for told in json_lines(path, _Told):
            yield Case(node_id((told.file or "").removeprefix(f"{root}/"), told.names), told.outcome)
