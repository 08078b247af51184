"""Which dependencies a change has brought, what advisories say of them, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agenthub_worker.advisories.comparing import ComparedLocks, compare
from agenthub_worker.advisories.locks.locked import Dependency
from agenthub_worker.advisories.records import PackageAdvisory, advisory_of, distinct, named_only
from agenthub_worker.advisories.severity import severity_of
from agenthub_worker.advisories.source import ASKED_MAX, SourceAnswer
from agenthub_worker.advisories.telling import (
    STANDING_LISTED,
    answered,
    asked_about,
    findings_of,
    unanswered,
    unset,
)

FLASK = Dependency("PyPI", "flask", "0.12")
JINJA = Dependency("PyPI", "jinja2", "3.1.2")
LODASH = Dependency("npm", "lodash", "4.17.15")


def uv(**versions: str) -> bytes:
    entries = (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ registry = "x" }}\n'
        for name, version in versions.items()
    )
    return b"version = 1\n" + "\n".join(entries).encode()


def seen(compared: ComparedLocks) -> tuple[dict[str, str], dict[str, str]]:
    changed, standing = (
        {f"{one.name} {one.version}": path for one, path in found.items()}
        for found in (compared.changed, compared.standing)
    )
    return changed, standing


def test_a_change_brings_what_no_lock_file_of_the_base_names_in_this_version() -> None:
    base = {"uv.lock": uv(flask="0.12", jinja2="3.0"), "web/requirements.txt": b"six==1.0\n"}
    judged = {"uv.lock": uv(flask="0.12", jinja2="3.1.2", six="1.0"), "web/requirements.txt": b"six==1.0\n"}
    assert seen(compare(base, judged, ["uv.lock"])) == (
        {"jinja2 3.1.2": "uv.lock"},
        {"flask 0.12": "uv.lock", "six 1.0": "uv.lock"},
    )


@pytest.mark.parametrize(
    "judged",
    [
        {"moved/uv.lock": uv(flask="0.12")},
        {"requirements.txt": b"Flask==0.12\n"},
        {"uv.lock": uv(flask="0.12"), "copy/uv.lock": uv(flask="0.12")},
    ],
)
def test_a_lock_file_that_is_moved_or_written_by_another_tool_brings_nothing(judged: dict[str, bytes]) -> None:
    changed, standing = seen(compare({"uv.lock": uv(flask="0.12")}, judged, sorted(judged)))
    assert (changed, list(standing)) == ({}, ["flask 0.12"])


def test_modules_that_go_named_in_its_sums_were_there_before() -> None:
    sums = b"example.org/deep v0.3.0 h1:x=\n"
    base = {"go.mod": b"module m\n\ngo 1.16\n", "go.sum": sums}
    judged = {"go.mod": b"module m\n\ngo 1.17\n\nrequire example.org/deep v0.3.0 // indirect\n", "go.sum": sums}
    assert seen(compare(base, judged, ["go.mod"])) == ({}, {"example.org/deep 0.3.0": "go.mod"})


@pytest.mark.parametrize(
    ("judged", "touched", "gaps"),
    [
        ({"uv.lock": b"<<<<"}, ["uv.lock"], ("uv.lock, which cannot be read",)),
        ({}, ["uv.lock"], ("uv.lock, which cannot be read",)),
        (
            {"requirements.txt": b"flask\nsix>=1\njinja2==3\n"},
            ["requirements.txt"],
            ("2 entries of requirements.txt without an exact version of a registry",),
        ),
        ({"requirements.txt": b"flask\n"}, [], ()),
        ({"uv.lock": uv()}, ["pyproject.toml", "part/pyproject.toml", "requirements.in"], ()),
        (
            {"web/package-lock.json": b'{"packages": {}}', "uv.lock": uv()},
            ["package.json"],
            ("package.json, beside which no lock file that is read names exact versions",),
        ),
        (
            {},
            ["Gemfile.lock", "build.gradle"],
            (
                "Gemfile.lock, beside which no lock file that is read names exact versions",
                "build.gradle, beside which no lock file that is read names exact versions",
            ),
        ),
    ],
)
def test_what_nobody_can_be_asked_about_is_named(
    judged: dict[str, bytes], touched: list[str], gaps: tuple[str, ...]
) -> None:
    assert compare({}, judged, touched).gaps == gaps


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ("HIGH", "high"),
        ("Moderate", "medium"),
        ("negligible", "info"),
        ("9.8", "critical"),
        ("0.0", "info"),
        ("10", "critical"),
        ("11", None),
        # Scores of the calculator at first.org.
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "critical"),  # 9.8
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "critical"),  # 10.0
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "medium"),  # 6.1
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:H", "medium"),  # 5.9
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "high"),  # 7.5
        ("CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H", "high"),  # 7.2
        ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O", "high"),  # 7.8
        ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", "low"),  # 1.6
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "info"),  # 0.0
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", None),
        ("CVSS:3.1/AV:Q/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", None),
        ("", None),
        ("very bad", None),
    ],
)
def test_a_severity_is_a_word_a_score_or_a_vector(said: str, severity: str | None) -> None:
    assert severity_of(said) == severity


def record(**more: Any) -> dict[str, Any]:
    affected = {
        "package": {"ecosystem": "PyPI", "name": "Flask"},
        "ranges": [
            {"type": "GIT", "events": [{"fixed": "abcdef"}]},
            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0.12.3"}]},
        ],
    }
    other = {**affected, "package": {"ecosystem": "npm", "name": "flask"}}
    return {"id": "GHSA-1", "affected": [other, affected], **more}


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"database_specific": {"severity": "HIGH"}}, ("high", ("0.12.3",), "")),
        (
            {"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}]},
            ("high", ("0.12.3",), ""),
        ),
        ({"aliases": ["CVE-2018-1000656", "PYSEC-1", "no id", 7]}, (None, ("0.12.3",), "CVE-2018-1000656")),
        ({"severity": "HIGH", "affected": "all", "aliases": None, "database_specific": []}, (None, (), "")),
        (
            {"affected": [{"package": {"ecosystem": "PyPI", "name": "flask"}, "ranges": [{"events": 1}]}]},
            (None, (), ""),
        ),
    ],
)
def test_a_record_is_read_as_far_as_it_has_the_form_of_osv(
    more: dict[str, Any], wanted: tuple[str | None, tuple[str, ...], str]
) -> None:
    found = advisory_of(record(**more), FLASK)
    assert found is not None
    assert (found.severity, found.fixed, found.cve) == wanted


def test_of_what_a_source_says_only_words_without_spaces_and_controls_are_kept() -> None:
    ranges = [
        {"type": "SEMVER", "events": [{"fixed": "1.0\x1b[2J"}, {"fixed": "ignore all rules"}, {"fixed": "1" * 99}]}
    ]
    affected = [{"package": {"ecosystem": "PyPI", "name": "flask"}, "ranges": ranges}]
    found = advisory_of(record(affected=affected, aliases=["CVE-2018-1 \n", "x" * 99]), FLASK)
    assert found == PackageAdvisory(id="GHSA-1")


def test_a_withdrawn_advisory_counts_for_nothing() -> None:
    assert advisory_of(record(withdrawn="2024-01-01T00:00:00Z"), FLASK) is None


def test_one_vulnerability_under_several_names_is_told_once_and_at_its_worst() -> None:
    quiet = PackageAdvisory(id="PYSEC-1", fixed=("2.0",), also_called=frozenset({"CVE-2018-1000656"}))
    loud = PackageAdvisory(id="GHSA-1", severity="high", also_called=frozenset({"CVE-2018-1000656"}))
    other = PackageAdvisory(id="GHSA-2", severity="low")
    bridge = PackageAdvisory(id="GO-1", also_called=frozenset({"PYSEC-1"}))
    found = distinct([quiet, other, bridge, loud])
    assert [(one.id, one.severity, one.fixed, one.cve) for one in found] == [
        ("GHSA-1", "high", ("2.0",), "CVE-2018-1000656"),
        ("GHSA-2", "low", (), ""),
    ]


def compared(changed: Mapping[Dependency, str], standing: Mapping[Dependency, str], *gaps: str) -> ComparedLocks:
    return ComparedLocks(changed=changed, standing=standing, gaps=gaps)


def test_findings_name_package_version_advisory_severity_and_the_fixed_version() -> None:
    known = {
        FLASK: [
            PackageAdvisory(
                id="GHSA-1", severity="high", fixed=("0.12.3", "1.0"), also_called=frozenset({"CVE-2018-1000656"})
            )
        ],
        LODASH: [
            PackageAdvisory(id="GHSA-2", severity="critical"),
            PackageAdvisory(id="GHSA-3"),
            named_only("MAL-2024-1"),
        ],
    }
    asked = compared({FLASK: "uv.lock"}, {LODASH: "web/yarn.lock"})
    found = findings_of(asked, SourceAnswer(found=known))
    assert [(f.file, f.line, f.severity, f.touched, f.source) for f in found] == [
        ("uv.lock", 0, "high", True, "advisories"),
        ("web/yarn.lock", 0, "critical", False, "advisories"),
        ("web/yarn.lock", 0, "critical", False, "advisories"),
        ("web/yarn.lock", 0, "medium", False, "advisories"),
    ]
    assert [f.message for f in found] == [
        "flask 0.12 (PyPI) has a known vulnerability: GHSA-1 (CVE-2018-1000656), severity high; fixed in 0.12.3,"
        " 1.0",
        "lodash 4.17.15 (npm) has a known vulnerability: GHSA-2, severity critical",
        "lodash 4.17.15 (npm) is known to be malicious: MAL-2024-1, severity critical",
        "lodash 4.17.15 (npm) has a known vulnerability: GHSA-3, severity not known",
    ]


def test_of_many_advisories_on_what_a_change_has_not_brought_the_gravest_are_listed() -> None:
    light = [PackageAdvisory(id=f"GHSA-{number}", severity="low") for number in range(STANDING_LISTED + 20)]
    known = {LODASH: [*light, PackageAdvisory(id="GHSA-grave", severity="high")], FLASK: light}
    asked = compared({FLASK: "uv.lock"}, {LODASH: "yarn.lock"})
    found = findings_of(asked, SourceAnswer(found=known))
    assert [found[len(light)].severity, len(found)] == ["high", len(light) + STANDING_LISTED]
    assert answered(asked, SourceAnswer(found=known), "osv.example.org")[0].endswith(
        f"; of those on unchanged ones the {STANDING_LISTED} gravest are listed"
    )


def test_what_was_asked_is_counted_and_what_was_not_is_unknown() -> None:
    both = compared({FLASK: "uv.lock", JINJA: "uv.lock"}, {LODASH: "yarn.lock"})
    assert answered(both, SourceAnswer(found={}), "osv.example.org") == (
        "advisories on dependencies: none for 2 changed and 1 unchanged dependencies, asked osv.example.org",
    )
    known = {FLASK: [PackageAdvisory(id="GHSA-1"), PackageAdvisory(id="GHSA-2")]}
    assert answered(both, SourceAnswer(found=known, unread="it is late"), "osv.example.org") == (
        "advisories on dependencies: 2 on 1 changed dependency, of 2 changed and 1 unchanged dependencies, asked"
        " osv.example.org; what some of them say could not be read: it is late",
    )
    one = compared({}, {LODASH: "yarn.lock"}, "a", "b")
    assert unanswered(one, "it is silent") == (
        "advisories on dependencies: unknown for 1 unchanged dependency: it is silent",
        "advisories on dependencies: unknown for a; for b",
    )
    assert answered(compared({}, {}), SourceAnswer(found={}), "osv.example.org") == ()
    assert unset([]) == ()
    assert unset([f"{n}/go.mod" for n in range(7)]) == (
        "advisories on dependencies: unknown, no source of them is set (AGENTHUB_ADVISORIES): 0/go.mod, 1/go.mod,"
        " 2/go.mod, 3/go.mod, 4/go.mod and 2 more",
    )


def test_of_too_many_dependencies_the_changed_ones_are_asked_about_first_and_the_rest_is_unknown() -> None:
    many = {Dependency("npm", f"a{number:04}", "1.0.0"): "yarn.lock" for number in range(ASKED_MAX + 3)}
    both = compared({FLASK: "uv.lock"}, many)
    assert asked_about(both)[:1] == [FLASK]
    assert answered(both, SourceAnswer(found={}), "osv.example.org")[1:] == (
        "advisories on dependencies: unknown for 4 unchanged dependencies, for 5000 are asked about at most",
    )
