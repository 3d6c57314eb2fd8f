"""The house: which package may import which, and what importing the library costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "minitransformers"
MAY_IMPORT = {
    "core": set(),
    "hub": set(),
    "sharing": {"hub"},
    "checkpoints": {"hub"},
    "adapters": {"core", "checkpoints", "hub", "sharing"},
    "tokenization": {"hub", "checkpoints", "sharing"},
    "generation": {"core", "hub", "checkpoints", "sharing"},
    "models": {"adapters", "core", "checkpoints", "hub", "generation", "sharing"},
    "training": {
        "adapters",
        "core",
        "models",
        "generation",
        "tokenization",
        "checkpoints",
        "hub",
        "sharing",
    },
    "pipelines": {
        "adapters",
        "core",
        "models",
        "generation",
        "tokenization",
        "checkpoints",
        "hub",
        "sharing",
    },
}


def imported(path: Path) -> set[str]:
    """The packages of the house that a file imports."""
    here = path.relative_to(PACKAGE).with_suffix("").parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            target = [*here[: len(here) - node.level], *(node.module or "").split(".")]
            names = [a.name for a in node.names] if target == [""] else [target[0]]
            found |= set(names)
    return found & set(MAY_IMPORT)


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_arrows_point_one_way(part: str) -> None:
    alone = PACKAGE / f"{part}.py"
    files = [alone] if alone.exists() else (PACKAGE / part).rglob("*.py")
    for path in files:
        assert imported(path) <= MAY_IMPORT[part] | {part}, path


def test_importing_does_no_work() -> None:
    code = "import sys, minitransformers; print(*sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(out.stdout.split())
    assert not loaded & {"numpy", "tokenizers", "huggingface_hub", "jinja2", "safetensors", "tqdm"}


def test_a_star_gives_every_name() -> None:
    names: dict[str, object] = {}
    exec("from minitransformers import *", names)
    for name in ("BertTokenizer", "BertTokenizerFast", "EsmTokenizer", "BertModel", "logging"):
        assert name in names


def test_every_public_name_exists() -> None:
    import minitransformers

    for name in minitransformers.__all__:
        assert getattr(minitransformers, name) is not None
    with pytest.raises(AttributeError, match="has no 'AutoModelForEverything'"):
        _ = minitransformers.AutoModelForEverything
