"""DeBERTa-v2 and v3 (He et al., 2020 and 2021). Attribute paths are the checkpoint's names.

Scores are the sum of content to content, content to position ("c2p") and position to content
("p2c"): the last two enter as the bias of the attention. Padding attends to nothing.
"""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar

import numpy as np

from ..core import ops
from ..core.layers import Convolution, Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
from .bert import BertIntermediate, BertPreTrainingHeads, BertResidual
from .config import PretrainedConfig
from .heads import (
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForSequenceClassification,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutput


class DebertaV2Config(PretrainedConfig):
    model_type = "deberta-v2"
    vocab_size: int = 128100
    hidden_size: int = 1536
    num_hidden_layers: int = 24
    num_attention_heads: int = 24
    intermediate_size: int = 6144
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 0
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-7
    relative_attention: bool = False
    max_relative_positions: int = -1
    pad_token_id: int | None = 0
    position_biased_input: bool = True
    pos_att_type: list | str | None = None
    pooler_dropout: float = 0
    pooler_hidden_act: str = "gelu"
    pooler_hidden_size: int | None = None

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        if isinstance(self.pos_att_type, str):
            self.pos_att_type = [kind.strip() for kind in self.pos_att_type.lower().split("|")]
        if self.pooler_hidden_size is None:
            self.pooler_hidden_size = self.hidden_size

    @property
    def reach(self) -> int:
        """How far apart positions can be and still be told apart."""
        known = self.max_relative_positions
        return known if known >= 1 else self.max_position_embeddings


class DebertaEmbeddings(Module):
    def __init__(self, config: Any):
        size = getattr(config, "embedding_size", config.hidden_size)
        self.word_embeddings = Embedding(config.vocab_size, size, config.pad_token_id)
        if config.position_biased_input:
            self.position_embeddings = Embedding(config.max_position_embeddings, size)
        if config.type_vocab_size > 0:
            self.token_type_embeddings = Embedding(config.type_vocab_size, size)
        if size != config.hidden_size:
            self.embed_proj = Linear(size, config.hidden_size, bias=False)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.placed, self.typed = config.position_biased_input, config.type_vocab_size > 0
        self.projects = size != config.hidden_size

    def __call__(self, x: Any, state: State, token_type_ids: Any, positions: np.ndarray) -> Any:
        if self.placed:
            x = x + self.position_embeddings(positions)
        if self.typed:
            types = np.zeros((1, 1), np.int64) if token_type_ids is None else token_type_ids
            x = x + self.token_type_embeddings(types)
        if self.projects:
            x = self.embed_proj(x)
        return self.dropout(without_padding(self.LayerNorm(x), state))


def without_padding(x: Any, state: State) -> Any:
    """Zeros where there is padding. x: (batch, seq, hidden)"""
    padding = None if state.mask is None else state.mask.padding
    return x if padding is None else x * padding.astype(np.float32)[:, :, None]


@functools.lru_cache(maxsize=16)
def distances(seq: int, buckets: int, reach: int) -> np.ndarray:
    """Query position minus key position; beyond buckets / 2, on a logarithmic scale that comes to
    `buckets` at `reach`, if buckets is positive. -> (seq, seq) integers
    """
    apart = np.arange(seq)[:, None] - np.arange(seq)
    if buckets <= 0:
        return apart
    middle = buckets // 2
    far = np.maximum(np.abs(apart), middle).astype(np.float32) / np.float32(middle)
    slope = np.float32(middle - 1) / np.log(np.float32((reach - 1) / middle))
    scaled = np.ceil(np.log(far) * slope).astype(np.int64) + middle
    return np.where(np.abs(apart) <= middle, apart, np.sign(apart) * scaled)


def disentangled_bias(q: Any, k: Any, pos_k: Any, pos_q: Any, at: np.ndarray) -> Any:
    """Scores of contents against distances.

    q, k: (batch, heads, seq, head_dim); pos_k, pos_q: (1, heads, places, head_dim), None to leave
    that term out; at: (seq, seq) the place of each query and key -> (batch, heads, seq, seq)
    """
    here = np.arange(at.shape[0])
    every = slice(None)
    bias: Any = 0.0
    if pos_k is not None:
        scores = ops.einsum(q, pos_k[0], subscripts="bhsd,hpd->bhsp")
        bias = scores[every, every, here[:, None], at]
    if pos_q is not None:
        scores = ops.einsum(k, pos_q[0], subscripts="bhsd,hpd->bhsp")
        bias = scores[every, every, here[None, :], at] + bias
    return bias


class DisentangledSelfAttention(Module):
    def __init__(self, config: DebertaV2Config, layer: int):
        n, heads = config.hidden_size, config.num_attention_heads
        size = heads * getattr(config, "attention_head_size", n // heads)
        kinds = config.pos_att_type or []
        self.query_proj, self.key_proj, self.value_proj = (Linear(n, size) for _ in range(3))
        self.c2p, self.p2c = "c2p" in kinds, "p2c" in kinds
        self.relative, self.shared = config.relative_attention, False
        if self.relative:
            self.shared = getattr(config, "share_att_key", False)
            if self.c2p and not self.shared:
                self.pos_key_proj = Linear(n, size)
            if self.p2c and not self.shared:
                self.pos_query_proj = Linear(n, size)
        self.pos_dropout = Dropout(config.hidden_dropout_prob)
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.layer, self.heads = layer, heads
        self.scale = 1.0 / math.sqrt(size // heads * (1 + self.c2p + self.p2c))

    def __call__(self, x: Any, state: State, places: Any, at: Any) -> Any:
        """places: (1, places, hidden) embeddings of distances; at: (seq, seq) which of them"""
        parts = (self.query_proj(x), self.key_proj(x), self.value_proj(x))
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in parts)
        bias = self.bias(q, k, self.pos_dropout(places), at) * self.scale if self.relative else None
        out = state.attend(self.layer, q, k, v, self.scale, self.dropout.rate, lambda k: bias)
        return without_padding(ops.merge_heads(out), state)

    def bias(self, q: Any, k: Any, places: Any, at: np.ndarray) -> Any:
        pos_k = pos_q = None
        if self.c2p:
            project = self.key_proj if self.shared else self.pos_key_proj
            pos_k = ops.split_heads(project(places), heads=self.heads)
        if self.p2c:
            project = self.query_proj if self.shared else self.pos_query_proj
            pos_q = ops.split_heads(project(places), heads=self.heads)
        return disentangled_bias(q, k, pos_k, pos_q, at)


class DebertaAttention(Module):
    attention_class: ClassVar[Any] = DisentangledSelfAttention

    def __init__(self, config: Any, layer: int):
        self.self = self.attention_class(config, layer)
        self.output = BertResidual(config, config.hidden_size)

    def __call__(self, x: Any, state: State, places: Any, at: Any) -> Any:
        return self.output(self.self(x, state, places, at), x)


class DebertaLayer(Module):
    attention_class: ClassVar[Any] = DebertaAttention

    def __init__(self, config: Any, layer: int):
        self.attention = self.attention_class(config, layer)
        self.intermediate = BertIntermediate(config)
        self.output = BertResidual(config, config.intermediate_size)

    def __call__(self, x: Any, state: State, places: Any, at: Any) -> Any:
        x = self.attention(x, state, places, at)
        return self.output(self.intermediate(x), x)


class ConvLayer(Module):
    """What the first layer makes, and its input convolved with its neighbours (DeBERTa-v2 XL)."""

    def __init__(self, config: DebertaV2Config):
        n, kernel = config.hidden_size, config.conv_kernel_size
        self.conv = Convolution(n, n, kernel, getattr(config, "conv_groups", 1))
        self.LayerNorm = LayerNorm(n, config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.act = ops.activation(getattr(config, "conv_act", "tanh"))

    def __call__(self, x: Any, residual: Any, state: State) -> Any:
        out = self.act(self.dropout(without_padding(self.conv(x), state)))
        return without_padding(self.LayerNorm(residual + out), state)


class DebertaV2Encoder(Module):
    def __init__(self, config: DebertaV2Config):
        self.layer = [DebertaLayer(config, i) for i in range(config.num_hidden_layers)]
        self.buckets, self.reach = getattr(config, "position_buckets", -1), config.reach
        self.span = self.buckets if self.buckets > 0 else config.reach
        self.relative = config.relative_attention
        self.normed = "layer_norm" in getattr(config, "norm_rel_ebd", "none").lower()
        self.convolves = getattr(config, "conv_kernel_size", 0) > 0
        if self.relative:
            self.rel_embeddings = Embedding(2 * self.span, config.hidden_size)
        if self.normed:
            self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        if self.convolves:
            self.conv = ConvLayer(config)

    def __call__(self, x: Any, state: State) -> Any:
        places, at, first = None, None, x
        if self.relative:
            places = ops.reshape(self.rel_embeddings.weight, shape=(1, 2 * self.span, -1))
            places = self.LayerNorm(places) if self.normed else places
            at = distances(x.shape[1], self.buckets, self.reach) + self.span
            at = at.clip(0, 2 * self.span - 1)
        for i, layer in enumerate(self.layer):
            x = layer(state.keep(x), state, places, at)
            if i == 0 and self.convolves:
                x = self.conv(first, x, state)
        return state.keep(x)


class DebertaV2PreTrainedModel(PreTrainedModel):
    config_class = DebertaV2Config
    base_model_prefix = "deberta"
    input_embeddings = "embeddings.word_embeddings"
    inputs = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "inputs_embeds")


class DebertaV2Model(DebertaV2PreTrainedModel):
    output_class = BaseModelOutput
    encoder_class: ClassVar[Any] = DebertaV2Encoder

    def __init__(self, config: Any):
        super().__init__(config)
        self.embeddings = DebertaEmbeddings(config)
        self.encoder = self.encoder_class(config)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embeddings.word_embeddings, input_ids, inputs_embeds)
        state.look_around(x, attention_mask)
        x = self.embeddings(x, state, token_type_ids, state.positions(x, position_ids))
        return {"last_hidden_state": self.encoder(x, state)}


class DebertaV2ForMaskedLM(ForMaskedLM, DebertaV2PreTrainedModel):
    base_class = DebertaV2Model
    tied = {"cls.predictions.decoder.weight": "deberta.embeddings.word_embeddings.weight"}
    always_tied = {"cls.predictions.decoder.bias": "cls.predictions.bias"}

    def __init__(self, config: Any):
        super().__init__(config)
        self.cls = BertPreTrainingHeads(config, sentences=False)

    def predict(self, x: Any) -> Any:
        return self.cls.predictions(x)


class ContextPooler(Module):
    def __init__(self, config: Any):
        self.dense = Linear(config.pooler_hidden_size, config.pooler_hidden_size)
        self.dropout = Dropout(config.pooler_dropout)
        self.act = ops.activation(config.pooler_hidden_act)

    def __call__(self, x: Any) -> Any:
        return self.act(self.dense(self.dropout(x[:, 0])))


class DebertaPooled(DebertaV2PreTrainedModel):
    """The pooler is part of the heads that need one."""

    base_class: ClassVar[Any] = DebertaV2Model

    def add_pooler(self, config: Any) -> None:
        self.pooler = ContextPooler(config)

    def pool(self, state: State, **inputs: Any) -> Any:
        return self.pooler(self.hidden(state, **inputs))


class DebertaV2ForSequenceClassification(DebertaPooled, ForSequenceClassification):
    pass


class DebertaV2ForMultipleChoice(DebertaPooled, ForMultipleChoice):
    pass


class DebertaV2ForTokenClassification(ForTokenClassification, DebertaV2PreTrainedModel):
    base_class = DebertaV2Model


class DebertaV2ForQuestionAnswering(ForQuestionAnswering, DebertaV2PreTrainedModel):
    base_class = DebertaV2Model
