"""GPT-BigCode: SantaCoder and StarCoder (Li et al., 2023). GPT-2 whose queries share one key."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Linear
from ..core.module import Module
from ..core.state import State
from . import gpt2
from .config import PretrainedConfig


class GPTBigCodeConfig(PretrainedConfig):
    model_type = "gpt_bigcode"
    attribute_map = gpt2.GPT2Config.attribute_map
    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    activation_function: str = "gelu_pytorch_tanh"
    resid_pdrop: float = 0.1
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    scale_attn_weights: bool = True
    use_cache: bool = True
    bos_token_id: int | None = 50256
    eos_token_id: int | list | None = 50256
    attention_softmax_in_fp32: bool = True
    scale_attention_softmax_in_fp32: bool = True
    multi_query: bool = True


class Attention(Module):
    def __init__(self, config: GPTBigCodeConfig, layer: int):
        n, heads = config.n_embd, config.n_head
        if config.add_cross_attention:
            raise ValueError("gpt_bigcode has no cross-attention: leave add_cross_attention out")
        self.head_dim, self.multi_query = n // heads, config.multi_query
        self.c_attn = Linear(n, n + 2 * (self.head_dim if self.multi_query else n))
        self.c_proj = Linear(n, n)
        self.attn_dropout = Dropout(config.attn_pdrop)
        self.resid_dropout = Dropout(config.resid_pdrop)
        self.layer, self.heads = layer, heads
        self.scale = 1.0 / math.sqrt(self.head_dim) if config.scale_attn_weights else 1.0

    def project(self, x: Any) -> tuple:
        """-> queries (batch, heads, seq, head_dim), keys and values (batch, 1 or heads, ...)"""
        fused, n = self.c_attn(x), self.head_dim
        if not self.multi_query:  # each head has its own three
            return ops.split(ops.split_heads(fused, heads=self.heads), sizes=(n, n, n))
        q, k, v = ops.split(fused, sizes=(self.heads * n, n, n))
        return (
            ops.split_heads(q, heads=self.heads),
            ops.split_heads(k, heads=1),
            ops.split_heads(v, heads=1),
        )

    def __call__(self, x: Any, state: State) -> Any:
        q, k, v = self.project(x)
        out = state.attend(self.layer, q, k, v, self.scale, self.attn_dropout.rate)
        return self.resid_dropout(self.c_proj(ops.merge_heads(out)))


class MLP(Module):
    def __init__(self, config: GPTBigCodeConfig):
        inner = config.n_inner or 4 * config.n_embd
        self.c_fc = Linear(config.n_embd, inner)
        self.c_proj = Linear(inner, config.n_embd)
        self.act = ops.activation(config.activation_function)
        self.dropout = Dropout(config.resid_pdrop)

    def __call__(self, x: Any) -> Any:
        return self.dropout(self.c_proj(ops.activate(self.act, self.c_fc(x))))


class Block(gpt2.Block):
    attention, feed_forward = Attention, MLP


class GPTBigCodeModel(gpt2.GPT2Model):
    attention_heads = None  # they share one key and value
    config_class = GPTBigCodeConfig
    block = Block

    def forward(
        self, state: State, attention_mask: Any = None, position_ids: Any = None, **inputs: Any
    ) -> dict[str, Any]:
        if position_ids is None and attention_mask is not None and attention_mask.ndim == 2:
            positions = np.where(attention_mask == 0, 1, attention_mask.cumsum(-1) - 1)
            position_ids = positions[:, state.past :]
        inputs |= {"attention_mask": attention_mask, "position_ids": position_ids}
        return super().forward(state, **inputs)


class GPTBigCodeForCausalLM(gpt2.GPT2LMHeadModel):
    config_class = GPTBigCodeConfig
    base_class = GPTBigCodeModel


class GPTBigCodeForSequenceClassification(gpt2.GPT2ForSequenceClassification):
    config_class = GPTBigCodeConfig
    base_class = GPTBigCodeModel
    inputs = gpt2.GPT2PreTrainedModel.inputs[:7]


class GPTBigCodeForTokenClassification(gpt2.GPT2ForTokenClassification):
    config_class = GPTBigCodeConfig
    base_class = GPTBigCodeModel
    inputs = gpt2.GPT2PreTrainedModel.inputs[:7]
