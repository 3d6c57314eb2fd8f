"""The code of docs/adapters.md and docs/sentences.md runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import wheels

DOCS = Path(__file__).parents[1] / "docs"


def run(page: str, replace: dict[str, str] | None = None) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    names: dict = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        for old, new in (replace or {}).items():
            code = code.replace(old, new)
        exec(compile(code, page, "exec"), names)


def test_adapters(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    run("adapters.md")
    out = capsys.readouterr().out
    assert "trainable params: " in out
    assert "made of green che" in out
    assert "GPT2LMHeadModel" in out
    assert "['cheese', 'again', 'both'] (2, " in out


@pytest.mark.real
def test_sentences(capsys):
    folder = str(wheels.minilm())
    names = ("sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2")
    run("sentences.md", dict.fromkeys(names, folder))
    out = capsys.readouterr().out
    assert out.startswith("(3, 384)")
