"""SqueezeBERT (Iandola et al., 2020): BERT whose linear layers see groups of channels."""

from __future__ import annotations

import math
from typing import Any

from ..core import ops
from ..core.layers import Convolution, Dropout, LayerNorm
from ..core.module import Module
from ..core.state import State
from .bert import BertEmbeddings, BertPooler, BertPreTrainingHeads
from .config import PretrainedConfig
from .heads import (
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForSequenceClassification,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPooling


class SqueezeBertConfig(PretrainedConfig):
    model_type = "squeezebert"
    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    embedding_size: int = 768
    q_groups: int = 4
    k_groups: int = 4
    v_groups: int = 4
    post_attention_groups: int = 1
    intermediate_groups: int = 4
    output_groups: int = 4


class SqueezeBertSelfAttention(Module):
    def __init__(self, config: SqueezeBertConfig, layer: int):
        n = config.hidden_size
        self.query = Convolution(n, n, 1, config.q_groups)
        self.key = Convolution(n, n, 1, config.k_groups)
        self.value = Convolution(n, n, 1, config.v_groups)
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.layer, self.heads = layer, config.num_attention_heads
        self.scale = 1.0 / math.sqrt(n // config.num_attention_heads)

    def __call__(self, x: Any, state: State) -> Any:
        parts = (self.query(x), self.key(x), self.value(x))
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in parts)
        return ops.merge_heads(state.attend(self.layer, q, k, v, self.scale, self.dropout.rate))


class ConvDropoutLayerNorm(Module):
    def __init__(self, config: SqueezeBertConfig, inputs: int, groups: int):
        self.conv1d = Convolution(inputs, config.hidden_size, 1, groups)
        self.layernorm = LayerNorm(config.hidden_size, 1e-12)
        self.dropout = Dropout(config.hidden_dropout_prob, order=(0, 2, 1))

    def __call__(self, x: Any, residual: Any) -> Any:
        return self.layernorm(self.dropout(self.conv1d(x)) + residual)


class ConvActivation(Module):
    def __init__(self, config: SqueezeBertConfig):
        n, inner = config.hidden_size, config.intermediate_size
        self.conv1d = Convolution(n, inner, 1, config.intermediate_groups)
        self.act = ops.activation(config.hidden_act)

    def __call__(self, x: Any) -> Any:
        return ops.activate(self.act, self.conv1d(x))


class SqueezeBertLayer(Module):
    def __init__(self, config: SqueezeBertConfig, layer: int):
        n, inner = config.hidden_size, config.intermediate_size
        self.attention = SqueezeBertSelfAttention(config, layer)
        self.post_attention = ConvDropoutLayerNorm(config, n, config.post_attention_groups)
        self.intermediate = ConvActivation(config)
        self.output = ConvDropoutLayerNorm(config, inner, config.output_groups)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.post_attention(self.attention(x, state), x)
        return self.output(self.intermediate(x), x)


class SqueezeBertEncoder(Module):
    def __init__(self, config: SqueezeBertConfig):
        if config.embedding_size != config.hidden_size:
            raise ValueError(
                f"SqueezeBERT's embedding_size {config.embedding_size} must equal its hidden_size "
                f"{config.hidden_size}: it has no projection between them"
            )
        self.layers = [SqueezeBertLayer(config, i) for i in range(config.num_hidden_layers)]

    def __call__(self, x: Any, state: State) -> Any:
        for layer in self.layers:
            x = layer(state.keep(x), state)
        return state.keep(x)


class SqueezeBertPreTrainedModel(PreTrainedModel):
    config_class = SqueezeBertConfig
    base_model_prefix = "transformer"
    input_embeddings = "embeddings.word_embeddings"
    inputs = (
        "input_ids",
        "attention_mask",
        "token_type_ids",
        "position_ids",
        "head_mask",
        "inputs_embeds",
    )


class SqueezeBertModel(SqueezeBertPreTrainedModel):
    output_class = BaseModelOutputWithPooling

    def __init__(self, config: SqueezeBertConfig):
        super().__init__(config)
        self.embeddings = BertEmbeddings(config)
        self.encoder = SqueezeBertEncoder(config)
        self.pooler = BertPooler(config)

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
        x = self.embeddings(x, token_type_ids, state.positions(x, position_ids))
        x = self.encoder(x, state)
        return {"last_hidden_state": x, "pooler_output": self.pooler(x)}


class SqueezeBertForMaskedLM(ForMaskedLM, SqueezeBertPreTrainedModel):
    base_class = SqueezeBertModel
    tied = {"cls.predictions.decoder.weight": "transformer.embeddings.word_embeddings.weight"}
    always_tied = {"cls.predictions.decoder.bias": "cls.predictions.bias"}

    def __init__(self, config: SqueezeBertConfig):
        super().__init__(config)
        self.cls = BertPreTrainingHeads(config, sentences=False)

    def predict(self, x: Any) -> Any:
        return self.cls.predictions(x)


class SqueezeBertForSequenceClassification(ForSequenceClassification, SqueezeBertPreTrainedModel):
    base_class = SqueezeBertModel


class SqueezeBertForMultipleChoice(ForMultipleChoice, SqueezeBertPreTrainedModel):
    base_class = SqueezeBertModel


class SqueezeBertForTokenClassification(ForTokenClassification, SqueezeBertPreTrainedModel):
    base_class = SqueezeBertModel


class SqueezeBertForQuestionAnswering(ForQuestionAnswering, SqueezeBertPreTrainedModel):
    base_class = SqueezeBertModel
