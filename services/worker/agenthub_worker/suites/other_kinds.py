"""Kinds of projects whose tests nobody finds by themselves, and what a person would name for each. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

_IN_TMP = '"${TMPDIR:-/tmp}/build"'
_REPORT = '"$AGENTHUB_REPORTS/junit.xml"'
_OF_CMAKE = (
    f"cmake -S . -B {_IN_TMP} && cmake --build {_IN_TMP} && ctest --test-dir {_IN_TMP} --output-junit {_REPORT}"
)
# The tool of a language before the one that calls it.
_KINDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("Deno", ("deno.json", "deno.jsonc"), f"deno test --junit-path={_REPORT}"),
    ("Ruby", ("Gemfile", "*.gemspec", "Rakefile"), "bundle exec rake test"),
    ("PHP", ("composer.json",), f"vendor/bin/phpunit --log-junit {_REPORT}"),
    ("C or C++, built by CMake", ("CMakeLists.txt",), _OF_CMAKE),
    ("C or C++, built by Meson", ("meson.build",), f"meson setup {_IN_TMP} && meson test -C {_IN_TMP}"),
    (".NET", ("*.sln", "*.slnx", "*.csproj", "*.fsproj"), "dotnet test"),
    ("Elixir", ("mix.exs",), "mix test"),
    ("Scala", ("build.sbt",), "sbt test"),
    ("Swift", ("Package.swift",), "swift test"),
    ("Dart", ("pubspec.yaml",), "dart test"),
    ("Haskell", ("*.cabal", "stack.yaml"), "cabal test"),
    ("OCaml", ("dune-project",), "dune test"),
    ("Perl", ("Makefile.PL", "Build.PL", "cpanfile"), "prove -lr t"),
    ("Zig", ("build.zig",), "zig build test"),
    ("a project built by Bazel", ("MODULE.bazel", "WORKSPACE", "WORKSPACE.bazel"), "bazel test //..."),
    ("a project built by make", ("Makefile", "GNUmakefile", "makefile", "configure.ac"), "make test"),
)


def other_kind(files: Iterable[str]) -> str:
    """What a file in the top folder says of a repository, with a command for its tests; empty: nothing."""
    top = sorted(path for path in files if "/" not in path)
    for kind, patterns, command in _KINDS:
        names = [name for name in top if any(fnmatchcase(name, pattern) for pattern in patterns)]
        if names:
            return (
                f"The repository looks like {kind} ({names[0]}), whose tests are not found without being named:"
                f" give the goal a `test_command`, such as `{command}`, and in `setup` what it needs. They are"
                f" counted where that command writes a JUnit report to {_REPORT}; else you are asked to accept"
                " what it says."
            )
    return ""
