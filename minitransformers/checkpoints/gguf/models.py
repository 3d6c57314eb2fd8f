"""What GGUF calls the parts of each architecture, and how it stores them.

llama.cpp's converter renames every tensor and some metadata, and lays a few tensors out anew; the
tables here lead back to config.json and to the names and layouts of the original checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from . import layouts
from .file import GGUFTensor
from .layouts import Fields

Names = dict[str, str | tuple[str, ...]]


class Facts:
    """What a file says about its model: metadata below the architecture's name, and tensors."""

    def __init__(self, metadata: dict[str, Any], tensors: dict[str, GGUFTensor]):
        self.metadata, self.tensors = metadata, tensors
        self.architecture = str(metadata.get("general.architecture"))

    def __call__(self, key: str, default: Any = None) -> Any:
        """A number or text; of a list by layer, what all layers have. Raises ValueError."""
        value = self.metadata.get(f"{self.architecture}.{key}", default)
        if isinstance(value, np.ndarray):
            if value.size == 0 or (value != value[0]).any():
                raise ValueError(
                    f"{self.architecture}.{key} differs by layer: {value[:99].tolist()}"
                )
            value = value[0].item()
        if isinstance(value, list):
            raise ValueError(f"{self.architecture}.{key} should be one value, not {len(value)}")
        return value

    def length(self, name: str, default: Any = None, axis: int = 0) -> Any:
        """The length of an axis of a tensor, `default` if there is no such tensor or axis."""
        shape = self.tensors[name].shape if name in self.tensors else ()
        return shape[axis] if shape else default


class Architecture(NamedTuple):
    """How one architecture is found in a GGUF file.

    model_type, model: of the original checkpoint, the model's class being that of its main task
    names: part in the file -> part in the checkpoint; "{}" in it takes the first axis apart, and
        several parts share the rows equally; "blk" is where the layers are
    fields: metadata below the architecture's name -> field of config.json
    changes: part in the file -> what brings its tensors into the checkpoint's layout
    complete: further fields, from what the file says and the fields so far
    """

    model_type: str
    model: str
    names: Mapping[str, str | tuple[str, ...]]
    fields: Mapping[str, str]
    changes: Mapping[str, Callable[[GGUFTensor, Fields], GGUFTensor]] = {}
    complete: Callable[[Facts, Fields], Fields] = lambda facts, fields: {}


# names

