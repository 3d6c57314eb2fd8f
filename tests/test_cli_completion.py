"""What shells complete, asked of the shells themselves where they are installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from minitransformers.__main__ import main
from minitransformers.cli import COMMANDS
from minitransformers.cli.completion import _SCRIPTS, commands


def script(shell: str, capsys: Any) -> str:
    assert main(["completion", shell, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["script"]


def run(shell: str, *arguments: str) -> str:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, *arguments], capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("minitransformers ch", {"chat"}),
        ("minitransformers ", {*COMMANDS, "--help", "--version", "-h"}),
        ("minitransformers generate --top", {"--top-k", "--top-p"}),
        ("minitransformers generate --quantize ", {"8bit", "4bit"}),
        ("minitransformers generate x --quantize 4", {"4bit"}),
        ("minitransformers cache d", {"delete"}),
        ("minitransformers completion ", {"bash", "fish", "zsh"}),
        ("minitransformers info no-such-fi", set()),
    ],
)
def test_bash(line: str, expected: set[str], capsys: Any) -> None:
    words = " ".join(f"'{word}'" for word in line.split(" "))
    code = f"COMP_WORDS=({words}); COMP_CWORD={line.count(' ')}; _minitransformers"
    found = run("bash", "-c", f"{script('bash', capsys)}\n{code}; echo ${{COMPREPLY[@]}}").split()
    assert expected <= set(found)
    assert expected == set(found) or line.endswith(" ")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("minitransformers ch", {"chat"}),
        ("minitransformers generate --top", {"--top-k", "--top-p"}),
        ("minitransformers generate --quantize ", {"8bit", "4bit"}),
        ("minitransformers cache d", {"delete"}),
    ],
)
def test_fish(line: str, expected: set[str], capsys: Any) -> None:
    out = run("fish", "--no-config", "-c", f"{script('fish', capsys)}\ncomplete -C '{line}'")
    assert {row.split("\t")[0] for row in out.splitlines()} == expected


# types a line into a shell of its own, and waits for what it becomes
TYPING = """
zmodload zsh/zpty && zpty shell 'TERM=dumb zsh -f -i'
zpty -w shell "PS1=; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -D -u; source $1"
zpty -w shell 'print re""ady'
zpty -r -m shell seen '*ready*'
zpty -w -n shell "$2"$'\\t\\t'
zpty -r -m shell seen "*$3 *"
print -r -- "$seen"
zpty -d shell
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("minitransformers comp", "completion"),
        ("minitransformers generate --quan", "--quantize"),
        ("minitransformers generate --quantize 8", "8bit"),
        ("minitransformers cache d", "delete"),
    ],
)
def test_zsh(line: str, expected: str, capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "script.zsh").write_text(script("zsh", capsys))
    completed = f"{line[: line.rindex(' ')]} {expected}"
    out = run("zsh", "-f", "-c", TYPING, "zsh", str(tmp_path / "script.zsh"), line, completed)
    assert completed in out
    assert "_arguments" not in out


def test_zsh_knows_the_function(capsys: Any) -> None:
    code = "autoload -U compinit; compinit -D\n" + script("zsh", capsys)
    out = run(
        "zsh",
        "-f",
        "-c",
        f"{code}\nwhence -w _minitransformers; print ${{_comps[minitransformers]}}",
    )
    assert out.split() == ["_minitransformers:", "function", "_minitransformers"]


@pytest.mark.parametrize("shell", sorted(_SCRIPTS))
def test_every_option_is_there(shell: str, capsys: Any) -> None:
    text = script(shell, capsys)
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == text
    for command in commands()[1:]:
        assert command.name in text
        for option in command.options:
            for name in option.names:
                assert name.lstrip("-") in text
