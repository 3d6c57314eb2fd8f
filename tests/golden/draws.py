"""Random models, prompts and arguments for generate(), the same for both libraries."""

from __future__ import annotations

import random
from typing import Any

import numpy as np


def model(rng: random.Random) -> tuple[str, dict[str, Any]]:
    """-> (class name, keywords of its configuration)"""
    vocab = rng.choice([20, 37, 60])
    if rng.random() < 0.5:
        heads = rng.choice([1, 2, 4])
        return "GPT2LMHeadModel", dict(
            vocab_size=vocab, n_positions=64, n_embd=8 * heads, n_layer=rng.choice([1, 2, 3]),
            n_head=heads, bos_token_id=1, eos_token_id=2, pad_token_id=rng.choice([0, 2, None]),
            activation_function=rng.choice(["gelu_new", "relu", "gelu"]),
            scale_attn_by_inverse_layer_idx=rng.random() < 0.2,
        )  # fmt: skip
    return "T5ForConditionalGeneration", dict(
        vocab_size=vocab, d_model=rng.choice([8, 16]), d_kv=4, d_ff=16, num_layers=2,
        num_decoder_layers=rng.choice([1, 2]), num_heads=rng.choice([1, 2]),
        decoder_start_token_id=0, eos_token_id=2, pad_token_id=0,
        feed_forward_proj=rng.choice(["relu", "gated-gelu"]),
        tie_word_embeddings=rng.random() < 0.7,
    )  # fmt: skip


def arguments(rng: random.Random, vocab: int) -> dict[str, Any]:
    """-> keywords of generate()"""
    kwargs: dict[str, Any] = {}
    kwargs["max_new_tokens" if rng.random() < 0.7 else "max_length"] = rng.randint(9, 20)
    mode = rng.choice(["greedy", "sample", "beam", "beam_sample"])
    if "sample" in mode:
        kwargs["do_sample"] = True
        if rng.random() < 0.5:
            kwargs["temperature"] = rng.choice([0.3, 0.7, 1.5])
        if rng.random() < 0.5:
            kwargs["top_k"] = rng.choice([0, 1, 3, 10])
        if rng.random() < 0.4:
            kwargs["top_p"] = rng.choice([0.1, 0.5, 0.9])
    if "beam" in mode:
        kwargs["num_beams"] = rng.choice([2, 3, 5])
        kwargs["num_return_sequences"] = rng.randint(1, kwargs["num_beams"])
        kwargs["length_penalty"] = rng.choice([1.0, 0.0, -1.0, 2.0, 0.6])
        kwargs["early_stopping"] = rng.choice([True, False, "never"])
    elif mode == "sample" and rng.random() < 0.3:
        kwargs["num_return_sequences"] = rng.choice([2, 3])
    if rng.random() < 0.25:
        kwargs["repetition_penalty"] = rng.choice([1.3, 0.8])
    if rng.random() < 0.25:
        kwargs["no_repeat_ngram_size"] = rng.choice([1, 2, 3])
    if rng.random() < 0.25:
        kwargs["min_length"] = rng.choice([3, 8])
    if rng.random() < 0.2:
        kwargs["eos_token_id"] = rng.sample(range(2, vocab), 2)
    if rng.random() < 0.1:
        kwargs["use_cache"] = False
    if rng.random() < 0.5:
        kwargs |= {"return_dict_in_generate": True, "output_scores": True}
        kwargs["output_logits"] = rng.random() < 0.5
        kwargs["output_hidden_states"] = rng.random() < 0.3
        kwargs["output_attentions"] = rng.random() < 0.3
    return kwargs


def prompt(rng: random.Random, vocab: int, pad: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    """-> ids (batch, seq), and their mask, perhaps padded on the left"""
    batch, seq = rng.choice([1, 1, 2, 3]), rng.randint(1, 7)
    ids = np.array([[rng.randint(3, vocab - 1) for _ in range(seq)] for _ in range(batch)])
    if rng.random() < 0.4:
        return ids, None
    mask = np.ones_like(ids)
    for row in range(batch):
        if rng.random() < 0.5:
            n = rng.randint(0, seq - 1)
            mask[row, :n], ids[row, :n] = 0, pad or 0
    return ids, mask


def draw(seed: int) -> dict[str, Any]:
    """-> {"class", "config", "scale", "inputs", "arguments"}"""
    rng = random.Random(seed)
    name, config = model(rng)
    kwargs = arguments(rng, config["vocab_size"])
    ids, mask = prompt(rng, config["vocab_size"], config["pad_token_id"])
    inputs = {"input_ids": ids} | ({} if mask is None else {"attention_mask": mask})
    scale = rng.choice([0.3, 0.7, 1.0])
    return dict(
        {"class": name}, config=config, scale=scale, inputs=inputs, arguments=kwargs, seed=seed
    )
