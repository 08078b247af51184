"""Canaries in other languages: tests of our own with a known outcome, among those of the project.

Where a runner looks for files, they are put into files that have run; whatever rules there rules them, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from agenthub_worker.evidence.layout import TestCommand
from agenthub_worker.experiments.canary import Canary
from agenthub_worker.suites.test_files import is_go_test, is_java_test, is_node_test

_FILES_MAX = 5
_PICKED = re.compile(
    r"(?:^|\s)(?:-run|-skip|--test-name-pattern|--test-only|-t|--testNamePattern|-g|--f?grep|--match|-Dtest|-Dgroups)(?:[\s=]|$)"
    r"|\bcargo\s[^&|;]*\s--(?:lib|bins?|test|doc|exact|skip)(?:[\s=]|$)"
)
_STOPS = re.compile(r"(?:^|\s)(?:-failfast|--bail|--fail-fast)(?:[\s=\d]|$)")
_PACKAGE = re.compile(r"^package\s+([\w.]+)", re.M)
_IMPORTS = re.compile(r"^\s*(?:import\s|export\s)", re.M)

_GO = """\
package {package}

import "testing"

func TestX{good}(t *testing.T) {{}}

func TestX{bad}(t *testing.T) {{ t.Fatal("must fail") }}

func TestX{bad}Errors(t *testing.T) {{ t.Errorf("must fail") }}
"""
_LIBRARIES = ("vitest", "node:test", "bun:test", "ava", "tape")
_ASSERT_OF_MODULE = """\
import assert{token} from 'node:assert'
"""
_ASSERT = """\
const assert{token} = require('node:assert')
"""
# What declares its tests by names that nobody has imported takes the canary so, too: jest, mocha.
_ASSERT_OF_ALL = """\
// @ts-ignore
const t{token} = typeof test === 'function' ? test : it
const assert{token} = {{
  // @ts-ignore
  deepStrictEqual: (a, b) => {{
    // @ts-ignore
    if (typeof expect === 'function' && expect(a).toEqual) expect(a).toEqual(b)
    else if (String(a) !== String(b)) throw new Error('must fail')
  }}
}}
"""
_AVA = """\
t{token}('{good}', t => {{ t.deepEqual([1, 2], [1, 2]) }})
t{token}('{bad}', t => {{ t.deepEqual([1, 2], [2, 1]) }})
t{token}('{bad} throws', async () => {{ throw new Error('must fail') }})
"""
_TAPE = """\
t{token}('{good}', t => {{ t.deepEqual([1, 2], [1, 2]); t.end() }})
t{token}('{bad}', t => {{ t.deepEqual([1, 2], [2, 1]); t.end() }})
t{token}('{bad} throws', async () => {{ throw new Error('must fail') }})
"""
_NODE = """\
t{token}('{good}', () => {{ assert{token}.deepStrictEqual([1, 2], [1, 2]) }})
t{token}('{bad}', () => {{ assert{token}.deepStrictEqual([1, 2], [2, 1]) }})
t{token}('{bad} throws', async () => {{ throw new Error('must fail') }})
"""
_RUST_UNIT = """
#[cfg(test)]
mod canary_{token} {{
    #[test]
    fn {good}() {{}}

    #[test]
    fn {bad}() {{
        assert_eq!(1 + 1, 3);
    }}
}}
"""
_RUST = """
#[test]
fn {good}() {{}}

#[test]
fn {bad}() {{
    assert_eq!(1 + 1, 3);
}}
"""
_JAVA = """\
package {package};

{imports}

public class {name} {base}{{
    {mark} public void test{good}() {{ if (1 + 1 != 2) throw new AssertionError(); }}

    {mark} public void test{bad}() {{ throw new AssertionError("must fail"); }}
}}
"""


def why_none(command: TestCommand) -> str:
    """Why no canary can be put among the tests of a command, to go on a sentence; empty when one can."""
    return "the test command picks tests by their names" if _PICKED.search(command.text) else ""


def ends_early(command: TestCommand) -> bool:
    """Whether the command ends with the first test that fails."""
    return _STOPS.search(command.text) is not None


def foreign_canaries(ran: Iterable[str], texts: Mapping[str, str], token: str) -> list[Canary]:
    """Canaries for the files in which tests of these ids ran; `texts` are those files, and the roots of crates.

    `token` is random.
    """
    files = sorted({name.split("::", 1)[0] for name in ran} & texts.keys())
    found: list[Canary] = []
    chosen = [_spread([f for f in files if fits(f)]) for fits in (is_go_test, _is_script, _is_rust, is_java_test)]
    for number, file in enumerate(dict.fromkeys(file for some in chosen for file in some)):
        good, bad = f"{token}{number}a", f"{token}{number}b"
        if is_go_test(file):
            found.append(_of_go(file, texts[file], good, bad))
        elif file.endswith(".rs"):
            root = _root_of(file, texts)
            found += [_of_rust(root, texts[root], f"{token}{number}")] if root else []
        elif is_java_test(file):
            found.append(_of_java(file, texts[file], good, bad))
        else:
            found.append(_of_node(file, texts[file], f"{token}{number}"))
    return list({canary.path: canary for canary in found}.values())


def is_crate_root(path: str) -> bool:
    """Whether a crate of Rust's begins with the file."""
    return PurePosixPath(path).name in ("lib.rs", "main.rs")


