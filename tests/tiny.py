"""Tiny models whose weights follow from their names, so that any library can build the same."""

from __future__ import annotations

import zlib

import numpy as np

DECODER = dict(
    vocab_size=37, hidden_size=16, intermediate_size=20, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
)  # fmt: skip

LAYERS = dict(vocab_size=37, num_hidden_layers=2, max_position_embeddings=64)
WIDE = dict(
    vocab_size=37, n_embd=16, n_layer=2, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2,
    pad_token_id=0,
)  # fmt: skip

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
    "llama": DECODER | dict(pad_token_id=0),
    "mistral": DECODER | dict(pad_token_id=0, sliding_window=4),
    "qwen2": DECODER | dict(
        pad_token_id=0, use_sliding_window=True, sliding_window=4, max_window_layers=1,
    ),
    "gemma": DECODER | dict(head_dim=6, eos_token_id=2),
    "gemma2": DECODER | dict(
        head_dim=6, query_pre_attn_scalar=5, sliding_window=4, attn_logit_softcapping=1.5,
        final_logit_softcapping=2.0, eos_token_id=2,
    ),
    "gemma3_text": DECODER | dict(
        head_dim=6, query_pre_attn_scalar=5, sliding_window=4, eos_token_id=2,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "mixtral": DECODER | dict(pad_token_id=0, sliding_window=4, num_local_experts=4),
    "olmo2": DECODER | dict(pad_token_id=0, eos_token_id=2),
    "phi3": DECODER | dict(pad_token_id=0, eos_token_id=2, sliding_window=4),
    "qwen3": DECODER | dict(
        pad_token_id=0, head_dim=6, use_sliding_window=True, sliding_window=4,
        max_window_layers=1,
    ),
    "smollm3": DECODER | dict(
        pad_token_id=0, eos_token_id=2, bos_token_id=1, no_rope_layers=[0, 1],
        use_sliding_window=True, sliding_window=4,
    ),
    "stablelm": DECODER | dict(pad_token_id=0, partial_rotary_factor=0.5, eos_token_id=2),
    "phi": DECODER | dict(pad_token_id=0),
    "gpt_neox": LAYERS | dict(
        hidden_size=16, num_attention_heads=4, intermediate_size=20, rotary_pct=0.5, pad_token_id=0,
    ),
    "gpt_neo": dict(
        vocab_size=37, hidden_size=16, num_layers=2, num_heads=4, intermediate_size=20,
        attention_types=[[["global", "local"], 1]], window_size=3, max_position_embeddings=64,
        bos_token_id=1, eos_token_id=2, pad_token_id=0,
    ),
    "opt": LAYERS | dict(hidden_size=16, num_attention_heads=4, ffn_dim=20, pad_token_id=0),
    "bloom": dict(vocab_size=37, hidden_size=18, n_layer=2, n_head=3, pad_token_id=0),
    "gptj": WIDE | dict(rotary_dim=2),
    "codegen": WIDE | dict(rotary_dim=2),
    "gpt_bigcode": WIDE,
    "openai-gpt": WIDE,
    "falcon": LAYERS | dict(
        hidden_size=16, num_attention_heads=4, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    ),
    "mpt": dict(
        vocab_size=37, d_model=18, n_layers=2, n_heads=3, max_seq_len=64, eos_token_id=2,
        pad_token_id=0,
    ),
    "umt5": dict(
        vocab_size=37, d_model=12, d_kv=4, d_ff=20, num_layers=2, num_heads=2,
        num_decoder_layers=3, relative_attention_num_buckets=8,
        relative_attention_max_distance=16, eos_token_id=2,
    ),
    "squeezebert": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24, embedding_size=12, q_groups=2, k_groups=1,
        v_groups=3, post_attention_groups=2,
    ),
    "mobilebert": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24, embedding_size=8, intra_bottleneck_size=6,
        num_feedforward_networks=3,
    ),
    "convbert": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=20, max_position_embeddings=24, embedding_size=8, conv_kernel_size=3,
    ),
    "esm": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24, pad_token_id=1, mask_token_id=3,
        position_embedding_type="rotary", token_dropout=True,
    ),
    "fnet": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, intermediate_size=20,
        max_position_embeddings=24,
    ),
    "modernbert": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=4, num_attention_heads=3,
        intermediate_size=20, local_attention=4, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        cls_token_id=1, sep_token_id=2,
    ),
    "longformer": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24, attention_window=[4, 8],
    ),
    "big_bird": dict(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=24, attention_type="original_full",
        block_size=2, num_random_blocks=1, sep_token_id=2,
    ),
    "bigbird_pegasus": dict(
        vocab_size=37, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=16,
        max_position_embeddings=24, attention_type="original_full", block_size=2,
        num_random_blocks=1, eos_token_id=2,
    ),
    "led": dict(
        vocab_size=37, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
        decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=16, attention_window=4,
        max_encoder_position_embeddings=24, max_decoder_position_embeddings=20,
    ),
    "prophetnet": dict(
        vocab_size=37, hidden_size=12, num_encoder_layers=2, num_decoder_layers=3,
        num_encoder_attention_heads=3, num_decoder_attention_heads=2, encoder_ffn_dim=20,
        decoder_ffn_dim=16, max_position_embeddings=24, num_buckets=8, relative_max_distance=16,
        decoder_start_token_id=1,
    ),
    "xlnet": dict(
        vocab_size=37, d_model=12, n_layer=2, n_head=3, d_inner=20, start_n_top=2, end_n_top=3,
        pad_token_id=0,
    ),
}  # fmt: skip
CONFIGS["encoder-decoder"] = dict(
    encoder=CONFIGS["bert"] | {"model_type": "bert"},
    decoder=CONFIGS["gpt2"] | {"model_type": "gpt2", "n_embd": 9, "add_cross_attention": True,
                               "is_decoder": True},
    pad_token_id=0, decoder_start_token_id=1, eos_token_id=2,
)  # fmt: skip


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
