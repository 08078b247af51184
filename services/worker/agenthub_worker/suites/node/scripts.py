"""The scripts of a `package.json`: which commands stand behind `npm test`, and which of those run tests. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

_HOPS = 4
_CHAIN = re.compile(r"\s*&&\s*")
_QUOTED = re.compile(r"'[^']*'|\"[^\"$`]*\"")
_SUBSTITUTED = re.compile(r"\$\([^()]*\)")
_MORE_THAN_A_CHAIN = re.compile(r"\|\||[;|<>\n`]|\$\(|(?<!&)&(?!&)")
_RUN_BY_NPM = re.compile(
    r"^(?:npm|pnpm|yarn)\s+(?:run\s+|run-script\s+)?(?:(?:--silent|-s)\s+)?(?P<script>test|t|[\w:.-]+)$"
)
_OF_RUN_ALL = frozenset(
    {"-s", "--silent", "--serial", "--sequential", "-l", "--print-label", "-n", "--print-name"}
)
_NOTHING = re.compile(r"^\s*(?:|:|true|exit 0|echo\b[^&|;]*(?:&&\s*exit 0)?)\s*$")
_BEFORE = re.compile(r"^(?:[A-Za-z_]\w*=\S*|cross-env|npx|--yes|-y|--no-install|pnpm|yarn|exec)$")
_LOOKS = frozenset(
    {
        *(
            "eslint",
            "xo",
            "standard",
            "semistandard",
            "ts-standard",
            "tslint",
            "jshint",
            "jscs",
            "oxlint",
            "stylelint",
        ),
        *("prettier", "biome", "rome", "dprint", "tsd", "dtslint", "attw", "publint", "arethetypeswrong", "gts"),
        *("evalmd", "markdownlint", "markdownlint-cli2", "remark", "cspell", "alex", "textlint", "lockfile-lint"),
        *(
            "knip",
            "depcheck",
            "madge",
            "depcruise",
            "dependency-check",
            "ls-engines",
            "aud",
            "auditjs",
            "commitlint",
        ),
        *(
            "size-limit",
            "bundlesize",
            "bundlewatch",
            "editorconfig-checker",
            "eclint",
            "installed-check",
            "fixpack",
        ),
    }
)
"""Programs that look at code, at packages or at text, and run none of it."""
_LINTER = re.compile(r"lint|fmt$|-check(?:er)?$")
"""Names of programs of the same kind that nobody has listed."""
_COMPILERS = frozenset({"tsc", "vue-tsc", "tsgo", "flow"})


def scripts_in(package: str) -> Mapping[str, str]:
    """The scripts of a `package.json`; none when it cannot be read."""
    try:
        found = msgspec.json.decode(package.removeprefix("\ufeff").encode(), type=dict[str, Any]).get("scripts")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {}
    scripts = found if isinstance(found, dict) else {}
    return {str(name): text for name, text in scripts.items() if isinstance(text, str)}


def tests_nothing(script: str) -> bool:
    """Whether a script says that there are no tests, or is one that cannot fail."""
    return "no test specified" in script or _NOTHING.match(script) is not None


def line_of_tests(scripts: Mapping[str, str]) -> str:
    """The line that runs the tests: `npm test`, but for commands around it that only look at the code.

    A linter is no test: one that fails keeps the tests from running, and one that succeeds tells nothing of them.
    """
    commands = list(commands_of("test", scripts))
    kept = [command for command in commands if not _only_looks(command)]
    if len(kept) == len(commands) or not kept:
        return "npm test"
    for name in _reached("test", scripts, _HOPS):
        if list(commands_of(name, scripts)) == kept:
            return f"npm run {shlex.quote(name)}"
    return f"npm exec -c {shlex.quote(' && '.join(kept))}"


def commands_of(name: str, scripts: Mapping[str, str], hops: int = _HOPS) -> Iterator[str]:
    """The commands that npm runs one after the other for a script, with those of hooks and of other scripts."""
    for hook in (f"pre{name}", name, f"post{name}"):
        script = scripts.get(hook, "").strip()
        for part in filter(None, _parts(script)):
            called = _called(part, scripts) if hops else []
            for other in called:
                yield from commands_of(other, scripts, hops - 1)
            if not called:
                yield part


def _called(command: str, scripts: Mapping[str, str]) -> list[str]:
    """The scripts that a command runs one after the other and nothing else."""
    if inner := _RUN_BY_NPM.match(command):
        name = "test" if inner["script"] == "t" else inner["script"]
        return [name] if name in scripts else []
    name, *words = command.split()
    in_turn = name == "run-s" or (name == "npm-run-all" and not {"-p", "--parallel"} & set(words))
    if not in_turn or any(word.startswith("-") and word not in _OF_RUN_ALL for word in words):
        return []
    named = [word for word in words if not word.startswith("-")]
    found = [[one for one in scripts if _meant(word).fullmatch(one)] for word in named]
    return [one for ones in found for one in ones] if all(found) else []


def _meant(word: str) -> re.Pattern[str]:
    """The names that a word of npm-run-all's stands for: `*` is a part between colons, `**` several."""
    parts = re.split(r"(\*\*|\*)", word.strip("'\""))
    return re.compile("".join({"**": ".*", "*": "[^:]*"}.get(part, re.escape(part)) for part in parts))


def _reached(name: str, scripts: Mapping[str, str], hops: int) -> Iterator[str]:
    """The scripts that a script calls, and those that they call."""
    for hook in (f"pre{name}", name, f"post{name}"):
        for part in filter(None, _parts(scripts.get(hook, "").strip())):
            for other in _called(part, scripts) if hops else []:
                yield other
                yield from _reached(other, scripts, hops - 1)


def _parts(script: str) -> list[str]:
    """The commands of a chain; what is more than a chain is one."""
    plain = _plain(script)
    is_chain = not _MORE_THAN_A_CHAIN.search(plain) and plain.count("&&") == script.count("&&")
    return _CHAIN.split(script) if is_chain else [script]


def _plain(script: str) -> str:
    """The script without what is an argument, whatever stands in it."""
    return _SUBSTITUTED.sub("", _QUOTED.sub("", script))


def _only_looks(command: str) -> bool:
    if _MORE_THAN_A_CHAIN.search(_plain(command)):
        return False
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    while words and _BEFORE.match(words[0]):
        words = words[1:]
    if not words:
        return False
    name = words[0].removeprefix("./").removeprefix("node_modules/.bin/").rpartition("/")[2]
    return (
        name.partition("@")[0] in _LOOKS
        or _LINTER.search(name) is not None
        or "--check" in words
        or (name in _COMPILERS and "--noEmit" in words)
        or _audits(name, words)
    )


def _audits(name: str, words: Sequence[str]) -> bool:
    return name.partition("@")[0] in ("npm", "pnpm", "yarn") and "audit" in words[1:3]
