from __future__ import annotations

import re
from pathlib import Path

import pytest

from agenthub_cli.main import build_app
from agenthub_gateway.problems import PROBLEMS
from agenthub_runtime.settings.table import SETTINGS
from tests.docs.pages import (
    ROOT,
    anchors,
    inline_code,
    links,
    pages,
    shell_commands,
    words_of,
    written_pages,
)

_SETTING = re.compile(r"\b(?:AGENTHUB|ANTHROPIC|OTEL)_[A-Z_]+[A-Z]\b")
_FROM_ELSEWHERE = {"AGENTHUB_VERSION", "AGENTHUB_SKIP_UI", "AGENTHUB_REPORTS"}
"""Read by compose.yaml, by the build of the web UI, and by test commands."""

_NAMES = [str(page.relative_to(ROOT)) for page in pages()]


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("name", _NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    for _, target in links(page):
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(goal), f"{name} links to {target}"


def test_the_tour_shows_every_picture_there_is_and_they_stay_small() -> None:
    folder = ROOT / "docs" / "pictures"
    shown = {
        (ROOT / "docs" / "tutorial" / target).resolve() for _, target in links(ROOT / "docs/tutorial/tour.md")
    }
    assert {path.resolve() for path in folder.iterdir()} == {path for path in shown if path.suffix == ".png"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_500_000


def test_every_command_of_the_pages_is_understood() -> None:
    app = build_app()
    seen = 0
    for page in written_pages():
        for name, command in shell_commands(page):
            arguments = words_of(command, "agenthub")
            if arguments:
                seen += 1
                try:
                    app.parse_args(
                        [word.replace("…", "x") for word in arguments], exit_on_error=False, print_error=False
                    )
                except Exception as error:
                    pytest.fail(f"{name} says `{command}`: {error}")
    assert seen > 30


def test_every_command_that_running_text_names_exists() -> None:
    app = build_app()
    for page in written_pages():
        for name, code in inline_code(page):
            level = app
            for word in words_of(code, "agenthub") or ():
                if not re.fullmatch(r"[a-z][a-z-]*", word) or not list(_names(level)):
                    break
                assert word in _names(level), f"{name} names `{code}`"
                level = level[word]


def _names(app: object) -> list[str]:
    return [name for name in app if not name.startswith("-")]  # type: ignore[attr-defined]


def test_every_make_target_that_the_pages_name_exists() -> None:
    for page in written_pages():
        for name, text in (*shell_commands(page), *inline_code(page)):
            for word in words_of(text, "make") or ():
                if re.fullmatch(r"[a-z]+", word):
                    assert word in _targets(), f"{name} names `make {word}`"


def test_every_make_target_is_told_to_contributors() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    missing = {target for target in _targets() if f"make {target}" not in text}
    assert not missing


def test_every_setting_that_the_pages_name_exists() -> None:
    known = {setting.name for setting in SETTINGS} | _FROM_ELSEWHERE
    for page in written_pages():
        if "adr" in page.parts:
            continue
        named = set(_SETTING.findall(page.read_text(encoding="utf-8")))
        assert named <= known, f"{page.relative_to(ROOT)} names {sorted(named - known)}"


def test_every_setting_command_and_problem_is_documented() -> None:
    def reference(name: str) -> str:
        return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")

    assert [s.name for s in SETTINGS if f"`{s.name}`" not in reference("settings.md")] == []
    assert [slug for slug in PROBLEMS if f"`/problems/{slug}`" not in reference("errors.md")] == []
    assert [name for name in _names(build_app()) if f"## `agenthub {name}`" not in reference("cli.md")] == []


def test_every_page_is_listed_on_the_overview() -> None:
    overview = ROOT / "docs" / "README.md"
    listed = {(overview.parent / target.partition("#")[0]).resolve() for _, target in links(overview)}
    unlisted = [
        str(page.relative_to(ROOT))
        for page in (ROOT / "docs").rglob("*.md")
        if page != overview and "adr" not in page.parts and page not in listed
    ]
    assert unlisted == []


def test_each_decision_has_a_number_of_its_own_and_fits_a_page() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    texts = {page.name: page.read_text(encoding="utf-8") for page in decisions}
    assert [int(name[:4]) for name in texts] == list(range(1, len(texts) + 1))
    assert [name for name, text in texts.items() if not text.startswith(f"# {int(name[:4])}. ")] == []
    assert [name for name, text in texts.items() if len(text.splitlines()) > 60] == []


def test_the_first_page_shows_what_a_hub_really_starts() -> None:
    from agenthub_runtime.settings.worker_counts import DEFAULT_WORKERS

    workers = sum(int(part.rpartition("=")[2]) for part in DEFAULT_WORKERS.split(","))
    words = {9: "nine", 10: "ten", 11: "eleven"}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"and\n{words[workers]} workers" in text or f"{words[workers]} workers" in text


def test_no_page_speaks_of_a_place_outside_the_project() -> None:
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for word in (f"{ROOT}/", f"{Path.home()}/"):
            assert word not in text, f"{page.relative_to(ROOT)} names {word}"


def test_the_unit_file_starts_a_command_that_exists() -> None:
    unit = Path(ROOT / "deploy" / "systemd" / "agenthub.service").read_text(encoding="utf-8")
    line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    arguments = words_of(line.removeprefix("ExecStart="), "agenthub")
    assert arguments == ["up"]
    build_app().parse_args(arguments, exit_on_error=False, print_error=False)
