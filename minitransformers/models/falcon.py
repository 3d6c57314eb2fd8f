"""Falcon (Almazrouei et al., 2023): 7B, 40B, 180B; and RW, which has ALiBi, not angles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
from . import alibi
from .config import PretrainedConfig
from .heads import (
    CausalForSequenceClassification,
    ForCausalLM,
    ForQuestionAnswering,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import (
    BaseModelOutputWithPastAndCrossAttentions,
    CausalLMOutputWithCrossAttentions,
)
from .rope import Rope


class FalconConfig(PretrainedConfig):
    model_type = "falcon"
    attribute_map = {
        "n_embed": "hidden_size",  # names in the first files
        "n_layer": "num_hidden_layers",
        "n_head": "num_attention_heads",
        "n_head_kv": "num_kv_heads",
    }
    vocab_size: int = 65024
    hidden_size: int = 4544
    num_hidden_layers: int = 32
    num_attention_heads: int = 71
    num_ln_in_parallel_attn: int | None = None
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    use_cache: bool = True
    hidden_dropout: float = 0.0
    attention_dropout: float = 0.0
    num_kv_heads: int | None = None
    alibi: bool = False
    new_decoder_architecture: bool = False
    multi_query: bool = True
    parallel_attn: bool = True
    bias: bool = False
    max_position_embeddings: int = 2048
    rope_theta: float = 10000.0
    rope_scaling: dict | None = None
    bos_token_id: int | None = 11
    eos_token_id: int | list | None = 11
    ffn_hidden_size: int | None = None
    activation: str = "gelu"

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        self.num_kv_heads = self.num_kv_heads or self.num_attention_heads
        self.ffn_hidden_size = self.ffn_hidden_size or 4 * self.hidden_size


class Attention(Module):
    def __init__(self, config: FalconConfig, layer: int):
        n, self.heads = config.hidden_size, config.num_attention_heads
        self.kv_heads = config.num_kv_heads or self.heads
        if config.multi_query and not config.new_decoder_architecture:
            self.kv_heads = 1
        elif not config.new_decoder_architecture:
            self.kv_heads = self.heads
        self.head_dim, self.layer, self.turns = n // self.heads, layer, not config.alibi
        outputs = (self.heads + 2 * self.kv_heads) * self.head_dim
        self.query_key_value = Linear(n, outputs, config.bias)
        self.dense = Linear(n, n, config.bias)
        self.attention_dropout = Dropout(config.attention_dropout)

    def project(self, x: Any) -> tuple:
        """Each key head's queries, key and value are side by side."""
        n, group = self.head_dim, self.heads // self.kv_heads
        fused = ops.split_heads(self.query_key_value(x), heads=self.kv_heads)
        q, k, v = ops.split(fused, sizes=(group * n, n, n))
        # (batch, kv_heads, seq, group * head_dim) -> (batch, heads, seq, head_dim)
        q = ops.transpose(ops.reshape(q, shape=(*k.shape[:3], group, n)), axes=(0, 1, 3, 2, 4))
        return ops.reshape(q, shape=(len(x), self.heads, *k.shape[2:])), k, v

    def __call__(self, x: Any, state: State) -> Any:
        q, k, v = self.project(x)
        if self.turns:
            q, k = state.rotate(q, k)
        scale = 1.0 / math.sqrt(self.head_dim)
        drop = 0.0 if self.turns else self.attention_dropout.rate  # the reference forgets it
        return self.dense(ops.merge_heads(state.attend(self.layer, q, k, v, scale, drop)))


class MLP(Module):
    def __init__(self, config: FalconConfig):
        n, inner = config.hidden_size, config.ffn_hidden_size
        assert inner is not None
        self.dense_h_to_4h = Linear(n, inner, config.bias)
        self.dense_4h_to_h = Linear(inner, n, config.bias)
        self.act = ops.activation(config.activation)

    def __call__(self, x: Any) -> Any:
        return self.dense_4h_to_h(ops.activate(self.act, self.dense_h_to_4h(x)))


