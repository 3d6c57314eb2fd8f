"""ConvBERT (Jiang et al., 2020): half of the heads are convolutions whose kernels depend on the
token."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Convolution, Dropout, LayerNorm, Linear
from ..core.module import Module, placeholder
from ..core.random import Generator
from ..core.state import State
from .bert import BertEmbeddings, BertResidual
from .config import PretrainedConfig
from .electra import ElectraGeneratorPredictions
from .heads import (
    FirstTokenForSequenceClassification,
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutput


class ConvBertConfig(PretrainedConfig):
    model_type = "convbert"
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
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: int | list | None = 2
    embedding_size: int = 768
    head_ratio: int = 2
    conv_kernel_size: int = 9
    num_groups: int = 1
    classifier_dropout: float | None = None


class SeparableConv1D(Module):
    """Each channel convolved alone, then all channels mixed at each position."""

    drawn_at_once = True

    def __init__(self, inputs: int, outputs: int, kernel: int):
        self.bias = placeholder(outputs, 1)
        self.depthwise = Convolution(inputs, inputs, kernel, groups=inputs, bias=False)
        self.pointwise = Convolution(inputs, outputs, 1, bias=False)

    def __call__(self, x: Any) -> Any:
        return self.pointwise(self.depthwise(x)) + ops.reshape(self.bias, shape=(-1,))


class ConvBertSelfAttention(Module):
    def __init__(self, config: ConvBertConfig, layer: int):
        n = config.hidden_size
        self.heads = max(config.num_attention_heads // config.head_ratio, 1)
        self.kernel, self.layer = config.conv_kernel_size, layer
        head_dim = n // self.heads // 2
        size = self.heads * head_dim
        self.query, self.key, self.value = Linear(n, size), Linear(n, size), Linear(n, size)
        self.key_conv_attn_layer = SeparableConv1D(n, size, self.kernel)
        self.conv_kernel_layer = Linear(size, self.heads * self.kernel)
        self.conv_out_layer = Linear(n, size)
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.scale = 1.0 / math.sqrt(head_dim)

    def __call__(self, x: Any, state: State) -> Any:
        query = self.query(x)
        parts = (query, self.key(x), self.value(x))
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in parts)
        attended = state.attend(self.layer, q, k, v, self.scale, self.dropout.rate)
        return ops.concatenate(ops.merge_heads(attended), self.convolve(x, query), axis=-1)

    def convolve(self, x: Any, query: Any) -> Any:
        """-> (batch, seq, heads * head_dim)"""
        batch, seq, size = query.shape
        kernels = self.conv_kernel_layer(self.key_conv_attn_layer(x) * query)
        kernels = ops.softmax(ops.reshape(kernels, shape=(batch, seq, self.heads, self.kernel)))
        seen = ops.windows(self.conv_out_layer(x), kernel=self.kernel)
        seen = ops.reshape(seen, shape=(batch, seq, self.heads, -1, self.kernel))
        out = ops.einsum(seen, kernels, subscripts="bshdk,bshk->bshd")
        return ops.reshape(out, shape=(batch, seq, size))


class GroupedLinear(Module):
    """A linear layer each of whose groups of outputs sees one group of inputs.

    weight: (groups, in / groups, out / groups)
    """

    def __init__(self, inputs: int, outputs: int, groups: int):
        self.weight = placeholder(groups, inputs // groups, outputs // groups)
        self.bias = placeholder(outputs)
        self.groups = groups

    def __call__(self, x: Any) -> Any:
        batch, seq, _ = x.shape
        x = ops.reshape(x, shape=(batch, seq, self.groups, -1))
        x = ops.einsum(x, self.weight, subscripts="bsgi,gio->bsgo")
        return ops.reshape(x, shape=(batch, seq, -1)) + self.bias

    def initial(self, attribute: str, std: float, draw: Generator) -> np.ndarray:
        shape = getattr(self, attribute).shape
        return draw.normal(shape, std=std) if attribute == "weight" else np.zeros(shape, np.float32)


def dense(config: ConvBertConfig, inputs: int, outputs: int) -> Module:
    groups = config.num_groups
    return Linear(inputs, outputs) if groups == 1 else GroupedLinear(inputs, outputs, groups)


class ConvBertAttention(Module):
    def __init__(self, config: ConvBertConfig, layer: int):
        self.self = ConvBertSelfAttention(config, layer)
        self.output = BertResidual(config, config.hidden_size)

    def __call__(self, x: Any, state: State) -> Any:
        return self.output(self.self(x, state), x)


class ConvBertIntermediate(Module):
    def __init__(self, config: ConvBertConfig):
        self.dense = dense(config, config.hidden_size, config.intermediate_size)
        self.act = ops.activation(config.hidden_act)

    def __call__(self, x: Any) -> Any:
        return ops.activate(self.act, self.dense(x))


class ConvBertOutput(Module):
    def __init__(self, config: ConvBertConfig):
        self.dense = dense(config, config.intermediate_size, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def __call__(self, x: Any, residual: Any) -> Any:
        return self.LayerNorm(self.dropout(self.dense(x)) + residual)


class ConvBertLayer(Module):
    def __init__(self, config: ConvBertConfig, layer: int):
        self.attention = ConvBertAttention(config, layer)
        self.intermediate = ConvBertIntermediate(config)
        self.output = ConvBertOutput(config)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.attention(x, state)
        return self.output(self.intermediate(x), x)


class ConvBertEncoder(Module):
    def __init__(self, config: ConvBertConfig):
        self.layer = [ConvBertLayer(config, i) for i in range(config.num_hidden_layers)]

    def __call__(self, x: Any, state: State) -> Any:
        for layer in self.layer:
            x = layer(state.keep(x), state)
        return state.keep(x)


class ConvBertPreTrainedModel(PreTrainedModel):
    config_class = ConvBertConfig
    base_model_prefix = "convbert"
    input_embeddings = "embeddings.word_embeddings"
    inputs = (
        "input_ids",
        "attention_mask",
        "token_type_ids",
        "position_ids",
        "head_mask",
        "inputs_embeds",
    )


class ConvBertModel(ConvBertPreTrainedModel):
    output_class = BaseModelOutput

    def __init__(self, config: ConvBertConfig):
        super().__init__(config)
        self.embeddings = BertEmbeddings(config, config.embedding_size)
        if config.embedding_size != config.hidden_size:
            self.embeddings_project = Linear(config.embedding_size, config.hidden_size)
        self.encoder = ConvBertEncoder(config)

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
        if self.config.embedding_size != self.config.hidden_size:
            x = self.embeddings_project(x)
        return {"last_hidden_state": self.encoder(x, state)}


class ConvBertForMaskedLM(ForMaskedLM, ConvBertPreTrainedModel):
    base_class = ConvBertModel
    tied = {"generator_lm_head.weight": "convbert.embeddings.word_embeddings.weight"}

    def __init__(self, config: ConvBertConfig):
        super().__init__(config)
        self.generator_predictions = ElectraGeneratorPredictions(config)
        self.generator_lm_head = Linear(config.embedding_size, config.vocab_size)

    def predict(self, x: Any) -> Any:
        return self.generator_lm_head(self.generator_predictions(x))


class ConvBertForSequenceClassification(
    FirstTokenForSequenceClassification, ConvBertPreTrainedModel
):
    base_class = ConvBertModel

    def __init__(self, config: ConvBertConfig):
        super().__init__(config)
        self.classifier.act = ops.activation(config.hidden_act)


class ConvBertForMultipleChoice(ForMultipleChoice, ConvBertPreTrainedModel):
    """Chooses by the last token, without dropout."""

    base_class = ConvBertModel

    def __init__(self, config: ConvBertConfig):
        super().__init__(config)
        self.dropout = Dropout(0.0)

    def pool(self, state: State, **inputs: Any) -> Any:
        return self.hidden(state, **inputs)[:, -1]


class ConvBertForTokenClassification(ForTokenClassification, ConvBertPreTrainedModel):
    base_class = ConvBertModel


class ConvBertForQuestionAnswering(ForQuestionAnswering, ConvBertPreTrainedModel):
    base_class = ConvBertModel
