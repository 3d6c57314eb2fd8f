"""MPT (MosaicML, 2023): no biases, no positions but the slopes of ALiBi."""

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


class MptAttentionConfig(PretrainedConfig):
    attn_type: str = "multihead_attention"
    attn_pdrop: float = 0
    attn_impl: str = "torch"
    clip_qkv: float | None = None
    softmax_scale: float | None = None
    prefix_lm: bool = False
    qk_ln: bool = False
    attn_uses_sequence_id: bool = False
    alibi: bool = True
    alibi_bias_max: float = 8


class MptConfig(PretrainedConfig):
    model_type = "mpt"
    attribute_map = {
        "num_attention_heads": "n_heads",
        "hidden_size": "d_model",
        "num_hidden_layers": "n_layers",
    }
    d_model: int = 2048
    n_heads: int = 16
    n_layers: int = 24
    expansion_ratio: int = 4
    max_seq_len: int = 2048
    vocab_size: int = 50368
    resid_pdrop: float = 0.0
    layer_norm_epsilon: float = 1e-5
    emb_pdrop: float = 0.0
    learned_pos_emb: bool = True
    attn_config: Any = None
    init_device: str = "cpu"
    logit_scale: float | str | None = None
    no_bias: bool = True
    verbose: int = 0
    embedding_fraction: float = 1.0
    norm_type: str = "low_precision_layernorm"
    use_cache: bool = False
    initializer_range: float = 0.02

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        if not isinstance(self.attn_config, MptAttentionConfig):
            self.attn_config = MptAttentionConfig(**(self.attn_config or {}))


class Attention(Module):
    def __init__(self, config: MptConfig, layer: int):
        n, how = config.d_model, config.attn_config
        self.Wqkv = Linear(n, 3 * n, bias=False)
        self.out_proj = Linear(n, n, bias=False)
        self.dropout = Dropout(how.attn_pdrop)
        self.layer, self.heads, self.limit = layer, config.n_heads, how.clip_qkv
        self.scale = how.softmax_scale or 1.0 / math.sqrt(n / config.n_heads)

    def __call__(self, x: Any, state: State) -> Any:
        fused = self.Wqkv(x)
        if self.limit:
            fused = ops.clip(fused, limit=self.limit)
        parts = ops.split(fused, sizes=(x.shape[-1],) * 3)
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in parts)
        out = state.attend(self.layer, q, k, v, self.scale, self.dropout.rate)
        return self.out_proj(ops.merge_heads(out))


class MLP(Module):
    def __init__(self, config: MptConfig):
        self.up_proj = Linear(config.d_model, 4 * config.d_model, bias=False)
        self.down_proj = Linear(4 * config.d_model, config.d_model, bias=False)

    def __call__(self, x: Any) -> Any:
        return self.down_proj(ops.gelu(self.up_proj(x)))


class Block(Module):
    def __init__(self, config: MptConfig, layer: int):
        self.norm_1 = LayerNorm(config.d_model, config.layer_norm_epsilon, bias=False)
        self.attn = Attention(config, layer)
        self.norm_2 = LayerNorm(config.d_model, config.layer_norm_epsilon, bias=False)
        self.ffn = MLP(config)
        self.dropout = Dropout(config.attn_config.attn_pdrop)

    def __call__(self, x: Any, state: State) -> Any:
        x = x + self.dropout(self.attn(self.norm_1(x), state))
        return x + self.dropout(self.ffn(self.norm_2(x)))


class MptPreTrainedModel(PreTrainedModel):
    config_class = MptConfig
    base_model_prefix = "transformer"
    input_embeddings = "wte"
    inputs = ("input_ids", "past_key_values", "attention_mask", "inputs_embeds")


class MptModel(MptPreTrainedModel):
    output_class = BaseModelOutputWithPastAndCrossAttentions

    def __init__(self, config: MptConfig):
        super().__init__(config)
        self.wte = Embedding(config.vocab_size, config.d_model)
        self.blocks = [Block(config, layer) for layer in range(config.n_layers)]
        self.norm_f = LayerNorm(config.d_model, config.layer_norm_epsilon, bias=False)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.wte, input_ids, inputs_embeds)
        state.look_back(x, attention_mask)
        total = state.past + x.shape[1]
        slopes = alibi.slopes(self.config.n_heads, self.config.attn_config.alibi_bias_max)
        # counted from the end, where small numbers keep the latest keys apart
        state.bias = alibi.bias(slopes, np.arange(1 - total, 1, dtype=np.float32)[None])
        for block in self.blocks:
            x = block(state.keep(x), state)
        return {"last_hidden_state": state.keep(self.norm_f(x))}


class MptForCausalLM(ForCausalLM, MptPreTrainedModel):
    base_class = MptModel
    output_class = CausalLMOutputWithCrossAttentions
    tied = {"lm_head.weight": "transformer.wte.weight"}


class MptForSequenceClassification(CausalForSequenceClassification, MptPreTrainedModel):
    base_class = MptModel


class MptForTokenClassification(ForTokenClassification, MptPreTrainedModel):
    base_class = MptModel


class MptForQuestionAnswering(ForQuestionAnswering, MptPreTrainedModel):
    base_class = MptModel
    outputs = 2
