"""docs/quickstart.md followed to the letter, in an empty virtual environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```(python|bash)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.index
def test_the_page(tmp_path: Path) -> None:
    wheels, work = tmp_path / "wheels", tmp_path / "work"
    work.mkdir()
    # the release that pip is to find is this checkout
    build = ["-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)]
    run([sys.executable, *build], work)
    quiet: dict[str, Any] = {"PIP_FIND_LINKS": str(wheels), "PYTHONPATH": "", "HF_HUB_OFFLINE": "1"}
    assert [language for language, _ in SNIPPETS[:1]] == ["bash"]
    program = ""
    for language, code in SNIPPETS:
        if language == "python":  # one program, as if typed into one session
            program += code
            (work / "program.py").write_text(program, encoding="utf-8")
            continue
        if program:
            assert run([".venv/bin/python", "program.py"], work, **quiet).strip()
        path = f"{work / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        out = run(["bash", "-euo", "pipefail", "-c", code], work, **quiet, PATH=path)
        assert out.strip()
    installed = run([".venv/bin/pip", "list"], work, **quiet)
    assert "torch" not in installed
