"""Small projects in several languages that need no package from anywhere, with a bug to bring and forgeries."""

from __future__ import annotations

from collections.abc import Mapping

Files = Mapping[str, str]

GO: Files = {
    "go.mod": "module tide.test/app\n\ngo 1.19\n",
    "level/level.go": (
        "package level\n\n// Add joins two levels.\nfunc Add(a, b int) int {\n\treturn a + b\n}\n\n"
        "// High says whether it is above a bound.\nfunc High(a, bound int) bool {\n\treturn a > bound\n}\n"
    ),
    "level/level_test.go": (
        'package level\n\nimport "testing"\n\n'
        "func TestAdd(t *testing.T) {\n\tfor _, c := range []struct{ a, b, sum int }{{2, 3, 5}, {0, 4, 4}} {\n"
        '\t\tt.Run("sum", func(t *testing.T) {\n\t\t\tif got := Add(c.a, c.b); got != c.sum {\n'
        '\t\t\t\tt.Fatalf("%d", got)\n\t\t\t}\n\t\t})\n\t}\n}\n\n'
        "func TestHigh(t *testing.T) {\n\tif !High(3, 2) || High(2, 2) {\n\t\tt.Fatal()\n\t}\n}\n"
    ),
}
NODE: Files = {
    "package.json": '{"name": "tide", "version": "1.0.0", "type": "module", "scripts": {"test": "node --test"}}\n',
    "level.js": (
        "export function add (a, b) {\n  return a + b\n}\n\n"
        "export function high (a, bound) {\n  return a > bound\n}\n"
    ),
    "test/level.test.js": (
        "import assert from 'node:assert'\nimport { describe, test } from 'node:test'\n"
        "import { add, high } from '../level.js'\n\n"
        "test('adds', () => { assert.equal(add(2, 3), 5) })\n\n"
        "describe('high', () => {\n  test('above', () => { assert.ok(high(3, 2)) })\n"
        "  test('at', () => { assert.ok(!high(2, 2)) })\n})\n"
    ),
}
_CODE = NODE["level.js"]
VITEST: Files = {
    "package.json": (
        '{"name": "tide", "version": "1.0.0", "type": "module", "scripts": {"test": "vitest"},'
        ' "devDependencies": {"vitest": "^3.2.0"}}\n'
    ),
    "src/level.ts": _CODE.replace("(a, b)", "(a: number, b: number)").replace(
        "(a, bound)", "(a: number, bound: number)"
    ),
    "src/level.test.ts": (
        "import { describe, expect, test } from 'vitest'\nimport { add, high } from './level'\n\n"
        "test('adds', () => { expect(add(2, 3)).toBe(5) })\n\n"
        "describe('high', () => {\n  test('above', () => { expect(high(3, 2)).toBe(true) })\n"
        "  test('at', () => { expect(high(2, 2)).toBe(false) })\n})\n"
    ),
}
JEST: Files = {
    "package.json": (
        '{"name": "tide", "version": "1.0.0", "scripts": {"test": "jest"},'
        ' "devDependencies": {"jest": "^29.7.0"}}\n'
    ),
    "level.js": _CODE.replace("export ", "") + "\nmodule.exports = { add, high }\n",
    "__tests__/level.js": (
        "const { add, high } = require('../level')\n\ntest('adds', () => { expect(add(2, 3)).toBe(5) })\n\n"
        "describe('high', () => {\n  test('above', () => { expect(high(3, 2)).toBe(true) })\n"
        "  test('at', () => { expect(high(2, 2)).toBe(false) })\n})\n"
    ),
}
MOCHA: Files = {
    "package.json": (
        '{"name": "tide", "version": "1.0.0", "scripts": {"test": "npm run unit", "unit": "mocha"},'
        ' "devDependencies": {"mocha": "^10.8.0"}}\n'
    ),
    "level.js": JEST["level.js"],
    "test/level.js": (
        "const assert = require('assert')\nconst { add, high } = require('../level')\n\n"
        "it('adds', () => { assert.equal(add(2, 3), 5) })\n\n"
        "describe('high', () => {\n  it('above', () => { assert.ok(high(3, 2)) })\n"
        "  it('at', () => { assert.ok(!high(2, 2)) })\n})\n"
    ),
}
TAPE: Files = {
    "package.json": (
        '{"name": "tide", "version": "1.0.0", "scripts": {"test": "tape test/*.js"},'
        ' "devDependencies": {"tape": "^5.9.0"}}\n'
    ),
    "level.js": JEST["level.js"],
    "test/level.js": (
        "const test = require('tape')\nconst { add, high } = require('../level')\n\n"
        "test('adds', t => { t.equal(add(2, 3), 5); t.equal(add(0, 4), 4); t.end() })\n\n"
        "test('above', t => { t.ok(high(3, 2)); t.end() })\n\ntest('at', t => { t.notOk(high(2, 2)); t.end() })\n"
    ),
}
UVU: Files = {
    "package.json": (
        '{"name": "tide", "version": "1.0.0", "scripts": {"test": "uvu test"},'
        ' "devDependencies": {"uvu": "^0.5.6"}}\n'
    ),
    "level.js": JEST["level.js"],
    "test/level.js": (
        "const { test } = require('uvu')\nconst assert = require('uvu/assert')\n"
        "const { add, high } = require('../level')\n\n"
        "test('adds', () => { assert.is(add(2, 3), 5); assert.is(add(0, 4), 4) })\n"
        "test('above', () => { assert.ok(high(3, 2)) })\ntest('at', () => { assert.not(high(2, 2)) })\n"
        "test.run()\n"
    ),
}
AVA: Files = {
    "package.json": (
        '{"name": "tide", "version": "1.0.0", "type": "module", "scripts": {"test": "ava"},'
        ' "devDependencies": {"ava": "^6.4.0"}}\n'
    ),
    "level.js": _CODE,
    "test/level.js": (
        "import test from 'ava'\nimport { add, high } from '../level.js'\n\n"
        "test('adds', t => { t.is(add(2, 3), 5) })\n"
        "test('above', t => { t.true(high(3, 2)) })\ntest('at', t => { t.false(high(2, 2)) })\n"
    ),
}
BUN: Files = {
    "package.json": (
        '{"name": "tide", "version": "1.0.0", "scripts": {"test": "bun test"},'
        ' "devDependencies": {"ms": "2.1.3"}}\n'
    ),
    "bun.lock": (
        '{"lockfileVersion": 1, "workspaces": {"": {"name": "tide", "devDependencies": {"ms": "2.1.3"}}},\n'
        ' "packages": {"ms": ["ms@2.1.3", "", {}, "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/'
        's5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="]}}\n'
    ),
    "src/level.ts": VITEST["src/level.ts"],
    "src/level.test.ts": VITEST["src/level.test.ts"].replace("from 'vitest'", "from 'bun:test'"),
}
RUST: Files = {
    "Cargo.toml": '[package]\nname = "tide"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": '# This file is generated.\nversion = 3\n\n[[package]]\nname = "tide"\nversion = "0.1.0"\n',
    "src/lib.rs": (
        "pub mod bound;\n\npub fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n\n"
        "#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn adds() {\n"
        "        assert_eq!(add(2, 3), 5);\n    }\n}\n"
    ),
    "src/bound.rs": "pub fn high(a: i32, bound: i32) -> bool {\n    a > bound\n}\n",
    "tests/high.rs": (
        "#[test]\nfn above() {\n    assert!(tide::bound::high(3, 2));\n}\n\n"
        "#[test]\nfn at() {\n    assert!(!tide::bound::high(2, 2));\n}\n"
    ),
}
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tide</groupId><artifactId>tide</artifactId><version>1</version>
  <properties>
    <maven.compiler.source>11</maven.compiler.source><maven.compiler.target>11</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.13.2</version><scope>test</scope></dependency>
  </dependencies>
</project>
"""
JAVA: Files = {
    "pom.xml": _POM,
    "src/main/java/tide/Level.java": (
        "package tide;\n\npublic class Level {\n"
        "    public static int add(int a, int b) {\n        return a + b;\n    }\n\n"
        "    public static boolean high(int a, int bound) {\n        return a > bound;\n    }\n}\n"
    ),
    "src/test/java/tide/LevelTest.java": (
        "package tide;\n\nimport static org.junit.Assert.*;\n\nimport org.junit.Test;\n\n"
        "public class LevelTest {\n"
        "    @Test\n    public void adds() {\n        assertEquals(5, Level.add(2, 3));\n    }\n\n"
        "    @Test\n    public void isHigh() {\n        assertTrue(Level.high(3, 2));\n"
        "        assertFalse(Level.high(2, 2));\n    }\n}\n"
    ),
}


def edited(project: Files, path: str, old: str, new: str) -> dict[str, str]:
    """One file of the project with something else in it."""
    assert old in project[path], (path, old)
    return {path: project[path].replace(old, new)}
