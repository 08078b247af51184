"""What tells node's runners of tests to report, wherever in a script they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agenthub_worker.suites.node.scripts import commands_of, scripts_in
from agenthub_worker.suites.node.tap import OUTPUT
from agenthub_worker.suites.read import text_of

MOCHA_REPORTER = "mocha-reporter.cjs"
PRELOAD = "runners.cjs"
OPTIONS = "runners.json"
"""Their files beside the command."""

# A script takes options for its last command alone, and of a runner in its middle nobody could ask for a report.
PRELOADED = """\
// Gives each runner of tests its options as it starts; of runners that tests start themselves, none.
const { existsSync, readFileSync, realpathSync } = require('node:fs')
const Module = require('node:module')
const { resolve } = require('node:path')
const program = () => {
  const path = process.argv[1] && existsSync(process.argv[1]) ? realpathSync(process.argv[1]) : ''
  const found = /^(.*[/]node_modules[/]((?:@[^/]+[/])?[^/]+))[/]/.exec(path)
  if (!found) return ''
  const { bin } = JSON.parse(readFileSync(`${found[1]}/package.json`))
  const bins = typeof bin === 'string' ? [bin] : Object.values(bin ?? {})
  // Options of node's own are given to the file behind the command.
  const isBehind = /[/]cli(?:-wrapper)?[.][cm]?js$/.test(path)
  return isBehind || bins.some(one => resolve(found[1], one) === path) ? found[2] : ''
}
// Tools that bring their own command for tests (react-scripts, nx, kcd-scripts) call jest as a library.
const withinOthers = options => {
  const load = Module._load
  let runs = 0
  const given = () => {
    runs++
    const found = options.map(word => /^--(no-)?(\\w+)(?:=(.*))?$/.exec(word))
    return Object.fromEntries(found.map(([, no, key, value]) => {
      if (value === undefined) return [key, !no]
      return [key, key.endsWith('s') ? [value] : value.replace('PID', `${process.pid}-${runs}`)]
    }))
  }
  Module._load = function (request, ...rest) {
    const core = load.call(this, request, ...rest)
    if (request !== '@jest/core' || typeof core?.runCLI !== 'function') return core
    const runCLI = (argv, ...more) => {
      process.env.AGENTHUB_RUNNER = 'jest'
      return core.runCLI({ ...argv, ...given(), watch: false, watchAll: false }, ...more)
    }
    return new Proxy(core, { get: (all, key) => (key === 'runCLI' ? runCLI : all[key]) })
  }
}
try {
  const runners = JSON.parse(readFileSync(`${__dirname}/runners.json`))
  const name = process.env.AGENTHUB_RUNNER ? '' : program()
  const told = name && runners[name]
  if (told) {
    const given = process.argv.splice(2)
    const own = []
    for (let n = 0; n < given.length; n++) {
      if (!told.instead.includes(given[n].split('=')[0])) own.push(given[n])
      else if (!given[n].includes('=')) n++
    }
    const runs = own.some(word => /^(?:run|related|watch|--run)$/.test(word))
    // Where a project has nothing measured, measured code may not run: counting lines makes functions of texts.
    const plain = own.some(word => /^--(?:no-coverage|coverage(?:\\.enabled)?=false)$/.test(word))
    const left = word => (word === '--run' && runs) || (plain && word.startsWith('--coverage'))
    const wanted = told.options.filter(word => !left(word))
    const ours = wanted.map(word => word.replace('PID', process.pid))
    process.argv.push(...(told.front ? [...ours, ...own] : [...own, ...ours]))
    if (!told.front) process.env.AGENTHUB_RUNNER = name
  }
  if (!process.env.AGENTHUB_RUNNER) withinOthers(runners.jest.options)
} catch (error) {
  process.stderr.write(`agenthub: a runner of tests was not told to report: ${error.message}\\n`)
}
"""

_PRINTING = re.compile(r"\b(?:ava|tape|tap)\b(?!-)")
_DEPENDENCIES = ("dependencies", "devDependencies")
_BY_C8 = re.compile(r"\b(?:mocha|ava|tape)\b")
_MEASURING = re.compile(r"\b(?:c8|nyc)\b")


class RunnerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a runner is told. `front`: it runs the command that its arguments name, so options stand before that.

    `instead` are options of the project's that ours take the place of.
    """

    options: Sequence[str]
    front: bool = False
    instead: Sequence[str] = ()


def told_runners(
    reports: str, support: str, *, measured: bool, vitest_measures: bool
) -> Mapping[str, RunnerOptions]:
    """The options of each runner by its package. `vitest_measures`: the project has what it needs for that."""
    coverage = f"{reports}/node-coverage-PID"
    jest = ["--json", f"--outputFile={reports}/node-jest-PID.json", "--ci", "--no-cache"]
    vitest = [
        "--run",
        "--reporter=default",
        "--reporter=json",
        f"--outputFile.json={reports}/node-vitest-PID.json",
    ]
    if measured:
        jest += ["--coverage", "--coverageReporters=json", f"--coverageDirectory={coverage}"]
    if measured and vitest_measures:
        vitest += ["--coverage.enabled", "--coverage.all", "--coverage.reporter=json"]
        vitest += [f"--coverage.reportsDirectory={coverage}"]
    found = {
        "jest": RunnerOptions(options=jest),
        "jest-cli": RunnerOptions(options=jest),
        "vitest": RunnerOptions(options=vitest),
        "mocha": RunnerOptions(options=["--reporter", f"{support}/{MOCHA_REPORTER}"]),
        "ava": RunnerOptions(options=["--tap"]),
    }
    if measured:
        for name, option in (("c8", "--reports-dir"), ("nyc", "--report-dir")):
            given = ["--reporter=json", f"{option}={coverage}"]
            found[name] = RunnerOptions(options=given, front=True, instead=["--report-dir", "--reports-dir"])
    return found


def reporting(line: str, folder: Path, reports: str, *, measured: bool) -> str:
    """The line, with what reads the output of runners that report in no other way, and counts what they cover."""
    package = text_of(folder / "package.json")
    needed = _needed(package)
    told, run = line, _run(line, scripts_in(package))
    if measured and "c8" in needed and _BY_C8.search(run) and not _MEASURING.search(run):
        told = f"node_modules/.bin/c8 --check-coverage=false bash -c {shlex.quote(line)}"
    if {"ava", "tape", "tap"} & needed.keys() or _PRINTING.search(line):
        # What is printed is the report.
        return f"set -o pipefail; {{ {told}; }} | tee {reports}/{OUTPUT}"
    return told


def vitest_measures(folder: Path) -> bool:
    """Whether the project has what vitest measures coverage with."""
    return any(name.startswith("@vitest/coverage-") for name in _needed(text_of(folder / "package.json")))


def _run(line: str, scripts: Mapping[str, str]) -> str:
    """The line with the commands that stand behind the scripts which it names."""
    named = ["test", *(word for word in line.split() if word in scripts)]
    return " && ".join((line, *(command for name in named for command in commands_of(name, scripts))))


def _needed(package: str) -> Mapping[str, Any]:
    try:
        read = msgspec.json.decode(package.removeprefix("\ufeff").encode(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {}
    tables = [read.get(kind) for kind in _DEPENDENCIES]
    return {name: version for table in tables if isinstance(table, dict) for name, version in table.items()}