def _is_script(path: str) -> bool:
    return is_node_test(path) or PurePosixPath(path).suffix in (
        ".js",
        ".mjs",
        ".cjs",
        ".ts",
        ".mts",
        ".tsx",
        ".jsx",
    )


def _is_rust(path: str) -> bool:
    return path.endswith(".rs")


def _spread(files: Iterable[str]) -> list[str]:
    """One of each folder before a second one."""
    seen: dict[str, list[str]] = {}
    for file in files:
        seen.setdefault(str(PurePosixPath(file).parent), []).append(file)
    ordered = [names[n] for n in range(_FILES_MAX) for names in seen.values() if n < len(names)]
    return ordered[:_FILES_MAX]


def _of_go(file: str, text: str, good: str, bad: str) -> Canary:
    named = _PACKAGE.search(text)
    path = str(PurePosixPath(file).parent / f"x{good}_test.go")
    return Canary(
        path=path,
        good=(f"{path}::TestX{good}",),
        bad=(f"{path}::TestX{bad}", f"{path}::TestX{bad}Errors"),
        text=_GO.format(package=named[1] if named else "main", good=good, bad=bad),
    )


def _of_node(file: str, text: str, token: str) -> Canary:
    words = "\n".join(_canary_of_node(text, file, token))
    good, bad = f"{token}a", f"{token}b"
    return Canary(
        path=file,
        good=(f"{file}::{good}",),
        bad=(f"{file}::{bad}", f"{file}::{bad} throws"),
        text=f"{text}\n{words.format(token=token, good=good, bad=bad)}",
    )


def _canary_of_node(text: str, file: str, token: str) -> Iterator[str]:
    """The parts of a canary in the runner that the file imports, else by the names that runners give to all."""
    library = next((name for name in _LIBRARIES if re.search(rf"['\"]{name}['\"]", text)), "")
    is_module = file.endswith((".mjs", ".mts")) or (
        not file.endswith(".cjs") and _IMPORTS.search(text) is not None
    )
    name = f"{{{{ test as t{token} }}}}" if library in ("vitest", "node:test", "bun:test") else f"t{token}"
    # What vitest is called by is imported as by the file itself.
    called = (
        f"require('{library}')" if library in ("tape", "ava", "node:test", "bun:test") else "require('node:test')"
    )
    if library:
        yield f"import {name} from '{library}'" if is_module else f"const t{token} = {called}"
    if library == "ava":
        yield _AVA
    elif library == "tape":
        yield _TAPE
    else:
        yield (_ASSERT_OF_MODULE if is_module else _ASSERT) if library else _ASSERT_OF_ALL
        yield _NODE


def _root_of(file: str, texts: Mapping[str, str]) -> str:
    """The file itself for an integration test, else the root of its crate; empty where that is unusual."""
    pure = PurePosixPath(file)
    if "src" not in pure.parts:
        return file
    source = PurePosixPath(*pure.parts[: len(pure.parts) - pure.parts[::-1].index("src")])
    return next((str(source / name) for name in ("lib.rs", "main.rs") if str(source / name) in texts), "")


def _of_rust(file: str, text: str, token: str) -> Canary:
    good, bad = f"good_{token}", f"bad_{token}"
    is_unit = "src" in PurePosixPath(file).parts
    where = f"{file}::canary_{token}::" if is_unit else f"{file}::"
    more = (_RUST_UNIT if is_unit else _RUST).format(token=token, good=good, bad=bad)
    return Canary(path=file, good=(f"{where}{good}",), bad=(f"{where}{bad}",), text=f"{text}\n{more}")


def _of_java(file: str, text: str, good: str, bad: str) -> Canary:
    pure, named = PurePosixPath(file), _PACKAGE.search(text)
    old = pure.stem
    name = f"TestX{good}{old[4:]}" if old.startswith("Test") else f"X{good}{old}"
    path = str(pure.parent / f"{name}.java")
    mark, base, imports = "@Test", "", "import org.junit.Test;"
    if "org.junit.jupiter" in text:
        imports = "import org.junit.jupiter.api.Test;"
    elif "org.testng" in text:
        imports = "import org.testng.annotations.Test;"
    elif "org.junit.Test" not in text and "org.junit.*" not in text:
        mark, base, imports = "", "extends TestCase ", "import junit.framework.TestCase;"
    body = _JAVA.format(
        package=named[1] if named else "", imports=imports, name=name, base=base, mark=mark, good=good, bad=bad
    )
    return Canary(
        path=path,
        good=(f"{path}::test{good}",),
        bad=(f"{path}::test{bad}",),
        text=body if named else body.removeprefix("package ;\n"),
    )
