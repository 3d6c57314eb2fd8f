"""GPT-NeoX-20B, Pythia and Dolly (Black et al., 2022)."""

from __future__ import annotations

import math
from typing import Any

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
from .config import PretrainedConfig
from .heads import (
    CausalForSequenceClassification,
    ForCausalLM,
    ForQuestionAnswering,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPast
from .rope import Rope


class GPTNeoXConfig(PretrainedConfig):
    model_type = "gpt_neox"
    vocab_size: int = 50432
    hidden_size: int = 6144
    num_hidden_layers: int = 44
    num_attention_heads: int = 64
    intermediate_size: int = 24576
    hidden_act: str = "gelu"
    rotary_pct: float = 0.25
    rotary_emb_base: float = 10000
    attention_dropout: float = 0.0
    hidden_dropout: float = 0.0
    classifier_dropout: float = 0.1
    max_position_embeddings: int = 2048
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-5
    use_cache: bool = True
    bos_token_id: int | None = 0
    eos_token_id: int | list | None = 2
    tie_word_embeddings: bool = False
    use_parallel_residual: bool = True
    rope_scaling: dict | None = None
    attention_bias: bool = True

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        self.partial_rotary_factor, self.rope_theta = self.rotary_pct, self.rotary_emb_base


class Attention(Module):
    def __init__(self, config: GPTNeoXConfig, layer: int):
        n = config.hidden_size
        self.query_key_value = Linear(n, 3 * n, config.attention_bias)
        self.dense = Linear(n, n, config.attention_bias)
        self.attention_dropout = Dropout(config.attention_dropout)
        self.layer, self.heads = layer, config.num_attention_heads

    def __call__(self, x: Any, state: State) -> Any:
        fused = ops.split_heads(self.query_key_value(x), heads=self.heads)
        head_dim = fused.shape[-1] // 3
        q, k, v = ops.split(fused, sizes=(head_dim,) * 3)  # each head has its own three
        q, k = state.rotate(q, k)
        scale, drop = 1.0 / math.sqrt(head_dim), self.attention_dropout.rate
        return self.dense(ops.merge_heads(state.attend(self.layer, q, k, v, scale, drop)))


class MLP(Module):
    def __init__(self, config: GPTNeoXConfig):
        self.dense_h_to_4h = Linear(config.hidden_size, config.intermediate_size)
        self.dense_4h_to_h = Linear(config.intermediate_size, config.hidden_size)
        self.act = ops.activation(config.hidden_act)

    def __call__(self, x: Any) -> Any:
        return self.dense_4h_to_h(ops.activate(self.act, self.dense_h_to_4h(x)))


class Block(Module):
    def __init__(self, config: GPTNeoXConfig, layer: int):
        self.input_layernorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.post_attention_layernorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout)
        self.attention = Attention(config, layer)
        self.mlp = MLP(config)
        self.parallel = config.use_parallel_residual

    def __call__(self, x: Any, state: State) -> Any:
        attended = x + self.dropout(self.attention(self.input_layernorm(x), state))
        normed = self.post_attention_layernorm(x if self.parallel else attended)
        return attended + self.dropout(self.mlp(normed))


class GPTNeoXPreTrainedModel(PreTrainedModel):
    config_class = GPTNeoXConfig
    base_model_prefix = "gpt_neox"
    input_embeddings = "embed_in"
    inputs: tuple = (
        "input_ids",
        "attention_mask",
        "position_ids",
        "inputs_embeds",
        "head_mask",
        "past_key_values",
    )
    ignore = (".attention.bias", ".attention.masked_bias")  # masks, in old files


class GPTNeoXModel(GPTNeoXPreTrainedModel):
    output_class = BaseModelOutputWithPast
    inputs = (
        "input_ids",
        "attention_mask",
        "position_ids",
        "head_mask",
        "inputs_embeds",
        "past_key_values",
    )

    def __init__(self, config: GPTNeoXConfig):
        super().__init__(config)
        self.embed_in = Embedding(config.vocab_size, config.hidden_size)
        self.emb_dropout = Dropout(config.hidden_dropout)
        self.layers = [Block(config, layer) for layer in range(config.num_hidden_layers)]
        self.final_layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.rope = Rope(config)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embed_in, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        state.rope = self.rope(state.positions(x, position_ids))
        x = self.emb_dropout(x)
        for block in self.layers:
            x = block(state.keep(x), state)
        return {"last_hidden_state": state.keep(self.final_layer_norm(x))}


class GPTNeoXForCausalLM(ForCausalLM, GPTNeoXPreTrainedModel):
    base_class = GPTNeoXModel
    head = "embed_out"
    tied = {"embed_out.weight": "gpt_neox.embed_in.weight"}


class GPTNeoXForSequenceClassification(CausalForSequenceClassification, GPTNeoXPreTrainedModel):
    base_class = GPTNeoXModel


class GPTNeoXForTokenClassification(ForTokenClassification, GPTNeoXPreTrainedModel):
    base_class = GPTNeoXModel


class GPTNeoXForQuestionAnswering(ForQuestionAnswering, GPTNeoXPreTrainedModel):
    base_class = GPTNeoXModel
    outputs = 2
