"""The scripts that make a shell ask for candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Shell: TypeAlias = Literal["bash", "zsh", "fish"]

_BASH = """\
# Completion of agenthub for bash.
_agenthub() {
    local word words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    COMPREPLY=()
    while IFS=$'\\t' read -r word _; do
        if [[ $word == @files ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
        elif [[ -n $word ]]; then
            COMPREPLY+=("$word")
        fi
    done < <("${COMP_WORDS[0]}" --complete "${words[@]}" 2>/dev/null)
}
complete -F _agenthub agenthub
"""

_ZSH = """\
#compdef agenthub
# Completion of agenthub for zsh.
_agenthub() {
    local line files=
    local -a found
    while IFS= read -r line; do
        if [[ $line == @files* ]]; then
            files=1
        elif [[ -n $line ]]; then
            found+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}")
        fi
    done < <("${words[1]}" --complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ${#found} )) && _describe -V agenthub found
    [[ -n $files ]] && _files
    return 0
}
if [[ $funcstack[1] == _agenthub ]]; then
    _agenthub "$@"
else
    compdef _agenthub agenthub
fi
"""

_FISH = """\
# Completion of agenthub for fish.
function __agenthub_complete
    set -l before (commandline -opc)
    set -l begun (commandline -ct)
    for line in ($before[1] --complete $before[2..-1] "$begun" 2>/dev/null)
        if string match -q '@files*' -- $line
            __fish_complete_path "$begun"
        else
            echo $line
        end
    end
end
complete -c agenthub -f -a '(__agenthub_complete)'
"""

SCRIPTS: Mapping[Shell, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
