"""Phi-1, Phi-1.5 and Phi-2 (Gunasekar et al., 2023): attention and MLP side by side."""

from __future__ import annotations

import math
from typing import Any

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
from . import llama
from .config import PretrainedConfig
from .outputs import BaseModelOutputWithPast
from .rope import Rope


class PhiConfig(PretrainedConfig):
    model_type = "phi"
    vocab_size: int = 51200
    hidden_size: int = 2048
    intermediate_size: int = 8192
    num_hidden_layers: int = 24
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    resid_pdrop: float = 0.0
    embd_pdrop: float = 0.0
    attention_dropout: float = 0.0
    hidden_act: str = "gelu_new"
    max_position_embeddings: int = 2048
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-5
    use_cache: bool = True
    tie_word_embeddings: bool = False
    rope_theta: float = 10000.0
    rope_scaling: dict | None = None
    partial_rotary_factor: float = 0.5
    qk_layernorm: bool = False
    bos_token_id: int | None = 1
    eos_token_id: int | list | None = 2

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        llama.fill_heads(self)


class Attention(Module):
    def __init__(self, config: PhiConfig, layer: int):
        n, heads, kv_heads = (
            config.hidden_size,
            config.num_attention_heads,
            config.num_key_value_heads,
        )
        assert kv_heads is not None
        head_dim = n // heads
        self.q_proj = Linear(n, heads * head_dim)
        self.k_proj = Linear(n, kv_heads * head_dim)
        self.v_proj = Linear(n, kv_heads * head_dim)
        self.dense = Linear(heads * head_dim, n)
        if config.qk_layernorm:
            self.q_layernorm = LayerNorm(head_dim, config.layer_norm_eps)
            self.k_layernorm = LayerNorm(head_dim, config.layer_norm_eps)
        self.dropout = Dropout(config.attention_dropout)
        self.layer, self.norms, self.scale = layer, config.qk_layernorm, 1.0 / math.sqrt(head_dim)
        self.heads, self.kv_heads = heads, kv_heads

    def __call__(self, x: Any, state: State) -> Any:
        q = ops.split_heads(self.q_proj(x), heads=self.heads)
        k = ops.split_heads(self.k_proj(x), heads=self.kv_heads)
        v = ops.split_heads(self.v_proj(x), heads=self.kv_heads)
        if self.norms:
            q, k = self.q_layernorm(q), self.k_layernorm(k)
        q, k = state.rotate(q, k)
        out = state.attend(self.layer, q, k, v, self.scale, self.dropout.rate)
        return self.dense(ops.merge_heads(out))


class MLP(Module):
    def __init__(self, config: PhiConfig):
        self.fc1 = Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = Linear(config.intermediate_size, config.hidden_size)
        self.act = ops.activation(config.hidden_act)

    def __call__(self, x: Any) -> Any:
        return self.fc2(ops.activate(self.act, self.fc1(x)))


class Block(Module):
    def __init__(self, config: PhiConfig, layer: int):
        self.self_attn = Attention(config, layer)
        self.mlp = MLP(config)
        self.input_layernorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = Dropout(config.resid_pdrop)

    def __call__(self, x: Any, state: State) -> Any:
        normed = self.input_layernorm(x)
        attended = self.dropout(self.self_attn(normed, state))
        return x + attended + self.dropout(self.mlp(normed))


class PhiModel(llama.LlamaPreTrainedModel):
    config_class = PhiConfig
    output_class = BaseModelOutputWithPast

    def __init__(self, config: PhiConfig):
        super().__init__(config)
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.dropout = Dropout(config.embd_pdrop)
        self.layers = [Block(config, layer) for layer in range(config.num_hidden_layers)]
        self.final_layernorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.rope = Rope(config)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embed_tokens, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        state.rope = self.rope(state.positions(x, position_ids))
        x = self.dropout(x)
        for block in self.layers:
            x = block(state.keep(x), state)
        return {"last_hidden_state": state.keep(self.final_layernorm(x))}


class PhiForCausalLM(llama.LlamaForCausalLM):
    config_class = PhiConfig
    base_class = PhiModel
    head_bias = True


class PhiForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = PhiConfig
    base_class = PhiModel


class PhiForTokenClassification(llama.LlamaForTokenClassification):
    config_class = PhiConfig
    base_class = PhiModel
    classifier_name = "classifier"
    inputs = ("input_ids", "past_key_values", "attention_mask", "inputs_embeds")
