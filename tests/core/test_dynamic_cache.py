"""Caches that are changed by the calls they are given to."""

import copy

import numpy as np
import pytest

from minitransformers import (
    DynamicCache,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    StaticCache,
    set_seed,
)

ALL = {"attention_mask": None, "pad_token_id": 0, "eos_token_id": None, "do_sample": False}
IDS = np.array([[1, 2, 3, 4]])


@pytest.fixture(params=["gpt2", "llama"])
def model(request):
    set_seed(0)
    if request.param == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=16, n_head=2, vocab_size=50))
    return LlamaForCausalLM(LlamaConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=24, vocab_size=50, initializer_range=0.5,
    ))  # fmt: skip


@pytest.mark.parametrize("kind", [DynamicCache, StaticCache])
def test_calls_go_on_in_it(model, kind):
    cache = kind()
    out = model(IDS[:, :3], past_key_values=cache, use_cache=True)
    assert out.past_key_values is cache
    assert (cache.get_seq_length(), cache.seen_tokens, len(cache)) == (3, 3, 2)
    out = model(IDS[:, 3:], past_key_values=cache, use_cache=True)
    assert cache.length == 4
    np.testing.assert_allclose(out.logits[:, -1], model(IDS).logits[:, -1], atol=1e-5)


def test_generation_goes_on_in_it(model):
    cache, ids = DynamicCache(), IDS
    for said in ([7], [8, 9], [3]):
        out = model.generate(ids, past_key_values=cache, max_new_tokens=5, **ALL)
        np.testing.assert_array_equal(out, model.generate(ids, max_new_tokens=5, **ALL))
        assert cache.length == out.shape[1] - 1
        ids = np.concatenate([out, [said]], axis=1)


def test_a_prefix_is_used_again(model):
    cache = model(IDS, past_key_values=DynamicCache()).past_key_values
    for more in ([5, 6], [9], [5, 6, 7]):
        ids = np.concatenate([IDS, [more]], axis=1)
        own = copy.deepcopy(cache)
        out = model.generate(ids, past_key_values=own, max_new_tokens=4, **ALL)
        np.testing.assert_array_equal(out, model.generate(ids, max_new_tokens=4, **ALL))
        assert (own.length, cache.length) == (out.shape[1] - 1, 4)


def test_beams_and_copies_in_one_that_is_empty(model):
    for how in ({"num_beams": 3}, {"do_sample": True, "num_return_sequences": 2}):
        cache, options = DynamicCache(), ALL | {"max_new_tokens": 5} | how
        set_seed(3)
        out = model.generate(IDS, past_key_values=cache, **options)
        set_seed(3)
        np.testing.assert_array_equal(out, model.generate(IDS, **options))
        assert cache.length == 8


def test_it_is_cut_repeated_and_turned_into_tuples(model):
    cache = model(IDS, past_key_values=DynamicCache()).past_key_values
    cache.crop(-1)
    assert cache.length == 3
    cache.crop(2)
    cache.batch_repeat_interleave(2)
    assert [x.shape[0] for x in (*cache.key_cache, *cache.value_cache)] == [2] * 4
    assert cache.key_cache[0].shape[2] == 2
    again = DynamicCache.from_legacy_cache(cache.to_legacy_cache())
    np.testing.assert_array_equal(again.value_cache[1], cache.value_cache[1])
    again.reorder_cache(np.array([1]))
    keys, _ = again.update(again.key_cache[0], again.value_cache[0], 0)
    assert keys.shape[:1] + keys.shape[2:3] == (1, 4)
    assert repr(again) == "DynamicCache(layers=2, length=4)"


def test_what_a_static_one_is_told(model):
    cache = StaticCache(config=model.config, max_batch_size=1, max_cache_len=5)
    assert cache.get_max_length() == 5
    assert DynamicCache().get_max_length() is None
    model(IDS, past_key_values=cache)
    out = model(IDS, past_key_values=cache)  # more than it was told
    assert out.past_key_values.length == 8
    cache.reset()
    assert (len(cache), cache.get_seq_length()) == (0, 0)
