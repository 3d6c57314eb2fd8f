"""BERT (Devlin et al., 2018), as encoder or decoder. Attribute paths are the checkpoint's names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module, placeholder
from ..core.state import State
from .config import PretrainedConfig
from .heads import (
    ForMultipleChoice,
    ForQuestionAnswering,
    ForSequenceClassification,
    ForTokenClassification,
    Head,
    next_token_loss,
    token_loss,
)
from .modeling import PreTrainedModel
from .outputs import (
    BaseModelOutputWithPoolingAndCrossAttentions,
    CausalLMOutputWithCrossAttentions,
    MaskedLMOutput,
    ModelOutput,
    NextSentencePredictorOutput,
)
from .pruning import Counted, Heads


class BertConfig(PretrainedConfig):
    model_type = "bert"
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
    position_embedding_type: str = "absolute"
    use_cache: bool = True
    classifier_dropout: float | None = None


class BertEmbeddings(Module):
    def __init__(self, config: Any, size: int | None = None):
        n = size or config.hidden_size
        self.word_embeddings = Embedding(config.vocab_size, n, config.pad_token_id)
        self.position_embeddings = Embedding(config.max_position_embeddings, n)
        self.token_type_embeddings = Embedding(config.type_vocab_size, n)
        self.LayerNorm = LayerNorm(n, config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)
        kind = getattr(config, "position_embedding_type", "absolute")
        self.absolute = kind == "absolute"

    def __call__(self, x: Any, token_type_ids: Any, positions: np.ndarray) -> Any:
        types = np.zeros((1, 1), np.int64) if token_type_ids is None else token_type_ids
        x = x + self.token_type_embeddings(types)
        if self.absolute:
            x = x + self.position_embeddings(positions)
        return self.dropout(self.LayerNorm(x))


# position_embedding_type -> what distances are compared with, beside the absolute positions
RELATIVE = {"absolute": None, "relative_key": "key", "relative_key_query": "query"}


class BertSelfAttention(Counted):
    def __init__(self, config: Any, layer: int, cross: bool = False):
        n = config.hidden_size
        self.query, self.key, self.value = Linear(n, n), Linear(n, n), Linear(n, n)
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.layer, self.heads, self.cross = layer, config.num_attention_heads, cross
        head_dim = n // config.num_attention_heads
        self.scale = 1.0 / math.sqrt(head_dim)
        self.relative = None if cross else RELATIVE[config.position_embedding_type]
        if self.relative:
            self.reach = config.max_position_embeddings
            self.distance_embedding = Embedding(2 * self.reach - 1, head_dim)

    def project(self, x: Any) -> tuple:
        """(batch, seq, hidden) -> keys and values, (batch, heads, seq, head_dim)"""
        k, v = self.key(x), self.value(x)
        return ops.split_heads(k, heads=self.heads), ops.split_heads(v, heads=self.heads)

    def __call__(self, x: Any, state: State) -> Any:
        q = ops.split_heads(self.query(x), heads=self.heads)
        if self.cross:
            out = state.attend_source(self.layer, q, self.project, self.scale, self.dropout.rate)
        else:
            bias = (lambda k: self.distance_bias(q, k)) if self.relative else None
            k, v = self.project(x)
            out = state.attend(self.layer, q, k, v, self.scale, self.dropout.rate, bias)
        return ops.merge_heads(out)

    def distance_bias(self, q: Any, k: Any) -> Any:
        """How well distances answer the queries, and for "query" the keys (Shaw et al., 2018; Huang
        et al., 2020). q: (batch, heads, seq, head_dim); k: (batch, heads, total, head_dim)

        -> (batch, heads, seq, total)
        """
        seq, total = q.shape[2], k.shape[2]
        apart = np.arange(total - seq, total)[:, None] - np.arange(total)
        table = self.distance_embedding(apart + self.reach - 1)
        bias = ops.einsum(q, table, subscripts="bhqd,qkd->bhqk")
        if self.relative == "query":
            bias = bias + ops.einsum(k, table, subscripts="bhkd,qkd->bhqk")
        return bias * self.scale


class BertResidual(Module):
    """Linear, dropout, and the norm of the sum with what came in."""

    def __init__(self, config: Any, inputs: int):
        self.dense = Linear(inputs, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def __call__(self, x: Any, residual: Any) -> Any:
        return self.LayerNorm(self.dropout(self.dense(x)) + residual)


class BertAttention(Module):
    def __init__(self, config: Any, layer: int, cross: bool = False):
        self.self = BertSelfAttention(config, layer, cross)
        self.output = BertResidual(config, config.hidden_size)

    def __call__(self, x: Any, state: State) -> Any:
        return self.output(self.self(x, state), x)


class BertIntermediate(Module):
    def __init__(self, config: Any):
        self.dense = Linear(config.hidden_size, config.intermediate_size)
        self.act = ops.activation(config.hidden_act)

    def __call__(self, x: Any) -> Any:
        return ops.activate(self.act, self.dense(x))


BERT_HEADS = Heads(
    r"encoder\.layer\.\d+\.attention",
    inputs=("self.query", "self.key", "self.value"),
    output="output.dense",
    counted="self",
)


class BertLayer(Module):
    def __init__(self, config: Any, layer: int):
        self.attention = BertAttention(config, layer)
        if config.add_cross_attention:
            self.crossattention = BertAttention(config, layer, cross=True)
        self.intermediate = BertIntermediate(config)
        self.output = BertResidual(config, config.intermediate_size)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.attention(x, state)
        if state.source is not None:
            x = self.crossattention(x, state)
        return self.output(self.intermediate(x), x)


class BertEncoder(Module):
    def __init__(self, config: Any):
        self.layer = [BertLayer(config, i) for i in range(config.num_hidden_layers)]

    def __call__(self, x: Any, state: State) -> Any:
        for layer in self.layer:
            x = layer(state.keep(x), state)
        return state.keep(x)


class BertPooler(Module):
    def __init__(self, config: Any):
        self.dense = Linear(config.hidden_size, config.hidden_size)

    def __call__(self, x: Any) -> Any:
        return ops.tanh(self.dense(x[:, 0]))


class BertPreTrainedModel(PreTrainedModel):
    config_class = BertConfig
    base_model_prefix = "bert"
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

    def _caches(self) -> bool:
        return self.config.is_decoder


class BertModel(BertPreTrainedModel):
    output_class = BaseModelOutputWithPoolingAndCrossAttentions
    inputs = (*BertPreTrainedModel.inputs, "encoder_hidden_states", "encoder_attention_mask")

    def __init__(self, config: BertConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        if config.position_embedding_type not in RELATIVE:
            raise ValueError(
                f"position_embedding_type {config.position_embedding_type!r} is none of "
                f"{', '.join(RELATIVE)}"
            )
        self.embeddings = BertEmbeddings(config)
        self.encoder = BertEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None

    def positions(self, state: State, x: Any, input_ids: Any, position_ids: Any) -> np.ndarray:
        """-> (1 or batch, seq)"""
        return state.positions(x, position_ids)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
        encoder_hidden_states: Any = None,
        encoder_attention_mask: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embeddings.word_embeddings, input_ids, inputs_embeds)
        look = state.look_back if self.config.is_decoder else state.look_around
        look(x, attention_mask)
        state.look_at_source(encoder_hidden_states, encoder_attention_mask)
        positions = self.positions(state, x, input_ids, position_ids)
        x = self.embeddings(x, token_type_ids, positions)
        x = self.encoder(x, state)
        pooled = None if self.pooler is None else self.pooler(x)
        return {"last_hidden_state": x, "pooler_output": pooled}


class BertPredictionHeadTransform(Module):
    def __init__(self, config: Any, size: int):
        self.dense = Linear(config.hidden_size, size)
        self.act = ops.activation(config.hidden_act)
        self.LayerNorm = LayerNorm(size, config.layer_norm_eps)

    def __call__(self, x: Any) -> Any:
        return self.LayerNorm(ops.activate(self.act, self.dense(x)))


class BertLMPredictionHead(Module):
    def __init__(self, config: Any):
        size = getattr(config, "embedding_size", config.hidden_size)
        self.bias = placeholder(config.vocab_size)
        self.transform = BertPredictionHeadTransform(config, size)
        self.decoder = Linear(size, config.vocab_size)
        self.decoder.makes_bias = False

    def __call__(self, x: Any) -> Any:
        return self.decoder(self.transform(x))


class BertPreTrainingHeads(Module):
    """What BERT was pre-trained with: masked tokens, and whether the second sentence follows."""

    def __init__(self, config: Any, tokens: bool = True, sentences: bool = True):
        if tokens:
            self.predictions = BertLMPredictionHead(config)
        if sentences:
            self.seq_relationship = Linear(config.hidden_size, 2)


class BertForPreTrainingOutput(ModelOutput):
    """prediction_logits: (batch, seq, vocab); seq_relationship_logits: (batch, 2)"""

    loss: Any = None
    prediction_logits: Any = None
    seq_relationship_logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


class BertTokenHead(Head, BertPreTrainedModel):
    """BERT with `cls.predictions`, whose matrix is the word embeddings."""

    base_class = BertModel
    base_options = {"add_pooling_layer": False}
    tied = {"cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight"}
    always_tied = {"cls.predictions.decoder.bias": "cls.predictions.bias"}

    def __init__(self, config: BertConfig, sentences: bool = False):
        super().__init__(config)
        self.cls = BertPreTrainingHeads(config, sentences=sentences)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        return {"logits": self.cls.predictions(state.tail(self.hidden(state, **inputs)))}


class BertForPreTraining(BertTokenHead):
    base_options = {}
    output_class = BertForPreTrainingOutput
    targets = ("labels", "next_sentence_label")

    def __init__(self, config: BertConfig):
        super().__init__(config, sentences=True)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        values = self.bert.forward(state, **inputs)
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


class BertForMaskedLM(BertTokenHead):
    output_class = MaskedLMOutput
    inputs = BertModel.inputs

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}


class BertLMHeadModel(BertTokenHead):
    """BERT as a decoder (is_decoder in the configuration)."""

    output_class = CausalLMOutputWithCrossAttentions
    inputs = BertModel.inputs
    generates = True
    caches_with_targets = False

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": next_token_loss(values["logits"], labels)}


class BertForNextSentencePrediction(Head, BertPreTrainedModel):
    base_class = BertModel
    output_class = NextSentencePredictorOutput

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.cls = BertPreTrainingHeads(config, tokens=False)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        pooled = self.bert.forward(state, **inputs)["pooler_output"]
        return {"logits": self.cls.seq_relationship(pooled)}

    def loss(self, values: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
        return {"loss": token_loss(values["logits"], labels)}


class BertForSequenceClassification(ForSequenceClassification, BertPreTrainedModel):
    base_class = BertModel


class BertForMultipleChoice(ForMultipleChoice, BertPreTrainedModel):
    base_class = BertModel


class BertForTokenClassification(ForTokenClassification, BertPreTrainedModel):
    base_class = BertModel
    base_options = {"add_pooling_layer": False}


class BertForQuestionAnswering(ForQuestionAnswering, BertPreTrainedModel):
    base_class = BertModel
    base_options = {"add_pooling_layer": False}
