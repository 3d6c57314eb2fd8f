"""Tiny models whose weights follow from their names, so that any library can build the same."""

from __future__ import annotations

import zlib

import numpy as np

# Dimensions small enough for a golden file, uneven enough to catch swapped axes.
CONFIGS: dict[str, dict] = {
    "bert": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24,
    ),
    "gpt2": dict(
        vocab_size=37, n_positions=24, n_embd=12, n_layer=2, n_head=3, bos_token_id=1,
        eos_token_id=2, pad_token_id=0,
    ),
    "mt5": dict(
        vocab_size=37, d_model=12, d_kv=4, d_ff=20, num_layers=2, num_heads=2,
        num_decoder_layers=3, relative_attention_num_buckets=8,
        relative_attention_max_distance=16, eos_token_id=2,
    ),
    "t5": dict(
        vocab_size=37, d_model=12, d_kv=4, d_ff=20, num_layers=2, num_heads=2,
        decoder_start_token_id=0, relative_attention_num_buckets=8,
        relative_attention_max_distance=16, eos_token_id=2,
    ),
    "roberta": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24,
    ),
    "xlm-roberta": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24,
    ),
    "camembert": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24,
    ),
    "mpnet": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24,
    ),
    "distilbert": dict(
        vocab_size=37, dim=12, n_layers=2, n_heads=3, hidden_dim=20, max_position_embeddings=24,
    ),
    "electra": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24, embedding_size=8,
    ),
    "albert": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=4, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24,
        embedding_size=8, num_hidden_groups=2,
    ),
    "deberta-v2": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24,
        relative_attention=True, position_buckets=4, norm_rel_ebd="layer_norm", share_att_key=True,
        pos_att_type=["p2c", "c2p"], position_biased_input=False,
    ),
    "deberta": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24,
        relative_attention=True, pos_att_type=["c2p", "p2c"], position_biased_input=False,
    ),
    "bart": dict(
        vocab_size=37, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=16,
        max_position_embeddings=24, bos_token_id=3, forced_eos_token_id=None,
    ),
    "mbart": dict(
        vocab_size=37, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=16,
        max_position_embeddings=24, decoder_start_token_id=4, scale_embedding=True,
        forced_eos_token_id=None,
    ),
    "pegasus": dict(
        vocab_size=37, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=16,
        max_position_embeddings=24, eos_token_id=2, scale_embedding=True, forced_eos_token_id=None,
    ),
    "marian": dict(
        vocab_size=37, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=16,
        max_position_embeddings=24, pad_token_id=0, eos_token_id=2, decoder_start_token_id=0,
        scale_embedding=True, forced_eos_token_id=None,
    ),
    "m2m_100": dict(
        vocab_size=37, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=16,
        max_position_embeddings=24,
    ),
    "blenderbot": dict(
        vocab_size=37, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=16,
        max_position_embeddings=24, encoder_no_repeat_ngram_size=0, forced_eos_token_id=None,
    ),
    "blenderbot-small": dict(
        vocab_size=37, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=16,
        max_position_embeddings=24, forced_eos_token_id=None,
    ),
    "umt5": dict(
        vocab_size=37, d_model=12, d_kv=4, d_ff=20, num_layers=2, num_heads=2,
        num_decoder_layers=3, relative_attention_num_buckets=8,
        relative_attention_max_distance=16, eos_token_id=2,
    ),
}  # fmt: skip


def weight(name: str, shape: tuple[int, ...], seed: int = 0, scale: float = 0.3) -> np.ndarray:
    """Random numbers that depend on the parameter's name only. -> shape, float32"""
    stream = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    values = stream.standard_normal(shape) * scale
    is_scale = name.endswith("weight") and len(shape) == 1  # a norm's, which is around one
    return (values + is_scale).astype(np.float32)


def fill(model, seed: int = 0, scale: float = 0.3):
    """Give one of our models such weights. -> the model"""
    values = {n: weight(n, v.shape, seed, scale) for n, v in model.state_dict().items()}
    for name, source in model.ties().items():
        if name in values:
            values[name] = values[source]
    model.load_state_dict(values)
    model.tie_weights()
    return model


def fill_reference(model, seed: int = 0, scale: float = 0.3):
    """Give one of the reference's models such weights. -> the model"""
    import torch

    with torch.no_grad():
        learned = {n: p for n, p in model.named_parameters() if p.requires_grad}
        learned |= {n: p for n, p in model.named_buffers() if n.endswith("final_logits_bias")}
        for name, parameter in learned.items():
            parameter.copy_(torch.from_numpy(weight(name, tuple(parameter.shape), seed, scale)))
    model.tie_weights()
    return model.eval()
