"""MPNet (Song et al., 2020), the encoder of many sentence-transformers. Attribute paths are the
checkpoint's names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module
from ..core.state import State
from .bert import BertIntermediate, BertPooler, BertResidual
from .config import PretrainedConfig
from .heads import (
    FirstTokenForSequenceClassification,
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPooling
from .roberta import RobertaLMHead
from .t5 import position_buckets

PAD = 1  # where positions begin to be counted, whatever the configuration's pad_token_id


class MPNetConfig(PretrainedConfig):
    model_type = "mpnet"
    vocab_size: int = 30527
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    relative_attention_num_buckets: int = 32
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: int | list | None = 2


class MPNetEmbeddings(Module):
    def __init__(self, config: MPNetConfig):
        n = config.hidden_size
        self.word_embeddings = Embedding(config.vocab_size, n, PAD)
        self.position_embeddings = Embedding(config.max_position_embeddings, n, PAD)
        self.LayerNorm = LayerNorm(n, config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def __call__(self, x: Any, positions: np.ndarray) -> Any:
        return self.dropout(self.LayerNorm(x + self.position_embeddings(positions)))


class MPNetSelfAttention(Module):
    def __init__(self, config: MPNetConfig, layer: int):
        n = config.hidden_size
        self.q, self.k, self.v, self.o = (Linear(n, n) for _ in range(4))
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.layer, self.heads = layer, config.num_attention_heads
        self.scale = 1.0 / math.sqrt(n // config.num_attention_heads)

    def __call__(self, x: Any, state: State) -> Any:
        q, k, v = (ops.split_heads(p(x), heads=self.heads) for p in (self.q, self.k, self.v))
        out = state.attend(self.layer, q, k, v, self.scale, self.dropout.rate)
        return self.o(ops.merge_heads(out))


class MPNetAttention(Module):
    def __init__(self, config: MPNetConfig, layer: int):
        self.attn = MPNetSelfAttention(config, layer)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def __call__(self, x: Any, state: State) -> Any:
        return self.LayerNorm(self.dropout(self.attn(x, state)) + x)


class MPNetLayer(Module):
    def __init__(self, config: MPNetConfig, layer: int):
        self.attention = MPNetAttention(config, layer)
        self.intermediate = BertIntermediate(config)
        self.output = BertResidual(config, config.intermediate_size)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.attention(x, state)
        return self.output(self.intermediate(x), x)


class MPNetEncoder(Module):
    def __init__(self, config: MPNetConfig):
        self.layer = [MPNetLayer(config, i) for i in range(config.num_hidden_layers)]
        self.relative_attention_bias = Embedding(
            config.relative_attention_num_buckets, config.num_attention_heads
        )

    def __call__(self, x: Any, state: State) -> Any:
        state.bias = self.position_bias(x.shape[1])
        for layer in self.layer:
            x = layer(state.keep(x), state)
        return state.keep(x)

    def position_bias(self, seq: int) -> Any:
        """-> (1, heads, seq, seq), added to the scores of every layer"""
        buckets = position_buckets(seq, seq, 32, 128, True)
        bias = ops.transpose(self.relative_attention_bias(buckets), axes=(2, 0, 1))
        return ops.reshape(bias, shape=(1, *bias.shape))


class MPNetPreTrainedModel(PreTrainedModel):
    config_class = MPNetConfig
    base_model_prefix = "mpnet"
    input_embeddings = "embeddings.word_embeddings"
    inputs = ("input_ids", "attention_mask", "position_ids", "head_mask", "inputs_embeds")


class MPNetModel(MPNetPreTrainedModel):
    output_class = BaseModelOutputWithPooling

    def __init__(self, config: MPNetConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = MPNetEmbeddings(config)
        self.encoder = MPNetEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embeddings.word_embeddings, input_ids, inputs_embeds)
        state.look_around(x, attention_mask)
        x = self.embeddings(x, state.positions_of(x, input_ids, PAD, position_ids))
        x = self.encoder(x, state)
        pooled = None if self.pooler is None else self.pooler(x)
        return {"last_hidden_state": x, "pooler_output": pooled}


class MPNetForMaskedLM(ForMaskedLM, MPNetPreTrainedModel):
    base_class = MPNetModel
    base_options = {"add_pooling_layer": False}
    tied = {"lm_head.decoder.weight": "mpnet.embeddings.word_embeddings.weight"}
    always_tied = {"lm_head.decoder.bias": "lm_head.bias"}

    def __init__(self, config: MPNetConfig):
        super().__init__(config)
        self.lm_head = RobertaLMHead(config)
        self.lm_head.decoder.makes_bias = False

    def predict(self, x: Any) -> Any:
        return self.lm_head(x)


class MPNetForSequenceClassification(FirstTokenForSequenceClassification, MPNetPreTrainedModel):
    base_class = MPNetModel
    base_options = {"add_pooling_layer": False}


class MPNetForMultipleChoice(ForMultipleChoice, MPNetPreTrainedModel):
    base_class = MPNetModel


class MPNetForTokenClassification(ForTokenClassification, MPNetPreTrainedModel):
    base_class = MPNetModel
    base_options = {"add_pooling_layer": False}


class MPNetForQuestionAnswering(ForQuestionAnswering, MPNetPreTrainedModel):
    base_class = MPNetModel
    base_options = {"add_pooling_layer": False}
