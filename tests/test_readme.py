"""The README's code and commands run, offline."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from minitransformers.__main__ import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
# each with what the README says it prints
SNIPPETS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^(?:.*&& \.venv/bin/)?(minitransformers .*)$", README, re.MULTILINE)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_code_prints_what_the_readme_says(capsys: pytest.CaptureFixture) -> None:
    assert len(SNIPPETS) == README.count("```python")
    names: dict = {}
    for code, printed in SNIPPETS:
        exec(compile(code, "README.md", "exec"), names)
        assert capsys.readouterr().out == printed


@pytest.mark.parametrize("command", [c for c in COMMANDS if "org/name" not in c])
def test_command(command: str, capsys: pytest.CaptureFixture) -> None:
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out.strip()


def test_a_model_that_cannot_be_had_is_an_error_that_helps(capsys: pytest.CaptureFixture) -> None:
    assert main(["classify", "a text", "--model", "org/name"]) == 1
    message = capsys.readouterr().err
    assert "org/name" in message
    assert "minitransformers/tiny-gpt2" in message


def test_the_readme_has_two_commands_of_one_line() -> None:
    for title in ("Install and generate", "Install and pass the tests"):
        block = README.split(title, 1)[1].split("```bash\n", 1)[1].split("```", 1)[0]
        assert block.count("\n") == 1
