"""Small GGUF files, written as llama.cpp's converter writes them. Needs the package gguf.

Names of tensors are the package's own tables, so that ours are held against them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import tiny

from minitransformers.models import auto

SIZES = dict(
    vocab_size=40, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=48,
)  # fmt: skip
EQUAL = SIZES | {"num_key_value_heads": 4}
WIDE = dict(vocab_size=40, n_embd=32, n_layer=2, n_head=4, n_positions=48, n_ctx=48)
BERT = {k: v for k, v in SIZES.items() if k != "num_key_value_heads"}
TOKENS = dict(bos_token_id=1, eos_token_id=2)

# Case -> GGUF's architecture, ours, the configuration.
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": ("llama", "llama", SIZES | TOKENS | dict(head_dim=8, rms_norm_eps=1e-5)),
    "llama-tied": ("llama", "llama", SIZES | TOKENS | dict(head_dim=16, tie_word_embeddings=True)),
    "llama3": ("llama", "llama", SIZES | TOKENS | dict(
        head_dim=8, rope_theta=500000.0, max_position_embeddings=16384, rope_scaling=dict(
            rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=8192,
        ),
    )),
    # wide enough for the types whose blocks are of 256 numbers
    "llama-wide": ("llama", "llama", TOKENS | dict(
        vocab_size=40, hidden_size=256, intermediate_size=256, num_hidden_layers=1, head_dim=32,
        num_attention_heads=8, num_key_value_heads=4, max_position_embeddings=48,
    )),
    "mistral": ("llama", "mistral", SIZES | TOKENS | dict(head_dim=8)),
    "mixtral": ("llama", "mixtral", SIZES | TOKENS | dict(num_local_experts=3)),
    "qwen2": ("qwen2", "qwen2", SIZES | TOKENS | dict(rope_theta=1e6)),
    "qwen2-yarn": ("qwen2", "qwen2", SIZES | TOKENS | dict(rope_scaling=dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=12,
    ))),
    "qwen3": ("qwen3", "qwen3", SIZES | TOKENS | dict(head_dim=16, tie_word_embeddings=True)),
    "smollm3": ("smollm3", "smollm3", SIZES | TOKENS | dict(num_hidden_layers=4, pad_token_id=0)),
    "olmo2": ("olmo2", "olmo2", SIZES | TOKENS),
    "gemma": ("gemma", "gemma", SIZES | TOKENS | dict(head_dim=16)),
    "gemma2": ("gemma2", "gemma2", SIZES | TOKENS | dict(
        head_dim=16, sliding_window=8, query_pre_attn_scalar=16,
    )),
    "gemma3": ("gemma3", "gemma3_text", SIZES | TOKENS | dict(
        head_dim=16, sliding_window=8, query_pre_attn_scalar=16, num_hidden_layers=7,
        rope_scaling=dict(rope_type="linear", factor=8.0),
    )),
    "phi2": ("phi2", "phi", EQUAL | TOKENS),
    "phi3": ("phi3", "phi3", SIZES | TOKENS | dict(
        original_max_position_embeddings=48, pad_token_id=0,
    )),
    "phi3-long": ("phi3", "phi3", SIZES | TOKENS | dict(
        original_max_position_embeddings=16, pad_token_id=0, rope_scaling=dict(
            type="longrope", short_factor=[1.0, 1.25, 1.5, 2.0], long_factor=[1.5, 2.0, 3.0, 4.0],
        ),
    )),
    "stablelm": ("stablelm", "stablelm", SIZES | TOKENS),
    "stablelm2": ("stablelm", "stablelm", SIZES | TOKENS | dict(
        use_qkv_bias=True, qk_layernorm=True, use_parallel_residual=True, partial_rotary_factor=0.5,
    )),
    "gpt2": ("gpt2", "gpt2", WIDE | TOKENS),
    # the reference knows no other number of positions
    "gpt2-1024": ("gpt2", "gpt2", WIDE | TOKENS | dict(n_positions=1024, n_ctx=1024)),
    "starcoder": ("starcoder", "gpt_bigcode", WIDE | TOKENS),
    "gptneox": ("gptneox", "gpt_neox", BERT | TOKENS),
    "bloom": ("bloom", "bloom", TOKENS | dict(vocab_size=40, hidden_size=32, n_layer=2, n_head=4)),
    "falcon-7b": ("falcon", "falcon", TOKENS | dict(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=48, num_kv_heads=1,
    )),
    "falcon-40b": ("falcon", "falcon", TOKENS | dict(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=48, num_kv_heads=2, new_decoder_architecture=True,
        num_ln_in_parallel_attn=2,
    )),
    "mpt": ("mpt", "mpt", dict(vocab_size=40, d_model=32, n_heads=4, n_layers=2, max_seq_len=48)),
    "bert": ("bert", "bert", BERT | dict(pad_token_id=0)),
    "roberta": ("bert", "roberta", BERT | TOKENS | dict(type_vocab_size=1)),
    "t5": ("t5", "t5", dict(
        vocab_size=40, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, num_decoder_layers=3,
        eos_token_id=1, pad_token_id=0, decoder_start_token_id=0, n_positions=48,
        relative_attention_num_buckets=8,
    )),
    "flan-t5": ("t5", "t5", dict(
        vocab_size=40, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, num_decoder_layers=3,
        eos_token_id=1, pad_token_id=0, decoder_start_token_id=0, n_positions=48,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )),
}  # fmt: skip
TASKS = ("seq2seq-lm", "causal-lm")

# What the reference reads too: case and type of the matrices.
REFERENCE_CASES = [
    (case, kind)
    for case in ("llama", "mistral", "qwen2", "phi3", "bloom", "falcon-7b", "stablelm", "gpt2-1024")
    for kind in ("F32", "F16", "Q8_0")
]
REFERENCE_CASES += [("llama-wide", kind.name) for kind in gguf.quants._type_traits]


def model_of(case: str) -> Any:
    """Our model of a case, with weights that follow from their names."""
    _, kind, values = CASES[case]
    config = auto.config_class(kind)(**values)
    task = "base" if kind in ("bert", "roberta") else None
    found = [auto.model_class(config, t) for t in ((task,) if task else TASKS)]
    return tiny.fill(next(c for c in found if c is not None)(config))


def write_model(path: Path, case: str, kind: str = "F32", **more: Any) -> Path:
    """Write a case's model. kind: ggml's type of its matrices; more: metadata, by their key"""
    model = model_of(case)
    architecture = CASES[case][0]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("mistral" if case == "mistral" else "A model")
    _add_sizes(writer, architecture, model.config)
    _add_tokens(writer, case, model.config)
    for key, value in more.items():
        writer.add_key_value(key, value, gguf.GGUFValueType.get_type(value))
    for name, x in dict(_tensors(architecture, model)).items():
        chosen = gguf.GGMLQuantizationType[kind]
        if kind == "F32" or x.ndim < 2 or x.shape[-1] % gguf.GGML_QUANT_SIZES[chosen][0]:
            writer.add_tensor(name, np.ascontiguousarray(x))
        else:
            writer.add_tensor(name, quantized(x, chosen), raw_dtype=chosen)
    for step in ("header_to_file", "kv_data_to_file", "tensors_to_file"):
        getattr(writer, f"write_{step}")()
    writer.close()
    return path


def quantized(x: np.ndarray, kind: gguf.GGMLQuantizationType) -> np.ndarray:
    """The bytes of x; for types that the package only reads, some bytes with small scales."""
    try:
        return gguf.quants.quantize(x, kind)
    except NotImplementedError:
        block, size = gguf.GGML_QUANT_SIZES[kind]
        shape = (*x.shape[:-1], x.shape[-1] // block * size)
        return np.random.default_rng(int(kind)).integers(0, 0x38, shape).astype(np.uint8)


def _add_sizes(writer: gguf.GGUFWriter, architecture: str, config: Any) -> None:
    get = lambda name, default=None: getattr(config, name, default)
    width, heads = config.hidden_size, config.num_attention_heads
    positions = get("max_position_embeddings") or get("n_positions") or get("max_seq_len") or 48
    if config.model_type == "roberta":
        positions -= 2
    writer.add_context_length(positions)
    writer.add_embedding_length(width)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(get("intermediate_size") or get("d_ff") or 4 * width)
    writer.add_head_count(heads)
    one = architecture in ("starcoder",)
    writer.add_head_count_kv(
        1 if one else get("num_key_value_heads") or get("num_kv_heads") or heads
    )
    if (eps := get("rms_norm_eps")) is not None:
        writer.add_layer_norm_rms_eps(eps)
    else:
        eps = get("layer_norm_eps") or get("layer_norm_epsilon")
        (writer.add_layer_norm_rms_eps if architecture == "t5" else writer.add_layer_norm_eps)(eps)
    if (theta := get("rope_theta") or get("rotary_emb_base")) is not None:
        writer.add_rope_freq_base(theta)
        share = get("partial_rotary_factor") or get("rotary_pct") or 1.0
        writer.add_rope_dimension_count(int(share * (get("head_dim") or width // heads)))
    if architecture in ("qwen3", "gemma", "gemma2", "gemma3"):
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    if architecture in ("gemma2", "gemma3"):
        writer.add_sliding_window(config.sliding_window)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if config.model_type == "mixtral":
        writer.add_expert_count(config.num_local_experts)
        writer.add_expert_used_count(config.num_experts_per_tok)
    if architecture == "gptneox":
        writer.add_parallel_residual(config.use_parallel_residual)
    if architecture == "mpt":
        writer.add_max_alibi_bias(float(config.attn_config.alibi_bias_max))
    if architecture == "t5":
        writer.add_key_length(config.d_kv)
        writer.add_relative_attn_buckets_count(config.relative_attention_num_buckets)
        writer.add_decoder_start_token_id(config.decoder_start_token_id)
        writer.add_decoder_block_count(config.num_decoder_layers)
    scaling = get("rope_scaling") or {}
    if scaling.get("rope_type") in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(scaling["rope_type"]))
        writer.add_rope_scaling_factor(scaling["factor"])
    if (trained := scaling.get("original_max_position_embeddings")) and "llama3" not in str(
        scaling
    ):
        writer.add_rope_scaling_orig_ctx_len(trained)
    if architecture == "phi3":
        writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)


def _add_tokens(writer: gguf.GGUFWriter, case: str, config: Any) -> None:
    """Tokens of one letter, with a template; RoBERTa is told from BERT by the kind alone."""
    kinds = {"bert": "bert", "t5": "t5", "flan-t5": "t5"}
    writer.add_tokenizer_model(kinds.get(case, "gpt2"))
    letters = [chr(97 + i) for i in range(26)] + [chr(65 + i) for i in range(10)]
    tokens = ["<unk>", "<s>", "</s>", *letters, "ab"]
    if case == "bert":  # words begin with a mark, what continues them does not
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        tokens = [*special, *(f"▁{letter}" for letter in letters[:18]), *letters[:18]]
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3, *[1] * (len(letters) + 1)])
    writer.add_token_merges(["a b"])
    writer.add_chat_template("{{ messages[0].content }}")
    for role in ("bos", "eos", "pad"):
        if (token := getattr(config, f"{role}_token_id")) is not None:
            getattr(writer, f"add_{role}_token_id")(token)


def _tensors(architecture: str, model: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The model's weights in the converter's layouts, under GGUF's names."""
    config = model.config
    layers = max(config.num_hidden_layers, getattr(config, "num_decoder_layers", None) or 0)
    kind = next(a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == architecture)
    names = gguf.get_tensor_name_map(kind, layers)
    weights = model.state_dict()
    for name in model.ties():
        weights.pop(name, None)
    for name, x in _stacked(weights).items():
        for old in (name, name.removeprefix("transformer."), name.removeprefix("bert.")):
            found = names.get_name(old, try_suffixes=(".weight", ".bias"))
            if found is not None:
                break
        if ".pooler." in f".{name}":
            continue
        assert found is not None, name
        yield found, _laid_out(architecture, config, name, x)
    scaling = getattr(config, "rope_scaling", None) or {}
    if "long_factor" in scaling:
        for length in ("long", "short"):
            yield f"rope_factors_{length}.weight", np.float32(scaling[f"{length}_factor"])
    if scaling.get("rope_type") == "llama3":
        yield "rope_freqs.weight", _llama3_factors(config)


