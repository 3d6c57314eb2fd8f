"""MobileBERT (Sun et al., 2020): a deep and thin BERT, each layer behind a bottleneck."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module, placeholder
from ..core.random import Generator
from ..core.state import State
from .bert import (
    BERT_HEADS,
    BertForPreTrainingOutput,
    BertPooler,
    BertPredictionHeadTransform,
)
from .config import PretrainedConfig
from .heads import (
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForSequenceClassification,
    ForTokenClassification,
    Head,
    token_loss,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPooling, NextSentencePredictorOutput
from .pruning import Counted


class MobileBertConfig(PretrainedConfig):
    model_type = "mobilebert"
    vocab_size: int = 30522
    hidden_size: int = 512
    num_hidden_layers: int = 24
    num_attention_heads: int = 4
    intermediate_size: int = 512
    hidden_act: str = "relu"
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    embedding_size: int = 128
    trigram_input: bool = True
    use_bottleneck: bool = True
    intra_bottleneck_size: int = 128
    use_bottleneck_attention: bool = False
    key_query_shared_bottleneck: bool = True
    num_feedforward_networks: int = 4
    normalization_type: str = "no_norm"
    classifier_activation: bool = True
    classifier_dropout: float | None = None
    true_hidden_size: int = 128

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        narrow = self.use_bottleneck
        self.true_hidden_size = self.intra_bottleneck_size if narrow else self.hidden_size


class NoNorm(Module):
    """What a norm becomes when its statistics are left out. weight, bias: (hidden,)"""

    def __init__(self, hidden: int):
        self.bias, self.weight = placeholder(hidden), placeholder(hidden)

    def __call__(self, x: Any) -> Any:
        return x * self.weight + self.bias

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        return np.full(self.weight.shape, attribute == "weight", np.float32)


def norm(config: MobileBertConfig, hidden: int, eps: float | None = None) -> Module:
    if config.normalization_type == "no_norm":
        return NoNorm(hidden)
    return LayerNorm(hidden, config.layer_norm_eps if eps is None else eps)


class MobileBertEmbeddings(Module):
    def __init__(self, config: MobileBertConfig):
        n, size = config.hidden_size, config.embedding_size
        self.word_embeddings = Embedding(config.vocab_size, size, config.pad_token_id)
        self.position_embeddings = Embedding(config.max_position_embeddings, n)
        self.token_type_embeddings = Embedding(config.type_vocab_size, n)
        inputs = size * (3 if config.trigram_input else 1)
        self.embedding_transformation = Linear(inputs, n)
        self.LayerNorm = norm(config, n, 1e-5)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.trigram, self.projects = config.trigram_input, inputs != n or config.trigram_input

    def __call__(self, x: Any, token_type_ids: Any, positions: np.ndarray) -> Any:
        types = np.zeros((1, 1), np.int64) if token_type_ids is None else token_type_ids
        if self.trigram:  # each token between its neighbours
            beyond = np.zeros((x.shape[0], 1, x.shape[2]), x.dtype)
            after = ops.concatenate(x[:, 1:], beyond, axis=1)
            before = ops.concatenate(beyond, x[:, :-1], axis=1)
            x = ops.concatenate(after, x, before, axis=2)
        if self.projects:
            x = self.embedding_transformation(x)
        x = x + self.position_embeddings(positions) + self.token_type_embeddings(types)
        return self.dropout(self.LayerNorm(x))


class DenseNorm(Module):
    """A Linear and the norm of what it makes, or of its sum with a residual."""

    def __init__(self, config: MobileBertConfig, inputs: int, outputs: int, drop: float = 0.0,
                 eps: float | None = None):  # fmt: skip
        self.dense = Linear(inputs, outputs)
        self.LayerNorm = norm(config, outputs, eps)
        self.dropout = Dropout(drop)

    def __call__(self, x: Any, residual: Any = 0.0) -> Any:
        return self.LayerNorm(self.dropout(self.dense(x)) + residual)


class MobileBertSelfAttention(Counted):
    def __init__(self, config: MobileBertConfig, layer: int):
        size = config.true_hidden_size
        wide = not (config.use_bottleneck and config.use_bottleneck_attention)
        self.query, self.key = Linear(size, size), Linear(size, size)
        self.value = Linear(config.hidden_size if wide else size, size)
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.layer, self.heads = layer, config.num_attention_heads
        self.scale = 1.0 / math.sqrt(size // config.num_attention_heads)

    def __call__(self, query: Any, value: Any, state: State) -> Any:
        parts = (self.query(query), self.key(query), self.value(value))
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in parts)
        return ops.merge_heads(state.attend(self.layer, q, k, v, self.scale, self.dropout.rate))


class MobileBertAttention(Module):
    def __init__(self, config: MobileBertConfig, layer: int):
        size = config.true_hidden_size
        drop = 0.0 if config.use_bottleneck else config.hidden_dropout_prob
        self.self = MobileBertSelfAttention(config, layer)
        self.output = DenseNorm(config, size, size, drop)

    def __call__(self, query: Any, value: Any, residual: Any, state: State) -> Any:
        return self.output(self.self(query, value, state), residual)


class MobileBertIntermediate(Module):
    def __init__(self, config: MobileBertConfig):
        self.dense = Linear(config.true_hidden_size, config.intermediate_size)
        self.act = ops.activation(config.hidden_act)

    def __call__(self, x: Any) -> Any:
        return ops.activate(self.act, self.dense(x))


class Bottleneck(Module):
    def __init__(self, config: MobileBertConfig):
        n, size = config.hidden_size, config.intra_bottleneck_size
        self.input = DenseNorm(config, n, size)
        if config.key_query_shared_bottleneck:
            self.attention = DenseNorm(config, n, size)
        self.shared = config.key_query_shared_bottleneck
        self.narrow_attention = config.use_bottleneck_attention

    def __call__(self, x: Any) -> tuple:
        """-> what queries and keys, values, and the residual are made of"""
        narrow = self.input(x)
        if self.narrow_attention:
            return narrow, narrow, narrow
        return (self.attention(x) if self.shared else x), x, narrow


class FFNLayer(Module):
    def __init__(self, config: MobileBertConfig):
        self.intermediate = MobileBertIntermediate(config)
        self.output = DenseNorm(config, config.intermediate_size, config.true_hidden_size)

    def __call__(self, x: Any) -> Any:
        return self.output(self.intermediate(x), x)


class MobileBertOutput(DenseNorm):
    def __init__(self, config: MobileBertConfig):
        size, drop = config.true_hidden_size, config.hidden_dropout_prob
        narrow = config.use_bottleneck
        super().__init__(config, config.intermediate_size, size, 0.0 if narrow else drop, 1e-5)
        self.bottleneck = DenseNorm(config, size, config.hidden_size, drop) if narrow else None


class MobileBertLayer(Module):
    def __init__(self, config: MobileBertConfig, layer: int):
        self.attention = MobileBertAttention(config, layer)
        self.intermediate = MobileBertIntermediate(config)
        self.output = MobileBertOutput(config)
        self.bottleneck = Bottleneck(config) if config.use_bottleneck else None
        self.ffn = [FFNLayer(config) for _ in range(config.num_feedforward_networks - 1)]

    def __call__(self, x: Any, state: State) -> Any:
        query, value, residual = (x, x, x) if self.bottleneck is None else self.bottleneck(x)
        y = self.attention(query, value, residual, state)
        for ffn in self.ffn:
            y = ffn(y)
        y = self.output(self.intermediate(y), y)
        return y if self.output.bottleneck is None else self.output.bottleneck(y, x)


class MobileBertEncoder(Module):
    def __init__(self, config: MobileBertConfig):
        self.layer = [MobileBertLayer(config, i) for i in range(config.num_hidden_layers)]

    def __call__(self, x: Any, state: State) -> Any:
        for layer in self.layer:
            x = layer(state.keep(x), state)
        return state.keep(x)


class MobileBertPreTrainedModel(PreTrainedModel):
    config_class = MobileBertConfig
    base_model_prefix = "mobilebert"
    input_embeddings = "embeddings.word_embeddings"
    attention_heads = BERT_HEADS
    inputs = (
        "input_ids",
        "attention_mask",
        "token_type_ids",
        "position_ids",
        "head_mask",
        "inputs_embeds",
    )


class MobileBertModel(MobileBertPreTrainedModel):
    output_class = BaseModelOutputWithPooling

    def __init__(self, config: MobileBertConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = MobileBertEmbeddings(config)
        self.encoder = MobileBertEncoder(config)
        self.pools = add_pooling_layer
        activates = add_pooling_layer and config.classifier_activation
        self.pooler = BertPooler(config) if activates else None

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
        first = x[:, 0] if self.pools else None
        return {"last_hidden_state": x, "pooler_output": self.pooler(x) if self.pooler else first}


class MobileBertLMPredictionHead(Module):
    """The matrix to the vocabulary is the word embeddings and, for the channels they lack, more."""

    def __init__(self, config: MobileBertConfig):
        n, size = config.hidden_size, config.embedding_size
        self.bias = placeholder(config.vocab_size)
        self.transform = BertPredictionHeadTransform(config, n)
        self.dense = Linear(config.vocab_size, n - size, bias=False)
        self.decoder = Linear(size, config.vocab_size)
        self.decoder.makes_bias = False
        self.size = size

    def __call__(self, x: Any) -> Any:
        x = self.transform(x)
        return self.decoder(x[..., : self.size]) + ops.conv1d(
            x[..., self.size :], self.dense.weight
        )


class MobileBertPreTrainingHeads(Module):
    def __init__(self, config: MobileBertConfig, tokens: bool = True, sentences: bool = True):
        if tokens:
            self.predictions = MobileBertLMPredictionHead(config)
        if sentences:
            self.seq_relationship = Linear(config.hidden_size, 2)


class MobileBertForMaskedLM(ForMaskedLM, MobileBertPreTrainedModel):
    base_class = MobileBertModel
    base_options = {"add_pooling_layer": False}
    tied = {"cls.predictions.decoder.weight": "mobilebert.embeddings.word_embeddings.weight"}
    always_tied = {"cls.predictions.decoder.bias": "cls.predictions.bias"}
    per_token = {"cls.predictions.dense.weight": "mean"}

    def __init__(self, config: MobileBertConfig):
        super().__init__(config)
        self.cls = MobileBertPreTrainingHeads(config, sentences=False)

    def predict(self, x: Any) -> Any:
        return self.cls.predictions(x)


class MobileBertForPreTraining(Head, MobileBertPreTrainedModel):
    base_class = MobileBertModel
    output_class = BertForPreTrainingOutput
    targets = ("labels", "next_sentence_label")
    tied, always_tied = MobileBertForMaskedLM.tied, MobileBertForMaskedLM.always_tied
    per_token = MobileBertForMaskedLM.per_token

    def __init__(self, config: MobileBertConfig):
        super().__init__(config)
        self.cls = MobileBertPreTrainingHeads(config)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = self.mobilebert.forward(state, **inputs)
        return {
            "prediction_logits": self.cls.predictions(values["last_hidden_state"]),
            "seq_relationship_logits": self.cls.seq_relationship(values["pooler_output"]),
        }

    def loss(
        self, values: dict[str, Any], labels: Any = None, next_sentence_label: Any = None
    ) -> dict[str, Any]:
        if labels is None or next_sentence_label is None:
            return {}
        tokens = token_loss(values["prediction_logits"], labels)
        return {"loss": tokens + token_loss(values["seq_relationship_logits"], next_sentence_label)}


class MobileBertForNextSentencePrediction(Head, MobileBertPreTrainedModel):
    base_class = MobileBertModel
    output_class = NextSentencePredictorOutput

    def __init__(self, config: MobileBertConfig):
        super().__init__(config)
        self.cls = MobileBertPreTrainingHeads(config, tokens=False)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        pooled = self.mobilebert.forward(state, **inputs)["pooler_output"]
        return {"logits": self.cls.seq_relationship(pooled)}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}


class MobileBertForSequenceClassification(ForSequenceClassification, MobileBertPreTrainedModel):
    base_class = MobileBertModel


class MobileBertForMultipleChoice(ForMultipleChoice, MobileBertPreTrainedModel):
    base_class = MobileBertModel


class MobileBertForTokenClassification(ForTokenClassification, MobileBertPreTrainedModel):
    base_class = MobileBertModel
    base_options = {"add_pooling_layer": False}


class MobileBertForQuestionAnswering(ForQuestionAnswering, MobileBertPreTrainedModel):
    base_class = MobileBertModel
    base_options = {"add_pooling_layer": False}
