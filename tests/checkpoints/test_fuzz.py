"""Mutated files of every format: a share of what tests/checkpoints/fuzzing.py loads."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import mutations
from fuzzing import FORMATS, fuzz

# files, and how many of them at least load
SHARE = {
    **{"safetensors": (300, 5), "torch_zip": (200, 10), "torch_legacy": (200, 4)},
    **{"shard_index": (200, 30), "config": (120, 40), "adapter_config": (30, 1), "gguf": (40, 1)},
}


@pytest.mark.filterwarnings("ignore")  # of NumPy, about the numbers that are computed with
@pytest.mark.parametrize("name", FORMATS)
def test_mutated_files_load_or_raise_one_clear_error(name, tmp_path):
    if name == "gguf":
        pytest.importorskip("gguf", reason="writes the files")
    files, least = SHARE[name]
    report = fuzz(FORMATS[name], tmp_path, files)
    assert report.loaded >= least
    assert len(report.reasons) > 3


@pytest.mark.fuzz
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FORMATS)
def test_twenty_thousand(name, tmp_path):
    print(fuzz(FORMATS[name], tmp_path, 20_000, seed=1))


def _unnamed() -> None:
    raise ValueError("which file?")


@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        (lambda: {}["w"], "KeyError"),
        (_unnamed, r"which file\?"),
        (lambda: compile("1", "x", "eval"), "compile .* while loading"),
        (lambda: open(os.devnull).close(), "open .* while loading"),
        (lambda: np.empty(50_000_000), r"took (3999|4000)\d{5} bytes"),
    ],
)
def test_the_suite_notices(tmp_path, breaks, message):
    honest = FORMATS["safetensors"](tmp_path)
    loads = [honest.load] * len(honest.seeds)  # the sound files load
    broken = honest._replace(load=lambda: (loads.pop() if loads else breaks)())
    with pytest.raises(AssertionError, match=message):
        fuzz(lambda folder: broken, tmp_path, 1)


def test_mutations_are_the_same_for_a_seed():
    tree = {"a": [1, 2, {"b": None}], "c": "text"}
    first, again = (
        [mutations.change_json(tree, np.random.default_rng(n)) for n in range(50)] for _ in "12"
    )
    assert first == again
    assert len(set(first)) > 40
    assert tree == {"a": [1, 2, {"b": None}], "c": "text"}
