"""Every head of the decoders beside GPT-2; like model_cases.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from model_cases import ENDS, FEW, HOLES, IDS, LABELS, LEFT, STARTS
from tiny import CONFIGS

from minitransformers.models.auto import MODELS

LOGITS = {"output_hidden_states": False, "output_attentions": False}
BARE = {"use_cache": False}
# what follows from padding differs, and is never asked
SEEN = np.where(np.roll(LEFT, 1, axis=1) * LEFT == 0, -100, LABELS)
TARGETS: dict[str, tuple[dict, dict]] = {
    "sequence-classification": ({"num_labels": 3}, {"labels": FEW}),
    "token-classification": ({"num_labels": 3}, {"labels": np.where(SEEN < 0, -100, SEEN % 3)}),
    "question-answering": ({}, {"start_positions": STARTS, "end_positions": ENDS}),
}


def decoder(kind: str, **changes: Any) -> dict[str, tuple]:
    """The headless model with holes, the language model with left padding, each head once."""
    fields, names = CONFIGS[kind] | changes, MODELS[kind]
    left = {"input_ids": IDS, "attention_mask": LEFT}
    base, lm = names["base"], names["causal-lm"]
    cases = {
        base: (base, fields | BARE, left | LOGITS | {"attention_mask": HOLES}),
        lm: (lm, fields, left | {"labels": SEEN}),
    }
    for task, (extra, targets) in TARGETS.items():
        if name := names.get(task):
            cases[name] = (name, fields | BARE | extra, {"input_ids": IDS} | LOGITS | targets)
    return cases


def variant(title: str, name: str, kind: str, changes: dict, **inputs: Any) -> dict[str, tuple]:
    """Another configuration, asked for logits only."""
    given = {"input_ids": IDS, "attention_mask": LEFT} | LOGITS | inputs
    return {title: (name, CONFIGS[kind] | BARE | changes, given)}


def rope(kind: str, name: str, scaling: dict) -> dict[str, tuple]:
    """Angles of a longer context, with positions beyond the trained ones."""
    title = f"{name} {scaling.get('rope_type', scaling.get('type'))}"
    far = {"position_ids": np.array([[0, 3, 20, 40, 80, 100]]), "attention_mask": np.ones_like(IDS)}
    return variant(title, name, kind, {"rope_scaling": scaling}, **far)


LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
LONG = {"type": "longrope", "long_factor": [2.0, 4.0], "short_factor": [1.1, 1.2]}
CASES: dict[str, tuple[str, dict, dict]] = {
    **decoder("llama"),
    **variant("Llama biases, head_dim, tied", "LlamaForCausalLM", "llama", {
        "attention_bias": True, "mlp_bias": True, "head_dim": 6, "tie_word_embeddings": True}),
    **rope("llama", "LlamaModel", {"type": "linear", "factor": 4.0}),
    **rope("llama", "LlamaModel", {"rope_type": "dynamic", "factor": 2.0}),
    **rope("llama", "LlamaModel", {"rope_type": "yarn", "factor": 4.0}),
    **rope("llama", "LlamaModel", LLAMA3),
    **decoder("mistral"),
    # the reference's windows start at max_window_layers only with flash attention
    **variant("Qwen2 window", "Qwen2ForCausalLM", "qwen2", {"max_window_layers": 0}),
    **decoder("qwen2", use_sliding_window=False),
    **decoder("gemma"),
    **decoder("mixtral"),
    **variant("Mixtral router", "MixtralForCausalLM", "mixtral", {"output_router_logits": True},
              labels=SEEN),
    **decoder("phi3"),
    # the reference goes by how many keys there are, not by their positions
    **variant("Phi3 long", "Phi3Model", "phi3", {
        "rope_scaling": LONG, "original_max_position_embeddings": 5}),
    **variant("Phi3 short", "Phi3Model", "phi3", {
        "rope_scaling": LONG, "original_max_position_embeddings": 6}),
    **decoder("stablelm"),
    **variant("StableLM 2 12B", "StableLmModel", "stablelm", {
        "qk_layernorm": True, "use_parallel_residual": True, "use_qkv_bias": True}),
    **decoder("phi"),
    **decoder("gpt_neox"),
    **variant("GPTNeoX one by one", "GPTNeoXModel", "gpt_neox", {
        "use_parallel_residual": False, "rope_scaling": {"type": "linear", "factor": 2.0}}),
    **decoder("gpt_neo"),
    **decoder("opt"),
    **variant("OPT 350m", "OPTForCausalLM", "opt", {
        "do_layer_norm_before": False, "word_embed_proj_dim": 10}),
    **decoder("bloom"),
    **decoder("gptj"),
    **decoder("codegen"),
    **decoder("gpt_bigcode", use_cache=False),  # theirs has keys and values in one array
    **variant("GPTBigCode many keys", "GPTBigCodeModel", "gpt_bigcode", {"multi_query": False}),
    **decoder("falcon"),
    **variant("Falcon 40B", "FalconModel", "falcon", {
        "new_decoder_architecture": True, "num_kv_heads": 2}),
    **variant("Falcon RW", "FalconModel", "falcon", {
        "alibi": True, "multi_query": False, "parallel_attn": False, "bias": True}),
    **decoder("mpt"),
    **variant("MPT clipped", "MptModel", "mpt", {"attn_config": {"clip_qkv": 0.5}}),
    **decoder("openai-gpt"),
}  # fmt: skip
