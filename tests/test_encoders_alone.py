"""The encoder of an encoder-decoder model, called by itself and handed back."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from test_family_generation import MODELS
from tiny import CONFIGS, fill

import minitransformers
from minitransformers import AutoConfig

IDS = np.array([[5, 7, 9, 11, 6], [8, 9, 6, 1, 1]])
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
NAMES = [n for n in MODELS if "ConditionalGeneration" in n or n in ("MarianMTModel", "T5Model")]


@pytest.mark.parametrize("name", [*NAMES, "EncoderDecoderModel"])
def test_the_encoder_alone(name: str) -> None:
    kind = MODELS[name]
    model = fill(getattr(minitransformers, name)(AutoConfig.for_model(kind, **CONFIGS[kind])))
    decoder = {"decoder_input_ids": IDS[:, :3]}
    whole = model(IDS, attention_mask=MASK, output_hidden_states=True, **decoder)
    encoded = model.get_encoder()(IDS, attention_mask=MASK, output_hidden_states=True)
    np.testing.assert_allclose(
        encoded.last_hidden_state, whole.encoder_last_hidden_state, atol=1e-6
    )
    assert len(encoded.hidden_states) == len(whole.encoder_hidden_states)
    again = model(encoder_outputs=encoded, attention_mask=MASK, **decoder)
    np.testing.assert_allclose(again.logits, whole.logits, atol=1e-6)
    hidden, *_ = model.get_encoder()(IDS, MASK, return_dict=False)
    np.testing.assert_array_equal(hidden, encoded.last_hidden_state)
    with pytest.raises(ValueError, match="neither"):
        model.get_encoder()()
    encoder = pickle.loads(pickle.dumps(model.get_encoder()))
    assert {p.requires_grad for p in encoder.parameters()} == {True}
    encoder.requires_grad_(False)
    assert {p.requires_grad for p in encoder.parameters()} == {False}
    with pytest.raises(AttributeError, match="nothing"):
        _ = encoder.nothing
