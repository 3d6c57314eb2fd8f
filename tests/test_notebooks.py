"""The notebooks of examples/ run from top to bottom, and agree with their sources."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import notebook_models
import pytest
import table_rows

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
    assert "Traceback" not in capsys.readouterr().out


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_agrees_with_its_source(source: Path) -> None:
    jupytext = pytest.importorskip("jupytext")
    cells, text = (
        [(cell.cell_type, cell.source) for cell in jupytext.read(path).cells]
        for path in (source.with_suffix(".ipynb"), source)
    )
    assert cells == text, "run: jupytext --to ipynb examples/notebooks/*.py"
