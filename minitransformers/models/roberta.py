"""RoBERTa (Liu et al., 2019): BERT's body with positions that skip padding, and other heads."""

from __future__ import annotations

from typing import Any

from ..core import ops
from ..core.layers import LayerNorm, Linear
from ..core.module import Module, placeholder
from ..core.random import Generator
from ..core.state import State
from .bert import BERT_HEADS, BertConfig, BertEmbeddings, BertModel
from .heads import (
    EncoderForCausalLM,
    FirstTokenForSequenceClassification,
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForTokenClassification,
)
from .modeling import PreTrainedModel


class RobertaConfig(BertConfig):
    model_type = "roberta"
    vocab_size: int = 50265
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: int | list | None = 2


class RobertaEmbeddings(BertEmbeddings):
    def __init__(self, config: Any):
        super().__init__(config)
        self.position_embeddings.padding_idx = config.pad_token_id

    def made(self, draw: Generator) -> None:
        self.position_embeddings.made(draw)  # the reference makes them twice


class RobertaPreTrainedModel(PreTrainedModel):
    config_class = RobertaConfig
    base_model_prefix = "roberta"
    input_embeddings = "embeddings.word_embeddings"
    attention_heads = BERT_HEADS
    positions_from_zero = True
    inputs = BertModel.inputs[:6]

    def _caches(self) -> bool:
        return self.config.is_decoder


class RobertaModel(RobertaPreTrainedModel, BertModel):
    inputs = BertModel.inputs

    def __init__(self, config: RobertaConfig, add_pooling_layer: bool = True):
        super().__init__(config, add_pooling_layer)
        self.embeddings = RobertaEmbeddings(config)

    def positions(self, state: State, x: Any, input_ids: Any, position_ids: Any) -> Any:
        return state.positions_of(x, input_ids, self.config.pad_token_id, position_ids)


class RobertaLMHead(Module):
    def __init__(self, config: Any):
        self.bias = placeholder(config.vocab_size)
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.decoder = Linear(config.hidden_size, config.vocab_size)

    def __call__(self, x: Any) -> Any:
        return self.decoder(self.layer_norm(ops.gelu(self.dense(x))))


class RobertaTokenHead(RobertaPreTrainedModel):
    """RoBERTa with `lm_head`, whose matrix is the word embeddings."""

    base_class = RobertaModel
    base_options = {"add_pooling_layer": False}
    inputs = BertModel.inputs
    tied = {"lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight"}
    always_tied = {"lm_head.decoder.bias": "lm_head.bias"}

    def __init__(self, config: RobertaConfig):
        super().__init__(config)
        self.lm_head = RobertaLMHead(config)

    def predict(self, x: Any) -> Any:
        return self.lm_head(x)


class RobertaForMaskedLM(RobertaTokenHead, ForMaskedLM):
    pass


class RobertaForCausalLM(RobertaTokenHead, EncoderForCausalLM):
    """RoBERTa as a decoder (is_decoder in the configuration)."""


class RobertaForSequenceClassification(FirstTokenForSequenceClassification, RobertaPreTrainedModel):
    base_class = RobertaModel
    base_options = {"add_pooling_layer": False}


class RobertaForMultipleChoice(ForMultipleChoice, RobertaPreTrainedModel):
    base_class = RobertaModel
    inputs = ("input_ids", "token_type_ids", "attention_mask", *RobertaPreTrainedModel.inputs[3:])


class RobertaForTokenClassification(ForTokenClassification, RobertaPreTrainedModel):
    base_class = RobertaModel
    base_options = {"add_pooling_layer": False}


class RobertaForQuestionAnswering(ForQuestionAnswering, RobertaPreTrainedModel):
    base_class = RobertaModel
    base_options = {"add_pooling_layer": False}