class Block(Module):
    """Attention and MLP side by side, on one norm or each on its own, or (RW) one by one."""

    def __init__(self, config: FalconConfig, layer: int):
        n, eps = config.hidden_size, config.layer_norm_epsilon
        self.self_attention = Attention(config, layer)
        self.mlp = MLP(config)
        self.dropout, self.after = Dropout(config.hidden_dropout), Dropout(config.attention_dropout)
        norms = config.num_ln_in_parallel_attn or (2 if config.new_decoder_architecture else 1)
        self.parallel, self.own_norms = config.parallel_attn, config.parallel_attn and norms == 2
        if self.own_norms:
            self.ln_attn, self.ln_mlp = LayerNorm(n, eps), LayerNorm(n, eps)
        else:
            self.input_layernorm = LayerNorm(n, eps)
        if not self.parallel:
            self.post_attention_layernorm = LayerNorm(n, eps)

    def __call__(self, x: Any, state: State) -> Any:
        normed = self.ln_attn(x) if self.own_norms else self.input_layernorm(x)
        attended = self.self_attention(normed, state)
        if not self.parallel:
            x = x + self.after(attended)
            return x + self.dropout(self.mlp(self.post_attention_layernorm(x)))
        return x + self.dropout(self.mlp(self.ln_mlp(x) if self.own_norms else normed) + attended)


class FalconPreTrainedModel(PreTrainedModel):
    config_class = FalconConfig
    base_model_prefix = "transformer"
    input_embeddings = "word_embeddings"
    inputs: tuple = ("input_ids", "past_key_values", "attention_mask", "head_mask", "inputs_embeds")


class FalconModel(FalconPreTrainedModel):
    output_class = BaseModelOutputWithPastAndCrossAttentions
    inputs = (*FalconPreTrainedModel.inputs[:3], "position_ids", "head_mask", "inputs_embeds")

    def __init__(self, config: FalconConfig):
        super().__init__(config)
        self.word_embeddings = Embedding(config.vocab_size, config.hidden_size)
        self.h = [Block(config, layer) for layer in range(config.num_hidden_layers)]
        self.ln_f = LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.rope = Rope(config)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.word_embeddings, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        if self.config.alibi:
            state.bias = self.slant(state.past + x.shape[1], attention_mask)
        else:
            state.rope = self.rope(state.positions(x, position_ids))
        for block in self.h:
            x = block(state.keep(x), state)
        return {"last_hidden_state": state.keep(self.ln_f(x))}

    def slant(self, total: int, attention_mask: Any) -> np.ndarray:
        """ALiBi as Falcon RW was trained with it: in bfloat16, and scaled as the scores are."""
        heads = self.config.num_attention_heads
        slopes = bfloat16(alibi.slopes(heads))
        positions = bfloat16(alibi.key_positions(total, attention_mask))
        head_dim = self.config.hidden_size // heads
        return bfloat16(alibi.bias(slopes, positions)) * (1.0 / math.sqrt(head_dim))


def bfloat16(x: np.ndarray) -> np.ndarray:
    """Round to bfloat16's precision, to even. x: float32 -> x's shape, float32"""
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


class FalconForCausalLM(ForCausalLM, FalconPreTrainedModel):
    base_class = FalconModel
    output_class = CausalLMOutputWithCrossAttentions
    inputs = FalconModel.inputs
    tied = {"lm_head.weight": "transformer.word_embeddings.weight"}


class FalconForSequenceClassification(CausalForSequenceClassification, FalconPreTrainedModel):
    base_class = FalconModel


class FalconForTokenClassification(ForTokenClassification, FalconPreTrainedModel):
    base_class = FalconModel


class FalconForQuestionAnswering(ForQuestionAnswering, FalconPreTrainedModel):
    base_class = FalconModel
    outputs = 2
