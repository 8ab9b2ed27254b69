"""
What shells are told of nova-manage, so that they complete its words.

Categories, actions, flags and options are in it; users, projects and hosts are
asked of nova-manage when they are wanted.
"""

from __future__ import annotations

from nova_tx.flag_fields import entries
from nova_tx.manage import catalogue
from nova_tx.manage.parts import SECTIONS

#: How to ask for what a parameter may be.
_ASKED = {
    "USER": "user list",
    "PROJECT": "project list",
    "HOST": "service list",
    "MANAGER": "user list",
}
_NAMED = {"user": "user list", "project": "project list", "account": "project list"}
#: Their names are to be new.
_NEW = ("admin", "create")

_BASH = """\
# bash completion of nova-manage: . <(nova-manage completion bash)
_nova_manage() {
    local current=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} i=1 words= asked=
    local -a flags=()
    while [[ $i -lt $COMP_CWORD && ${COMP_WORDS[i]} == -* ]]; do
        flags+=("${COMP_WORDS[i]}")
        i=$((i + 1))
        # bash takes = for a word of its own
        while [[ $i -lt $COMP_CWORD && ( ${COMP_WORDS[i]} == = || ${COMP_WORDS[i-1]} == = ) ]]; do
            flags[-1]+=${COMP_WORDS[i]}
            i=$((i + 1))
        done
    done
    case $((COMP_CWORD - i)) in
    0)
        words="@CATEGORIES@"
        if [[ $current == -* ]]; then words=$(_nova_manage_flags); fi ;;
    1) case ${COMP_WORDS[i]} in
@ACTIONS@
        esac ;;
    *) case "${COMP_WORDS[i]} ${COMP_WORDS[i+1]} $((COMP_CWORD - i - 2))" in
@ARGUMENTS@
        esac
        case "${COMP_WORDS[i]} ${COMP_WORDS[i+1]}" in
@OPTIONS@
        esac ;;
    esac
    if [[ -n $asked && $current != -* ]]; then
        local told=$("$program" "${flags[@]}" $asked 2>/dev/null </dev/null | cut -d" " -f1)
        words+=" $told"
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [[ ${#COMPREPLY[@]} -eq 0 ]]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
_nova_manage_flags() { echo "@FLAGS@"; }
complete -F _nova_manage nova-manage
"""

_ZSH = """\
#compdef nova-manage
# zsh completion of nova-manage: . <(nova-manage completion zsh)
_nova_manage() {
    local current=$words[CURRENT] program=$words[1] asked= i=2
    local -a found flags
    while (( i < CURRENT )) && [[ $words[i] == -* ]]; do
        flags+=("$words[i]")
        (( i++ ))
    done
    case $(( CURRENT - i )) in
    0)
        found=(@CATEGORIES@)
        if [[ $current == -* ]]; then found=(@FLAGS@); fi ;;
    1) case $words[i] in
@ACTIONS_ZSH@
        esac ;;
    *) case "$words[i] $words[i+1] $(( CURRENT - i - 2 ))" in
@ARGUMENTS@
        esac
        case "$words[i] $words[i+1]" in
@OPTIONS_ZSH@
        esac ;;
    esac
    if [[ -n $asked && $current != -* ]]; then
        local told=$($program $flags ${=asked} 2>/dev/null </dev/null | cut -d' ' -f1 | sort -u)
        found+=(${(f)told})
    fi
    if (( $#found )); then compadd -- $found; else _files; fi
}
(( $+functions[compdef] )) || { autoload -U compinit && compinit -D; }
compdef _nova_manage nova-manage
"""


def bash() -> str:
    """The script for bash."""
    return _filled(_BASH)


def zsh() -> str:
    """The script for zsh."""
    return _filled(_ZSH)


def _filled(script: str) -> str:
    categories = catalogue.categories()
    actions, arguments, options = [], [], []
    for category in categories.values():
        if category.itself is not None:
            chosen = " ".join(catalogue.options(category.itself))
            actions.append((category.name, chosen))
            continue
        actions.append((category.name, " ".join(category.actions)))
        for name, action in category.actions.items():
            words = f'"{category.name} {name}"'
            chosen = " ".join(catalogue.options(action))
            if chosen:
                options.append((words, chosen))
            for place, parameter in enumerate(catalogue.names(action)):
                asked = _asked(category.name, name, parameter)
                if asked:
                    arguments.append((f'"{category.name} {name} {place}"', asked))
    flags = " ".join(f"--{each.name}" for section in SECTIONS for each in entries(section))
    values = {
        "@CATEGORIES@": " ".join(categories),
        "@ACTIONS@": _cases(actions, '{}) words="{}" ;;'),
        "@ACTIONS_ZSH@": _cases(actions, "{}) found=({}) ;;"),
        "@ARGUMENTS@": _cases(arguments, '{}) asked="{}" ;;'),
        "@OPTIONS@": _cases(options, '{}) words+=" {}" ;;'),
        "@OPTIONS_ZSH@": _cases(options, "{}) found+=({}) ;;"),
        "@FLAGS@": flags,
    }
    for name, value in values.items():
        script = script.replace(name, value)
    return script


def _asked(category: str, action: str, parameter: str) -> str | None:
    """Which command lists what an argument may be."""
    if parameter == "NAME" and action not in _NEW:
        return _NAMED.get(category)
    return _ASKED.get(parameter)


def _cases(pairs: list[tuple[str, str]], form: str) -> str:
    return "\n".join(f"        {form.format(*each)}" for each in pairs)
