"""The build of the web UI: when it happens, when not, and what is said when it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hatch_build
import pytest

ROOT = Path(__file__).resolve().parents[2]


def _project(tmp_path: Path) -> Path:
    web = tmp_path / hatch_build.WEB
    (web / "src" / "api").mkdir(parents=True)
    (web / "src" / "main.tsx").write_text("one")
    return tmp_path


def test_the_bundle_is_made_of_the_sources_that_lie_here() -> None:
    stamp = ROOT / hatch_build.BUNDLE / ".sources"
    assert stamp.read_text() == hatch_build.digest_of(ROOT / hatch_build.WEB), "run `make ui`"


def test_only_what_the_bundle_is_made_of_counts(tmp_path: Path) -> None:
    web = _project(tmp_path) / hatch_build.WEB
    before = hatch_build.digest_of(web)
    (web / "node_modules").mkdir()
    (web / "node_modules" / "x.js").write_text("x")
    (web / "src" / "api" / "schema.ts").write_text("made of the document")
    assert hatch_build.digest_of(web) == before
    (web / "src" / "main.tsx").write_text("two")
    changed = hatch_build.digest_of(web)
    assert changed != before
    (web / "src" / "main.tsx").rename(web / "src" / "other.tsx")
    assert hatch_build.digest_of(web) != changed


def test_what_is_up_to_date_is_not_built_again_and_needs_no_node(tmp_path: Path) -> None:
    root = _project(tmp_path)
    (root / hatch_build.BUNDLE).mkdir(parents=True)
    (root / hatch_build.BUNDLE / ".sources").write_text(hatch_build.digest_of(root / hatch_build.WEB))
    assert hatch_build.build(root) is False


def test_a_build_that_fails_says_what_failed_and_how_to_go_on_without(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = _project(tmp_path)
    (root / hatch_build.WEB / "package.json").write_text(
        json.dumps({"name": "x", "version": "0.0.0", "dependencies": {"react": "19.0.0"}})
    )
    (root / hatch_build.WEB / "package-lock.json").write_text("{}")
    with pytest.raises(hatch_build.UiNotBuilt, match=r"`npm ci .*` ended with 1 .*AGENTHUB_SKIP_UI=1"):
        hatch_build.build(root)
    assert "npm error" in capfd.readouterr().err
    assert not (root / hatch_build.BUNDLE / ".sources").exists()


def test_the_setting_leaves_the_bundle_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hatch_build.SKIP, "1")
    hook = object.__new__(hatch_build.UiBuildHook)
    monkeypatch.setattr(hatch_build.UiBuildHook, "root", str(_project(tmp_path)))
    data: dict[str, Any] = {"artifacts": []}
    hook.initialize("standard", data)
    assert data["artifacts"] == ["services/gateway/agenthub_gateway/ui/**"]
    assert not (tmp_path / hatch_build.BUNDLE).exists()


def test_no_package_of_the_lock_file_comes_without_a_hash_or_with_an_address() -> None:
    lock = json.loads((ROOT / hatch_build.WEB / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert len(packages) > 50
    assert [name for name, entry in packages.items() if not entry.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
