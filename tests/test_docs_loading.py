"""The code in docs/loading.md runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "loading.md").read_text(encoding="utf-8")


def test_code(capsys: pytest.CaptureFixture) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(code, "docs/loading.md", "exec"), {})
    assert "asks for builtins.print, which tensors do not need" in capsys.readouterr().out
