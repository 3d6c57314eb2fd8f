"""Every head against the reference's answers, to 1e-4 of their scale (in fact to 1e-6)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from model_cases import CASES, answers, keeps_attentions, padded_rows
from tiny import fill

import minitransformers

GOLDEN = np.load(Path(__file__).parent / "golden" / "models.npz")


@pytest.mark.parametrize("case", CASES)
def test_answers_are_the_references(case: str) -> None:
    name, fields, inputs = CASES[case]
    kind = getattr(minitransformers, name)
    model = fill(kind(kind.config_class(**fields)))
    attentions = keeps_attentions(name, inputs)
    output = model(**inputs, output_hidden_states=True, output_attentions=attentions)
    keys, fields_of_output = str(GOLDEN[f"{case}/keys"]).split("\n\n")
    assert sorted(model.state_dict()) == keys.split("\n")
    assert list(output) == fields_of_output.split("\n")
    for field, value in answers(output).items():
        expected = GOLDEN[f"{case}/{field}"]
        got = padded_rows(np.asarray(value), inputs)
        assert got.dtype == np.float32
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(got, expected, atol=2e-6 * scale, rtol=1e-5, err_msg=field)
