"""What differs from run to run, and what stands for it on the page."""

from __future__ import annotations

import re
from collections.abc import Mapping

_RULES = (
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"\bg-[0-9a-z]{26}\b"), "g-01m8hz1n5vmdz004r77yry57dr"),
    (re.compile(r"\S*/site-packages/"), "…/site-packages/"),
    (re.compile(r"(whose head is )[0-9a-f]{12}\b"), r"\g<1>3f9c2e71"),
    (re.compile(r"\b[0-9a-f]{40,64}\b"), "3f9c2e71…"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "796036f8-…"),
    (re.compile(r"((?:branch|Imported) \S+ at )[0-9a-f]{12}\b"), r"\g<1>3f9c2e71"),
    (re.compile(r"\[\d\d:\d\d:\d\d\]"), "[20:45:03]"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?"), "2026-11-28T20:45:03Z"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?= )"), "2026-11-28"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "20:45:03"),
    (re.compile(r"(?<=2026-11-28 )\d\d:\d\d(?=  )"), "20:45"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:8000"),
    (re.compile(r"\bq-\d+\b"), "q-42"),
    (re.compile(r"--from \d+"), "--from 43"),
    (re.compile(r"\b(?:\d+ h \d\d m|\d+ m \d\d s|\d+(?:\.\d+)? s)\b"), "12 s"),
    (re.compile(r"\bpid \d+"), "pid 4242"),
    (re.compile(r"\bS?[UX][A-Z2-7]{54,}\b"), "UA7K…"),
    (re.compile(r"\d[\d,.]*(?= (?:ms|GB|MB|kB|bytes|Bytes|tasks/s|messages|events|rows|objects|files)\b)"), "100"),
    (re.compile(r"(?i)(\bevents? |as of event |sequence )\d+"), r"\g<1>43"),
    (re.compile(r"Worker-\d+"), "Worker-3"),
    (re.compile(r"^ *\d+(?=  \d{4}-)"), "      43"),
    (re.compile(r"\b\d+ calls?\b"), "9 calls"),
    (re.compile(r" +$"), ""),
)


def normal(text: str, paths: Mapping[str, str]) -> list[str]:
    """The lines of an output as the page shows them; `paths` are folders and what stands for them."""
    for path, word in paths.items():
        text = text.replace(path, word)
    lines = []
    for line in text.splitlines():
        shown = line
        for pattern, words in _RULES:
            shown = pattern.sub(words, shown)
        lines.append(shown)
    return lines