_LLAMA = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "blk": "model.layers",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_QK_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
_MIXTRAL = _LLAMA | {
    "ffn_gate_inp": "block_sparse_moe.gate",
    "ffn_gate_exps": "block_sparse_moe.experts.{}.w1",
    "ffn_down_exps": "block_sparse_moe.experts.{}.w2",
    "ffn_up_exps": "block_sparse_moe.experts.{}.w3",
}
_PHI: Names = {
    **_LLAMA,
    "output_norm": "model.final_layernorm",
    "attn_qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attn_output": "self_attn.dense",
    "ffn_up": "mlp.fc1",
    "ffn_down": "mlp.fc2",
}
_PHI3 = _LLAMA | {"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"}
_STABLELM = _LLAMA | {
    "attn_q_norm": "self_attn.q_layernorm.norms.{}",
    "attn_k_norm": "self_attn.k_layernorm.norms.{}",
}
_GEMMA2 = _LLAMA | {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_GEMMA3 = _OLMO2 = _GEMMA2 | _QK_NORMS
_GPT2 = {
    "token_embd": "transformer.wte",
    "position_embd": "transformer.wpe",
    "output_norm": "transformer.ln_f",
    "output": "lm_head",
    "blk": "transformer.h",
    "attn_norm": "ln_1",
    "attn_qkv": "attn.c_attn",
    "attn_output": "attn.c_proj",
    "ffn_norm": "ln_2",
    "ffn_up": "mlp.c_fc",
    "ffn_down": "mlp.c_proj",
}
_BLOOM = {
    "token_embd": "transformer.word_embeddings",
    "token_embd_norm": "transformer.word_embeddings_layernorm",
    "output_norm": "transformer.ln_f",
    "output": "lm_head",
    "blk": "transformer.h",
    "attn_norm": "input_layernorm",
    "attn_qkv": "self_attention.query_key_value",
    "attn_output": "self_attention.dense",
    "ffn_norm": "post_attention_layernorm",
    "ffn_up": "mlp.dense_h_to_4h",
    "ffn_down": "mlp.dense_4h_to_h",
}
_FALCON40B = _BLOOM | {"attn_norm": "ln_mlp", "attn_norm_2": "ln_attn"}
_MPT = {
    "token_embd": "transformer.wte",
    "output_norm": "transformer.norm_f",
    "output": "lm_head",
    "blk": "transformer.blocks",
    "attn_norm": "norm_1",
    "attn_qkv": "attn.Wqkv",
    "attn_output": "attn.out_proj",
    "ffn_norm": "norm_2",
    "ffn_up": "ffn.up_proj",
    "ffn_down": "ffn.down_proj",
}
_GPT_NEOX = {
    "token_embd": "gpt_neox.embed_in",
    "output_norm": "gpt_neox.final_layer_norm",
    "output": "embed_out",
    "blk": "gpt_neox.layers",
    "attn_norm": "input_layernorm",
    "attn_qkv": "attention.query_key_value",
    "attn_output": "attention.dense",
    "ffn_norm": "post_attention_layernorm",
    "ffn_up": "mlp.dense_h_to_4h",
    "ffn_down": "mlp.dense_4h_to_h",
}
_BERT: Names = {
    "token_embd": "embeddings.word_embeddings",
    "token_types": "embeddings.token_type_embeddings",
    "position_embd": "embeddings.position_embeddings",
    "token_embd_norm": "embeddings.LayerNorm",
    "blk": "encoder.layer",
    "attn_q": "attention.self.query",
    "attn_k": "attention.self.key",
    "attn_v": "attention.self.value",
    "attn_qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attn_output": "attention.output.dense",
    "attn_output_norm": "attention.output.LayerNorm",
    "ffn_up": "intermediate.dense",
    "ffn_down": "output.dense",
    "layer_output_norm": "output.LayerNorm",
    "cls": "classifier.dense",
    "cls.output": "classifier.out_proj",
}
_T5_STACK = {
    "attn_norm": "layer.0.layer_norm",
    "attn_q": "layer.0.SelfAttention.q",
    "attn_k": "layer.0.SelfAttention.k",
    "attn_v": "layer.0.SelfAttention.v",
    "attn_o": "layer.0.SelfAttention.o",
    "attn_rel_b": "layer.0.SelfAttention.relative_attention_bias",
}
_T5_FEED_FORWARD = {
    "ffn_norm": "layer_norm",
    "ffn_gate": "DenseReluDense.wi_0",
    "ffn_up": "DenseReluDense.wi_1",
    "ffn_down": "DenseReluDense.wo",
}
_T5 = {
    "token_embd": "shared",
    "output": "lm_head",
    "enc.blk": "encoder.block",
    "dec.blk": "decoder.block",
    "enc.output_norm": "encoder.final_layer_norm",
    "dec.output_norm": "decoder.final_layer_norm",
    **{f"{side}.{part}": name for side in ("enc", "dec") for part, name in _T5_STACK.items()},
    "dec.cross_attn_norm": "layer.1.layer_norm",
    **{f"dec.cross_attn_{part}": f"layer.1.EncDecAttention.{part}" for part in "qkvo"},
    **{f"enc.{part}": f"layer.1.{name}" for part, name in _T5_FEED_FORWARD.items()},
    **{f"dec.{part}": f"layer.2.{name}" for part, name in _T5_FEED_FORWARD.items()},
}
_T5_UNGATED = _T5 | {
    "enc.ffn_up": "layer.1.DenseReluDense.wi",
    "dec.ffn_up": "layer.2.DenseReluDense.wi",
}

# fields

_COMMON = {
    "context_length": "max_position_embeddings",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "embedding_length": "hidden_size",
    "attention.head_count": "num_attention_heads",
}
_NORM = _COMMON | {"attention.layer_norm_epsilon": "layer_norm_eps"}
_GROUPS = {"attention.head_count_kv": "num_key_value_heads", "rope.freq_base": "rope_theta"}
_RMS = _COMMON | _GROUPS | {"attention.layer_norm_rms_epsilon": "rms_norm_eps"}
_HEAD_DIM = _RMS | {"attention.key_length": "head_dim"}
_GPT2_FIELDS = {
    "block_count": "n_layer",
    "context_length": "n_ctx",
    "embedding_length": "n_embd",
    "attention.head_count": "n_head",
    "attention.layer_norm_epsilon": "layer_norm_epsilon",
}
_BLOOM_FIELDS = {
    "block_count": "n_layer",
    "embedding_length": "hidden_size",
    "attention.head_count": "n_head",
    "attention.layer_norm_epsilon": "layer_norm_epsilon",
}
_FALCON_FIELDS = {
    "context_length": "max_position_embeddings",
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "attention.head_count": "num_attention_heads",
    "attention.layer_norm_epsilon": "layer_norm_epsilon",
    "rope.freq_base": "rope_theta",
}
_MPT_FIELDS = {
    "context_length": "max_seq_len",
    "block_count": "n_layers",
    "embedding_length": "d_model",
    "attention.head_count": "n_heads",
    "attention.layer_norm_epsilon": "layer_norm_epsilon",
}
_T5_FIELDS = {
    "context_length": "n_positions",
    "block_count": "num_layers",
    "embedding_length": "d_model",
    "feed_forward_length": "d_ff",
    "attention.head_count": "num_heads",
    "attention.key_length": "d_kv",
    "attention.relative_buckets_count": "relative_attention_num_buckets",
    "attention.layer_norm_rms_epsilon": "layer_norm_epsilon",
}
_NEOX_FIELDS = _NORM | {"rope.freq_base": "rotary_emb_base"}
_GEMMA2_FIELDS = _HEAD_DIM | {
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
    "attention.sliding_window": "sliding_window",
}


def _llama(facts: Facts, config: Fields) -> Fields:
    fields = {"head_dim": facts("attention.key_length") or facts("rope.dimension_count")}
    if "blk.0.attn_q.bias" in facts.tensors:  # a relative of Llama
        fields["attention_bias"] = True
    return fields


def _mixtral(facts: Facts, config: Fields) -> Fields:
    experts = facts("expert_count")
    return {"num_local_experts": experts, "num_experts_per_tok": facts("expert_used_count", 2)}


def _gemma(facts: Facts, config: Fields) -> Fields:
    """Gemma-2 and Gemma-3. The largest of each scales the scores by another width than a head's."""
    largest = config["num_hidden_layers"] == (46 if facts.architecture == "gemma2" else 62)
    shared = config["hidden_size"] // config["num_attention_heads"]
    return {"query_pre_attn_scalar": shared if largest else config.get("head_dim", 256)}


def _turning(facts: Facts, config: Fields) -> float:
    """The share of a head's channels that turn."""
    width = config["hidden_size"] // config["num_attention_heads"]
    return facts("rope.dimension_count", width) / width


def _phi(facts: Facts, config: Fields) -> Fields:
    return {"partial_rotary_factor": _turning(facts, config)}


def _phi3(facts: Facts, config: Fields) -> Fields:
    trained = facts("rope.scaling.original_context_length", config.get("max_position_embeddings"))
    fields = {"original_max_position_embeddings": trained}
    if (share := _turning(facts, config)) != 1:
        fields["partial_rotary_factor"] = share
    return fields | {"sliding_window": facts("attention.sliding_window") or None}


def _stablelm(facts: Facts, config: Fields) -> Fields:
    return {
        "partial_rotary_factor": _turning(facts, config),
        "use_parallel_residual": "blk.0.ffn_norm.weight" not in facts.tensors,
        "use_qkv_bias": "blk.0.attn_q.bias" in facts.tensors,
        "qk_layernorm": "blk.0.attn_q_norm.weight" in facts.tensors,
    }


def _gpt2(facts: Facts, config: Fields) -> Fields:
    inner, width = facts("feed_forward_length"), config["n_embd"]
    positions = facts.length("position_embd.weight", config.get("n_ctx"))
    return {"n_positions": positions, "n_inner": None if inner == 4 * width else inner}


def _starcoder(facts: Facts, config: Fields) -> Fields:
    return _gpt2(facts, config) | {"multi_query": facts("attention.head_count_kv", 1) == 1}


def _falcon(facts: Facts, config: Fields) -> Fields:
    groups, inner = facts("attention.head_count_kv", 1), facts("feed_forward_length")
    fields = {"multi_query": groups == 1, "bias": "blk.0.attn_qkv.bias" in facts.tensors}
    if inner != 4 * config["hidden_size"]:
        fields["ffn_hidden_size"] = inner
    if groups > 1:  # 40B and 180B, and the second generation, which has one norm a layer again
        norms = 2 if "blk.0.attn_norm_2.weight" in facts.tensors else 1
        fields |= {"num_kv_heads": groups, "new_decoder_architecture": True}
        fields |= {"multi_query": True, "num_ln_in_parallel_attn": norms}
    return fields


def _mpt(facts: Facts, config: Fields) -> Fields:
    slope = facts("attention.max_alibi_bias", 8.0)
    attention = {"clip_qkv": facts("attention.clamp_kqv"), "alibi": slope > 0}
    return {"attn_config": attention | {"alibi_bias_max": int(slope) or 8}}


def _gpt_neox(facts: Facts, config: Fields) -> Fields:
    parallel = facts("use_parallel_residual", True)
    return {"rotary_pct": _turning(facts, config), "use_parallel_residual": parallel}


def _bert(facts: Facts, config: Fields) -> Fields:
    # one name for three relatives, which differ in their tokenizers
    kinds = {"gpt2": ("roberta", "Roberta"), "t5": ("xlm-roberta", "XLMRoberta")}
    tokenizer = facts.metadata.get("tokenizer.ggml.model")
    kind, prefix = kinds.get(str(tokenizer), ("bert", "Bert"))
    positions = facts.length("position_embd.weight", config.get("max_position_embeddings", 512))
    fields: Fields = {"model_type": kind, "architectures": [f"{prefix}Model"]}
    if kind != "bert":
        fields["pad_token_id"] = config.get("pad_token_id", 1)
        positions += fields["pad_token_id"] + 1
    if "cls.output.weight" in facts.tensors:
        fields["architectures"] = [f"{prefix}ForSequenceClassification"]
        fields["num_labels"] = facts.length("cls.output.weight")
    types = facts.length("token_types.weight", 2)
    return fields | {"max_position_embeddings": positions, "type_vocab_size": types}


def _t5(facts: Facts, config: Fields) -> Fields:
    layers = config["num_layers"]
    fields = {"num_decoder_layers": facts("decoder_block_count", layers)}
    gated = "enc.blk.0.ffn_gate.weight" in facts.tensors
    start = facts("decoder_start_token_id", config.get("pad_token_id"))
    return fields | {
        "feed_forward_proj": "gated-gelu" if gated else "relu",
        "decoder_start_token_id": start,
    }


# changes

_BY_PAIRS = {"attn_q": layouts.query_halves, "attn_k": layouts.key_halves}
_BY_HEAD = {"attn_qkv": layouts.by_head}
_BY_GROUP = {"attn_qkv": layouts.by_group}
_TRANSPOSED = dict.fromkeys(("attn_qkv", "attn_output", "ffn_up", "ffn_down"), layouts.transposed)
_GEMMA_NORMS = ("output_norm", "attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm")
_SHIFTED = dict.fromkeys((*_GEMMA_NORMS, *_QK_NORMS), layouts.less_one)
_PADDED = {"position_embd": layouts.after_padding}

# GGUF's name of an architecture -> what it means.
_TABLE: dict[str, tuple] = {
    "llama": ("llama", "LlamaForCausalLM", _LLAMA, _RMS, _BY_PAIRS, _llama),
    "qwen2": ("qwen2", "Qwen2ForCausalLM", _LLAMA, _RMS),
    "qwen3": ("qwen3", "Qwen3ForCausalLM", _LLAMA | _QK_NORMS, _HEAD_DIM),
    "smollm3": ("smollm3", "SmolLM3ForCausalLM", _LLAMA, _RMS, _BY_PAIRS),
    "olmo2": ("olmo2", "Olmo2ForCausalLM", _OLMO2, _RMS),
    "gemma": ("gemma", "GemmaForCausalLM", _LLAMA, _HEAD_DIM, _SHIFTED),
    "gemma2": ("gemma2", "Gemma2ForCausalLM", _GEMMA2, _GEMMA2_FIELDS, _SHIFTED, _gemma),
    "gemma3": ("gemma3_text", "Gemma3ForCausalLM", _GEMMA3, _GEMMA2_FIELDS, _SHIFTED, _gemma),
    "phi2": ("phi", "PhiForCausalLM", _PHI, _NORM | _GROUPS, {}, _phi),
    "phi3": ("phi3", "Phi3ForCausalLM", _PHI3, _RMS, {}, _phi3),
    "stablelm": ("stablelm", "StableLmForCausalLM", _STABLELM, _NORM | _GROUPS, {}, _stablelm),
    "gpt2": ("gpt2", "GPT2LMHeadModel", _GPT2, _GPT2_FIELDS, _TRANSPOSED, _gpt2),
    "starcoder": ("gpt_bigcode", "GPTBigCodeForCausalLM", _GPT2, _GPT2_FIELDS, {}, _starcoder),
    "gptneox": ("gpt_neox", "GPTNeoXForCausalLM", _GPT_NEOX, _NEOX_FIELDS, _BY_HEAD, _gpt_neox),
    "bloom": ("bloom", "BloomForCausalLM", _BLOOM, _BLOOM_FIELDS, _BY_HEAD),
    "falcon": ("falcon", "FalconForCausalLM", _BLOOM, _FALCON_FIELDS, _BY_GROUP, _falcon),
    "mpt": ("mpt", "MptForCausalLM", _MPT, _MPT_FIELDS, {}, _mpt),
    "bert": ("bert", "BertModel", _BERT, _NORM, _PADDED, _bert),
    "t5": ("t5", "T5ForConditionalGeneration", _T5, _T5_FIELDS, {}, _t5),
}
ARCHITECTURES = {name: Architecture(*row) for name, row in _TABLE.items()}


def architecture_of(facts: Facts) -> Architecture:
    """The table of a file; raises ValueError if there is none."""
    if facts.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ValueError(f"its architecture is {facts.architecture!r}; the known ones are {known}")
    found = ARCHITECTURES[facts.architecture]
    if facts.architecture == "falcon" and "blk.0.attn_norm_2.weight" in facts.tensors:
        return found._replace(names=_FALCON40B)
    if facts.architecture == "t5" and "enc.blk.0.ffn_gate.weight" not in facts.tensors:
        return found._replace(names=_T5_UNGATED)
    if facts.architecture == "llama" and facts("expert_count"):
        return found._replace(
            model_type="mixtral", model="MixtralForCausalLM", names=_MIXTRAL, complete=_mixtral
        )
    if facts.architecture == "llama" and facts.metadata.get("general.name") == "mistral":
        return found._replace(model_type="mistral", model="MistralForCausalLM")
    return found
