"""`agenthub completion`: the script that makes a shell complete commands, options and ids."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.completion.scripts import SCRIPTS, Shell


def completion(shell: Annotated[Shell, Parameter(help="Which shell it is for")]) -> int:
    """Print the script that makes a shell complete commands, options and ids of the running hub.

    bash: `eval "$(agenthub completion bash)"` in ~/.bashrc; zsh: the same with zsh in ~/.zshrc, behind compinit;
    fish: `agenthub completion fish > ~/.config/fish/completions/agenthub.fish`.
    """
    sys.stdout.write(SCRIPTS[shell])
    return exit_codes.OK
