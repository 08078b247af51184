"""Real shells complete commands, options and ids of a real hub, and say nothing where none runs."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from agenthub_cli.completion.scripts import SCRIPTS
from tests.support.running_hub import RunningHub, clean_environment, run_cli
from tests.support.shells import BIN, on_terminal

pytestmark = pytest.mark.extra


def test_bash_completes_commands_options_choices_and_ids(hub: RunningHub, tmp_path: Path) -> None:
    goal_id = hub.submit({"goal": "Complete me: with a colon"}, key="completion")
    env = environment(hub)
    assert bash("agenthub go", env, tmp_path) == ["goal"]
    assert {"watch", "plan", "transcript"} <= set(bash("agenthub goal ", env, tmp_path))
    assert bash("agenthub goal wa", env, tmp_path) == ["watch"]
    assert "--verbose" in bash("agenthub goal watch --", env, tmp_path)
    assert bash("agenthub goal submit x --priority u", env, tmp_path) == ["urgent"]
    for words in ("goal rework", "events tail --goal", "replay show"):
        found = bash(f"agenthub {words} ", env, tmp_path)
        assert {goal_id, "@last"} <= set(found), words
        assert bash(f"agenthub {words} {goal_id[:-2]}", env, tmp_path) == [goal_id]
    assert "plan-1" in bash(f"agenthub goal transcript {goal_id} pl", env, tmp_path)
    assert "gateway" in bash("agenthub logs ga", env, tmp_path)
    assert bash("agenthub worker tes", env, tmp_path) == ["testing"]
    (tmp_path / "a folder").mkdir()
    assert bash("agenthub backup a", env, tmp_path) == ["a folder"]


def test_fish_completes_the_same_with_what_each_is(hub: RunningHub, tmp_path: Path) -> None:
    goal_id = hub.submit({"goal": "Complete me: with a colon"}, key="completion")
    script = tmp_path / "agenthub.fish"
    script.write_text(SCRIPTS["fish"])

    def fish(line: str) -> list[str]:
        words = ["fish", "--no-config", "-c", f"source {script}; complete -C {shlex.quote(line)}"]
        done = subprocess.run(
            words, env=environment(hub, tmp_path), capture_output=True, text=True, timeout=300, check=False
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert [line.partition("\t")[0] for line in fish("agenthub go")] == ["goal"]
    [found] = fish(f"agenthub goal show {goal_id[:-2]}")
    assert found.partition("\t")[0] == goal_id
    assert found.endswith("Complete me: with a colon")
    assert any(line.startswith("--detach\t") for line in fish("agenthub up --"))


def test_zsh_completes_a_command_and_an_id_at_the_press_of_tab(hub: RunningHub, tmp_path: Path) -> None:
    goal_id = hub.submit({"goal": "Complete me: with a colon"}, key="completion")
    (tmp_path / "_agenthub").write_text(SCRIPTS["zsh"])
    (tmp_path / ".zshrc").write_text(
        f"fpath=({tmp_path} $fpath); autoload -U compinit; compinit -D -u; PS1='ready> '\n"
    )
    env = {**environment(hub, tmp_path), "ZDOTDIR": str(tmp_path), "TERM": "xterm"}
    with on_terminal(["zsh", "-i"], env) as terminal:
        terminal.until("ready> ")
        terminal.type(f"agenthub goal sh\t{goal_id[:-3]}\t")
        terminal.until(goal_id)
        assert "goal show" in terminal.shown


@pytest.mark.parametrize("words", ["goal show ", "answer ", "goal transcript @last ", "notify list ", "logs "])
def test_without_a_hub_nothing_is_said(words: str, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "AGENTHUB_DATA_DIR": str(tmp_path / "none")}
    done = run_cli("--complete", *words.split(" "), env={**env, "AGENTHUB_URL": "http://127.0.0.1:9"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def environment(hub: RunningHub, home: Path | None = None) -> dict[str, str]:
    env = clean_environment()
    named = {"AGENTHUB_URL": hub.url, "AGENTHUB_DATA_DIR": str(hub.data.root)}
    return {**env, **named, "PATH": f"{BIN}:{env['PATH']}", **({"HOME": str(home)} if home else {})}


def bash(line: str, env: Mapping[str, str], folder: Path) -> list[str]:
    """What bash offers for a line, word by word as it would complete it."""
    words = line.split(" ")
    script = (
        f"{SCRIPTS['bash']}\nCOMP_WORDS=({' '.join(shlex.quote(word) for word in words)}); "
        f'COMP_CWORD={len(words) - 1}; _agenthub; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", script],
        env=dict(env),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stderr == ""
    return [found for found in done.stdout.splitlines() if found]
