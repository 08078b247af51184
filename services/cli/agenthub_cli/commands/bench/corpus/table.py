"""The projects: small, under permissive licences, pinned by digest, and fetched when the bench runs."""

from __future__ import annotations

from agenthub_cli.commands.bench.corpus.project import BugEdit, CorpusProject, PinnedPackage

_PYTHON = (
    CorpusProject(
        name="cssselect",
        language="Python, compiled dependency",
        licence="BSD-3-Clause",
        source=PinnedPackage(
            "pip", "cssselect", "1.2.0", "sha256:666b19839cfaddb9ce9d36bfe4c969132c647b92fc9088c4e23f786b30f1b3dc"
        ),
        setup=("pip install -e . lxml==5.3.0 pytest==8.3.3 pytest-cov==6.0.0 sybil==8.0.0",),
        goal="The series `odd` selects the wrong elements",
        edits=(
            BugEdit(
                "cssselect/parser.py",
                'if s == "odd":\n        return 2, 1',
                'if s == "odd":\n        return 2, 0',
                'if s == "odd":\n        return 1, 2',
            ),
            BugEdit("tests/test_cssselect.py", "def test_series(", "def untested_series("),
        ),
    ),
    CorpusProject(
        name="cachetools",
        language="Python, src layout",
        licence="MIT",
        source=PinnedPackage(
            "pip", "cachetools", "5.5.2", "sha256:1a661caa9175d26759571b2e19580f9d6393969e5dfca11fdb1f947a23e640d4"
        ),
        setup=("pip install -e .",),
        goal="A cache of the least recently used throws away the newest",
        edits=(
            BugEdit(
                "src/cachetools/__init__.py",
                'least recently used."""\n        try:\n            key = next(iter(self.__order))',
                'least recently used."""\n        try:\n            key = next(reversed(self.__order))',
                'least recently used."""\n        try:\n            key = next(iter(self))',
            ),
            BugEdit("tests/test_lru.py", "def test_lru(self)", "def untested_lru(self)"),
        ),
    ),
    CorpusProject(
        name="async-timeout",
        language="Python, plugins of pytest",
        licence="Apache-2.0",
        source=PinnedPackage(
            "pip",
            "async-timeout",
            "5.0.1",
            "sha256:d9321a7a3d5a6a5e187e824d2fa0793ce379a202935782d555d6e9d2735677d3",
        ),
        setup=("pip install -e . pytest==8.3.3 pytest-asyncio==0.24.0 pytest-cov==6.0.0",),
        goal="A shifted timeout does not move",
        edits=(
            BugEdit(
                "async_timeout/__init__.py",
                "self.reschedule(deadline + delay)",
                "self.reschedule(deadline + delay + delay)",
                "self.reschedule(deadline - delay)",
            ),
            BugEdit("tests/test_timeout.py", "async def test_shift()", "async def untested_shift()"),
        ),
    ),
)
_TINY_INVARIANT = """\
import { expect, test } from 'vitest'
import invariant from '../src/tiny-invariant'

test('passes what holds', () => { expect(() => invariant(1, 'x')).not.toThrow() })
test('throws without a message', () => { expect(() => invariant(0)).toThrow(/^Invariant failed$/) })
test('throws with a message', () => { expect(() => invariant(0, 'x')).toThrow(/^Invariant failed: x$/) })
test('throws with a function', () => { expect(() => invariant(0, () => 'y')).toThrow(/^Invariant failed: y$/) })
"""
_ARG = """\
const assert = require('node:assert')
const { test } = require('node:test')
const arg = require('..')

test('reads a number', () => {
  assert.deepEqual(arg({ '--port': Number }, { argv: ['--port', '80'] }), { _: [], '--port': 80 })
})
test('keeps what is no option', () => { assert.deepEqual(arg({}, { argv: ['a', 'b'] }), { _: ['a', 'b'] }) })
test('knows no other option', () => { assert.throws(() => arg({}, { argv: ['--x'] }), /unknown/) })
test('counts', () => {
  assert.equal(arg({ '-v': arg.COUNT }, { argv: ['-vvv'] })['-v'], 3)
})
"""
_MINIMIST = """\
const assert = require('node:assert')
const { test } = require('node:test')
const parse = require('..')

test('numbers', () => { assert.deepEqual(parse(['-x', '12', 'a']), { x: 12, _: ['a'] }) })
test('hexadecimal', () => { assert.strictEqual(parse(['--hex', '0xdeadbeef']).hex, 0xdeadbeef) })
test('text', () => { assert.equal(parse(['-w', '10f']).w, '10f') })
test('no prototype', () => { assert.equal(parse(['--__proto__.x', '1']).x, undefined) })
"""
_SHELL_QUOTE = """\
const assert = require('node:assert')
const { test } = require('node:test')
const { parse, quote } = require('..')

test('spaces', () => { assert.equal(quote(['a', 'b c']), "a 'b c'") })
test('operators', () => { assert.equal(quote(['a', { op: '|' }, 'b']), 'a \\\\| b') })
test('nothing', () => { assert.equal(quote(['-x', '', 'y']), "-x '' y") })
test('back again', () => { assert.deepEqual(parse("a 'b c'"), ['a', 'b c']) })
"""
_TESTED = '"main": "index.js", "scripts": {"test": "node --test"}}\n'
_NODE = (
    CorpusProject(
        name="minimist",
        language="JavaScript, node --test",
        licence="MIT",
        source=PinnedPackage(
            "npm",
            "minimist",
            "1.2.8",
            "sha512-2yyAR8qBkN3YuheJanUpWC5U3bb5osDywNB8RzDVlDwDHbocAJveqqj1u8+SVD7jkWT4yvsHCpWqqWqAxb0zCA==",
        ),
        gone=("test",),
        files={
            "package.json": '{"name": "minimist", "version": "1.2.8", ' + _TESTED,
            "test/minimist.test.js": _MINIMIST,
        },
        goal="Hexadecimal numbers with letters stay text",
        edits=(
            BugEdit("index.js", "(/^0x[0-9a-f]+$/i)", "(/^0x[0-9]+$/i)", "(/^0x[0-9a-d]+$/i)"),
            BugEdit("test/minimist.test.js", "test('hexadecimal'", "test.skip('hexadecimal'"),
        ),
    ),
    CorpusProject(
        name="shell-quote",
        language="JavaScript, node --test",
        licence="MIT",
        source=PinnedPackage(
            "npm",
            "shell-quote",
            "1.8.2",
            "sha512-AzqKpGKjrj7EM6rKVQEPpB288oCfnrEIuyoT9cyF4nmGa7V8Zk6f7RRqYisX8X9m+Q7bd632aZW4ky7EhbQztA==",
        ),
        gone=("test",),
        files={
            "package.json": '{"name": "shell-quote", "version": "1.8.2", ' + _TESTED,
            "test/shell-quote.test.js": _SHELL_QUOTE,
        },
        goal="An empty argument is lost when it is quoted",
        edits=(
            BugEdit("quote.js", "return '\\'\\'';", "return '';", "return '\"\"';"),
            BugEdit("test/shell-quote.test.js", "test('nothing'", "test.skip('nothing'"),
        ),
    ),
    CorpusProject(
        name="tiny-invariant",
        language="TypeScript, vitest",
        licence="MIT",
        source=PinnedPackage(
            "npm",
            "tiny-invariant",
            "1.3.3",
            "sha512-+FbBPE1o9QAYvviau/qC5SE3caw21q3xkvWKBtja5vgqOWIHHJ3ioaq1VPfn/Szqctz2bU/oYeKd9/z5BL+PVg==",
        ),
        files={
            "package.json": '{"name": "tiny-invariant", "version": "1.3.3", "type": "module",'
            ' "devDependencies": {"vitest": "3.2.4"}, "scripts": {"test": "vitest run"}}\n',
            "test/tiny-invariant.test.ts": _TINY_INVARIANT,
        },
        goal="The message of an invariant does not say that it is one",
        edits=(
            BugEdit(
                "src/tiny-invariant.ts",
                "provided ? `${prefix}: ${provided}` : prefix",
                "provided ? provided : prefix",
                "provided ? `${prefix} ${provided}` : prefix",
            ),
            BugEdit("test/tiny-invariant.test.ts", "test('throws with a m", "test.skip('throws with a m"),
        ),
    ),
    CorpusProject(
        name="arg",
        language="JavaScript, node --test",
        licence="MIT",
        source=PinnedPackage(
            "npm",
            "arg",
            "5.0.2",
            "sha512-PYjyFOLKQ9y57JvQ6QLo8dAgNqswh8M1RMJYdQduT6xbWSgK36P/Z/v+p888pM69jMMfS8Xd8F6I1kQ/I9HUGg==",
        ),
        files={
            "package.json": '{"name": "arg", "version": "5.0.2", "main": "index.js",'
            ' "scripts": {"test": "node --test"}}\n',
            "test/arg.test.js": _ARG,
        },
        goal="An option that is counted is counted once",
        edits=(
            BugEdit(
                "index.js", "(existingCount || 0) + 1", "(existingCount || 1) + 0", "(existingCount || 1) + 1"
            ),
            BugEdit("test/arg.test.js", "test('counts'", "test.skip('counts'"),
        ),
    ),
)
_GO = (
    CorpusProject(
        name="go-humanize",
        language="Go",
        licence="MIT",
        source=PinnedPackage(
            "go", "github.com/dustin/go-humanize", "v1.0.1", "h1:GzkhY7T5VNhEkwH0PVJgjz+fX1rhBrR7pRT3mDkpeCY="
        ),
        goal="The ordinal of 12 is 12nd",
        edits=(
            BugEdit("ordinals.go", "if x%100 != 12 {", "if x%100 != 22 {", "if x%100 == 12 {"),
            BugEdit("ordinals_test.go", "func TestOrdinals(", "func untestedOrdinals("),
        ),
    ),
    CorpusProject(
        name="go-runewidth",
        language="Go, with a dependency",
        licence="MIT",
        source=PinnedPackage(
            "go", "github.com/mattn/go-runewidth", "v0.0.16", "h1:E5ScNMtiwvlvB5paMFdw9p4kSQzbXFikJ5SQO6TULQc="
        ),
        goal="A truncated text is as long as before when its tail is counted",
        edits=(
            BugEdit(
                "runewidth.go",
                "w -= c.StringWidth(tail)",
                "w -= c.StringWidth(tail) * 0",
                "w += c.StringWidth(tail)",
            ),
            BugEdit("runewidth_test.go", "func TestTruncateFit(", "func untestedTruncateFit("),
        ),
    ),
    CorpusProject(
        name="shlex",
        language="Go",
        licence="Apache-2.0",
        source=PinnedPackage(
            "go",
            "github.com/google/shlex",
            "v0.0.0-20191202100458-e7afc7fbc510",
            "h1:El6M4kTTCOh6aBiKaUGG7oYTSPP8MxqL4YI3kZKwcP4=",
        ),
        goal="Comments are split into words",
        edits=(
            BugEdit(
                "shlex.go",
                "t.addRuneClass(commentRunes, commentRuneClass)",
                "t.addRuneClass(commentRunes, spaceRuneClass)",
                "t.addRuneClass(commentRunes, escapeRuneClass)",
            ),
            BugEdit("shlex_test.go", "func TestClassifier(", "func untestedClassifier("),
        ),
    ),
)
_RUST = (
    CorpusProject(
        name="strsim",
        language="Rust",
        licence="MIT",
        source=PinnedPackage(
            "cargo", "strsim", "0.11.1", "7da8b5736845d9f2fcb837ea5d9e2628564b3b043a70948a3f0b778838c5fb4f"
        ),
        goal="The Hamming distance counts differences twice",
        edits=(
            BugEdit(
                "src/lib.rs",
                "if x != y {\n                    count += 1;",
                "if x != y {\n                    count += 2;",
                "if x == y {\n                    count += 1;",
            ),
            BugEdit("tests/lib.rs", "#[test]\nfn hamming_works()", "#[allow(dead_code)]\nfn hamming_works()"),
        ),
    ),
    CorpusProject(
        name="heck",
        language="Rust, tests in the source",
        licence="MIT OR Apache-2.0",
        source=PinnedPackage(
            "cargo", "heck", "0.5.0", "2304e00983f87ffb38b55b444b5e3b60a884b5d30c0fca7d82fe33449bbe55ea"
        ),
        goal="An abbreviation in front of a word is not parted from it",
        edits=(
            BugEdit(
                "src/lib.rs",
                "mode == WordMode::Uppercase && c.is_uppercase()",
                "mode == WordMode::Lowercase && c.is_uppercase()",
                "mode == WordMode::Boundary && c.is_uppercase()",
            ),
            BugEdit("src/title.rs", "    t!(test10:", "    // t!(test10:"),
        ),
    ),
)
PROJECTS: tuple[CorpusProject, ...] = (*_PYTHON, *_NODE, *_GO, *_RUST)
