"""Every page of docs/ runs: its Python as one program, its commands of this package.

Models that a page loads from the Hub are tiny ones here, under the same names. A snippet below the
comment `<!-- not run: why -->` is shown only.
"""

from __future__ import annotations

import io
import re
import shlex
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from minitransformers import hub
from minitransformers.__main__ import main
from minitransformers.pipelines import PIPELINE_REGISTRY

sys.path.insert(0, str(Path(__file__).parent / "pipelines"))
import pipeline_models

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md"))
# id on the Hub -> the tiny checkpoint of `pipeline_models` that takes its place
MODELS = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": "lm",
    "distilbert/distilbert-base-uncased-finetuned-sst-2-english": "classes",
    "google-bert/bert-base-uncased": "bert",
    "sentence-transformers/all-MiniLM-L6-v2": "bert",
}
# what a page prints, where it matters
PRINTS = {
    "adapters.md": ("trainable params: ", "made of green che", "['cheese', 'again', 'both'] (2, "),
    "loading.md": ("asks for builtins.print, which tensors do not need",),
    "quickstart.md": ("[[", "(1, ", "new_tokens_per_second"),
}
_SNIPPET = re.compile(r"(<!-- not run: .*? -->\s*)?^```(python|bash)\n(.*?)^```", re.M | re.S)


class Snippet(NamedTuple):
    language: str
    code: str


def snippets(page: str) -> list[Snippet]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [Snippet(m[2], m[3]) for m in _SNIPPET.finditer(text) if not m[1]]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, without a network, where the Hub's models are tiny ones."""
    for name, tiny in MODELS.items():
        place = pipeline_models.build(tmp_path / "checkpoints", tiny)
        monkeypatch.setitem(hub.BUNDLED, name, place)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    tasks = PIPELINE_REGISTRY.supported_tasks  # what a page registers is forgotten after it
    monkeypatch.setattr(PIPELINE_REGISTRY, "supported_tasks", dict(tasks))
    monkeypatch.setattr("minitransformers.models.auto._registered_configs", {})
    monkeypatch.setattr("minitransformers.models.auto._registered_models", {})


@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page)])
def test_page(page: str, elsewhere: Any, capsys: Any, monkeypatch: Any) -> None:
    names: dict[str, Any] = {"__name__": "page", "folder": "folder"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (language, code) in enumerate(snippets(page), 1):
            if language == "python":
                exec(compile(code, f"{page}, snippet {number}", "exec"), names)
                continue
            for line in code.splitlines():
                run_command(line, monkeypatch)
    out = capsys.readouterr().out
    for text in PRINTS.get(page, ()):
        assert text in out


def run_command(line: str, monkeypatch: Any) -> None:
    """Run a line of a shell, if it is a command of this package."""
    before, _, command = line.rpartition(" | ")
    words = shlex.split(command, comments=True)
    if not words or words[0] != "minitransformers":
        return
    typed = shlex.split(before)[1] if before else ""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed.replace("\\n", "\n")))
    assert main([*words[1:], "--debug"]) == 0, line


def test_commands_in_text_are_commands() -> None:
    from minitransformers.cli import COMMANDS

    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        for command in re.findall(r"(?:^|[`$] ?)minitransformers ([a-z]+)", text, re.M):
            assert command in COMMANDS, f"{page}: {command}"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        text = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in target:
                assert (DOCS / page).parent.joinpath(target).exists(), f"{page}: {target}"


def test_every_page_is_in_the_navigation() -> None:
    named = re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert sorted(named) == PAGES, "name new pages under nav: in mkdocs.yml"


def test_every_public_name_is_in_the_reference() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        import hooks
    finally:
        sys.path.remove(str(DOCS))
    import minitransformers

    shown = "\n".join(
        hooks.reference(patterns.split())
        for page in DOCS.glob("api/*.md")
        for patterns in re.findall(r"<!-- names: (.*?) -->", page.read_text(encoding="utf-8"))
    )
    found = re.findall(r"^::: minitransformers\.(.+)\.(\w+)$", shown, re.M)
    others = {"AddedToken"}  # tokenizers' own, documented there
    assert sorted(name for _, name in found) == sorted(set(minitransformers._HOME) - others)


def test_figures_are_what_the_model_does(tmp_path: Path) -> None:
    sys.path.insert(0, str(DOCS / "figures"))
    try:
        import make_figures
    finally:
        sys.path.remove(str(DOCS / "figures"))
    make_figures.main(tmp_path)
    words = re.compile(r">([^<>]*)</text>")
    for name in make_figures.FIGURES:
        drawn = (DOCS / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert words.findall((tmp_path / f"{name}.svg").read_text("utf-8")) == words.findall(drawn)


@pytest.mark.real
def test_sentences_with_the_real_model(capsys: Any) -> None:
    import wheels

    for _, code in snippets("sentences.md"):
        for name in ("sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2"):
            code = code.replace(f'"{name}"', repr(str(wheels.minilm())))
        exec(compile(code, "sentences.md", "exec"), {})
    assert capsys.readouterr().out.startswith("(3, 384)")
