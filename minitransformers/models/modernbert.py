"""ModernBERT (Warner et al., 2024): rotary positions, gated layers, and in most layers attention to
neighbours only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
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


class ModernBertConfig(PretrainedConfig):
    model_type = "modernbert"
    attribute_map = {"rope_theta": "global_rope_theta"}
    vocab_size: int = 50368
    hidden_size: int = 768
    intermediate_size: int = 1152
    num_hidden_layers: int = 22
    num_attention_heads: int = 12
    hidden_activation: str = "gelu"
    max_position_embeddings: int = 8192
    initializer_range: float = 0.02
    initializer_cutoff_factor: float = 2.0
    norm_eps: float = 1e-5
    norm_bias: bool = False
    pad_token_id: int | None = 50283
    eos_token_id: int | list | None = 50282
    bos_token_id: int | None = 50281
    cls_token_id: int | None = 50281
    sep_token_id: int | None = 50282
    global_rope_theta: float = 160000.0
    attention_bias: bool = False
    attention_dropout: float = 0.0
    global_attn_every_n_layers: int = 3
    local_attention: int = 128
    local_rope_theta: float | None = 10000.0
    embedding_dropout: float = 0.0
    mlp_bias: bool = False
    mlp_dropout: float = 0.0
    decoder_bias: bool = True
    classifier_pooling: str = "cls"
    classifier_dropout: float = 0.0
    classifier_bias: bool = False
    classifier_activation: str = "gelu"
    deterministic_flash_attn: bool = False
    sparse_prediction: bool = False
    sparse_pred_ignore_index: int = -100
    repad_logits_with_grad: bool = False

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        if self.classifier_pooling not in ("cls", "mean"):
            raise ValueError(
                f"classifier_pooling is {self.classifier_pooling!r}, which is neither 'cls' nor "
                "'mean'"
            )


def norm(config: ModernBertConfig) -> LayerNorm:
    return LayerNorm(config.hidden_size, config.norm_eps, bias=config.norm_bias)


class ModernBertEmbeddings(Module):
    def __init__(self, config: ModernBertConfig):
        n = config.hidden_size
        self.tok_embeddings = Embedding(config.vocab_size, n, config.pad_token_id)
        self.norm = norm(config)
        self.drop = Dropout(config.embedding_dropout)

    def __call__(self, x: Any) -> Any:
        return self.drop(self.norm(x))


class ModernBertAttention(Module):
    def __init__(self, config: ModernBertConfig, layer: int):
        n, theta = config.hidden_size, config.global_rope_theta
        self.Wqkv = Linear(n, 3 * n, config.attention_bias)
        self.Wo = Linear(n, n, config.attention_bias)
        self.drop = Dropout(config.attention_dropout)
        self.layer, self.heads, self.window = layer, config.num_attention_heads, None
        head_dim = n // config.num_attention_heads
        if layer % config.global_attn_every_n_layers:  # sees local_attention / 2 to either side
            self.window = config.local_attention // 2 + 1
            theta = config.local_rope_theta or theta
        self.frequencies = (ops.inverse_frequencies(head_dim, theta),)  # no parameter
        self.scale = head_dim**-0.5

    def __call__(self, x: Any, state: State, positions: np.ndarray) -> Any:
        parts = ops.split(self.Wqkv(x), sizes=(x.shape[-1],) * 3)
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in parts)
        cos, sin = ops.rotary_table(positions, *self.frequencies)
        q, k = ops.rotary(q, cos=cos, sin=sin), ops.rotary(k, cos=cos, sin=sin)
        drop, window = self.drop.rate, self.window
        out = state.attend(self.layer, q, k, v, self.scale, drop, window=window)
        return self.drop(self.Wo(ops.merge_heads(out)))


class ModernBertMLP(Module):
    def __init__(self, config: ModernBertConfig):
        n, inner = config.hidden_size, config.intermediate_size
        self.Wi = Linear(n, 2 * inner, config.mlp_bias)
        self.Wo = Linear(inner, n, config.mlp_bias)
        self.act = ops.activation(config.hidden_activation)
        self.drop = Dropout(config.mlp_dropout)

    def __call__(self, x: Any) -> Any:
        x = self.Wi(x)
        x, gate = ops.split(x, sizes=(x.shape[-1] // 2,) * 2)
        return self.Wo(self.drop(ops.activate(self.act, x, times=gate)))


class ModernBertLayer(Module):
    def __init__(self, config: ModernBertConfig, layer: int):
        self.attn_norm = norm(config) if layer else None  # the embeddings are normed already
        self.attn = ModernBertAttention(config, layer)
        self.mlp_norm = norm(config)
        self.mlp = ModernBertMLP(config)

    def __call__(self, x: Any, state: State, positions: np.ndarray) -> Any:
        y = x if self.attn_norm is None else self.attn_norm(x)
        x = x + self.attn(y, state, positions)
        return x + self.mlp(self.mlp_norm(x))


class ModernBertPreTrainedModel(PreTrainedModel):
    config_class = ModernBertConfig
    base_model_prefix = "model"
    input_embeddings = "embeddings.tok_embeddings"
    inputs = ("input_ids", "attention_mask", "position_ids", "inputs_embeds")

    def initial_std(self, name: str) -> float:
        config = self.config
        if name == "classifier.weight":
            return config.hidden_size**-0.5
        last = name.endswith(("Wo.weight", "head.dense.weight")) or name == "decoder.weight"
        return config.initializer_range / (math.sqrt(2 * config.num_hidden_layers) if last else 1)


class ModernBertModel(ModernBertPreTrainedModel):
    output_class = BaseModelOutput

    def __init__(self, config: ModernBertConfig):
        super().__init__(config)
        self.embeddings = ModernBertEmbeddings(config)
        self.layers = [ModernBertLayer(config, i) for i in range(config.num_hidden_layers)]
        self.final_norm = norm(config)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embeddings.tok_embeddings, input_ids, inputs_embeds)
        state.look_around(x, attention_mask)
        positions = state.positions(x, position_ids)
        x = self.embeddings(x)
        for layer in self.layers:
            x = layer(state.keep(x), state, positions)
        return {"last_hidden_state": self.final_norm(state.keep(x))}


class ModernBertPredictionHead(Module):
    def __init__(self, config: ModernBertConfig):
        self.dense = Linear(config.hidden_size, config.hidden_size, config.classifier_bias)
        self.norm = norm(config)
        self.act = ops.activation(config.classifier_activation)

    def __call__(self, x: Any) -> Any:
        return self.norm(ops.activate(self.act, self.dense(x)))


class ModernBertForMaskedLM(ForMaskedLM, ModernBertPreTrainedModel):
    base_class = ModernBertModel
    tied = {"decoder.weight": "model.embeddings.tok_embeddings.weight"}

    def __init__(self, config: ModernBertConfig):
        super().__init__(config)
        self.head = ModernBertPredictionHead(config)
        self.decoder = Linear(config.hidden_size, config.vocab_size, config.decoder_bias)

    def predict(self, x: Any) -> Any:
        return self.decoder(self.head(x))


class ModernBertPooled(ModernBertPreTrainedModel):
    """A sequence's vector: its first token, or the mean of its tokens, through `head`."""

    base_class = ModernBertModel

    def add_pooler(self, config: ModernBertConfig) -> None:
        self.head = ModernBertPredictionHead(config)

    def pool(self, state: State, **inputs: Any) -> Any:
        x, mask = self.hidden(state, **inputs), inputs.get("attention_mask")
        if self.config.classifier_pooling == "cls":
            return self.head(x[:, 0] if mask is None else self.first(x, mask))
        if mask is None:
            return self.head(ops.mean(x, axis=1))
        weights = (mask / mask.sum(1, keepdims=True)).astype(np.float32)
        return self.head(ops.einsum(x, weights, subscripts="bsh,bs->bh"))

    def first(self, x: Any, mask: np.ndarray) -> Any:
        """(batch, seq, hidden) -> (batch, hidden)"""
        return x[:, 0]


class ModernBertForSequenceClassification(ModernBertPooled, ForSequenceClassification):
    pass


class ModernBertForMultipleChoice(ModernBertPooled, ForMultipleChoice):
    """Chooses by the first token that is not padding."""

    def first(self, x: Any, mask: np.ndarray) -> Any:
        return x[np.arange(len(mask)), mask.argmax(1)]


class ModernBertTokens(ModernBertPreTrainedModel):
    """Each token through `head`."""

    base_class = ModernBertModel

    def __init__(self, config: ModernBertConfig):
        super().__init__(config)
        self.head = ModernBertPredictionHead(config)

    def hidden(self, state: State, **inputs: Any) -> Any:
        return self.head(super().hidden(state, **inputs))


class ModernBertForTokenClassification(ModernBertTokens, ForTokenClassification):
    pass


class ModernBertForQuestionAnswering(ModernBertTokens, ForQuestionAnswering):
    outputs_name = "classifier"

    def __init__(self, config: ModernBertConfig):
        super().__init__(config)
        self.dropout = Dropout(config.classifier_dropout)

    def hidden(self, state: State, **inputs: Any) -> Any:
        return self.dropout(super().hidden(state, **inputs))
