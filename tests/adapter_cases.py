"""The adapters whose effects tests/golden/adapters.npz holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from tiny import CONFIGS, fill, weight

IDS = np.array([[5, 6, 7, 8, 9, 2], [3, 4, 11, 12, 13, 2]])
LABELS = {
    "ForSequenceClassification": {"labels": np.array([1, 0])},
    "ForTokenClassification": {"labels": IDS % 2},
    "ForQuestionAnswering": {
        "start_positions": np.array([1, 2]), "end_positions": np.array([3, 4])
    },
    "ForConditionalGeneration": {"labels": IDS[:, :4].copy()},
    "LMHeadModel": {"labels": IDS},
    "ForCausalLM": {"labels": IDS},
}  # fmt: skip
UNTIED = {"tie_word_embeddings": False}

# case -> (class, fields of its configuration beside the tiny ones, LoraConfig's keywords)
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "defaults": ("GPT2LMHeadModel", {}, {"task_type": "CAUSAL_LM"}),
    "no task": ("GPT2LMHeadModel", {}, {"r": 3}),
    "all-linear, transposed": ("GPT2LMHeadModel", {}, {
        "task_type": "CAUSAL_LM", "target_modules": "all-linear", "r": 2, "lora_alpha": 5}),
    "dora, transposed": ("GPT2LMHeadModel", {}, {
        "target_modules": ["c_attn", "mlp.c_proj"], "use_dora": True, "r": 3}),
    "embeddings": ("GPT2LMHeadModel", UNTIED, {
        "target_modules": ["wte", "c_attn"], "r": 3, "lora_alpha": 7}),
    "embeddings, dora": ("GPT2LMHeadModel", UNTIED, {
        "target_modules": ["wte"], "r": 3, "use_dora": True}),
    "rslora, patterns": ("GPT2LMHeadModel", {}, {
        "target_modules": ["c_attn", "c_fc"], "use_rslora": True, "r": 4, "lora_alpha": 6,
        "rank_pattern": {"transformer.h.0.attn.c_attn": 2, r"h\.1\.mlp\.c_fc": 3},
        "alpha_pattern": {"c_fc": 9, r"h\.1\.attn.c_attn": 11}}),
    "layers": ("GPT2LMHeadModel", {}, {
        "target_modules": ["c_attn"], "layers_to_transform": [1], "layers_pattern": "h"}),
    "one layer": ("GPT2LMHeadModel", {}, {"target_modules": ["c_fc"], "layers_to_transform": 0}),
    "head saved whole": ("GPT2LMHeadModel", UNTIED, {"modules_to_save": ["lm_head"]}),
    "classifier of a decoder": ("GPT2ForSequenceClassification", {}, {"task_type": "SEQ_CLS"}),
    "classifier": ("BertForSequenceClassification", {}, {
        "task_type": "SEQ_CLS", "r": 4, "lora_alpha": 16, "lora_dropout": 0.1}),
    "tokens": ("BertForTokenClassification", {}, {"task_type": "TOKEN_CLS", "r": 2}),
    "answers": ("BertForQuestionAnswering", {}, {"task_type": "QUESTION_ANS", "r": 2}),
    "features": ("BertModel", {}, {"task_type": "FEATURE_EXTRACTION", "target_modules": ["dense"]}),
    "biases": ("BertForSequenceClassification", {}, {"task_type": "SEQ_CLS", "bias": "all"}),
    "biases of B": ("BertForSequenceClassification", {}, {
        "task_type": "SEQ_CLS", "lora_bias": True, "target_modules": ["query"], "lora_alpha": 8}),
    "expression": ("BertForSequenceClassification", {}, {
        "target_modules": r".*\.layer\.1\.(attention\.self\.(query|key)|.*intermediate\.dense)"}),
    "exclusion": ("BertForSequenceClassification", {}, {
        "target_modules": "all-linear", "exclude_modules": r".*layer\.0\..*|classifier"}),
    "exclusion by name": ("BertForSequenceClassification", {}, {
        "target_modules": ["dense", "query"], "exclude_modules": ["pooler.dense"]}),
    "dora": ("BertForSequenceClassification", {}, {
        "task_type": "SEQ_CLS", "use_dora": True, "r": 2, "lora_alpha": 5}),
    "pissa": ("BertForSequenceClassification", {}, {"init_lora_weights": "pissa", "r": 2}),
    "pissa, transposed": ("GPT2LMHeadModel", {}, {"init_lora_weights": "pissa", "r": 2}),
    "olora": ("BertForSequenceClassification", {}, {"init_lora_weights": "olora", "r": 2}),
    "an encoder-decoder": ("T5ForConditionalGeneration", {}, {"task_type": "SEQ_2_SEQ_LM", "r": 2}),
    "BART": ("BartForConditionalGeneration", {}, {
        "task_type": "SEQ_2_SEQ_LM", "target_modules": ["q_proj", "fc1", "out_proj"]}),
    "Llama": ("LlamaForCausalLM", {}, {"target_modules": "all-linear", "r": 4}),
    "Llama with its tables": ("LlamaForCausalLM", {}, {
        "target_modules": ["embed_tokens", "lm_head", "v_proj"], "r": 2}),
    "Mixtral": ("MixtralForCausalLM", {}, {"target_modules": ["w1", "gate", "q_proj"], "r": 2}),
    "Falcon": ("FalconForCausalLM", {}, {"r": 2}),
    "NeoX": ("GPTNeoXForCausalLM", {}, {"target_modules": "all-linear", "r": 2}),
}  # fmt: skip

# combination -> keywords of add_weighted_adapter
COMBINATIONS: dict[str, dict[str, Any]] = {
    "svd": {}, "svd of rank 2": {"combination_type": "svd", "svd_rank": 2, "svd_clamp": 0.9},
    "cat": {"combination_type": "cat"}, "linear": {"combination_type": "linear"},
    "ties": {"combination_type": "ties", "density": 0.5},
    "ties_svd": {
        "combination_type": "ties_svd", "density": 0.4, "majority_sign_method": "frequency"
    },
    "magnitude_prune": {"combination_type": "magnitude_prune", "density": 0.3},
    "magnitude_prune_svd": {"combination_type": "magnitude_prune_svd", "density": 0.7},
    "dare_linear": {"combination_type": "dare_linear", "density": 0.5},
    "dare_ties_svd": {"combination_type": "dare_ties_svd", "density": 0.6},
}  # fmt: skip


def kind_of(name: str) -> str:
    """The architecture of a class of the cases."""
    begins = {"GPTNeoX": "gpt_neox", "GPT2": "gpt2"}
    found = next((kind for start, kind in begins.items() if name.startswith(start)), None)
    return found or next(k for k in CONFIGS if name.lower().startswith(k))


def fields_of(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    return CONFIGS[kind_of(name)] | {"num_labels": 2} | fields


def inputs_of(name: str) -> dict[str, np.ndarray]:
    labels = next((v for ending, v in LABELS.items() if name.endswith(ending)), {})
    return {"input_ids": IDS} | labels


def adapter_array(name: str, shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    """An array of an adapter, by its name in a file."""
    values = weight(name, shape, seed)
    return np.abs(values) + np.float32(0.5) if "magnitude" in name else values


def told(name: str, array: np.ndarray) -> np.float32:
    """One number that an array is known by."""
    return np.float32((weight(name, array.shape, seed=2) * array).sum())


def build(kind: str, name: str, **fields: Any) -> Any:
    """One of our tiny models."""
    from minitransformers.models import auto

    return fill(auto._load(kind, name)(auto.config_class(kind)(**(CONFIGS[kind] | fields))))