def _stacked(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Experts, and norms of single heads, as one tensor."""
    out: dict[str, Any] = {}
    for name, x in weights.items():
        stacked = re.sub(r"experts\.\d+\.(w\d)", r"experts.\1", name)
        stacked = re.sub(r"(layernorm)\.norms\.\d+", r"\1", stacked)
        out.setdefault(stacked, []).append(x)
    return {name: np.stack(xs) if len(xs) > 1 else xs[0] for name, xs in out.items()}


def _laid_out(architecture: str, config: Any, name: str, x: np.ndarray) -> np.ndarray:
    heads = config.num_attention_heads
    if architecture in ("llama", "smollm3") and re.search(r"\.[qk]_proj\.", name):
        groups = heads if ".q_proj." in name else config.num_key_value_heads
        x = x.reshape(groups, 2, -1, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)
    elif architecture.startswith("gemma") and name.endswith("norm.weight"):
        x = x + np.float32(1)
    elif architecture == "gpt2" and x.ndim == 2 and re.search(r"\.c_(attn|proj|fc)\.", name):
        x = x.T
    elif architecture in ("bloom", "gptneox") and ".query_key_value." in name:
        x = x.reshape(heads, 3, -1, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape)
    elif architecture == "falcon" and ".query_key_value." in name:
        groups = config.num_kv_heads
        parts = x.reshape(groups, heads // groups + 2, -1, x.shape[-1])
        queries, keys, values = parts[:, :-2], parts[:, -2], parts[:, -1]
        x = np.concatenate([p.reshape(-1, x.shape[-1]) for p in (queries, keys, values)])
    elif config.model_type == "roberta" and "position_embeddings" in name:
        x = x[2:]
    return x


def _llama3_factors(config: Any) -> np.ndarray:
    scaling, out = config.rope_scaling, []
    trained = scaling["original_max_position_embeddings"]
    for i in range(0, config.head_dim, 2):
        length = 2 * np.pi * config.rope_theta ** (i / config.head_dim)
        if length < trained / scaling["high_freq_factor"]:
            out.append(1.0)
        elif length > trained / scaling["low_freq_factor"]:
            out.append(scaling["factor"])
        else:
            low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
            smooth = (trained / length - low) / (high - low)
            out.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.float32(out)


def digest(weights: dict[str, np.ndarray]) -> str:
    """One number for names, shapes and bytes of all weights."""
    found = hashlib.sha256()
    for name in sorted(weights):
        x = np.ascontiguousarray(weights[name])
        found.update(f"{name} {x.shape} {x.dtype}".encode() + x.tobytes())
    return found.hexdigest()[:16]
