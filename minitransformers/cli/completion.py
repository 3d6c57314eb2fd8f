"""`minitransformers completion`: what a shell needs to complete commands, options and choices.

The scripts are written from the parsers, so they know what the parsers know.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass

from . import common

HELP = "print a script that completes commands and options in a shell"
EXAMPLES = (
    'eval "$(minitransformers completion bash)"   # in ~/.bashrc',
    'eval "$(minitransformers completion zsh)"    # in ~/.zshrc, after compinit',
    "minitransformers completion fish > ~/.config/fish/completions/minitransformers.fish",
)


@dataclass
class Option:
    """An option or a positional argument of a command."""

    names: list[str]
    help: str
    choices: list[str]
    takes_value: bool
    repeats: bool


@dataclass
class Command:
    name: str
    help: str
    options: list[Option]

    @property
    def words(self) -> list[str]:
        """What can stand behind the command: its options, and choices of its arguments."""
        named = [name for option in self.options for name in option.names]
        return named + [c for option in self.options if not option.names for c in option.choices]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=sorted(_SCRIPTS))


def run(options: argparse.Namespace) -> None:
    script = _SCRIPTS[options.shell](commands())
    if options.json:
        common.print_json({"shell": options.shell, "script": script})
    else:
        print(script, end="")


def commands() -> list[Command]:
    """What the parsers know; the first has no name: the options before any command."""
    from . import build_parser

    parser = build_parser()
    (sub,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    helps = {action.dest: action.help or "" for action in sub._choices_actions}
    found = [Command("", "", _options(parser))]
    return found + [Command(n, helps[n], _options(child)) for n, child in sub.choices.items()]


def _options(parser: argparse.ArgumentParser) -> list[Option]:
    return [
        Option(
            list(action.option_strings),
            _plain((action.help or "") % (vars(action) | {"prog": parser.prog})),
            [str(choice) for choice in action.choices or ()],
            action.nargs != 0,
            action.nargs in ("*", "+"),
        )
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction)
    ]


def _plain(text: str) -> str:
    """Without what a shell or its completion would read as its own."""
    return re.sub(r"[^\w ,./()=-]", "", text)


def _bash(found: list[Command]) -> str:
    first, *named = found
    values = "".join(
        f'    "{command.name} {name}") words="{" ".join(option.choices)}" ;;\n'
        for command in named
        for option in command.options
        for name in option.names
        if option.choices
    )
    words = "".join(f'    {c.name}) words="{" ".join(c.words)}" ;;\n' for c in named)
    top = " ".join([c.name for c in named] + first.words)
    return f"""\
_minitransformers() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${{COMP_WORDS[i]}} == -* ]] || {{ command=${{COMP_WORDS[i]}}; break; }}
  done
  case "$command $before" in
{values}    *) case "$command" in
    "") words="{top}" ;;
{words}    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _minitransformers minitransformers
"""


def _zsh(found: list[Command]) -> str:
    first, *named = found
    described = "\n".join(f"    '{c.name}:{_plain(c.help)}'" for c in named)
    cases = "".join(f"      {c.name}) _arguments {_zsh_options(c)} ;;\n" for c in named)
    return f"""\
#compdef minitransformers
_minitransformers() {{
  local -a commands=(
{described}
  )
  _arguments -C {_zsh_options(first)} '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument) case $words[1] in
{cases}    esac ;;
  esac
}}
compdef _minitransformers minitransformers
"""


def _zsh_options(command: Command) -> str:
    specs, places = [], 0
    for option in command.options:
        values = f"({' '.join(option.choices)})" if option.choices else "_files"
        if not option.names:
            places += 1
            specs.append(f"'{'*' if option.repeats else places}:argument:{values}'")
        for name in option.names:
            value = f":value:{values}" if option.takes_value else ""
            specs.append(f"'{name}[{option.help}]{value}'")
    return " ".join(specs)


def _fish(found: list[Command]) -> str:
    begin = "complete -c minitransformers -n"
    lines = [
        f"{begin} __fish_use_subcommand -f -a {c.name} -d '{_plain(c.help)}'" for c in found[1:]
    ]
    for command in found:
        seen = f"'__fish_seen_subcommand_from {command.name}'"
        condition = seen if command.name else "__fish_use_subcommand"
        for option in command.options:
            parts = [f"{begin} {condition}"]
            for name in option.names:
                long = name.startswith("--")
                parts.append(f"-{'l' if long else 's'} {name.lstrip('-')}")
            if option.choices:
                parts.append(f"-f -a '{' '.join(option.choices)}'")
            if option.names:
                parts.append("-r" if option.takes_value else "")
                parts.append(f"-d '{option.help}'")
            elif not option.choices:
                continue  # files, which is what fish offers by itself
            lines.append(" ".join(filter(None, parts)))
    return "\n".join(lines) + "\n"


_SCRIPTS: dict[str, Callable[[list[Command]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
