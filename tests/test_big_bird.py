"""BigBird beyond its answers: what it draws in training, when it leaves blocks, what it refuses."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import CONFIGS, fill

from minitransformers import BigBirdConfig, BigBirdForCausalLM, BigBirdForMaskedLM, BigBirdModel
from minitransformers.core.block_sparse import drawn_blocks
from minitransformers.training.grad import value_and_grad

GOLDEN = Path(__file__).parent / "golden" / "big_bird.npz"
# seed, heads, blocks, block_size, num_random_blocks, max_position_embeddings
DRAWS = [
    (0, 3, 17, 2, 3, 64),
    (5, 2, 9, 4, 1, 64),
    (1, 2, 16, 64, 3, 4096),
    (2, 2, 64, 64, 3, 4096),
    (3, 2, 24, 128, 2, 3072),
    (4, 1, 64, 16, 2, 1024),
]
SPARSE = CONFIGS["big_bird"] | {"attention_type": "block_sparse"}
TRAINED = SPARSE | {
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "max_position_embeddings": 32
}  # fmt: skip
IDS = np.random.RandomState(6).randint(3, 37, (2, 27))
MASK = (np.arange(27) < np.array([[27], [20]])).astype(int)


def build(cls: Any = BigBirdModel, **fields: Any) -> Any:
    return fill(cls(BigBirdConfig(**(SPARSE | fields))))


@pytest.mark.parametrize("draw", DRAWS)
def test_the_blocks_drawn_are_the_references(draw: tuple) -> None:
    expected = np.load(GOLDEN)[f"drawn {draw[0]} {draw[2] * draw[3]}"]
    np.testing.assert_array_equal(drawn_blocks(*draw), expected)


def test_training_is_the_references() -> None:
    golden = np.load(GOLDEN)
    model = build(BigBirdForMaskedLM, **TRAINED).train()
    inputs = {"input_ids": IDS, "attention_mask": MASK, "labels": IDS}
    loss, gradients = value_and_grad(model)(**inputs)
    np.testing.assert_allclose(loss, golden["loss"], rtol=1e-5)
    key = gradients["bert.encoder.layer.0.attention.self.key.weight"]
    np.testing.assert_allclose(key, golden["gradient"], rtol=1e-4, atol=1e-7)
    seen = model(**inputs, output_attentions=True).attentions[1]
    np.testing.assert_allclose(seen, golden["attentions"], rtol=1e-4, atol=1e-6)


def test_gradients_by_blocks_equal_central_differences() -> None:
    model = build(BigBirdForMaskedLM)
    state = {n: v.astype(np.float64) for n, v in model.state_dict().items()}
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    name = "bert.encoder.layer.0.attention.self.value.weight"
    weight = model.state_dict()[name]
    direction = np.random.RandomState(1).standard_normal(weight.shape)
    inputs = {"input_ids": IDS[:, :17], "attention_mask": MASK[:, :17], "labels": IDS[:, :17]}

    def loss_at(step: float) -> float:
        model.load_state_dict({name: weight + step * direction}, strict=False, assign=True)
        return float(model(**inputs).loss)

    expected = (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5
    model.load_state_dict({name: weight}, strict=False, assign=True)
    _, gradients = value_and_grad(model)(**inputs)
    assert (gradients[name] * direction).sum() == pytest.approx(expected, rel=1e-4)


def test_a_short_text_turns_it_to_full_attention(caplog: Any) -> None:
    model = build()
    by_blocks = model(IDS[:, :17]).last_hidden_state
    assert model.attention_type == "block_sparse"
    with caplog.at_level(logging.WARNING, "minitransformers"):
        model(IDS[:, :13])
    assert "13 tokens: with block_size 2 and num_random_blocks 1" in caplog.text
    full = model(IDS[:, :17]).last_hidden_state
    assert np.abs(full - by_blocks).max() > 1e-3
    model.set_attention_type("block_sparse")
    np.testing.assert_array_equal(model(IDS[:, :17]).last_hidden_state, by_blocks)


def test_a_text_of_whole_blocks_is_given_as_such() -> None:
    out = build()(IDS[:, :17], output_hidden_states=True, output_attentions=True)
    assert out.last_hidden_state.shape == (2, 17, 12)
    assert out.hidden_states[0].shape == (2, 18, 12)
    assert out.attentions[0].shape == (2, 3, 18, 18)


def test_no_random_blocks() -> None:
    out = build(num_random_blocks=0)(IDS[:, :17], output_attentions=True)
    np.testing.assert_allclose(out.attentions[0].sum(-1), 1, rtol=1e-5)


def test_a_decoder_does_not_look_ahead_when_it_generates() -> None:
    model = build(BigBirdForCausalLM, is_decoder=True)
    out = model.generate(IDS[:1, :18], max_new_tokens=4, min_new_tokens=4)
    full = build(BigBirdForCausalLM, is_decoder=True, attention_type="original_full")
    logits = full(out[:, :-1]).logits[0, 17:]
    logits[:, 2] = -np.inf  # not the end yet
    np.testing.assert_array_equal(out[0, 18:], logits.argmax(-1))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="'sparse' is none of block_sparse, original_full"):
        build(attention_type="sparse")
    with pytest.raises(ValueError, match="'full' is none of"):
        build().set_attention_type("full")
    with pytest.raises(TypeError, match="is_decoder=True"):
        build(add_cross_attention=True)
    with pytest.raises(ValueError, match=r"\(2, 1, 17, 17\).*attention by blocks takes"):
        build()(IDS[:, :17], attention_mask=np.ones((2, 17, 17), int))
    with pytest.raises(ValueError, match="add_cross_attention"):
        build()(IDS[:, :17], encoder_hidden_states=np.zeros((2, 4, 12), np.float32))
