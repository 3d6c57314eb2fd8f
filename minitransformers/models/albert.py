"""ALBERT (Lan et al., 2019): small embeddings, and groups of layers that share their weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, LayerNorm, Linear
from ..core.module import Module, placeholder
from ..core.state import State
from .bert import BertEmbeddings
from .config import PretrainedConfig
from .heads import (
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForSequenceClassification,
    ForTokenClassification,
    Head,
    classifier_dropout,
    token_loss,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutputWithPooling, ModelOutput
from .pruning import Counted, Heads


class AlbertConfig(PretrainedConfig):
    model_type = "albert"
    vocab_size: int = 30000
    embedding_size: int = 128
    hidden_size: int = 4096
    num_hidden_layers: int = 12
    num_hidden_groups: int = 1
    num_attention_heads: int = 64
    intermediate_size: int = 16384
    inner_group_num: int = 1
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0
    attention_probs_dropout_prob: float = 0
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    classifier_dropout_prob: float = 0.1
    position_embedding_type: str = "absolute"
    pad_token_id: int | None = 0
    bos_token_id: int | None = 2
    eos_token_id: int | list | None = 3


class AlbertAttention(Counted):
    def __init__(self, config: AlbertConfig):
        n = config.hidden_size
        self.query, self.key, self.value = Linear(n, n), Linear(n, n), Linear(n, n)
        self.dense = Linear(n, n)
        self.LayerNorm = LayerNorm(n, config.layer_norm_eps)
        self.attention_dropout = Dropout(config.attention_probs_dropout_prob)
        self.output_dropout = Dropout(config.hidden_dropout_prob)
        self.heads = config.num_attention_heads
        self.scale = 1.0 / math.sqrt(n // config.num_attention_heads)

    def __call__(self, x: Any, state: State, layer: int) -> Any:
        parts = (self.query(x), self.key(x), self.value(x))
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in parts)
        out = state.attend(layer, q, k, v, self.scale, self.attention_dropout.rate)
        return self.LayerNorm(x + self.output_dropout(self.dense(ops.merge_heads(out))))


class AlbertLayer(Module):
    def __init__(self, config: AlbertConfig):
        self.full_layer_layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.attention = AlbertAttention(config)
        self.ffn = Linear(config.hidden_size, config.intermediate_size)
        self.ffn_output = Linear(config.intermediate_size, config.hidden_size)
        self.act = ops.activation(config.hidden_act)

    def __call__(self, x: Any, state: State, layer: int) -> Any:
        x = self.attention(x, state, layer)
        return self.full_layer_layer_norm(self.ffn_output(ops.activate(self.act, self.ffn(x))) + x)


class AlbertLayerGroup(Module):
    def __init__(self, config: AlbertConfig):
        self.albert_layers = [AlbertLayer(config) for _ in range(config.inner_group_num)]


class AlbertTransformer(Module):
    def __init__(self, config: AlbertConfig):
        self.embedding_hidden_mapping_in = Linear(config.embedding_size, config.hidden_size)
        self.albert_layer_groups = [
            AlbertLayerGroup(config) for _ in range(config.num_hidden_groups)
        ]
        self.layers, self.groups = config.num_hidden_layers, config.num_hidden_groups

    def __call__(self, x: Any, state: State) -> Any:
        x = self.embedding_hidden_mapping_in(x)
        for i in range(self.layers):
            state.keep(x)
            for layer in self.albert_layer_groups[i * self.groups // self.layers].albert_layers:
                x = layer(x, state, i)
        return state.keep(x)


class AlbertPreTrainedModel(PreTrainedModel):
    config_class = AlbertConfig
    base_model_prefix = "albert"
    input_embeddings = "embeddings.word_embeddings"
    attention_heads = Heads(
        r"encoder\.albert_layer_groups\.\d+\.albert_layers\.\d+\.attention",
        inputs=("query", "key", "value"),
        output="dense",
    )
    inputs = (
        "input_ids",
        "attention_mask",
        "token_type_ids",
        "position_ids",
        "head_mask",
        "inputs_embeds",
    )


class AlbertModel(AlbertPreTrainedModel):
    output_class = BaseModelOutputWithPooling

    def __init__(self, config: AlbertConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = BertEmbeddings(config, config.embedding_size)
        self.encoder = AlbertTransformer(config)
        pools = add_pooling_layer
        self.pooler = Linear(config.hidden_size, config.hidden_size) if pools else None

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
        pooled = None if self.pooler is None else ops.tanh(self.pooler(x[:, 0]))
        return {"last_hidden_state": x, "pooler_output": pooled}


class AlbertMLMHead(Module):
    def __init__(self, config: AlbertConfig):
        self.bias = placeholder(config.vocab_size)
        self.LayerNorm = LayerNorm(config.embedding_size, config.layer_norm_eps)
        self.dense = Linear(config.hidden_size, config.embedding_size)
        self.decoder = Linear(config.embedding_size, config.vocab_size)
        self.act = ops.activation(config.hidden_act)

    def __call__(self, x: Any) -> Any:
        return self.decoder(self.LayerNorm(ops.activate(self.act, self.dense(x))))


class AlbertForMaskedLM(ForMaskedLM, AlbertPreTrainedModel):
    base_class = AlbertModel
    base_options = {"add_pooling_layer": False}
    tied = {"predictions.decoder.weight": "albert.embeddings.word_embeddings.weight"}
    always_tied = {"predictions.decoder.bias": "predictions.bias"}

    def __init__(self, config: AlbertConfig):
        super().__init__(config)
        self.predictions = AlbertMLMHead(config)

    def predict(self, x: Any) -> Any:
        return self.predictions(x)


class AlbertSOPHead(Module):
    """Whether two segments are in their order."""

    def __init__(self, config: AlbertConfig):
        self.dropout = classifier_dropout(config)
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def __call__(self, pooled: Any) -> Any:
        return self.classifier(self.dropout(pooled))


class AlbertForPreTrainingOutput(ModelOutput):
    """prediction_logits: (batch, seq, vocab); sop_logits: (batch, 2)"""

    loss: Any = None
    prediction_logits: Any = None
    sop_logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class AlbertForPreTraining(Head, AlbertPreTrainedModel):
    base_class = AlbertModel
    output_class = AlbertForPreTrainingOutput
    targets = ("labels", "sentence_order_label")
    tied, always_tied = AlbertForMaskedLM.tied, AlbertForMaskedLM.always_tied

    def __init__(self, config: AlbertConfig):
        super().__init__(config)
        self.predictions = AlbertMLMHead(config)
        self.sop_classifier = AlbertSOPHead(config)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = self.albert.forward(state, **inputs)
        return {
            "prediction_logits": self.predictions(values["last_hidden_state"]),
            "sop_logits": self.sop_classifier(values["pooler_output"]),
        }

    def loss(
        self,
        values: dict[str, Any],
        labels: np.ndarray | None = None,
        sentence_order_label: np.ndarray | None = None,
    ) -> dict[str, Any]:
        if labels is None or sentence_order_label is None:
            return {}
        tokens = token_loss(values["prediction_logits"], labels)
        return {"loss": tokens + token_loss(values["sop_logits"], sentence_order_label)}


class AlbertForSequenceClassification(ForSequenceClassification, AlbertPreTrainedModel):
    base_class = AlbertModel


class AlbertForMultipleChoice(ForMultipleChoice, AlbertPreTrainedModel):
    base_class = AlbertModel


class AlbertForTokenClassification(ForTokenClassification, AlbertPreTrainedModel):
    base_class = AlbertModel
    base_options = {"add_pooling_layer": False}


class AlbertForQuestionAnswering(ForQuestionAnswering, AlbertPreTrainedModel):
    base_class = AlbertModel
    base_options = {"add_pooling_layer": False}
