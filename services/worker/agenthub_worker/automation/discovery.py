"""What a line tells unittest, or Django's `test`, of the tests that it runs, and of how it ends."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator, Sequence

import msgspec

USUAL = "test*.py"
_CALL = re.compile(r"(?P<django>(?:\bmanage\.py|\bdjango-admin(?:\.py)?|-m\s*django)\s+test\b)|-m\s*unittest\b")
_ENDS = re.compile(r"[|&;<>()\n]")
_PICKING = ("-k", "--tag", "--exclude-tag")
_PATTERN = ("-p", "--pattern")
_WITH_VALUE = (
    *_PATTERN,
    *("-s", "--start-directory", "-t", "--top-level-directory", "--durations"),
    *("--settings", "--pythonpath", "--testrunner", "--verbosity"),
)
# Django's; unittest's `-v` stands alone.
_WITH_NUMBER = ("-v", "--parallel", "--shuffle")
_STOPPING = re.compile(r"--failfast|-[a-z]*f[a-z]*")


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """`pattern` of the files in which tests are looked for, `names` of tests where such are given.

    `picks`: a part of the tests by an expression. `labels`: the names may be those of folders, as Django's are.
    `stops`: with the first test that fails, or where several runs follow each other, with the first that is red.
    """

    pattern: str = USUAL
    names: tuple[str, ...] = ()
    labels: bool = False
    picks: bool = False
    stops: bool = False

    def looks_in(self, folder: str) -> bool:
        """Whether files that are put into this folder are looked at."""
        names = [name.strip("./").replace(".", "/") for name in self.names]
        return not names or (self.labels and any(f"/{name}/" in f"/{folder}/" for name in names))


def discovery_of(line: str) -> Discovery:
    """What the last run of a line for bash is told; nothing of one that cannot be read."""
    calls = list(_CALL.finditer(line))
    if not calls:
        return Discovery()
    is_django = calls[-1]["django"] is not None
    try:
        words = shlex.split(_ENDS.split(line[calls[-1].end() :], maxsplit=1)[0], comments=True)
    except ValueError:
        words = []
    is_discover = not is_django and words[:1] == ["discover"]
    options, places = _told(words[1:] if is_discover else words)
    by_place = places[1] if is_discover and len(places) > 1 else ""
    return Discovery(
        pattern=next((value for name, value in reversed(options) if name in _PATTERN), "") or by_place or USUAL,
        names=() if is_discover else tuple(places),
        labels=is_django,
        picks=any(name.startswith(_PICKING) for name, _ in options),
        stops=len(calls) > 1 or any(_STOPPING.fullmatch(name) for name, _ in options),
    )


def _told(words: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The options with their values, and the other words."""
    options, places = list[tuple[str, str]](), list[str]()
    pairs = _pairs(words)
    for word, following in pairs:
        if not word.startswith("-") or word == "-":
            places.append(word)
            continue
        name, sign, value = word.partition("=")
        takes = name in _WITH_VALUE or (name in _WITH_NUMBER and following.isdecimal())
        if not sign and takes:
            next(pairs, None)
            value = following
        elif not sign and word[:2] in _PATTERN and len(word) > 2:
            name, value = word[:2], word[2:]
        options.append((name, value))
    return options, places


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    return itertools.pairwise([*words, ""])
