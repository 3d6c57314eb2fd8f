"""DeBERTa (He et al., 2020): DeBERTa-v2 with one matrix for queries, keys and values, and distances
told apart up to a limit instead of by buckets."""

from __future__ import annotations

import math
from typing import Any

from ..core import ops
from ..core.layers import Dropout, Embedding, Linear
from ..core.module import Module, placeholder
from ..core.state import State
from .deberta_v2 import (
    DebertaAttention,
    DebertaLayer,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DebertaV2ForQuestionAnswering,
    DebertaV2ForSequenceClassification,
    DebertaV2ForTokenClassification,
    DebertaV2Model,
    disentangled_bias,
    distances,
    without_padding,
)


class DebertaConfig(DebertaV2Config):
    model_type = "deberta"
    vocab_size: int = 50265
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072


class DisentangledSelfAttention(Module):
    def __init__(self, config: DebertaConfig, layer: int):
        n, kinds = config.hidden_size, config.pos_att_type or []
        if getattr(config, "talking_head", False):
            raise ValueError(
                "DeBERTa with talking_head is not supported: no published model has it"
            )
        self.q_bias, self.v_bias = placeholder(n), placeholder(n)
        self.in_proj = Linear(n, 3 * n, bias=False)
        self.relative = config.relative_attention
        self.c2p, self.p2c = "c2p" in kinds, "p2c" in kinds
        if self.relative and self.c2p:
            self.pos_proj = Linear(n, n, bias=False)
        if self.relative and self.p2c:
            self.pos_q_proj = Linear(n, n)
        self.pos_dropout = Dropout(config.hidden_dropout_prob)
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.layer, self.heads = layer, config.num_attention_heads
        self.scale = 1.0 / math.sqrt(n // self.heads * (1 + len(kinds)))

    def __call__(self, x: Any, state: State, places: Any, at: Any) -> Any:
        """places: embeddings of distances and a slice, those in reach; at: (seq, seq) which"""
        of_heads = ops.split_heads(self.in_proj(x), heads=self.heads)
        head_dim = of_heads.shape[-1] // 3  # each head's queries, keys and values are together
        q, k, v = ops.split(of_heads, sizes=(head_dim,) * 3)
        q, v = (
            part + ops.reshape(bias, shape=(self.heads, 1, head_dim))
            for part, bias in ((q, self.q_bias), (v, self.v_bias))
        )
        bias = None
        if self.relative:
            table, near = places
            table = self.pos_dropout(table)[near]
            bias = self.bias(q, k, ops.reshape(table, shape=(1, *table.shape)), at) * self.scale
        out = state.attend(self.layer, q, k, v, self.scale, self.dropout.rate, lambda k: bias)
        return without_padding(ops.merge_heads(out), state)

    def bias(self, q: Any, k: Any, places: Any, at: Any) -> Any:
        pos_k = ops.split_heads(self.pos_proj(places), heads=self.heads) if self.c2p else None
        pos_q = ops.split_heads(self.pos_q_proj(places), heads=self.heads) if self.p2c else None
        return disentangled_bias(q, k, pos_k, pos_q, at)


class Attention(DebertaAttention):
    attention_class = DisentangledSelfAttention


class Layer(DebertaLayer):
    attention_class = Attention


class DebertaEncoder(Module):
    def __init__(self, config: DebertaConfig):
        self.layer = [Layer(config, i) for i in range(config.num_hidden_layers)]
        self.reach, self.relative = config.reach, config.relative_attention
        if self.relative:
            self.rel_embeddings = Embedding(2 * self.reach, config.hidden_size)

    def __call__(self, x: Any, state: State) -> Any:
        places = at = None
        if self.relative:
            seq, reach = x.shape[1], self.reach
            span = min(seq, reach)  # of a short text, most distances do not occur
            places = self.rel_embeddings.weight, slice(reach - span, reach + span)
            at = (distances(seq, -1, reach) + span).clip(0, 2 * span - 1)
        for layer in self.layer:
            x = layer(state.keep(x), state, places, at)
        return state.keep(x)


class DebertaModel(DebertaV2Model):
    config_class = DebertaConfig
    encoder_class = DebertaEncoder


class DebertaForMaskedLM(DebertaV2ForMaskedLM):
    config_class = DebertaConfig
    base_class = DebertaModel


class DebertaForSequenceClassification(DebertaV2ForSequenceClassification):
    config_class = DebertaConfig
    base_class = DebertaModel


class DebertaForTokenClassification(DebertaV2ForTokenClassification):
    config_class = DebertaConfig
    base_class = DebertaModel


class DebertaForQuestionAnswering(DebertaV2ForQuestionAnswering):
    config_class = DebertaConfig
    base_class = DebertaModel
