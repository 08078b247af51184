"""The security gate asks a source of advisories about the packages that a goal's lock files name."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.values import Finding, Usage
from agenthub_worker.advisories.locks.locked import Dependency
from agenthub_worker.advisories.source import READ_MAX, AdvisorySource
from agenthub_worker.domain.agent_output import Reported
from agenthub_worker.errors import AdvisoriesUnknown
from agenthub_worker.gates.gate_round import Heard
from tests.support.judging import Bench
from tests.support.osv import Answering, Asked, Source, running_source
from tests.support.until import PATIENCE_S

HIGH = {"database_specific": {"severity": "HIGH"}}
BATCH = "/v1/querybatch"


def patient(address: str) -> AdvisorySource:
    return AdvisorySource(address, named_within_s=PATIENCE_S, read_within_s=PATIENCE_S)


@pytest.fixture
def osv() -> Iterator[Source]:
    with running_source() as source:
        yield source


def pinned(*packages: str) -> dict[str, str]:
    return {"requirements.txt": "".join(f"{package}\n" for package in packages)}


async def judged(folder: Path, osv: Source) -> Bench:
    """A goal whose base has an old Jinja, and whose change brings an old Flask."""
    bench = await Bench.begin(folder, advisories=patient(osv.url))
    await bench.commit(pinned("jinja2==2.0"))
    return bench


async def test_a_grave_advisory_on_a_changed_dependency_refuses_the_change(tmp_path: Path, osv: Source) -> None:
    bench = await judged(tmp_path, osv)
    base = bench.head
    await bench.commit(pinned("jinja2==2.0", "Flask==0.12"))
    osv.knows("GHSA-5wv5", "PyPI", "flask", "0.12", aliases=["CVE-2018-1000656"], **HIGH)
    verdict = await bench.audit(base=base)
    assert isinstance(verdict, GateFailed), verdict
    said = (
        "flask 0.12 (PyPI) has a known vulnerability: GHSA-5wv5 (CVE-2018-1000656), severity high; fixed in 9.9.9"
    )
    assert [(f.file, f.severity, f.message) for f in verdict.findings] == [("requirements.txt", "high", said)]
    assert verdict.summary == f"1 serious finding(s): requirements.txt {said}"
    assert osv.packages() == ["PyPI flask 0.12", "PyPI jinja2 2.0"]


async def test_light_and_unchanged_ones_are_told_and_block_nothing(tmp_path: Path, osv: Source) -> None:
    bench = await judged(tmp_path, osv)
    base = bench.head
    await bench.commit(pinned("jinja2==2.0", "Flask==0.12"))
    osv.knows("GHSA-light", "PyPI", "flask", "0.12", database_specific={"severity": "MODERATE"})
    osv.knows("GHSA-old", "PyPI", "jinja2", "2.0", **HIGH)
    verdict = await bench.audit(base=base)
    assert isinstance(verdict, GatePassed), verdict
    assert [(f.severity, f.touched) for f in verdict.findings] == [("medium", True), ("high", False)]
    assert (
        f"advisories on dependencies: 2 on 1 changed and 1 unchanged dependencies, of 1 changed and 1 unchanged"
        f" dependencies, asked {osv.name}" in verdict.summary
    )


async def test_what_is_known_of_nothing_is_said_with_the_number(tmp_path: Path, osv: Source) -> None:
    bench = await judged(tmp_path, osv)
    verdict = await bench.audit()
    assert isinstance(verdict, GatePassed), verdict
    assert verdict.findings == ()
    assert f"advisories on dependencies: none for 1 changed dependency, asked {osv.name}" in verdict.summary


async def test_a_goal_without_lock_files_asks_nobody_and_says_nothing(tmp_path: Path, osv: Source) -> None:
    bench = await Bench.begin(tmp_path, advisories=patient(osv.url))
    await bench.commit({"add.py": "def add(a, b):\n    return a + b\n"})
    verdict = await bench.audit()
    assert (osv.asked, "advisories" in verdict.summary) == ([], False)


async def test_without_a_source_nothing_is_known(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    await bench.commit({"go.mod": "module m\n"})
    verdict = await bench.audit()
    assert isinstance(verdict, GatePassed), verdict
    assert "unknown, no source of them is set (AGENTHUB_ADVISORIES): go.mod" in verdict.summary


async def test_what_is_no_lock_file_that_can_be_read_is_named(tmp_path: Path, osv: Source) -> None:
    bench = await Bench.begin(tmp_path, advisories=patient(osv.url))
    await bench.commit({"real/uv.lock": "<<<<", "Gemfile.lock": ""}, links={"uv.lock": "real/uv.lock"})
    verdict = await bench.audit()
    assert isinstance(verdict, GatePassed), verdict
    assert (
        "unknown for Gemfile.lock, beside which no lock file that is read names exact versions; for real/uv.lock,"
        " which cannot be read; for uv.lock, which cannot be read" in verdict.summary
    )


async def test_an_auditor_dismisses_an_advisory_with_a_reason(tmp_path: Path, osv: Source) -> None:
    async def auditor(scanned: Sequence[Finding] = ()) -> Heard:
        assert "GHSA-5wv5" in scanned[0].message
        return Heard(Reported(done=True, summary="Fine.", dismissed={1: "no JSON is read"}), Usage())

    bench = await judged(tmp_path, osv)
    osv.knows("GHSA-5wv5", "PyPI", "jinja2", "2.0", **HIGH)
    verdict = await bench.audit(agent=auditor)
    assert isinstance(verdict, GatePassed), verdict
    assert "dismissed by the auditor: requirements.txt jinja2 2.0 (PyPI)" in verdict.summary


def cut(request: Asked) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b'{"results": [')


def huge(request: Asked) -> None:
    request.send_response(200)
    request.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(64):
            request.wfile.write(b'{"results": [' + b" " * (1 << 20))


def hanging(over: threading.Event) -> Answering:
    def answer(_: Asked) -> None:
        over.wait()

    return answer


def saying(status: int, body: object, **headers: str) -> Answering:
    return lambda request: request.say(status, body, **headers)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (saying(503, b"busy"), "answered 503"),
        (saying(401, b""), "answered 401: see to the user and password in AGENTHUB_ADVISORIES"),
        (saying(302, b"", Location="http://127.0.0.1:9/"), "answered 302, and redirects are not followed"),
        (saying(200, b"<html>"), "answered with something else than a JSON object"),
        (saying(200, b"[" * 100_000), "answered with something else than a JSON object"),
        (saying(200, b"{}", **{"Content-Encoding": "gzip"}), "answered 0 of 1 queries"),
        (saying(200, {"results": []}), "answered 0 of 1 queries"),
        (saying(200, {"results": [None]}), "answered 0 of 1 queries"),
        (saying(200, {"results": [{"vulns": "none"}]}), "answered a query in another form than that of OSV"),
        (saying(200, {"results": [{"vulns": [{}]}]}), "answered a query in another form than that of OSV"),
        (saying(200, {"results": [{"vulnerabilities": []}]}), "in another form than that of OSV"),
        (saying(200, {"results": [{"vulns": [{"id": "../../secrets"}]}]}), "in another form than that of OSV"),
        (saying(200, {"results": [{"next_page_token": "again"}]}), "names more advisories than are read"),
        (cut, "could not be reached: "),
        (huge, "answered with more than 8 MiB"),
    ],
)
async def test_a_source_that_does_not_answer_leaves_everything_unknown(
    tmp_path: Path, osv: Source, answer: Answering, reason: str
) -> None:
    bench = await judged(tmp_path, osv)
    osv.knows("GHSA-5wv5", "PyPI", "jinja2", "2.0", **HIGH)
    osv.instead[BATCH] = answer
    verdict = await bench.audit()
    assert isinstance(verdict, GatePassed), verdict
    assert verdict.findings == ()
    assert f"advisories on dependencies: unknown for 1 changed dependency: {osv.name} " in verdict.summary
    assert reason in verdict.summary


async def test_a_source_that_is_away_leaves_everything_unknown(tmp_path: Path) -> None:
    with running_source() as gone:
        pass
    bench = await judged(tmp_path, gone)
    verdict = await bench.audit()
    assert isinstance(verdict, GatePassed), verdict
    assert f"unknown for 1 changed dependency: {gone.name} could not be reached: " in verdict.summary


@pytest.mark.parametrize("path", [BATCH, "/v1/vulns/GHSA-5wv5"])
async def test_a_source_that_hangs_is_left_when_its_time_is_over(tmp_path: Path, osv: Source, path: str) -> None:
    over = threading.Event()
    osv.instead[path] = hanging(over)
    osv.knows("GHSA-5wv5", "PyPI", "jinja2", "2.0", **HIGH)
    limits = {"named_within_s": 0.5} if path == BATCH else {"read_within_s": 0.5}
    source = AdvisorySource(osv.url, **limits)
    bench = await Bench.begin(tmp_path, advisories=source)
    await bench.commit(pinned("jinja2==2.0"))
    try:
        verdict = await bench.audit()
    finally:
        over.set()
    assert isinstance(verdict, GatePassed), verdict
    assert f"{osv.name} did not answer everything within" in verdict.summary
    assert [f.severity for f in verdict.findings] == ([] if path == BATCH else ["medium"])


@pytest.mark.parametrize(
    "answer",
    [saying(500, b""), saying(404, {}), saying(200, {"id": "GHSA-other"}), saying(200, b"nonsense"), cut],
)
async def test_an_advisory_that_cannot_be_read_hides_no_other_one(
    tmp_path: Path, osv: Source, answer: Answering
) -> None:
    bench = await judged(tmp_path, osv)
    osv.knows("GHSA-0", "PyPI", "jinja2", "2.0", **HIGH)
    osv.instead["/v1/vulns/GHSA-0"] = answer
    verdict = await bench.audit()
    assert isinstance(verdict, GatePassed), verdict
    assert [f.message for f in verdict.findings] == [
        "jinja2 2.0 (PyPI) has a known vulnerability: GHSA-0, severity not known"
    ]
    assert f"what some of them say could not be read: {osv.name} " in verdict.summary
    osv.knows("GHSA-1", "PyPI", "jinja2", "2.0", **HIGH)
    again = await bench.audit(round_=2)
    assert isinstance(again, GateFailed), again


async def test_a_malicious_package_is_refused_whatever_is_said_of_it(tmp_path: Path, osv: Source) -> None:
    bench = await judged(tmp_path, osv)
    osv.knows("MAL-2024-1", "PyPI", "jinja2", "2.0")
    verdict = await bench.audit()
    assert isinstance(verdict, GateFailed), verdict
    assert "jinja2 2.0 (PyPI) is known to be malicious: MAL-2024-1, severity critical" in verdict.summary


async def test_what_a_withdrawn_advisory_said_counts_for_nothing(tmp_path: Path, osv: Source) -> None:
    bench = await judged(tmp_path, osv)
    osv.knows("GHSA-5wv5", "PyPI", "jinja2", "2.0", withdrawn="2024-01-01T00:00:00Z", **HIGH)
    verdict = await bench.audit()
    assert isinstance(verdict, GatePassed), verdict
    assert "none for 1 changed dependency" in verdict.summary


def many(number: int) -> list[Dependency]:
    return [Dependency("npm", f"a{at:04}", "1.0.0") for at in range(number)]


async def test_questions_are_asked_in_calls_of_a_bounded_size_and_pages_are_followed(osv: Source) -> None:
    asked = many(1_201)
    for number in range(5):
        osv.knows(f"GHSA-{number}", "npm", "a1200", "1.0.0")
    osv.a_page = 2
    answer = await patient(osv.url).ask(asked)
    assert {one.name: [a.id for a in found] for one, found in answer.found.items()} == {
        "a1200": [f"GHSA-{number}" for number in range(5)]
    }
    sizes = [len(body["queries"]) for path, body, _ in osv.asked if path == BATCH]
    assert (max(sizes), sizes[:2]) == (1_000, [1_000, 201])


async def test_of_too_many_advisories_the_first_are_read_and_the_rest_are_known_by_name(osv: Source) -> None:
    asked = many(READ_MAX + 1)
    for number, one in enumerate(asked):
        osv.knows(f"GHSA-{number}", "npm", one.name, "1.0.0", **HIGH)
    answer = await patient(osv.url).ask(asked)
    severities = [answer.found[one][0].severity for one in asked]
    assert severities == ["high"] * READ_MAX + [None]
    assert answer.unread == f"{READ_MAX + 1} were named, and {READ_MAX} are read at most"


@pytest.mark.parametrize("form", ["{}", "{}/", "{}/v1", "{}/v1/"])
async def test_the_address_may_end_as_people_write_it_and_hold_a_password(osv: Source, form: str) -> None:
    address = form.format(osv.url.replace("//", "//ada:a-long-password@"))
    source = patient(address)
    assert (await source.ask(many(1))).found == {}
    assert [(path, given[:6]) for path, _, given in osv.asked] == [(BATCH, "Basic ")]
    assert source.name == osv.name


async def test_the_password_of_the_address_stands_in_no_error(osv: Source) -> None:
    osv.instead[BATCH] = saying(403, b"a-long-password")
    source = patient(osv.url.replace("//", "//ada:a-long-password@"))
    with pytest.raises(AdvisoriesUnknown) as caught:
        await source.ask(many(1))
    assert "a-long-password" not in str(caught.value)


async def test_a_proxy_of_the_environment_is_used_but_for_this_machine(
    osv: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, osv.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    osv.instead["http://osv.example.org/v1/querybatch"] = saying(200, {"results": [{}]})
    assert (await patient("http://osv.example.org").ask(many(1))).found == {}
    with running_source() as near:
        await patient(near.url).ask(many(1))
        assert len(near.asked) == len(osv.asked) == 1
    monkeypatch.setenv("http_proxy", "nonsense://x")
    monkeypatch.setenv("HTTP_PROXY", "nonsense://x")
    with pytest.raises(AdvisoriesUnknown):
        await patient("http://osv.example.org").ask(many(1))


@pytest.mark.parametrize(
    ("names", "reason"),
    [(6_000, "names more advisories than are read"), (500_000, "answered with more than 8 MiB")],
)
async def test_a_source_that_names_advisories_without_end_is_not_believed(
    osv: Source, names: int, reason: str
) -> None:
    osv.instead[BATCH] = saying(200, {"results": [{"vulns": [{"id": f"GHSA-{n}"} for n in range(names)]}]})
    with pytest.raises(AdvisoriesUnknown) as caught:
        await patient(osv.url).ask(many(1))
    assert reason in str(caught.value)


async def test_of_records_without_end_so_much_is_read_as_fits(osv: Source) -> None:
    asked = many(8)
    for number, one in enumerate(asked):
        osv.knows(f"GHSA-{number}", "npm", one.name, "1.0.0", details="x" * (6 << 20), **HIGH)
    answer = await patient(osv.url).ask(asked)
    known = [found[0].severity for found in answer.found.values()]
    assert (len(known), known.count("high") <= 5) == (8, True)
    assert answer.unread == f"{osv.name} says more than 32 MiB in all"
