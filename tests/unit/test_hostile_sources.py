"""Files of a repository that are made to exhaust or to break who reads them: read, refused, or left unread."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_runtime.agents.load import AgentDefinition, load_agents, parse_agent
from agenthub_runtime.errors import AgentFileInvalid
from agenthub_worker.evidence.covered import read_coverage
from agenthub_worker.evidence.delta import compare_tests
from agenthub_worker.evidence.source import functions_in
from agenthub_worker.experiments import judge_settings, protected
from agenthub_worker.experiments.operators import mutants_of
from agenthub_worker.projects.project import (
    import_roots,
    measures_coverage,
    plugin_texts,
    plugins_of,
    read_project,
)
from tests.support.properties import untimed

DEEP = {
    "minus": "-" * 100_000 + "1",
    "attributes": "x = a" + ".b" * 100_000,
    "900 attributes": "x = a" + ".b" * 900,
    "900 calls": "x = f" + "()" * 900,
    "sum": "x = 1" + " + 1" * 5_000,
    "lambdas": "lambda: " * 50_000 + "1",
    "brackets": "x = " + "[" * 100_000,
    "blocks": "".join(f"{' ' * n}if x:\n" for n in range(99)) + " " * 99 + "pass\n",
    "comparisons": "assert a" + " == a" * 5_000,
    "strings": "x = '" + "a" * 500_000 + "'",
    "number": "x = " + "9" * 50_000,
    "f-strings": "x = f'" + "{a}" * 3_000 + "'",
    "null": "x = 1\0",
    "halves": "x = '\\ud800'\n# \u2028\f",
    "elifs": "if a: pass\n" + "elif a: pass\n" * 3_000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_a_source_that_is_made_to_exhaust_its_reader_is_read_or_left(text: str, tmp_path: Path) -> None:
    for mutant in mutants_of("a.py", text, None)[:5]:
        assert mutant.text != text
    functions_in("tests/test_a.py", text)
    compare_tests({"tests/test_a.py": ""}, {"tests/test_a.py": text})
    compare_tests({"tests/test_a.py": text}, {"tests/test_a.py": f"{text}\n"})
    report = b'{"files": {"a.py": {"executed_lines": [1], "missing_lines": []}}}'
    covered = read_coverage(report, {"a.py": f"{text}\ndef f(): return 1\n"})
    assert covered is not None
    assert covered.percent is None or 0 <= covered.percent <= 100
    judge_settings.unreadable_sources({}, {"tests/test_a.py": text.encode("utf-8", "replace")})
    for name in ("conftest.py", "tests/test_a.py", "setup.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8", "replace")
    import_roots(read_project(tmp_path))
    plugins_of(plugin_texts(read_project(tmp_path)), "pytest", ())


SETTINGS = {
    "deep lists": "x = " + "[" * 50_000,
    "closed deep lists": "x = " + "[" * 3_000 + "]" * 3_000,
    "deep tables": "[" + "a." * 3_000 + "a]\n",
    "deep keys": "a." * 20_000 + "a = 1\n",
    "inline tables": "x = " + "{a = " * 3_000 + "1" + "}" * 3_000,
    "large number": "x = " + "9" * 50_000,
    "no date": "x = 2024-99-99",
    "wrong kinds": "tool = 1\noptions = []\n",
    "tool of a list": "[[tool]]\n[[tool]]\n",
    "pytest is a text": "[tool]\npytest = 'x'\ncoverage = 1\n[tool.setuptools]\npackages = 'x'\n",
    "double": "[options]\n[options]\n[pytest]\naddopts=-q\n[pytest]\n",
    "no section": "addopts = -q\n",
    "percent": "[pytest]\naddopts = %(x)s\n[options]\npackage_dir = %(y)s\n",
    "byte order mark": "\ufeff[pytest]\naddopts = -q\n",
    "many": "[pytest]\n" + "".join(f"k{n} = 1\n" for n in range(3_000)),
    "continuations": "[options]\npackage_dir =\n" + "    = lib\n" * 3_000,
    "empty name": "[options]\n= 1\n[]\n",
}


@pytest.mark.parametrize("text", SETTINGS.values(), ids=SETTINGS)
def test_settings_that_are_made_to_break_their_reader_are_read_or_left(text: str, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "setup.cfg", "pytest.ini", "tox.ini"):
        (tmp_path / name).write_text(text)
        put_back = protected.restored({name: b"[pytest]\naddopts = -x\n"}, {name: text.encode()})
        assert isinstance(put_back.write, dict)
        assert protected.restored({name: text.encode()}, {name: text.encode()}).write == {}
    project = read_project(tmp_path)
    assert len(import_roots(project)) >= 1
    measures_coverage(project)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
FRONTS = {
    "deep": "x: " + "[" * 5_000,
    "closed deep": "x: " + "[" * 3_000 + "]" * 3_000,
    "deep maps": "x: " + "{a: " * 3_000 + "1" + "}" * 3_000,
    "laughs": LAUGHS,
    "laughs in use": f"{LAUGHS}name: *j\ndescription: *j\ntools: *j\nagenthub: {{limits: *i}}\n",
    "a circle": "name: &n [*n]\n",
    "a large number": "x: " + "9" * 50_000,
    "no date": "x: 2024-99-99",
    "no time": "x: 2024-01-01 99:99:99",
    "a key of a list": "? [a]\n: b\n",
    "a key of nothing": "~: 1\n",
    "python": "x: !!python/object/apply:os.system ['true']\n",
    "binary": "x: !!binary '%%%'\n",
    "a set": "x: !!set {a, b}\nname: !!set {a}\n",
    "merged": "<<: 1\n",
    "two documents": "name: a\n--- \nname: b\n",
    "directives": "%YAML 9.9\n",
    "sexagesimal": "maxTurns: 190:20:30\nagenthub: {limits: {turns: .inf, tokens: .nan}}\n",
    "tab": "\tx: 1\n",
    "controls": "x: \x07\n",
}


def agent_or_refusal(front: str) -> AgentDefinition | str:
    try:
        return parse_agent(f"---\nname: a\n{front}\n---\nDo it.\n", source="a.md")
    except AgentFileInvalid as refused:
        return str(refused)


@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
def test_an_agent_file_that_is_made_to_break_its_reader_is_named(front: str) -> None:
    told = agent_or_refusal(front)
    if isinstance(told, AgentDefinition):
        assert len(repr(told)) < 200_000, "what is written in it stays as small as it was written"
    else:
        assert told.startswith("a.md: ")
    agents = load_agents({"b.md": "---\nname: b\n---\nDo it.\n", "a.md": f"---\n{front}\n---\nDo it.\n"})
    assert "b" in {definition.name for definition in agents.all()}


PIECES = st.sampled_from(
    (
        *(
            "name: ",
            "a\n",
            "description: ",
            "tools: ",
            "model: ",
            "maxTurns: ",
            "agenthub:\n  ",
            "limits: ",
            "type: ",
        ),
        *(
            "[",
            "]",
            "{",
            "}",
            "&a ",
            "*a ",
            "- ",
            ": ",
            "? ",
            "!!int ",
            "!!timestamp ",
            "|\n  ",
            ">\n",
            "'",
            '"',
            "#",
        ),
        *(
            "1",
            "9" * 20,
            "2024-01-99",
            "0x",
            "1e999",
            ".inf",
            "~",
            "true",
            "Bash",
            "coding",
            "é",
            "\t",
            "\n",
            "\n---\n",
        ),
    )
)


@untimed
@given(st.lists(PIECES | st.text(max_size=4), max_size=14).map("".join))
def test_any_front_matter_is_an_agent_or_named(front: str) -> None:
    assert agent_or_refusal(front)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "\n".join(f"a{n} = {n} + 1" for n in range(4_000))),
        ("a.go", "\n".join(f"a{n} := {n} + 1 == true" for n in range(4_000))),
        ("a.js", 'x = "' + '\\"' * 100_000),
    ],
    ids=["python", "go", "a row of quotes"],
)
def test_of_a_large_file_some_mutants_are_made_and_not_a_copy_for_each_place(path: str, text: str) -> None:
    mutants = mutants_of(path, text, None)
    assert len(mutants) <= 400
    assert sum(len(mutant.text) for mutant in mutants) <= 32 << 20
    lines = [mutant.line for mutant in mutants]
    assert lines == sorted(lines)
    assert not lines or lines[-1] - lines[0] > 3_000, "they are spread over the file"


def test_of_a_small_file_every_mutant_is_made() -> None:
    mutants = mutants_of("a.py", "\n".join(f"a{n} = b{n} + c" for n in range(60)), None)
    assert {mutant.line for mutant in mutants if mutant.old == "+"} == set(range(1, 61))
