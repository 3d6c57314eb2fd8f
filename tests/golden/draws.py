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


MODES = (
    "greedy", "sample", "beam", "beam_sample", "group", "constrained", "contrastive", "assisted",
    "lookup", "dola",
)  # fmt: skip


def arguments(rng: random.Random, vocab: int, modes: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """-> how to decode, and keywords of generate()"""
    kwargs: dict[str, Any] = {}
    kwargs["max_new_tokens" if rng.random() < 0.7 else "max_length"] = rng.randint(9, 20)
    mode = rng.choice(modes)
    if mode in ("sample", "beam_sample") or (mode in ("assisted", "lookup") and rng.random() < 0.4):
        kwargs["do_sample"] = True
        warpers(rng, kwargs)
    if mode in ("beam", "beam_sample", "group", "constrained"):
        kwargs["num_beams"] = 4 if mode == "group" else rng.choice([2, 3, 5])
        kwargs["num_return_sequences"] = rng.randint(1, kwargs["num_beams"])
        kwargs["length_penalty"] = rng.choice([1.0, 0.0, -1.0, 2.0, 0.6])
        kwargs["early_stopping"] = rng.choice([True, False, "never"])
    elif mode == "sample" and rng.random() < 0.3:
        kwargs["num_return_sequences"] = rng.choice([2, 3])
    if mode == "group":
        kwargs["num_beam_groups"] = rng.choice([2, 4])
        kwargs["diversity_penalty"] = rng.choice([0.5, 5.0])
    elif mode == "constrained":
        kwargs["force_words_ids"] = words(rng, vocab)
    elif mode == "contrastive":
        kwargs |= {"penalty_alpha": rng.choice([0.3, 0.6, 0.9]), "top_k": rng.choice([2, 4])}
        kwargs["low_memory"] = rng.random() < 0.3
    elif mode == "lookup":
        kwargs["prompt_lookup_num_tokens"] = rng.choice([1, 3, 10])
        kwargs["max_matching_ngram_size"] = rng.choice([None, 1, 3])
    elif mode == "dola":
        kwargs["dola_layers"] = rng.choice(["low", "high", [0], [0, 1]])
    if rng.random() < 0.6:
        processors(rng, kwargs, vocab)
    if rng.random() < 0.2:
        kwargs["eos_token_id"] = rng.sample(range(2, vocab), 2)
    if rng.random() < 0.1 and mode in ("greedy", "sample", "beam", "beam_sample", "group"):
        kwargs["use_cache"] = False
    if rng.random() < 0.5:
        kwargs |= {"return_dict_in_generate": True, "output_scores": True}
        kwargs["output_logits"] = rng.random() < 0.5
        kwargs["output_hidden_states"] = rng.random() < 0.3
        kwargs["output_attentions"] = rng.random() < 0.3
    return mode, kwargs


def warpers(rng: random.Random, kwargs: dict[str, Any]) -> None:
    """Add parameters of sampling."""
    for name, chance, values in (
        ("temperature", 0.5, [0.3, 0.7, 1.5]),
        ("top_k", 0.5, [0, 1, 3, 10]),
        ("top_p", 0.4, [0.1, 0.5, 0.9]),
        ("min_p", 0.15, [0.05, 0.3]),
        ("typical_p", 0.15, [0.2, 0.9]),
        ("epsilon_cutoff", 0.1, [0.01, 0.1]),
        ("eta_cutoff", 0.1, [0.01, 0.1]),
    ):
        if rng.random() < chance:
            kwargs[name] = rng.choice(values)


def words(rng: random.Random, vocab: int) -> list:
    """-> force_words_ids: phrases, or lists of phrases none of which begins another"""
    phrase = lambda: [rng.randint(3, vocab - 1) for _ in range(rng.randint(1, 3))]
    either = lambda: [[5, rng.randint(3, vocab - 1)], [6, 7], [8]]
    return [either() if rng.random() < 0.3 else phrase() for _ in range(rng.randint(1, 2))]


def processors(rng: random.Random, kwargs: dict[str, Any], vocab: int) -> None:
    """Add parameters that change scores."""
    ids = lambda n: rng.sample(range(3, vocab), n)
    for name, draw in (
        ("repetition_penalty", lambda: rng.choice([1.3, 0.8])),
        ("no_repeat_ngram_size", lambda: rng.choice([1, 2, 3])),
        ("min_length", lambda: rng.choice([3, 8])),
        ("min_new_tokens", lambda: rng.choice([2, 6])),
        ("encoder_repetition_penalty", lambda: rng.choice([1.4, 0.7])),
        ("encoder_no_repeat_ngram_size", lambda: rng.choice([2, 3])),
        ("bad_words_ids", lambda: [ids(1), ids(2), ids(3)]),
        ("sequence_bias", lambda: {tuple(ids(1)): 2.0, tuple(ids(2)): -3.0}),
        ("exponential_decay_length_penalty", lambda: (rng.randint(1, 6), 1.4)),
        ("suppress_tokens", lambda: ids(3)),
        ("begin_suppress_tokens", lambda: ids(4)),
        ("forced_bos_token_id", lambda: ids(1)[0]),
        ("forced_eos_token_id", lambda: ids(1)[0]),
        ("guidance_scale", lambda: rng.choice([1.5, 3.0])),
        ("renormalize_logits", lambda: True),
        ("remove_invalid_values", lambda: True),
    ):
        if rng.random() < 0.15:
            kwargs[name] = draw()


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


def draw(seed: int, modes: tuple[str, ...] = MODES) -> dict[str, Any]:
    """-> {"class", "config", "scale", "mode", "inputs", "arguments", "seed"}"""
    rng = random.Random(seed)
    name, config = model(rng)
    mode, kwargs = arguments(rng, config["vocab_size"], modes)
    ids, mask = prompt(rng, config["vocab_size"], config["pad_token_id"])
    if mode in ("assisted", "lookup"):  # these continue one text at a time
        ids, mask = ids[-1:], None if mask is None else mask[-1:]
        if rng.random() < 0.5:
            ids, mask = np.concatenate([ids, ids], axis=1), None
    inputs = {"input_ids": ids} | ({} if mask is None else {"attention_mask": mask})
    case = dict(config=config, scale=rng.choice([0.3, 0.7, 1.0]), mode=mode, inputs=inputs)
    if mode == "assisted":  # the same model with other weights agrees now and then
        case["assistant"] = rng.choice([seed, seed + 1])
        case["settings"] = dict(
            num_assistant_tokens=rng.choice([1, 3, 5]),
            num_assistant_tokens_schedule=rng.choice(["constant", "heuristic"]),
            assistant_confidence_threshold=rng.choice([0.0, 0.4]),
        )
    return case | {"class": name, "arguments": kwargs, "seed": seed}
