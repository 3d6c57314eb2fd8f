"""Every head against the reference's answers, to 1e-4 of their scale (in fact to 1e-6)."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_cases import answers, options, padded_rows
from tiny import fill

import minitransformers

HERE = Path(__file__).parent
MODULES = {path.stem: importlib.import_module(path.stem) for path in HERE.glob("model_cases*.py")}
ALL = [(module, case) for module in sorted(MODULES) for case in MODULES[module].CASES]


@functools.cache
def golden(module: str) -> Any:
    return np.load(HERE / "golden" / f"{module.replace('model_cases', 'models')}.npz")


@pytest.mark.parametrize(("module", "case"), ALL, ids=[case for _, case in ALL])
def test_answers_are_the_references(module: str, case: str) -> None:
    name, fields, inputs = MODULES[module].CASES[case]
    kind = getattr(minitransformers, name)
    model = fill(kind(kind.config_class(**fields)))
    output = model(**options(name, inputs))
    stored = golden(module)
    keys, fields_of_output = str(stored[f"{case}/keys"]).split("\n\n")
    assert sorted(model.state_dict()) == keys.split("\n")
    assert list(output) == fields_of_output.split("\n")
    for field, value in answers(output).items():
        expected = padded_rows(stored[f"{case}/{field}"], inputs)
        got = padded_rows(np.asarray(value), inputs)
        assert got.dtype == np.float32 or (field.endswith("_index") and got.dtype == np.int64)
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(got, expected, atol=5e-6 * scale, rtol=1e-5, err_msg=field)
