"""SynthID's trained detector against the reference's numbers.

They are those of `fill_reference(model, scale=1.0)` with a prior of 0.3, in transformers 4.46.3.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tiny import fill

from minitransformers import (
    BayesianDetectorConfig,
    BayesianDetectorModel,
    SynthIDTextWatermarkDetector,
    SynthIDTextWatermarkLogitsProcessor,
    set_seed,
)
from minitransformers.training.grad import value_and_grad

DRAWS = np.random.RandomState(0)
G, MASK = DRAWS.randint(0, 2, (4, 7, 5)), DRAWS.randint(0, 2, (4, 7))
LABELS = np.array([1, 0, 1, 0], np.float32)
IDS = DRAWS.randint(2, 9, (4, 30))
MARKS = dict(
    ngram_len=3, keys=[1, 2, 3, 4, 5], sampling_table_size=1024, sampling_table_seed=0,
    context_history_size=16,
)  # fmt: skip


def detector() -> BayesianDetectorModel:
    model = fill(BayesianDetectorModel(BayesianDetectorConfig(watermarking_depth=5)), scale=1.0)
    model.load_state_dict({"prior": np.full(1, 0.3, np.float32)}, strict=False)
    return model


def test_probabilities_and_loss() -> None:
    model = detector()
    expected = [0.41888773, 0.15159774, 0.3456274, 0.40300953]
    (found,) = model(G, MASK)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    found, loss = model(G, MASK, LABELS, 0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert loss == pytest.approx(11.50298, rel=1e-6)
    record = model(G, MASK, return_dict=True)
    assert list(record) == ["posterior_probabilities"]


def test_gradients() -> None:
    found, gradients = value_and_grad(detector())(G, MASK, LABELS, 0.5, return_dict=True)
    assert found == pytest.approx(11.50298, rel=1e-6)
    largest = {name: np.abs(g).max() for name, g in gradients.items()}
    assert largest == pytest.approx(
        {
            "prior": 0.8105685,
            "likelihood_model_watermarked.beta": 0.05358308,
            "likelihood_model_watermarked.delta": 2.318005,
        },
        rel=1e-5,
    )


def test_texts() -> None:
    marks = SynthIDTextWatermarkLogitsProcessor(**MARKS)
    ask = SynthIDTextWatermarkDetector(detector(), marks, SimpleNamespace(eos_token_id=2))
    np.testing.assert_allclose(ask(IDS)[0], [0.0386431, 0.3, 0.3498128, 0.3], rtol=1e-5)


def test_fresh_weights_and_files(tmp_path) -> None:
    config = BayesianDetectorConfig(watermarking_depth=3, base_rate=0.2)
    config.set_detector_information("gpt2", MARKS)
    set_seed(0)
    model = BayesianDetectorModel(config)
    weights = model.state_dict()
    assert weights["prior"] == np.float32(0.2)
    assert np.abs(weights["likelihood_model_watermarked.beta"] + 2.5).max() < 0.01
    model.save_pretrained(tmp_path)
    loaded = BayesianDetectorModel.from_pretrained(tmp_path)
    assert (loaded.config.model_name, loaded.config.watermarking_config) == ("gpt2", MARKS)
    np.testing.assert_array_equal(loaded(G[..., :3], MASK)[0], model(G[..., :3], MASK)[0])
    with pytest.raises(ValueError, match="watermarking_depth"):
        BayesianDetectorModel(BayesianDetectorConfig())
