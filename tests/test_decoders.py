"""What decoders' configurations ask for, beyond what the goldens hold."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import CONFIGS, fill

from minitransformers import (
    BloomConfig,
    FalconConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    MptConfig,
    OPTForCausalLM,
    set_seed,
)
from minitransformers.models import alibi
from minitransformers.models.rope import Rope
from minitransformers.training.grad import value_and_grad


def llama(**fields) -> LlamaConfig:
    return LlamaConfig(**CONFIGS["llama"] | fields)


def test_angles_of_dynamic_scaling_follow_the_text() -> None:
    rope = Rope(llama(rope_scaling={"type": "dynamic", "factor": 2.0}))
    plain = Rope(llama())
    short, long = np.arange(64)[None], np.arange(200)[None]
    np.testing.assert_array_equal(rope(short)[0], plain(short)[0])
    assert np.abs(rope(long)[0][:, :, 60:] - plain(long)[0][:, :, 60:]).max() > 0.1


def test_angles_of_longrope_switch_where_training_ended() -> None:
    factors = {"short_factor": [1.0, 1.0], "long_factor": [2.0, 4.0]}
    said = {"type": "longrope", "original_max_position_embeddings": 16, **factors}
    rope = Rope(llama(rope_scaling=said))
    short, _ = rope.frequencies(16)
    long, attention = rope.frequencies(17)
    np.testing.assert_allclose(short / long, [2, 4])
    assert attention == pytest.approx(np.sqrt(1 + np.log(4) / np.log(16)))


def test_the_later_name_of_rope_scaling_is_read() -> None:
    later = {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}
    now = Rope(llama(rope_scaling={"type": "linear", "factor": 4.0}, rope_theta=500.0))
    np.testing.assert_array_equal(
        Rope(llama(rope_parameters=later)).frequencies(0)[0], now.frequencies(0)[0]
    )


def test_what_is_wrong_with_rope_scaling_is_named() -> None:
    with pytest.raises(ValueError, match="unknown rope_type 'magic'"):
        Rope(llama(rope_scaling={"type": "magic"}))
    with pytest.raises(ValueError, match="'yarn' needs 'factor'"):
        Rope(llama(rope_scaling={"type": "yarn"}))


def test_slopes_of_any_number_of_heads() -> None:
    np.testing.assert_allclose(alibi.slopes(8), 2.0 ** -np.arange(1, 9))
    np.testing.assert_allclose(alibi.slopes(3), 2.0 ** -np.array([4.0, 8.0, 2.0]))


def test_text_far_beyond_the_window_is_decoded_as_in_one_pass() -> None:
    model = fill(MistralForCausalLM(MistralForCausalLM.config_class(
        **CONFIGS["mistral"] | {"max_position_embeddings": 4096})))  # fmt: skip
    ids = np.random.RandomState(0).randint(3, 37, (2, 900))
    whole = model(ids).logits
    past, got = None, []
    for start, stop in ((0, 250), *((i, i + 1) for i in range(250, 700)), (700, 900)):
        out = model(ids[:, start:stop], past_key_values=past, use_cache=True)
        past = out.past_key_values
        got.append(out.logits)
    np.testing.assert_allclose(np.concatenate(got, axis=1), whole, atol=2e-5)
    assert past.length == 900
    assert past.layers[0].buffer.k.shape[2] < 900


def test_names_of_old_files() -> None:
    assert BloomConfig(n_embed=32).hidden_size == 32
    falcon = FalconConfig(n_embed=32, n_head=4, n_layer=3, n_head_kv=2)
    assert (falcon.hidden_size, falcon.num_attention_heads) == (32, 4)
    assert (falcon.num_hidden_layers, falcon.num_kv_heads) == (3, 2)
    assert MptConfig(attn_config={"clip_qkv": 6.0}).attn_config.clip_qkv == 6.0


@pytest.mark.parametrize("strip", ["model.", ""])
def test_opt_files_of_the_headless_model_load(tmp_path, strip) -> None:
    from safetensors.numpy import save_file

    model = fill(OPTForCausalLM(OPTForCausalLM.config_class(**CONFIGS["opt"])))
    model.save_pretrained(tmp_path)
    names = {n.removeprefix(strip): np.array(v) for n, v in model.state_dict().items()}
    names.pop("lm_head.weight")
    save_file(names, tmp_path / "model.safetensors")
    loaded, report = OPTForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    ids = np.array([[5, 6, 7]])
    np.testing.assert_array_equal(loaded(ids).logits, model(ids).logits)


def test_untied_head_is_a_weight_of_its_own(tmp_path) -> None:
    model = LlamaForCausalLM.from_config(llama())
    assert model.lm_head.weight is not model.model.embed_tokens.weight
    assert LlamaForCausalLM.from_config(llama(tie_word_embeddings=True)).ties()


def test_router_jitter_in_training_is_the_references() -> None:
    config = MixtralConfig(**CONFIGS["mixtral"] | {"router_jitter_noise": 0.3})
    model, ids = fill(MixtralForCausalLM(config)), np.arange(12).reshape(2, 6) + 3
    still = float(model(ids, labels=ids).loss)
    set_seed(5)
    loss, _ = value_and_grad(model.train())(ids, labels=ids)
    assert float(loss) == pytest.approx(5.0963583, rel=1e-6)  # transformers 4.46.3, seed 5
    assert still != pytest.approx(5.0963583, rel=1e-3)
