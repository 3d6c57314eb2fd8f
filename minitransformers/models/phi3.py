"""Phi-3, Phi-3.5 and Phi-4 (Abdin et al., 2024): Llama with fused projections and LongRoPE."""

from __future__ import annotations

import math
from typing import Any

from ..core import ops
from ..core.layers import Dropout, Linear
from ..core.module import Module
from ..core.state import State
from . import llama
from .config import PretrainedConfig


class Phi3Config(PretrainedConfig):
    model_type = "phi3"
    vocab_size: int = 32064
    hidden_size: int = 3072
    intermediate_size: int = 8192
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    resid_pdrop: float = 0.0
    embd_pdrop: float = 0.0
    attention_dropout: float = 0.0
    hidden_act: str = "silu"
    max_position_embeddings: int = 4096
    original_max_position_embeddings: int = 4096
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-5
    use_cache: bool = True
    tie_word_embeddings: bool = False
    rope_theta: float = 10000.0
    rope_scaling: dict | None = None
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 32000
    pad_token_id: int | None = 32000
    sliding_window: int | None = None

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        llama.fill_heads(self)
        if self.rope_scaling and self.rope_scaling.get("type") in ("su", "yarn"):
            self.rope_scaling["type"] = "longrope"  # its names in the first files


class Attention(Module):
    def __init__(self, config: Phi3Config, layer: int):
        n, heads, kv_heads = (
            config.hidden_size,
            config.num_attention_heads,
            config.num_key_value_heads,
        )
        assert kv_heads is not None
        head_dim = n // heads
        self.o_proj = Linear(heads * head_dim, n, bias=False)
        self.qkv_proj = Linear(n, (heads + 2 * kv_heads) * head_dim, bias=False)
        self.dropout = Dropout(config.attention_dropout)
        self.layer, self.window = layer, config.sliding_window
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim

    def __call__(self, x: Any, state: State) -> Any:
        counts = self.heads, self.kv_heads, self.kv_heads
        parts = ops.split(self.qkv_proj(x), sizes=tuple(n * self.head_dim for n in counts))
        q, k, v = (ops.split_heads(part, heads=n) for part, n in zip(parts, counts))
        q, k = state.rotate(q, k)
        scale, drop = 1.0 / math.sqrt(self.head_dim), self.dropout.rate
        out = state.attend(self.layer, q, k, v, scale, drop, window=self.window)
        return self.o_proj(ops.merge_heads(out))


class MLP(Module):
    def __init__(self, config: Phi3Config):
        n, inner = config.hidden_size, config.intermediate_size
        self.gate_up_proj = Linear(n, 2 * inner, bias=False)
        self.down_proj = Linear(inner, n, bias=False)
        self.act, self.inner = ops.activation(config.hidden_act), inner

    def __call__(self, x: Any) -> Any:
        gate, up = ops.split(self.gate_up_proj(x), sizes=(self.inner, self.inner))
        return self.down_proj(ops.activate(self.act, gate, times=up))


class Block(llama.Block):
    attention, feed_forward = Attention, MLP

    def __init__(self, config: Phi3Config, layer: int):
        super().__init__(config, layer)
        self.dropout = Dropout(config.resid_pdrop)

    def __call__(self, x: Any, state: State) -> Any:
        x = x + self.dropout(self.self_attn(self.input_layernorm(x), state))
        return x + self.dropout(self.mlp(self.post_attention_layernorm(x)))


class Phi3Model(llama.LlamaModel):
    config_class = Phi3Config
    block = Block


class Phi3ForCausalLM(llama.LlamaForCausalLM):
    config_class = Phi3Config
    base_class = Phi3Model


class Phi3ForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = Phi3Config
    base_class = Phi3Model


class Phi3ForTokenClassification(llama.LlamaForTokenClassification):
    config_class = Phi3Config
    base_class = Phi3Model
    classifier_name = "classifier"
    inputs = ("input_ids", "past_key_values", "attention_mask", "inputs_embeds")
