"""Every head against the reference's answers, to 1e-4 of their scale (in fact to 1e-6)."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_cases import IDS, answers, options, padded_rows
from tiny import CONFIGS, fill

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


ONE_PER_LABEL = (
    *("Albert", "Bert", "Camembert", "ConvBert", "Deberta", "DebertaV2", "Electra", "FNet"),
    *("GPTJ", "MPNet", "MT5", "MobileBert", "ModernBert", "Roberta", "SqueezeBert", "T5", "UMT5"),
    "XLMRoberta",
)
ALWAYS_TWO = (
    *("Bart", "BigBird", "BigBirdPegasus", "Bloom", "Falcon", "GPT2", "GPTNeo", "GPTNeoX", "LED"),
    *("Llama", "MBart", "Mistral", "Mixtral", "Mpt", "OPT", "Qwen2"),
)


@pytest.mark.parametrize("name", [*ONE_PER_LABEL, *ALWAYS_TWO])
def test_answers_have_a_start_and_an_end_whatever_the_labels(name: str) -> None:
    """The head is as wide as the reference's, so that its files fit; a call needs two outputs."""
    kind = getattr(minitransformers, f"{name}ForQuestionAnswering")
    fields = CONFIGS[kind.config_class.model_type]
    model = kind(kind.config_class(**fields | {"num_labels": 3}))
    *_, head = (x for n, x in model.state_dict().items() if "qa_" in n or "classifier.w" in n)
    assert len(head) == (3 if name in ONE_PER_LABEL else 2)
    if name in ALWAYS_TWO:
        assert model(IDS).start_logits.shape == IDS.shape
    else:
        with pytest.raises(ValueError, match="this head has 3 outputs"):
            model(IDS)


def test_distilbert_answers_with_two_labels_only() -> None:
    config = minitransformers.DistilBertConfig(**CONFIGS["distilbert"], num_labels=3)
    with pytest.raises(ValueError, match=r"num_labels should be 2, but it is 3"):
        minitransformers.DistilBertForQuestionAnswering(config)
